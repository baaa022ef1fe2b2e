//! Watching a guest, from its first question on and for as long as it may ask again.
//!
//! A sample every [`PERIOD`], so that there is a window of at least [`WINDOW`] whenever the guest
//! asks; its question itself takes none, so it cannot choose what the window speaks of. Guests
//! begin at their own times, so their samples do not fall on one moment.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use hostinfo_wire::limits::INTERVAL_MAX;

use crate::{Interval, Sample};

/// The time that a verdict speaks of, at the least: long enough that a hiccup is no verdict, short
/// enough that it speaks of what the guest's owner is just looking at.
const WINDOW: Duration = Duration::from_secs(60);

/// The time between two samples: how old a verdict is at the most. It costs a guest's figures read
/// six times a minute.
const PERIOD: Duration = Duration::from_secs(10);

/// How long a guest is watched after its last question, at the least: a person who looks again, or
/// a monitoring system that asks every five minutes at the most.
const LINGER_MIN: Duration = Duration::from_secs(5 * 60);

/// A guest that asked for a verdict.
#[derive(Debug, Clone)]
pub struct Watch {
    begun: Instant,
    ends: Instant,
    /// At most one for each period of the window, and one that is as old as the window.
    samples: VecDeque<(Instant, Sample)>,
}

impl Watch {
    /// Begins with a guest's first question. The first sample is due at once.
    pub fn begin(now: Instant, interval: Duration) -> Self {
        Self { begun: now, ends: now + linger(interval), samples: VecDeque::new() }
    }

    /// Notes another question, of a guest that may ask once in `interval`. One that comes when the
    /// guest should have been forgotten is a first one.
    pub fn asked(&mut self, now: Instant, interval: Duration) {
        if now >= self.ends {
            *self = Self::begin(now, interval);
        }
        self.ends = self.ends.max(now + linger(interval));
    }

    /// When the next sample is to be taken. `None` where the guest will have been forgotten.
    pub fn next_sample(&self) -> Option<Instant> {
        let next = self.samples.back().map_or(self.begun, |(at, _)| *at + PERIOD);
        (next < self.ends).then_some(next)
    }

    /// When the guest is to be forgotten, unless it asks again.
    pub fn ends(&self) -> Instant {
        self.ends
    }

    /// Takes the sample that is due, and forgets what no later one will be compared with. One
    /// that is not due is none.
    pub fn push(&mut self, now: Instant, sample: Sample) {
        if self.next_sample().is_none_or(|next| now < next) {
            return;
        }
        let old_enough = |at: &Instant| now.saturating_duration_since(*at) >= WINDOW;
        while self.samples.get(1).is_some_and(|(at, _)| old_enough(at)) {
            self.samples.pop_front();
        }
        self.samples.push_back((now, sample));
    }

    /// The interval to judge.
    ///
    /// # Errors
    /// There is none yet, but there will be one in that time.
    pub fn interval(&self, now: Instant) -> Result<Interval<'_>, Duration> {
        let (Some((first, _)), Some((last, _))) = (self.samples.front(), self.samples.back())
        else {
            let wait = self.begun.saturating_duration_since(now);
            return Err(wait + WINDOW);
        };
        let length = last.saturating_duration_since(*first);
        if length >= WINDOW {
            let since = |at: &Instant| at.saturating_duration_since(*first);
            let samples = self.samples.iter().map(|(at, sample)| (since(at), sample));
            return Ok(Interval::new(samples.collect()));
        }
        let periods = (WINDOW - length).as_nanos().div_ceil(PERIOD.as_nanos());
        let there = *last + PERIOD * u32::try_from(periods).unwrap_or(u32::MAX);
        Err(there.saturating_duration_since(now))
    }
}

