//! The time that ratios cover: from the newest sample that is old enough until now.
//!
//! All ratios of a reply cover the same time, so a sample contains the input of all of them. Each guest has
//! windows of its own, so that they do not tell when another asked. Only its queries take samples: if it did not
//! ask for an hour, the window is an hour.

use std::collections::VecDeque;
use std::time::Duration;

use hostinfo_wire::limits::{SAMPLE_GRID, WINDOW_MIN};
use serde::{Deserialize, Serialize};

use crate::{Absent, Moment};

/// How many slots old a sample must be. It is in slots, so that a guest that asks again after
/// exactly [`WINDOW_MIN`] is answered.
#[allow(clippy::cast_possible_truncation)] // 10
const AGE_MIN: u64 = (WINDOW_MIN.as_millis() / SAMPLE_GRID.as_millis()) as u64;

/// The samples that a later one may be compared with: at most one for each slot of the last second,
/// including this one's, and one that is older.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Window<T>(VecDeque<(Moment, T)>);

impl<T> Default for Window<T> {
    fn default() -> Self {
        Self(VecDeque::new())
    }
}

/// What was sampled then and now.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Pair<T> {
    pub(crate) before: T,
    pub(crate) now: T,
    pub(crate) elapsed: Duration,
}

impl<T> Window<T> {
    /// Whether this slot's sample was already taken.
    pub(crate) fn has(&self, at: Moment) -> bool {
        self.newest(at).is_some()
    }

    /// Takes the slot's sample, and forgets samples that no later one will be compared with.
    pub(crate) fn push(&mut self, at: Moment, sample: T) {
        let old_enough = at.slot().saturating_sub(AGE_MIN);
        while self.0.get(1).is_some_and(|(next, _)| next.slot() <= old_enough) {
            self.0.pop_front();
        }
        self.0.push_back((at, sample));
    }

    /// The time that the slot's ratios cover, in whole slots.
    pub(crate) fn span(&self, at: Moment) -> Option<Duration> {
        let (before, _) = self.before(at)?;
        let slots = at.slot().checked_sub(before.slot())?;
        Some(SAMPLE_GRID.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX)))
    }

    /// A part of the slot's sample and of the one it is compared with.
    ///
    /// # Errors
    ///
    /// What the part lacks now; [`Absent::AGAIN`] if it was lacking then, if the slot has no
    /// sample, or if there is no earlier sample to compare with yet.
    pub(crate) fn pair<'s, P: Clone + 's>(
        &'s self,
        at: Moment,
        part: impl Fn(&'s T) -> &'s Result<P, Absent>,
    ) -> Result<Pair<P>, Absent> {
        let (newest, sample) = self.newest(at).ok_or(Absent::AGAIN)?;
        let now = part(sample).clone()?;
        let (oldest, sample) = self.before(at).ok_or(Absent::AGAIN)?;
        let before = part(sample).clone().or(Err(Absent::AGAIN))?;
        Ok(Pair { before, now, elapsed: newest.since(*oldest) })
    }

    fn newest(&self, at: Moment) -> Option<&(Moment, T)> {
        self.0.back().filter(|(newest, _)| newest.slot() == at.slot())
    }

    fn before(&self, at: Moment) -> Option<&(Moment, T)> {
        let old_enough = at.slot().checked_sub(AGE_MIN)?;
        self.0.iter().rev().find(|(moment, _)| moment.slot() <= old_enough)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_millis(millis))
    }

    fn window(samples: &[u64]) -> Window<Result<u64, Absent>> {
        let mut window = Window::default();
        for millis in samples {
            window.push(at(*millis), Ok(*millis));
        }
        window
    }

    fn seconds(window: &Window<Result<u64, Absent>>, millis: u64) -> Option<Duration> {
        window.span(at(millis))
    }

    #[test]
    fn the_newest_sample_that_is_a_second_old_is_compared_with() {
        let window = window(&[0, 1_000, 1_500, 2_050]);
        assert_eq!(seconds(&window, 2_050), Some(Duration::from_secs(1)));
        let pair = window.pair(at(2_050), |sample| sample).unwrap();
        let elapsed = Duration::from_millis(1_050);
        assert_eq!(pair, Pair { before: 1_000, now: 2_050, elapsed });
    }

    #[test]
    fn a_guest_that_asks_again_after_exactly_a_second_is_answered() {
        let mut window = window(&[99]);
        assert_eq!(window.pair(at(99), |sample| sample), Err(Absent::AGAIN));
        assert_eq!(seconds(&window, 999), None);
        window.push(at(1_099), Ok(0));
        assert!(window.pair(at(1_099), |sample| sample).is_ok());
        assert_eq!(seconds(&window, 1_099), Some(Duration::from_secs(1)));
    }

    #[test]
    fn a_slot_without_a_sample_has_no_ratio() {
        let window = window(&[0, 1_000]);
        assert!(window.pair(at(1_099), |sample| sample).is_ok());
        assert_eq!(window.pair(at(3_000), |sample| sample), Err(Absent::AGAIN));
    }

    #[test]
    fn after_an_hour_without_queries_the_window_is_an_hour() {
        let window = window(&[0, 3_600_000]);
        assert_eq!(seconds(&window, 3_600_000), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn the_history_is_bounded() {
        let mut window = Window::default();
        for slot in 0..1_000 {
            window.push(at(slot * 100), Ok(0));
            assert!(window.0.len() <= 11);
            assert!(slot < 10 || seconds(&window, slot * 100) == Some(WINDOW_MIN));
        }
    }

    #[test]
    fn a_figure_that_is_absent_now_says_why_and_one_that_was_absent_before_says_ask_again() {
        let pair = |before: Result<u64, Absent>, now: Result<u64, Absent>| {
            let mut window = Window::default();
            window.push(at(0), before);
            window.push(at(1_000), now);
            window.pair(at(1_000), |sample| sample).map(|pair| pair.now)
        };
        assert_eq!(pair(Ok(1), Err(Absent::NO_PROC)), Err(Absent::NO_PROC));
        assert_eq!(pair(Err(Absent::NO_PROC), Ok(1)), Err(Absent::AGAIN));
        assert_eq!(pair(Ok(1), Ok(2)), Ok(2));
    }
}
