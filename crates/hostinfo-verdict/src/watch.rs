//! Watching a guest: when to sample it, and which samples a verdict uses.
//!
//! A guest is watched from its first query for as long as it may ask again, or permanently if its
//! rule says so. The schedule of samples begins with the watch: one at once, then one every
//! [`STEP`] (5 s) while the guest asks, and one every other step while it does not. A query itself
//! takes no sample, so the guest cannot choose the window.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use hostinfo_handover::instant;
use hostinfo_wire::limits::INTERVAL_MAX;
use serde::{Deserialize, Serialize};

use crate::{Interval, Sample};

/// The time between two samples of a guest that asks, and so how long after its first query it has a
/// verdict. The end of its window is at most this old, or [`PERIOD`] if it had not asked for [`OFTEN`].
const STEP: Duration = Duration::from_secs(5);

/// The time between two samples of a guest that does not ask: its figures are read six times a
/// minute. Incidents are judged over this time, however often the guest asks.
const PERIOD: Duration = Duration::from_secs(10);

/// Steps are this much early, so that a guest that waits exactly as long as it was told finds its
/// sample taken.
const EARLY: Duration = Duration::from_millis(100);

/// The longest time that a verdict covers: long enough that a hiccup is not a verdict, short enough
/// to cover what the guest's owner is looking at.
const WINDOW: Duration = Duration::from_secs(60);

/// How much before or after its step a sample may be taken. Its figures are requested slightly
/// ahead, and the sample is taken when they arrive.
const SOON: Duration = Duration::from_secs(1);

/// How long a guest counts as one that asks: anybody who looks at its verdicts looks again by then.
const OFTEN: Duration = Duration::from_secs(60);

/// Shortest time that a guest is watched after its last query: long enough for a person who looks
/// again, and for a monitoring system that asks every five minutes.
const LINGER_MIN: Duration = Duration::from_secs(5 * 60);

/// A guest that asked for a verdict, or that is watched permanently.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Watch {
    #[serde(with = "instant")]
    begun: Instant,
    /// Whether it is watched permanently.
    is_kept: bool,
    /// Until when it is watched because of its queries.
    #[serde(with = "instant")]
    ends: Instant,
    /// While a sample is taken at every step.
    #[serde(with = "range")]
    often: Range<Instant>,
    /// The samples of the window: at most one per step, and one more.
    #[serde(with = "samples")]
    samples: VecDeque<(Instant, Sample)>,
    /// The end of the last [`PERIOD`] that was returned.
    #[serde(with = "instant::option")]
    judged: Option<Instant>,
}

impl Watch {
    /// Begins with a guest's first query. The first sample is due at once.
    pub fn begin(now: Instant, interval: Duration) -> Self {
        Self { ends: now + linger(interval), often: now..now + OFTEN, ..Self::at(now) }
    }

    /// Watches a guest permanently. The first sample is due at `first`: guests begin at different
    /// times, so that their samples are spread out.
    pub fn keep(first: Instant) -> Self {
        Self { is_kept: true, ..Self::at(first) }
    }

    fn at(begun: Instant) -> Self {
        let samples = VecDeque::new();
        Self { begun, is_kept: false, ends: begun, often: begun..begun, samples, judged: None }
    }

    /// Watches the guest permanently, or from now on only while it asks.
    pub fn set_kept(&mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }

    /// Notes another query, of a guest that may ask once in `interval`. If the watch should have
    /// ended by now, the query starts a new one.
    pub fn asked(&mut self, now: Instant, interval: Duration) {
        if !self.is_kept && now >= self.ends {
            *self = Self::begin(now, interval);
        }
        if self.samples.is_empty() {
            self.begun = self.begun.min(now);
            self.often.start = self.often.start.min(now);
        }
        if now >= self.often.end {
            self.often.start = now;
        }
        self.often.end = now + OFTEN;
        self.ends = self.ends.max(now + linger(interval));
    }

    /// When the next sample is due. `None` if the watch will have ended by then.
    pub fn next_sample(&self) -> Option<Instant> {
        let next = self.samples.back().map_or(self.begun, |(last, _)| self.step_after(*last));
        (self.is_kept || next < self.ends).then_some(next)
    }

