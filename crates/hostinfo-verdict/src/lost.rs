//! Time that a guest lost, by cause, and which part of a window to report.

use std::ops::Range;
use std::time::Duration;

use crate::WAITED;
use crate::share::Share;
use crate::verdict::State;

/// A part of a window belongs to a burst from this share of lost time on. A window that lost less
/// than [`WAITED`] can contain a few seconds that everybody felt.
pub(crate) const BURST: Share = Share::percent(20);

/// The shortest burst: the 5 s of the shortest window, less the time by which samples may be early
/// or late. One such burst in a minute loses almost 1 s of it.
const BURST_MIN: Duration = Duration::from_secs(4);

/// If this share of a window's losses lies within a burst, only the burst is reported.
const BURST_HOLDS: Share = Share::percent(90);

/// A cause of lost time.
pub(crate) trait Cause: Copy + PartialEq {
    /// Who is to blame for it.
    fn state(self) -> State;
}

/// The time that all vCPUs together wanted to run: what they used or would have used, but at least
/// the length. So losing half of the time of one busy vCPU of eight counts as 50 %, and a guest
/// with little to do loses little.
pub(crate) fn wanted(used: Duration, length: Duration) -> Duration {
    used.max(length)
}

/// Time lost in some parts of a window.
#[derive(Debug, Clone)]
pub(crate) struct Lost<C> {
    pub(crate) length: Duration,
    /// Time that was used, plus time that would have been used had it not been lost.
    used: Duration,
    by: Vec<(C, Duration)>,
}

impl<C: Cause> Lost<C> {
    /// A part of this length with no losses. `used` is the threads' run time.
    pub(crate) fn none(length: Duration, used: Duration) -> Self {
        Self { length, used, by: Vec::new() }
    }

    /// Adds time lost to a cause.
    pub(crate) fn add(&mut self, cause: C, time: Duration) {
        self.used = self.used.saturating_add(time);
        self.count(cause, time);
    }

    fn count(&mut self, cause: C, time: Duration) {
        match self.by.iter_mut().find(|(known, _)| *known == cause) {
            Some((_, sum)) => *sum = sum.saturating_add(time),
            None => self.by.push((cause, time)),
        }
    }

    /// What these parts lost together.
    pub(crate) fn sum(parts: &[Self]) -> Self {
        let mut sum = Self::none(Duration::ZERO, Duration::ZERO);
        for part in parts {
            sum.length = sum.length.saturating_add(part.length);
            sum.used = sum.used.saturating_add(part.used);
            for (cause, time) in &part.by {
                sum.count(*cause, *time);
            }
        }
        sum
    }

    fn total(&self) -> Duration {
        self.by.iter().fold(Duration::ZERO, |sum, (_, time)| sum.saturating_add(*time))
    }

    /// A time as a share of what was [`wanted`].
    pub(crate) fn share_of(&self, time: Duration) -> Share {
        Share::of(time, wanted(self.used, self.length))
    }

    pub(crate) fn share(&self, cause: C) -> Share {
        let found = self.by.iter().find(|(known, _)| *known == cause);
        self.share_of(found.map_or(Duration::ZERO, |(_, time)| *time))
    }

    pub(crate) fn total_share(&self) -> Share {
        self.share_of(self.total())
    }

    /// How much of `time`, lost by one of several, was certainly lost to the
    /// [leading](Self::leading) cause: the rest after subtracting all that they lost to other
    /// causes. `None` if that is less than [`WAITED`].
    pub(crate) fn known_of(&self, time: Duration) -> Option<(C, Duration)> {
        let leading = self.leading()?;
        let others = self.by.iter().filter(|(cause, _)| *cause != leading);
        let known = others.fold(time, |left, (_, time)| left.saturating_sub(*time));
        (Share::of(known, self.length) >= WAITED).then_some((leading, known))
    }

    /// The cause to name first. Chooses whom to blame by the largest total loss, and then the
    /// largest cause among theirs. Between equal totals, a guest's own limits come before its host,
    /// and both before nobody; between equal causes, the one that was added first wins.
    pub(crate) fn leading(&self) -> Option<C> {
        let to = |state| {
            let lost = self.by.iter().filter(|(cause, _)| cause.state() == state);
            lost.fold(Duration::ZERO, |sum, (_, time)| sum.saturating_add(*time))
        };
        let mut blamed = State::SelfLimited;
        for state in [State::Contended, State::Unknown] {
            if to(state) > to(blamed) {
                blamed = state;
            }
        }
        let mut most: Option<(C, Duration)> = None;
        for (cause, time) in self.by.iter().filter(|(cause, _)| cause.state() == blamed) {
            if most.is_none_or(|(_, so_far)| *time > so_far) {
                most = Some((*cause, *time));
            }
        }
        most.map(|(cause, _)| cause)
    }
}

/// What to report: the whole window if [`WAITED`] of it was lost, or the parts of a burst. `None`
/// if neither was felt.
pub(crate) fn to_report<C: Cause>(parts: &[Lost<C>]) -> Option<(Lost<C>, Option<Range<usize>>)> {
    let whole = Lost::sum(parts);
    let is_felt = whole.total_share() >= WAITED;
    let burst = burst(parts.iter().map(|part| (part.length, part.total_share() >= BURST)));
    let burst = burst.and_then(|range| {
        let burst = Lost::sum(parts.get(range.clone())?);
        let holds = Share::of(burst.total(), whole.total()) >= BURST_HOLDS;
        let is_short = burst.length <= whole.length / 2;
        (!is_felt || holds && is_short).then_some((burst, Some(range)))
    });
    burst.or_else(|| is_felt.then_some((whole, None)))
}

/// The longest run of parts that were hit, if it is long enough to be felt.
pub(crate) fn burst(parts: impl Iterator<Item = (Duration, bool)>) -> Option<Range<usize>> {
    let (mut longest, mut run) = (None, (Duration::ZERO, 0..0));
    for (at, (length, is_hit)) in parts.enumerate() {
        run = match is_hit {
            true => (run.0.saturating_add(length), run.1.start..at + 1),
            false => (Duration::ZERO, at + 1..at + 1),
        };
        if longest.as_ref().is_none_or(|(most, _)| run.0 > *most) {
            longest = Some(run.clone());
        }
    }
    longest.filter(|(length, _)| *length >= BURST_MIN).map(|(_, range)| range)
}

#[cfg(test)]
mod tests;
