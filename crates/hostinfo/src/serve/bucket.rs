//! Limits how much of a client's input is read and answered: a token bucket without a clock of its
//! own.

use std::time::Duration;

/// A long-run rate, and the burst allowed after a quiet time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bound {
    /// Tokens a second.
    pub(crate) per_second: u32,
    /// Tokens that a full bucket holds.
    pub(crate) burst: u32,
}

impl Bound {
    /// The time in which `tokens` are refilled.
    fn time(self, tokens: u32) -> Duration {
        Duration::from_secs(u64::from(tokens)) / self.per_second.max(1)
    }
}

/// A bucket, full at first. It only stores when it will be full again (GCRA, ITU-T I.371).
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Bucket {
    full_at: Duration,
}

impl Bucket {
    /// When a token is available; in the past if one is.
    pub(crate) fn ready_at(&self, bound: Bound) -> Duration {
        self.full_at.saturating_sub(bound.time(bound.burst.saturating_sub(1)))
    }

    /// Takes `tokens`, whether or not they are available.
    pub(crate) fn take(&mut self, tokens: u32, bound: Bound, now: Duration) {
        self.full_at = self.full_at.max(now).saturating_add(bound.time(tokens));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_at_once_and_then_one_at_a_time() {
        let bound = Bound { per_second: 20, burst: 40 };
        let (mut bucket, now) = (Bucket::default(), Duration::from_secs(1000));
        for _ in 0..40 {
            assert!(bucket.ready_at(bound) <= now);
            bucket.take(1, bound, now);
        }
        assert_eq!(bucket.ready_at(bound), now + Duration::from_millis(50));
        let later = now + Duration::from_secs(3600);
        bucket.take(40, bound, later);
        assert_eq!(bucket.ready_at(bound), later + Duration::from_millis(50), "no more than full");
    }
}
