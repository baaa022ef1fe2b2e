//! Watching a guest: when samples of it are taken, and which of them a verdict is about.
//!
//! A guest is watched from its first question on and for as long as it may ask again, or for good
//! where its rule says so. Its samples have a schedule that begins with the watch: one at once,
//! then one every [`STEP`] while the guest asks, and at every second step while it does not. A
//! question itself takes none, so the guest cannot choose what the window speaks of.

use std::collections::VecDeque;
use std::ops::Range;
use std::time::{Duration, Instant};

use hostinfo_wire::limits::INTERVAL_MAX;

use crate::{Interval, Sample};

/// The time after which a guest that asked for the first time has a verdict, and the time between
/// two samples of a guest that asks: how old the end of its window is at the most.
const STEP: Duration = Duration::from_secs(5);

/// The time between two samples of a guest that does not ask: its figures are read six times a
/// minute. What an incident is made of is judged over this time, however often the guest asks.
const PERIOD: Duration = Duration::from_secs(10);

/// A step is that much too early, so that who waits as long as it was told finds its sample taken.
const EARLY: Duration = Duration::from_millis(100);

/// The time that a verdict speaks of, at the most: long enough that a hiccup is no verdict, short
/// enough that it speaks of what the guest's owner is just looking at.
const WINDOW: Duration = Duration::from_secs(60);

/// How long before or after its step a sample may be taken: when the figures for it have come, which
/// are asked for a little ahead.
const SOON: Duration = Duration::from_secs(1);

/// How long a guest counts as one that asks: whoever looks at its verdicts looks again by then.
const OFTEN: Duration = Duration::from_secs(60);

/// How long a guest is watched after its last question, at the least: a person who looks again, or
/// a monitoring system that asks every five minutes at the most.
const LINGER_MIN: Duration = Duration::from_secs(5 * 60);

/// A guest that asked for a verdict, or that is watched for good.
#[derive(Debug, Clone)]
pub struct Watch {
    begun: Instant,
    /// It is watched for good.
    is_kept: bool,
    /// Until when its questions have it watched.
    ends: Instant,
    /// When a sample is taken at every step.
    often: Range<Instant>,
    /// Those of the window: at most one a step, and one more.
    samples: VecDeque<(Instant, Sample)>,
    /// The end of the last [`PERIOD`] that was handed out.
    judged: Option<Instant>,
}

impl Watch {
    /// Begins with a guest's first question. The first sample is due at once.
    pub fn begin(now: Instant, interval: Duration) -> Self {
        Self { ends: now + linger(interval), often: now..now + OFTEN, ..Self::at(now) }
    }

    /// Watches a guest for good. The first sample is due at `first`: guests begin at different
    /// times, so that their samples do not fall on one moment.
    pub fn keep(first: Instant) -> Self {
        Self { is_kept: true, ..Self::at(first) }
    }

    fn at(begun: Instant) -> Self {
        let samples = VecDeque::new();
        Self { begun, is_kept: false, ends: begun, often: begun..begun, samples, judged: None }
    }

    /// Watches it for good, or from now on only for as long as it asks.
    pub fn set_kept(&mut self, is_kept: bool) {
        self.is_kept = is_kept;
    }

    /// Notes another question, of a guest that may ask once in `interval`. One that comes when the
    /// guest should have been forgotten is a first one.
    pub fn asked(&mut self, now: Instant, interval: Duration) {
        if !self.is_kept && now >= self.ends {
            *self = Self::begin(now, interval);
        }
        if self.samples.is_empty() {
            self.begun = self.begun.min(now);
        }
        if now >= self.often.end {
            self.often.start = now;
        }
        self.often.end = now + OFTEN;
        self.ends = self.ends.max(now + linger(interval));
    }

    /// When the next sample is to be taken. `None` where the guest will have been forgotten.
    pub fn next_sample(&self) -> Option<Instant> {
        let next = self.samples.back().map_or(self.begun, |(last, _)| self.step_after(*last));
        (self.is_kept || next < self.ends).then_some(next)
    }

    /// When the guest is to be forgotten, unless it asks again. `None`: never.
    pub fn ends(&self) -> Option<Instant> {
        (!self.is_kept).then_some(self.ends)
    }

    /// Whether no sample was taken yet.
    pub fn is_new(&self) -> bool {
        self.samples.is_empty()
    }

    /// Takes the sample that is due, at the soonest 1 s before, and forgets what is too old for the
    /// window. Any other is none.
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
    /// There is none yet, but there will be one in that time.
    pub fn interval(&self, now: Instant) -> Result<Interval<'_>, Duration> {
        let first = self.samples.front().map_or(self.begun, |(at, _)| *at);
        let last = self.samples.back().map_or(first, |(at, _)| *at);
        if last.saturating_duration_since(first) < STEP - SOON {
            return Err((first + STEP).saturating_duration_since(now));
        }
        Ok(Interval::new(self.since(first)))
    }

    /// A `PERIOD` that has ended with the last sample, each once: between it and the sample that
    /// was the last one then.
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

    /// The samples since then, each with its time since the first of them.
    fn since(&self, begin: Instant) -> Vec<(Duration, &Sample)> {
        let samples = self.samples.iter().skip_while(|(at, _)| *at < begin);
        let first = samples.clone().next().map_or(begin, |(at, _)| *at);
        samples.map(|(at, sample)| (at.saturating_duration_since(first), sample)).collect()
    }

    /// The step behind the one that is nearest to `last`.
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

#[cfg(test)]
mod tests;
