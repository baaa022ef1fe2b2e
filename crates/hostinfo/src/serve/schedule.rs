//! When the host may be asked, and how long its values stay valid. Pure.

use std::time::Duration;

use hostinfo_wire::limits::INTERVAL_DEFAULT;

use crate::not_yet::NotYet;
use crate::serve::limits::{FRESH_LEAST, RETRY};

/// Times are those of [`clock`](super::clock).
#[derive(Debug, Clone)]
pub(crate) struct Schedule {
    /// The time that must pass between two queries of this guest.
    interval: Duration,
    /// When the host's last values came.
    came: Option<Duration>,
    /// The connection over which they came has ended: who answers next may be another.
    is_lost: bool,
    /// Whether an answer is pending.
    is_asking: bool,
    /// The host said that it was too soon: until this time, the previous values are all there is.
    too_soon: Duration,
    /// When to try again after a failure.
    retry: Duration,
}

impl Schedule {
    pub(crate) fn new() -> Self {
        Self {
            interval: INTERVAL_DEFAULT,
            came: None,
            is_lost: false,
            is_asking: false,
            too_soon: Duration::ZERO,
            retry: Duration::ZERO,
        }
    }

    /// Whether the last values may still be sent: asking now would be pointless, or too soon.
    pub(crate) fn is_fresh(&self, now: Duration) -> bool {
        let is_new = |came| now.saturating_sub(came) < self.interval.max(FRESH_LEAST);
        self.came.is_some_and(|came| match self.is_lost {
            // They are what there is until there is another host, which is looked for whenever somebody asks.
            true => is_new(came) && now < self.retry,
            false => is_new(came) || now < self.too_soon,
        })
    }

    /// Whether the connection over which the last values came has ended.
    pub(crate) fn is_lost(&self) -> bool {
        self.is_lost
    }

    /// Whether the host can be asked now.
    pub(crate) fn can_ask(&self, now: Duration) -> bool {
        !self.is_asking && now >= self.next()
    }

    /// When the host can be asked, as far as that depends on the clock.
    pub(crate) fn next(&self) -> Duration {
        self.too_soon.max(self.retry)
    }

    /// Why there are no values, if there are none.
    pub(crate) fn not_yet(&self, now: Duration) -> NotYet {
        match self.too_soon.saturating_sub(now) {
            Duration::ZERO => NotYet::Silent,
            wait => NotYet::TooSoon(wait),
        }
    }

    /// Notes that the host is being asked.
    pub(crate) fn ask(&mut self) {
        self.is_asking = true;
    }

    /// Notes when its answer came, perhaps with the guest's interval.
    pub(crate) fn answered(&mut self, came: Duration, interval: Option<Duration>) {
        let known = if self.is_lost { INTERVAL_DEFAULT } else { self.interval };
        let interval = interval.unwrap_or(known);
        *self = Self { interval, came: Some(came), ..Self::new() };
    }

    /// Notes that it said it was too soon.
    pub(crate) fn too_soon(&mut self, wait: Duration, now: Duration) {
        if self.is_lost {
            *self = Self::new();
        }
        self.is_asking = false;
        self.too_soon = now.saturating_add(wait);
    }

    /// Notes that the connection has ended. What was said over it does not keep the next host from being asked, after a
    /// moment: one that hangs up whenever it has answered is not asked in a loop.
    pub(crate) fn lost(&mut self, now: Duration) {
        self.is_lost = true;
        self.too_soon = Duration::ZERO;
        self.retry = now.saturating_add(RETRY);
    }

