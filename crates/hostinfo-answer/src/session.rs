//! A session: the time in which a guest remains the same for itself.

use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

use crate::host_id::hex;

/// Seconds to which a session's start is rounded down. If two guests knew exactly when their host's
/// daemon or a neighbour's process started, that would prove that they share the host.
const GRAIN: u64 = 10;

/// The time in which a guest's counters do not fall.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Session {
    id: [u8; 8],
    /// When the guest first asked, rounded down to [`GRAIN`]. `None` if it has not asked yet.
    pub(crate) start: Option<SystemTime>,
}

impl Session {
    /// A session that begins with the guest's first query. Its `id` must not be guessable.
    pub fn new(id: [u8; 8]) -> Self {
        Self { id, start: None }
    }

    /// Its name, in hexadecimal: random, so that it reveals nothing.
    pub fn id(&self) -> String {
        hex(&self.id)
    }

    /// Notes a query. `clock` is read only for the first one.
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