    /// When to stop watching the guest unless it asks again. `None` if never.
    pub fn ends(&self) -> Option<Instant> {
        (!self.is_kept).then_some(self.ends)
    }

    /// Whether no sample has been taken yet.
    pub fn is_new(&self) -> bool {
        self.samples.is_empty()
    }

    /// Adds the sample that is due, 1 s early at most, and drops those too old for the window.
    /// Ignores a sample that is not due.
    pub fn push(&mut self, now: Instant, sample: Sample) {
        if self.next_sample().is_none_or(|next| now + SOON < next) {
            return;
        }
        let is_old = |at: &Instant| now.saturating_duration_since(*at) > WINDOW + SOON;
        while self.samples.front().is_some_and(|(at, _)| is_old(at)) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, sample));
    }

    /// The interval to judge.
    ///
    /// # Errors
    /// The time until there is one, if there is none yet.
    pub fn interval(&self, now: Instant) -> Result<Interval<'_>, Duration> {
        let first = self.samples.front().map_or(self.begun, |(at, _)| *at);
        let last = self.samples.back().map_or(first, |(at, _)| *at);
        if last.saturating_duration_since(first) < STEP - SOON {
            return Err((first + STEP).saturating_duration_since(now));
        }
        Ok(Interval::new(self.since(first)))
    }

    /// The `PERIOD` that ended with the last sample, returned once: from the sample that ended the
    /// previous one.
    pub fn period(&mut self) -> Option<Interval<'_>> {
        let (last, _) = self.samples.back()?;
        let (last, before) = (*last, self.judged.unwrap_or(*last));
        if self.judged.is_some() && last.saturating_duration_since(before) < PERIOD - STEP / 2 {
            return None;
        }
        self.judged = Some(last);
        let samples = self.since(before);
        (samples.len() > 1).then(|| Interval::new(samples))
    }

    /// The samples since `begin`, each with its time since the first of them.
    fn since(&self, begin: Instant) -> Vec<(Duration, &Sample)> {
        let samples = self.samples.iter().skip_while(|(at, _)| *at < begin);
        let first = samples.clone().next().map_or(begin, |(at, _)| *at);
        samples.map(|(at, sample)| (at.saturating_duration_since(first), sample)).collect()
    }

    /// The step after the one nearest to `last`.
    fn step_after(&self, last: Instant) -> Instant {
        let passed = last.saturating_duration_since(self.begun) + EARLY + STEP / 2;
        let nearest = u32::try_from(passed.as_nanos() / STEP.as_nanos()).unwrap_or(u32::MAX);
        let at = |step: u32| self.begun + STEP * step - EARLY;
        let next = nearest.saturating_add(1);
        let is_left_out = next % 2 == 1 && !self.often.contains(&at(next));
        at(next.saturating_add(u32::from(is_left_out)))
    }
}

fn linger(interval: Duration) -> Duration {
    LINGER_MIN.max(interval.min(INTERVAL_MAX) * 2)
}

/// Two times, as a pair.
mod range {
    use super::{Deserialize, Instant, Range, Serialize};
    use hostinfo_handover::At;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        range: &Range<Instant>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        (At(range.start), At(range.end)).serialize(serializer)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Range<Instant>, D::Error> {
        let (At(start), At(end)) = Deserialize::deserialize(deserializer)?;
        Ok(start..end)
    }
}

/// Samples, each with its time.
mod samples {
    use super::{Deserialize, Instant, Sample, VecDeque};
    use hostinfo_handover::At;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        samples: &VecDeque<(Instant, Sample)>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(samples.iter().map(|(at, sample)| (At(*at), sample)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<VecDeque<(Instant, Sample)>, D::Error> {
        let samples: Vec<(At, Sample)> = Deserialize::deserialize(deserializer)?;
        Ok(samples.into_iter().map(|(At(at), sample)| (at, sample)).collect())
    }
}

#[cfg(test)]
mod tests;