    /// Notes that it did not answer. Its earlier values may be another host's: a guest that was
    /// restored or has moved is on another host.
    pub(crate) fn failed(&mut self, now: Duration) {
        self.is_asking = false;
        if !self.is_lost {
            self.came = None;
        }
        self.retry = now.saturating_add(RETRY);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Duration = Duration::from_secs(1000);
    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn an_answer_is_fresh_for_the_interval() {
        let mut schedule = Schedule::new();
        assert!(!schedule.is_fresh(NOW) && schedule.can_ask(NOW));
        schedule.ask();
        assert!(!schedule.can_ask(NOW), "one question at a time");
        schedule.answered(NOW, Some(60 * SECOND));
        assert!(schedule.is_fresh(NOW + 59 * SECOND));
        assert!(!schedule.is_fresh(NOW + 60 * SECOND) && schedule.can_ask(NOW + 60 * SECOND));
    }

    #[test]
    fn a_host_that_may_be_asked_all_the_time_is_not_asked_faster_than_it_reads() {
        let mut schedule = Schedule::new();
        schedule.answered(NOW, Some(Duration::ZERO));
        assert!(schedule.is_fresh(NOW + FRESH_LEAST / 2) && !schedule.is_fresh(NOW + FRESH_LEAST));
    }

    #[test]
    fn an_interval_that_the_host_does_not_tell_stays_as_it_was_known() {
        let mut schedule = Schedule::new();
        schedule.answered(NOW, Some(30 * SECOND));
        schedule.answered(NOW, None);
        assert!(schedule.is_fresh(NOW + 29 * SECOND));
    }

    #[test]
    fn when_it_is_too_soon_to_ask_the_last_answer_is_used_and_the_first_one_awaited() {
        let mut schedule = Schedule::new();
        schedule.ask();
        schedule.too_soon(3 * SECOND, NOW);
        assert!(!schedule.is_fresh(NOW) && !schedule.can_ask(NOW + 2 * SECOND));
        assert!(schedule.can_ask(NOW + 3 * SECOND));
        assert_eq!(schedule.not_yet(NOW), NotYet::TooSoon(3 * SECOND));
        assert_eq!(schedule.not_yet(NOW + 3 * SECOND), NotYet::Silent);
        schedule.answered(NOW, Some(SECOND));
        schedule.too_soon(10 * SECOND, NOW + SECOND);
        assert!(schedule.is_fresh(NOW + 10 * SECOND) && !schedule.is_fresh(NOW + 11 * SECOND));
    }

    #[test]
    fn after_a_failure_nothing_that_was_told_before_is_given_out() {
        let mut schedule = Schedule::new();
        schedule.answered(NOW, Some(60 * SECOND));
        schedule.ask();
        schedule.failed(NOW + SECOND);
        assert!(!schedule.is_fresh(NOW + SECOND) && !schedule.can_ask(NOW + SECOND));
        assert!(schedule.can_ask(NOW + SECOND + RETRY));
        assert_eq!(schedule.not_yet(NOW + SECOND), NotYet::Silent);
    }

    #[test]
    fn what_was_said_over_a_connection_that_has_ended_keeps_nobody_from_asking_the_next_host() {
        let mut schedule = Schedule::new();
        schedule.answered(NOW, Some(3600 * SECOND));
        schedule.too_soon(3600 * SECOND, NOW);
        schedule.lost(NOW);
        assert!(schedule.is_fresh(NOW) && !schedule.can_ask(NOW));
        assert!(!schedule.is_fresh(NOW + RETRY) && schedule.can_ask(NOW + RETRY));
        // No host is there: the values stay as long as they would have.
        schedule.failed(NOW + RETRY);
        assert!(schedule.is_fresh(NOW + RETRY) && !schedule.is_fresh(NOW + 2 * RETRY));
        let late = NOW + 3600 * SECOND;
        schedule.failed(late);
        assert!(!schedule.is_fresh(late));
    }

    #[test]
    fn after_the_first_word_of_the_next_host_nothing_of_the_last_one_counts() {
        let mut schedule = Schedule::new();
        schedule.answered(NOW, Some(3600 * SECOND));
        schedule.lost(NOW);
        let mut answered = schedule.clone();
        answered.answered(NOW + RETRY, None);
        assert!(!answered.is_lost() && !answered.is_fresh(NOW + RETRY + INTERVAL_DEFAULT));
        let later = NOW + 2 * RETRY;
        schedule.too_soon(10 * SECOND, later);
        assert!(!schedule.is_lost() && !schedule.is_fresh(later) && !schedule.can_ask(later));
        assert!(schedule.can_ask(later + 10 * SECOND));
    }
}
