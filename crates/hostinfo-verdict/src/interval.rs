//! How figures changed between samples.

use std::ops::Range;
use std::sync::LazyLock;
use std::time::Duration;

use crate::sample::Sample;
use crate::verdict::{State, Verdict};

/// The samples that a verdict is about: all of one guest in one session, the oldest first.
#[derive(Debug, Clone)]
pub struct Interval<'a> {
    samples: Vec<(Duration, &'a Sample)>,
    /// Until another sample is there, and the guest may ask again.
    again: Duration,
    /// As in [`Interval::with_devices_coming`].
    pub(crate) are_devices_coming: bool,
    /// The first and the last sample, and the time between them.
    pub(crate) before: &'a Sample,
    pub(crate) after: &'a Sample,
    pub(crate) length: Duration,
}

impl<'a> Interval<'a> {
    /// Takes samples in the order in which they were taken, each with the time since the first one.
    pub fn new(samples: Vec<(Duration, &'a Sample)>) -> Self {
        static NOTHING: LazyLock<Sample> = LazyLock::new(Sample::default);
        let nothing = (Duration::ZERO, &*NOTHING);
        let (begin, before) = samples.first().copied().unwrap_or(nothing);
        let (end, after) = samples.last().copied().unwrap_or(nothing);
        let length = end.saturating_sub(begin);
        Self { samples, again: Duration::ZERO, are_devices_coming: false, before, after, length }
    }

    /// The same for a guest that can ask after `again`, and will find another sample then.
    pub fn with_next(self, again: Duration) -> Self {
        Self { again, ..self }
    }

    /// The same, with whether figures of the guest's disks or interfaces (whichever are judged) may still come although
    /// the samples have none: libvirt is asked for them, and has not answered.
    pub fn with_devices_coming(self, are_devices_coming: bool) -> Self {
        Self { are_devices_coming, ..self }
    }

    /// The length of the interval in whole seconds, as verdicts name it.
    pub fn window(&self) -> Duration {
        Duration::from_secs(self.length.saturating_add(Duration::from_millis(500)).as_secs())
    }

    /// The interval without the samples that lack what is needed.
    pub(crate) fn with(&self, needed: impl Fn(&Sample) -> bool) -> Self {
        let samples = self.samples.iter().filter(|(_, sample)| needed(sample)).copied().collect();
        let Self { again, are_devices_coming, .. } = *self;
        Self { again, are_devices_coming, ..Self::new(samples) }
    }

    /// The verdict if too few samples have what is needed: see [`Self::with`]. `never` is the reason if none has it.
    /// If one has it, others will: a sample may lack something for a moment, as when the guest has just started.
    pub(crate) fn too_few(&self, never: impl FnOnce() -> String) -> Verdict {
        match self.samples.is_empty() {
            true => Verdict::new(State::Unknown, never()),
            false => Verdict::ask_again(self.again),
        }
    }

    /// From the first sample to the last.
    pub(crate) fn whole(&self) -> Span<'a> {
        Span { before: self.before, after: self.after, length: self.length }
    }

    /// By how much a time rose over the whole interval.
    pub(crate) fn time(&self, counter: impl Fn(&Sample) -> Option<Duration>) -> Option<Duration> {
        self.whole().time(counter)
    }

    /// From each sample to the next one.
    pub(crate) fn parts(&self) -> impl Iterator<Item = Span<'a>> {
        self.samples.windows(2).filter_map(|pair| match pair {
            [before, after] => Some(Span::between(before, after)),
            _ => None,
        })
    }

    /// These parts taken together.
    pub(crate) fn span(&self, parts: Range<usize>) -> Option<Span<'a>> {
        (parts.start < parts.end).then_some(())?;
        Some(Span::between(self.samples.get(parts.start)?, self.samples.get(parts.end)?))
    }
}

/// Two samples, and the time between them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Span<'a> {
    pub(crate) before: &'a Sample,
    pub(crate) after: &'a Sample,
    pub(crate) length: Duration,
}

impl<'a> Span<'a> {
    fn between(before: &(Duration, &'a Sample), after: &(Duration, &'a Sample)) -> Self {
        Self { before: before.1, after: after.1, length: after.0.saturating_sub(before.0) }
    }

    /// By how much a counter rose. `None` if it is unknown at either end, or fell: it was reset, so
    /// nothing can be concluded.
    pub(crate) fn rise(&self, counter: impl Fn(&Sample) -> Option<u64>) -> Option<u64> {
        counter(self.after)?.checked_sub(counter(self.before)?)
    }

    /// The same for a time.
    pub(crate) fn time(&self, counter: impl Fn(&Sample) -> Option<Duration>) -> Option<Duration> {
        counter(self.after)?.checked_sub(counter(self.before)?)
    }

    /// The time between the figures of the guest's disks and interfaces. Each sample has the
    /// figures that libvirt had last delivered. Zero if both samples have the same ones.
    pub(crate) fn of_devices(&self) -> Duration {
        let length = self.length.saturating_add(self.before.devices_age);
        length.saturating_sub(self.after.devices_age)
    }
}

/// Whether `number` events in `length` are at least `per_second` on average.
pub(crate) fn reaches(number: u64, per_second: u64, length: Duration) -> bool {
    let wanted = u128::from(per_second).saturating_mul(length.as_nanos());
    u128::from(number) * 1_000_000_000 >= wanted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_make_parts_and_parts_make_spans() {
        let sample = Sample::default();
        let seconds = Duration::from_secs;
        let interval = Interval::new([3, 8, 18].map(|at| (seconds(at), &sample)).to_vec());
        assert_eq!(interval.length, seconds(15));
        let lengths: Vec<_> = interval.parts().map(|part| part.length).collect();
        assert_eq!(lengths, [seconds(5), seconds(10)]);
        assert_eq!(interval.span(1..2).unwrap().length, seconds(10));
        assert_eq!(interval.whole().length, seconds(15));
        assert!(interval.span(1..1).is_none() && interval.span(1..3).is_none());
    }

    #[test]
    fn figures_of_devices_speak_of_the_time_between_themselves() {
        let seconds = Duration::from_secs;
        let of_devices = |before, after| {
            let aged = |age| Sample { devices_age: seconds(age), ..Sample::default() };
            let (before, after) = (aged(before), aged(after));
            let interval = Interval::new(vec![(seconds(0), &before), (seconds(5), &after)]);
            interval.whole().of_devices()
        };
        assert_eq!([of_devices(0, 0), of_devices(60, 5)], [seconds(5), seconds(60)]);
        assert_eq!([of_devices(3, 8), of_devices(0, 9)], [Duration::ZERO; 2]);
    }

    #[test]
    fn an_interval_with_fewer_than_two_samples_has_no_parts() {
        let sample = Sample::default();
        for samples in [vec![], vec![(Duration::from_secs(9), &sample)]] {
            let interval = Interval::new(samples);
            assert!(interval.parts().next().is_none());
            assert_eq!(interval.whole().length, Duration::ZERO);
        }
    }
}
