//! When to knock again at a socket that did not answer.

use std::time::{Duration, Instant};

use hostinfo_wire::limits::{RETRIES, RETRY_FIRST, RETRY_LONGEST};

/// Failed tries at one socket since it last changed.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    failed: u32,
}

impl Retry {
    /// Counts one more failure at `now` and says when to try again; `None` where it is given up
    /// until the socket changes.
    pub(crate) fn after_failure(&mut self, now: Instant) -> Option<Instant> {
        let wait = RETRY_FIRST.saturating_mul(1u32.checked_shl(self.failed)?);
        self.failed += 1;
        (self.failed <= RETRIES).then(|| now + wait.min(RETRY_LONGEST))
    }

    /// Forgets the failures once a connection has lasted: it was no socket that drops at once
    /// whoever comes.
    pub(crate) fn after_success(&mut self, lasted: Duration) {
        if lasted >= RETRY_LONGEST {
            self.failed = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_tries_double_from_10_ms_to_1_s_and_then_it_rests() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let waits: Vec<u128> = std::iter::from_fn(|| retry.after_failure(now))
            .map(|at| (at - now).as_millis())
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
        assert_eq!(retry.after_failure(now), None);
    }

    #[test]
    fn only_a_connection_that_lasted_makes_good_for_failures() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        while retry.after_failure(now).is_some() {}
        retry.after_success(Duration::from_millis(1));
        assert_eq!(retry.after_failure(now), None);
        retry.after_success(Duration::from_secs(2));
        assert_eq!(retry.after_failure(now), Some(now + RETRY_FIRST));
    }
}
