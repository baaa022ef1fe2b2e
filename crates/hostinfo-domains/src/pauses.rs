//! How long a domain was paused.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// The time for which a domain was seen paused: it never falls. While the domain was out of sight,
/// only the time between two observations that both found it paused counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Pauses {
    past: Duration,
    #[serde(with = "hostinfo_handover::instant::option")]
    since: Option<Instant>,
    out_of_sight: bool,
}

impl Pauses {
    /// Notes whether it is paused now.
    pub(crate) fn see(&mut self, is_paused: bool, now: Instant) {
        if is_paused || !self.out_of_sight {
            self.past = self.total(now);
        }
        self.since = is_paused.then_some(now);
        self.out_of_sight = false;
    }

    /// Notes that from now on nobody reports its state.
    pub(crate) fn lose_sight(&mut self, now: Instant) {
        if !self.out_of_sight {
            self.past = self.total(now);
            self.since = self.since.map(|_| now);
            self.out_of_sight = true;
        }
    }

    /// The time until `now`.
    pub(crate) fn total(&self, now: Instant) -> Duration {
        self.past + self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn pauses_add_up_and_one_that_lasts_is_counted() {
        let (mut pauses, start) = (Pauses::default(), Instant::now());
        pauses.see(false, start);
        pauses.see(true, start + s(1));
        pauses.see(true, start + s(2));
        assert_eq!(pauses.total(start + s(4)), s(3));
        pauses.see(false, start + s(5));
        assert_eq!(pauses.total(start + s(9)), s(4));
        pauses.see(true, start + s(10));
        assert_eq!(pauses.total(start + s(11)), s(5));
    }

    #[test]
    fn a_pause_that_ended_out_of_sight_counts_as_far_as_it_was_seen() {
        let (mut pauses, start) = (Pauses::default(), Instant::now());
        pauses.see(true, start);
        pauses.lose_sight(start + s(3));
        let mut woken = pauses;
        woken.see(false, start + s(8));
        assert_eq!(woken.total(start + s(9)), s(3));
        pauses.see(true, start + s(8));
        assert_eq!(pauses.total(start + s(9)), s(9));
    }
}
