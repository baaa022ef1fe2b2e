//! What became of the figures between two samples.

use std::sync::LazyLock;
use std::time::Duration;

use crate::sample::Sample;

/// The first and the last of some samples of one guest in one session, and the time between them.
#[derive(Debug, Clone)]
pub struct Interval<'a> {
    pub(crate) before: &'a Sample,
    pub(crate) after: &'a Sample,
    pub(crate) length: Duration,
}

impl<'a> Interval<'a> {
    /// From samples in their order, each with its time since the first one.
    pub fn new(samples: Vec<(Duration, &'a Sample)>) -> Self {
        static NOTHING: LazyLock<Sample> = LazyLock::new(Sample::default);
        let nothing = (Duration::ZERO, &*NOTHING);
        let (begin, before) = samples.first().copied().unwrap_or(nothing);
        let (end, after) = samples.last().copied().unwrap_or(nothing);
        Self { before, after, length: end.saturating_sub(begin) }
    }

    /// By how much a counter rose. `None` where it is not known at both ends, or fell: it began
    /// anew, and nothing can be said.
    pub(crate) fn rise(&self, counter: impl Fn(&Sample) -> Option<u64>) -> Option<u64> {
        counter(self.after)?.checked_sub(counter(self.before)?)
    }

    /// The same of a time.
    pub(crate) fn time(&self, counter: impl Fn(&Sample) -> Option<Duration>) -> Option<Duration> {
        counter(self.after)?.checked_sub(counter(self.before)?)
    }

    /// Whether as many came to pass, each second on the mean.
    pub(crate) fn reaches(&self, number: u64, per_second: u64) -> bool {
        let wanted = u128::from(per_second).saturating_mul(self.length.as_nanos());
        u128::from(number) * 1_000_000_000 >= wanted
    }
}
