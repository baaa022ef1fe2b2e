//! The last value of one statistic for one guest, and what was logged about it.

use std::time::{Duration, Instant};

use hostinfo_catalog::Kind;
use hostinfo_sample::Absent;

use crate::failure::Failure;
use crate::limits::LOG_EVERY;
use crate::output::{self, Output};

/// The statistic and the guest that a value belongs to.
#[derive(Clone, Copy)]
pub(crate) struct Subject<'a> {
    pub(crate) name: &'a str,
    /// Empty if all guests share the value.
    pub(crate) guest: &'a str,
    pub(crate) kind: Kind,
}

/// A value or the reason for its absence, and when it was obtained.
#[derive(Default)]
pub(crate) struct Stored {
    outcome: Option<(Instant, Result<Output, Absent>)>,
    logged: Option<(Instant, Option<&'static str>)>,
    /// Whether a run is queued or in progress.
    pub(crate) is_pending: bool,
}

impl Stored {
    /// The value, and when it was obtained, if that was at most `every` ago or since the query arrived.
    pub(crate) fn fresh(
        &self,
        every: Duration,
        asked: Instant,
        now: Instant,
    ) -> Option<&(Instant, Result<Output, Absent>)> {
        self.outcome
            .as_ref()
            .filter(|(at, _)| *at >= asked || now.saturating_duration_since(*at) < every)
    }

    /// One that was obtained at that time.
    pub(crate) fn of(at: Instant, outcome: Result<Output, Absent>) -> Self {
        Self { outcome: Some((at, outcome)), ..Self::default() }
    }

    /// Why there is no value, if the last attempt gave none.
    pub(crate) fn absent(&self) -> Option<&Absent> {
        self.outcome.as_ref()?.1.as_ref().err()
    }

    /// Stores what was read or printed. Returns true if it was not a value.
    pub(crate) fn put(
        &mut self,
        subject: Subject<'_>,
        bytes: Result<Vec<u8>, Failure>,
        now: Instant,
    ) -> bool {
        self.is_pending = false;
        let outcome = bytes.and_then(|bytes| output::read(subject.kind, &bytes));
        self.log(subject, outcome.as_ref().err(), now);
        let failed = outcome.is_err();
        self.outcome = Some((now, outcome.map_err(|failure| failure.to_absent())));
        failed
    }

    /// Logs each change of state once. A change that comes too soon after the last one is logged
    /// later, if it still holds.
    fn log(&mut self, subject: Subject<'_>, failure: Option<&Failure>, now: Instant) {
        let state = failure.map(Failure::reason);
        let is_news = match self.logged {
            None => state.is_some(),
            Some((at, before)) => before != state && now.saturating_duration_since(at) >= LOG_EVERY,
        };
        if !is_news {
            return;
        }
        self.logged = Some((now, state));
        let Subject { name, guest, .. } = subject;
        let guest = (!guest.is_empty()).then_some(guest);
        let of_guest = guest.map(|guest| format!(" of guest {guest}")).unwrap_or_default();
        match failure {
            Some(failure) => {
                tracing::warn!(guest, "custom.{name}{of_guest}: {}: {failure}", failure.reason());
            }
            None => tracing::info!(guest, "custom.{name}{of_guest}: has a value again"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBJECT: Subject<'_> = Subject { name: "x", guest: "", kind: Kind::Gauge };

    #[test]
    fn a_failure_is_kept_as_long_as_a_value() {
        let (mut stored, now) = (Stored::default(), Instant::now());
        let every = Duration::from_secs(10);
        for bytes in [Ok(b"7".to_vec()), Err(Failure::TooLong)] {
            stored.put(SUBJECT, bytes, now);
            let later = |seconds| now + Duration::from_secs(seconds);
            assert!(stored.fresh(every, later(9), later(9)).is_some());
            assert!(stored.fresh(every, later(10), later(10)).is_none());
            assert!(stored.fresh(every, now, later(10)).is_some(), "it came after the question");
        }
    }

    #[test]
    fn changes_are_logged_at_most_once_a_minute() {
        let (mut stored, start) = (Stored::default(), Instant::now());
        let mut logged = |seconds, bytes| {
            let now = start + Duration::from_secs(seconds);
            stored.put(SUBJECT, bytes, now);
            stored.logged.filter(|(at, _)| *at == now).map(|(_, state)| state.is_some())
        };
        assert_eq!(logged(0, Ok(b"1".to_vec())), None);
        assert_eq!(logged(1, Err(Failure::TooLong)), Some(true));
        assert_eq!(logged(2, Err(Failure::TooLong)), None);
        assert_eq!(logged(3, Ok(b"1".to_vec())), None);
        assert_eq!(logged(62, Ok(b"1".to_vec())), Some(false));
        assert_eq!(logged(63, Ok(b"x".to_vec())), None);
        assert_eq!(logged(200, Ok(b"x".to_vec())), Some(true));
    }
}
