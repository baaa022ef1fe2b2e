//! How long to wait after failures, and when to start the helper.

use std::time::{Duration, Instant};

use crate::limits::{RESTART_FIRST, RESTART_LONGEST, RESTARTS};

/// The wait after a failure with that many others before it: the first one doubles with each, up to the longest.
pub fn doubled(before: u32, first: Duration, longest: Duration) -> Duration {
    let times = 1u32.checked_shl(before).unwrap_or(u32::MAX);
    first.saturating_mul(times).min(longest)
}

/// When the next start is due, and how many starts failed in a row. No start is due if nobody has
/// asked yet, or after too many failures.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    failures: u32,
    not_before: Option<Instant>,
    due: Option<Instant>,
}

impl Backoff {
    /// The time of the next start.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.due
    }

    /// The earliest time at which anything is done about the last failure.
    pub(crate) fn not_before(&self) -> Option<Instant> {
        self.not_before
    }

    /// The helper is being started.
    pub(crate) fn started(&mut self) {
        self.due = None;
    }

    /// The helper failed after running for `lasted`.
    pub(crate) fn failed(&mut self, lasted: Duration, now: Instant) {
        if lasted > RESTART_LONGEST {
            self.failures = 0;
        }
        let at = now + doubled(self.failures, RESTART_FIRST, RESTART_LONGEST);
        self.not_before = Some(at);
        self.due = (self.failures < RESTARTS).then_some(at);
        self.failures = self.failures.saturating_add(1);
    }

    /// Somebody wants the helper.
    pub(crate) fn want(&mut self, now: Instant) {
        let soonest = self.not_before.map_or(now, |at| at.max(now));
        self.due.get_or_insert(soonest);
    }

    /// Whatever the helper lacked may be there now, so tries start over.
    pub(crate) fn begin_anew(&mut self, now: Instant) {
        let at = Some(now + RESTART_FIRST);
        *self = Self { failures: 0, not_before: at, due: at };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SHORT: Duration = Duration::from_secs(1);

    fn rest(backoff: &mut Backoff, start: Instant) -> (Vec<u128>, Instant) {
        let (mut waits, mut now) = (Vec::new(), start);
        loop {
            backoff.failed(SHORT, now);
            let Some(due) = backoff.due() else { return (waits, now) };
            waits.push((due - now).as_millis());
            now = due;
            backoff.started();
        }
    }

    #[test]
    fn eight_tries_double_from_a_tenth_of_a_second_and_then_it_rests_until_somebody_asks() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        assert_eq!(backoff.due(), None);
        backoff.want(start);
        assert_eq!(backoff.due(), Some(start));
        let (waits, now) = rest(&mut backoff, start);
        assert_eq!(waits, [100, 200, 400, 800, 1600, 3200, 6400, 10_000]);
        backoff.want(now);
        assert_eq!(backoff.due(), Some(now + RESTART_LONGEST));
        backoff.started();
        backoff.failed(SHORT, now);
        assert_eq!(backoff.due(), None);
    }

    #[test]
    fn a_helper_that_ran_for_long_or_finds_something_new_has_all_tries_again() {
        let (mut backoff, start) = (Backoff::default(), Instant::now());
        let (_, now) = rest(&mut backoff, start);
        backoff.failed(Duration::from_secs(60), now);
        assert_eq!(backoff.due(), Some(now + RESTART_FIRST));
        let (_, now) = rest(&mut backoff, now);
        backoff.begin_anew(now);
        assert_eq!(backoff.due(), Some(now + RESTART_FIRST));
    }
}
