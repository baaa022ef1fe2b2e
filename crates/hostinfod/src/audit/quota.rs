//! Bounds the number of log lines about one guest. Lines that are left out are counted, and the
//! number is logged.

use std::time::{Duration, Instant};

use hostinfo_answer::{Bound, Bucket};
use hostinfo_wire::limits::{LOG_BURST, LOG_LINES_PER_MINUTE};
use serde::{Deserialize, Serialize};

/// Tokens that a line costs, so that a rate of tokens per second is one of lines per minute.
const LINE: u32 = 60;
const LINES: Bound = Bound { per_second: LOG_LINES_PER_MINUTE, burst: LOG_BURST * LINE };

/// The quota for one kind of lines about one guest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Quota {
    bucket: Bucket,
    left_out: u32,
}

/// Permission to log a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Permit {
    /// Number of lines left out before this one, if any.
    pub(crate) left_out: Option<u32>,
}

impl Permit {
    /// Where something else bounds the lines, or only an administrator causes them.
    pub(crate) const ALWAYS: Self = Self { left_out: None };
}

impl Quota {
    /// Asks for permission to log a line now. If there is none, the line is counted as left out.
    pub(crate) fn ask(&mut self, now: Instant) -> Option<Permit> {
        if self.bucket.wait(LINE, LINES, now).is_zero() {
            return Some(self.take(now));
        }
        self.left_out = self.left_out.saturating_add(1);
        None
    }

    /// When to log the number of left-out lines on its own: if the guest has been quiet since, no
    /// other line reports it.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        (self.left_out > 0).then(|| now + self.bucket.wait(2 * LINE, LINES, now))
    }

    /// Permission to log the number of left-out lines, once that is due.
    pub(crate) fn overdue(&mut self, now: Instant) -> Option<Permit> {
        (self.due(now)? <= now).then(|| self.take(now))
    }

    /// Whether nothing was logged for a long time.
    pub(crate) fn is_full(&self, now: Instant) -> bool {
        self.bucket.is_full(now)
    }

    fn take(&mut self, now: Instant) -> Permit {
        self.bucket.take(LINE, LINES, now);
        let left_out = std::mem::take(&mut self.left_out);
        Permit { left_out: (left_out > 0).then_some(left_out) }
    }
}

/// Something that is logged at most once a minute, and not counted.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct OncePerMinute {
    #[serde(with = "hostinfo_handover::instant::option")]
    last: Option<Instant>,
}

impl OncePerMinute {
    /// Whether to log it now.
    pub(crate) fn ask(&mut self, now: Instant) -> bool {
        let is_due = self.last.is_none_or(|last| now.duration_since(last) >= MINUTE);
        if is_due {
            self.last = Some(now);
        }
        is_due
    }
}

const MINUTE: Duration = Duration::from_secs(60);

/// The quotas of one guest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Quotas {
    /// For connections, and everything else about the guest other than what it asks.
    pub(crate) own: Quota,
    /// For queries that were denied.
    pub(crate) denials: Quota,
}

impl Quotas {
    /// Whether nothing was logged for a long time.
    pub(crate) fn are_full(&self, now: Instant) -> bool {
        self.own.is_full(now) && self.denials.is_full(now)
    }

    /// When the number of left-out lines is due to be logged.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        self.own.due(now).into_iter().chain(self.denials.due(now)).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flood(quota: &mut Quota, now: Instant) -> usize {
        (0..100).filter(|_| quota.ask(now).is_some()).count()
    }

    #[test]
    fn the_log_is_bounded_and_counts_what_it_leaves_out() {
        let (mut quota, now) = (Quota::default(), Instant::now());
        assert_eq!(quota.ask(now), Some(Permit { left_out: None }));
        assert_eq!(flood(&mut quota, now), LOG_BURST as usize - 1);
        assert_eq!(quota.ask(now + MINUTE), Some(Permit { left_out: Some(91) }));
        assert_eq!(quota.ask(now + MINUTE), None);
    }

    #[test]
    fn the_number_of_entries_left_out_is_written_even_if_no_more_come() {
        let (mut quota, now) = (Quota::default(), Instant::now());
        assert_eq!(quota.due(now), None);
        flood(&mut quota, now);
        let due = quota.due(now).unwrap();
        assert_eq!(due, now + 2 * MINUTE);
        assert_eq!(quota.overdue(due - Duration::from_millis(1)), None);
        assert_eq!(quota.overdue(due), Some(Permit { left_out: Some(90) }));
        assert_eq!((quota.due(due), quota.overdue(due)), (None, None));
    }
}
