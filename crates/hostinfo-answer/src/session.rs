//! The time in which a guest is the same one to itself.

use std::time::{Duration, SystemTime};

use crate::host_id::hex;

/// How fine a session's start is told. When a host's daemon started, or a neighbour's process, to
/// the byte, would prove to two guests that they share that host.
const GRAIN: u64 = 10;

/// The time in which a guest's counters do not fall.
#[derive(Debug, Clone)]
pub struct Session {
    pub(crate) id: Box<str>,
    /// When the guest asked for the first time, in whole [`GRAIN`]s. `None`: it has not yet.
    pub(crate) start: Option<SystemTime>,
}

impl Session {
    /// A session that begins with the guest's first question. Nobody may be able to guess its `id`.
    pub fn new(id: [u8; 8]) -> Self {
        Self { id: hex(&id), start: None }
    }

    /// Its name: random, so that it tells nothing.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Notes a question. `clock` is read for the first one alone.
    pub(crate) fn asked(&mut self, clock: impl FnOnce() -> SystemTime) {
        let cut = || {
            let seconds =
                clock().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs();
            SystemTime::UNIX_EPOCH + Duration::from_secs(seconds - seconds % GRAIN)
        };
        self.start.get_or_insert_with(cut);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_begins_with_its_first_question_cut_to_10_s() {
        let at = |millis| SystemTime::UNIX_EPOCH + Duration::from_millis(millis);
        let mut session = Session::new([7; 8]);
        assert_eq!(session.start, None);
        session.asked(|| at(1_763_794_627_999));
        session.asked(|| panic!("it has begun"));
        assert_eq!(session.start, Some(at(1_763_794_620_000)));
    }
}
