//! Points in time, and the grid that samples are taken on.

use std::time::Duration;

use hostinfo_wire::limits::SAMPLE_GRID;
use serde::{Deserialize, Serialize};

/// When a reply's values are taken, on a clock that never goes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Moment {
    slot: u64,
    since_start: Duration,
}

impl Moment {
    /// This long after some start, such as the daemon's.
    pub fn new(since_start: Duration) -> Self {
        let slot = since_start.as_nanos() / SAMPLE_GRID.as_nanos();
        Self { slot: u64::try_from(slot).unwrap_or(u64::MAX), since_start }
    }

    /// The beginning of that step of the grid.
    pub(crate) fn of_slot(slot: u64) -> Self {
        let step = u64::try_from(SAMPLE_GRID.as_nanos()).unwrap_or(u64::MAX);
        Self { slot, since_start: Duration::from_nanos(step.saturating_mul(slot)) }
    }

    /// The step of the grid ([`SAMPLE_GRID`]) that contains the moment. Queries within one step get
    /// the same sample.
    pub fn slot(self) -> u64 {
        self.slot
    }

    /// How long ago `earlier` was.
    pub(crate) fn since(self, earlier: Self) -> Duration {
        self.since_start.saturating_sub(earlier.since_start)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_begins_in_itself() {
        for slot in [0, 1, 7, 864_000] {
            let moment = Moment::of_slot(slot);
            assert_eq!(Moment::new(moment.since_start), moment);
        }
    }

    #[test]
    fn a_slot_is_a_tenth_of_a_second() {
        let slot = |millis| Moment::new(Duration::from_millis(millis)).slot();
        assert_eq!([slot(0), slot(99), slot(100), slot(1_000), slot(1_099)], [0, 0, 1, 10, 10]);
        assert_eq!(Moment::new(Duration::MAX).slot(), u64::MAX);
    }
}