fn linger(interval: Duration) -> Duration {
    LINGER_MIN.max(interval.min(INTERVAL_MAX) * 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Takes every sample when it is due, until `to`.
    fn run(watch: &mut Watch, to: Instant) {
        while let Some(next) = watch.next_sample().filter(|next| *next <= to) {
            watch.push(next, Sample::default());
        }
    }

    #[test]
    fn the_first_question_is_answered_with_when_to_ask_again_and_then_there_is_a_window() {
        let start = Instant::now();
        let mut watch = Watch::begin(start, SECOND);
        assert_eq!(watch.interval(start).unwrap_err(), WINDOW);
        run(&mut watch, start + 20 * SECOND);
        assert_eq!(watch.interval(start + 20 * SECOND).unwrap_err(), 40 * SECOND);
        assert_eq!(watch.interval(start + 25 * SECOND).unwrap_err(), 35 * SECOND);
        run(&mut watch, start + 60 * SECOND);
        assert_eq!(watch.interval(start + 60 * SECOND).unwrap().length, WINDOW);
    }

    #[test]
    fn a_guest_is_watched_for_five_minutes_or_twice_its_interval_after_its_last_question() {
        let start = Instant::now();
        let mut watch = Watch::begin(start, SECOND);
        assert_eq!(watch.ends(), start + 300 * SECOND);
        watch.asked(start + 100 * SECOND, 600 * SECOND);
        assert_eq!(watch.ends(), start + 1300 * SECOND);
        watch.asked(start + 200 * SECOND, SECOND);
        assert_eq!(watch.ends(), start + 1300 * SECOND, "a shorter interval takes nothing away");
        run(&mut watch, start + 10_000 * SECOND);
        assert_eq!(watch.next_sample(), None);
        assert_eq!(watch.samples.back().unwrap().0, start + 1290 * SECOND);
    }

    #[test]
    fn who_asks_after_it_should_have_been_forgotten_begins_anew() {
        let start = Instant::now();
        let mut watch = Watch::begin(start, SECOND);
        run(&mut watch, start + 300 * SECOND);
        watch.asked(start + 300 * SECOND, SECOND);
        assert_eq!(watch.interval(start + 300 * SECOND).unwrap_err(), WINDOW);
        assert_eq!(watch.next_sample(), Some(start + 300 * SECOND));
    }

    #[test]
    fn samples_that_come_late_make_a_longer_window_that_says_so() {
        let start = Instant::now();
        let mut watch = Watch::begin(start, SECOND);
        run(&mut watch, start + 60 * SECOND);
        watch.push(start + 95 * SECOND, Sample::default());
        let length = watch.interval(start + 95 * SECOND).unwrap().length;
        assert_eq!(length, 65 * SECOND, "from the newest sample that is old enough");
    }

    #[test]
    fn a_sample_that_is_not_due_is_none() {
        let start = Instant::now();
        let mut watch = Watch::begin(start, SECOND);
        for millis in 0..60_000 {
            watch.push(start + Duration::from_millis(millis), Sample::default());
        }
        assert_eq!(watch.samples.len(), 6);
    }

    proptest! {
        #[test]
        fn however_late_samples_come_they_are_few_and_the_wait_is_kept(
            steps in proptest::collection::vec(0u64..40_000, 0..60), asks: u64,
        ) {
            let start = Instant::now();
            let mut watch = Watch::begin(start, Duration::from_secs(3600));
            let mut now = start;
            for (at, step) in steps.into_iter().enumerate() {
                now += Duration::from_millis(step);
                watch.push(now, Sample::default());
                prop_assert!(watch.samples.len() <= 8);
                match watch.interval(now) {
                    Ok(interval) => prop_assert!(interval.length >= WINDOW),
                    Err(wait) => prop_assert!(wait <= WINDOW + PERIOD && !wait.is_zero()),
                }
                if asks.rotate_left(u32::try_from(at).unwrap()) & 1 == 1 {
                    watch.asked(now, Duration::from_secs(asks % 1000));
                }
            }
        }
    }
}
