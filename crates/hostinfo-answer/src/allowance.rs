//! When a guest may have its next query answered.

use std::time::{Duration, Instant};

use hostinfo_wire::limits::WINDOW_MIN;
use serde::{Deserialize, Serialize};

/// What a query cost, whatever the guest got for it. Reading counts: otherwise a guest that gets no
/// values could make the host read on and on, and learn from the time that takes what others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Cost {
    /// Nothing was read.
    Nothing,
    /// It got no value, and at least one is on its way: the guest was told to ask again in a second.
    Soon,
    /// Something was read.
    Read,
}

/// How a guest has used its interval.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Allowance {
    #[serde(with = "hostinfo_handover::instant::option")]
    last: Option<Instant>,
    /// The last query got nothing yet and may be repeated early, but only once, so that repeating
    /// is not a way around the interval.
    is_soon: bool,
    /// The query that was begun last is such a repetition.
    is_repetition: bool,
}

impl Allowance {
    /// Time until the next query is allowed; zero if it is allowed now.
    pub(crate) fn wait(&self, interval: Duration, now: Instant) -> Duration {
        let interval = if self.is_soon { interval.min(WINDOW_MIN) } else { interval };
        self.last.map_or(Duration::ZERO, |last| {
            interval.saturating_sub(now.saturating_duration_since(last))
        })
    }

    /// Counts a query whose values are on their way, before it is answered: otherwise each of the guest's connections
    /// could have the host begin one. It is counted once more when it is answered, or when the guest hangs up.
    pub(crate) fn begin(&mut self, now: Instant) {
        self.is_repetition = std::mem::take(&mut self.is_soon);
        self.last = Some(now);
    }

    /// Counts a query that was answered.
    pub(crate) fn spend(&mut self, cost: Cost, now: Instant) {
        if cost != Cost::Nothing {
            let is_repetition = std::mem::take(&mut self.is_repetition) || self.is_soon;
            self.is_soon = cost == Cost::Soon && !is_repetition;
            self.last = Some(now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(60);

    fn waits(costs: &[Cost], interval: Duration) -> Vec<u64> {
        let (mut allowance, mut now) = (Allowance::default(), Instant::now());
        let seconds = costs.iter().map(|cost| {
            allowance.spend(*cost, now);
            let wait = allowance.wait(interval, now);
            now += wait;
            assert_eq!(allowance.wait(interval, now), Duration::ZERO);
            wait.as_secs()
        });
        seconds.collect()
    }

    #[test]
    fn only_a_query_that_read_something_counts() {
        use Cost::{Nothing, Read};
        assert_eq!(waits(&[Nothing, Read, Read], INTERVAL), [0, 60, 60]);
        let (mut allowance, now) = (Allowance::default(), Instant::now());
        allowance.spend(Read, now);
        allowance.spend(Nothing, now + INTERVAL / 2);
        assert_eq!(allowance.wait(INTERVAL, now + INTERVAL / 2), INTERVAL / 2);
    }

    #[test]
    fn a_value_that_is_on_its_way_may_be_asked_for_once_more() {
        use Cost::{Read, Soon};
        assert_eq!(waits(&[Soon, Read, Soon, Soon, Soon], INTERVAL), [1, 60, 1, 60, 1]);
        assert_eq!(waits(&[Soon, Soon], Duration::ZERO), [0, 0]);
    }

    #[test]
    fn a_query_that_waits_counts_from_its_beginning_and_once_more_from_its_answer() {
        use Cost::{Read, Soon};
        for (cost, waits) in [(Read, [60, 60]), (Soon, [1, 60])] {
            let (mut allowance, mut now) = (Allowance::default(), Instant::now());
            for seconds in waits {
                allowance.begin(now);
                assert_eq!(allowance.wait(INTERVAL, now), INTERVAL);
                now += INTERVAL / 2;
                allowance.spend(cost, now);
                let wait = allowance.wait(INTERVAL, now);
                assert_eq!(wait.as_secs(), seconds);
                now += wait;
            }
        }
    }
}
