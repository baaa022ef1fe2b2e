//! How much of what a guest sends is read and answered: token buckets without a clock of their own.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A long-term rate, and the burst that is allowed after a pause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Tokens a second; 0 for no bound.
    pub per_second: u32,
    /// Tokens that a full bucket holds.
    pub burst: u32,
}

/// What one guest may send and receive, over all its connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flow {
    /// Lines answered.
    pub lines: Bound,
    /// Bytes read.
    pub bytes: Bound,
}

/// How much of its [`Flow`] a guest has used.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Meter {
    /// Bucket for lines answered.
    pub lines: Bucket,
    /// Bucket for bytes read.
    pub bytes: Bucket,
}

impl Meter {
    /// Whether both buckets are full.
    pub fn is_full(&self, now: Instant) -> bool {
        self.lines.is_full(now) && self.bytes.is_full(now)
    }
}

/// A bucket of tokens, full at first.
///
/// It stores only when it will be full again (GCRA, as in ITU-T I.371), so the bucket of an idle
/// guest costs 16 bytes and no timer.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Bucket {
    #[serde(with = "hostinfo_handover::instant::option")]
    full_at: Option<Instant>,
}

impl Bucket {
    /// Time until `tokens` are available; zero if they are. More tokens than the bucket holds are
    /// available when it is full.
    pub fn wait(&self, tokens: u32, bound: Bound, now: Instant) -> Duration {
        match self.full_at {
            // The common case: a comparison is enough. The arithmetic below is a tenth of a query's instructions.
            None => Duration::ZERO,
            Some(at) if at <= now => Duration::ZERO,
            Some(at) => {
                let left_over = time(bound.burst.saturating_sub(tokens), bound);
                at.duration_since(now).saturating_sub(left_over)
            }
        }
    }

    /// Takes `tokens`, whether or not they are available.
    pub fn take(&mut self, tokens: u32, bound: Bound, now: Instant) {
        let from = self.full_at.map_or(now, |at| at.max(now));
        self.full_at = from.checked_add(time(tokens, bound));
    }

    /// Whether no token is missing.
    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at.is_none_or(|at| at <= now)
    }
}

/// The time in which this many tokens are added.
fn time(tokens: u32, bound: Bound) -> Duration {
    Duration::from_secs(u64::from(tokens)).checked_div(bound.per_second).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: Bound = Bound { per_second: 20, burst: 40 };

    #[test]
    fn a_burst_passes_at_once_and_then_one_at_a_time() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        for _ in 0..LINES.burst {
            assert_eq!(bucket.wait(1, LINES, now), Duration::ZERO);
            bucket.take(1, LINES, now);
        }
        assert_eq!(bucket.wait(1, LINES, now), Duration::from_millis(50));
        assert_eq!(bucket.wait(1, LINES, now + Duration::from_millis(50)), Duration::ZERO);
    }

    #[test]
    fn a_bucket_that_rests_is_full_and_not_more_than_full() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        bucket.take(40, LINES, now);
        let later = now + Duration::from_secs(3600);
        assert!(!bucket.is_full(now) && bucket.is_full(later));
        bucket.take(40, LINES, later);
        assert_eq!(bucket.wait(1, LINES, later), Duration::from_millis(50));
    }

    #[test]
    fn more_than_a_bucket_holds_waits_until_it_is_full() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        assert_eq!(bucket.wait(1000, LINES, now), Duration::ZERO);
        bucket.take(20, LINES, now);
        assert_eq!(bucket.wait(1000, LINES, now), Duration::from_secs(1));
    }

    #[test]
    fn a_rate_of_nothing_is_no_bound() {
        let (mut bucket, now) = (Bucket::default(), Instant::now());
        let none = Bound { per_second: 0, burst: 0 };
        for _ in 0..1000 {
            assert_eq!(bucket.wait(1000, none, now), Duration::ZERO);
            bucket.take(1000, none, now);
        }
    }
}
