//! When to try again to connect to a socket.

use std::time::{Duration, Instant};

use hostinfo_domains::doubled;
use hostinfo_wire::limits::{RETRIES, RETRY_FIRST, RETRY_LONGEST};

/// Failures of one socket since it last changed.
#[derive(Debug, Default)]
pub(crate) struct Retry {
    refused: u32,
    dropped: u32,
}

impl Retry {
    /// Nobody listened. Returns when to try again; `None` if the socket belongs to a dead guest,
    /// and is left alone until it changes.
    pub(crate) fn after_refusal(&mut self, now: Instant) -> Option<Instant> {
        let at = now + wait(self.refused);
        self.refused += 1;
        (self.refused <= RETRIES).then_some(at)
    }

    /// The try failed for a passing reason, such as a lack of descriptors. Returns when to try again.
    pub(crate) fn after_failure(&mut self, now: Instant) -> Instant {
        let at = now + wait(self.dropped);
        self.dropped = self.dropped.saturating_add(1);
        at
    }

    /// The peer closed the connection after that time. Returns when to try again: the longer the
    /// connection lasted, the sooner. So a peer that closes every connection does not keep the
    /// daemon busy.
    pub(crate) fn after_connection(&mut self, lasted: Duration, now: Instant) -> Instant {
        self.refused = 0;
        if lasted >= RETRY_LONGEST {
            self.dropped = 0;
        }
        self.after_failure(now)
    }
}

fn wait(failed: u32) -> Duration {
    doubled(failed, RETRY_FIRST, RETRY_LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_waits_before_ten_tries_double_from_10_ms_to_1_s_and_there_is_no_eleventh() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        let waits: Vec<u128> = std::iter::from_fn(|| retry.after_refusal(now))
            .map(|at| (at - now).as_millis())
            .collect();
        assert_eq!(waits, [10, 20, 40, 80, 160, 320, 640, 1000, 1000, 1000]);
        assert_eq!(retry.after_refusal(now), None);
    }

    #[test]
    fn a_listener_is_never_given_up_and_never_hurried() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        for _ in 0..100 {
            let at = retry.after_connection(Duration::ZERO, now);
            assert!(at >= now + RETRY_FIRST && at <= now + RETRY_LONGEST);
        }
        assert_eq!(retry.after_connection(Duration::ZERO, now), now + RETRY_LONGEST);
        assert_eq!(retry.after_connection(Duration::from_secs(2), now), now + RETRY_FIRST);
    }

    #[test]
    fn a_connection_makes_good_for_refusals() {
        let (mut retry, now) = (Retry::default(), Instant::now());
        while retry.after_refusal(now).is_some() {}
        retry.after_connection(Duration::ZERO, now);
        assert_eq!(retry.after_refusal(now), Some(now + RETRY_FIRST));
    }
}
