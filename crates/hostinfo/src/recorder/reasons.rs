//! Which reasons of verdicts are recorded: not that of each sample, which has the verdict itself. A reason is news in
//! other words than before, after a while in the same, and where something begins to be wrong.

use std::time::{Duration, Instant};

use crate::verdict::{State, Verdict};
use crate::views::hosts::Judged;

/// How soon to record a reason in other words, and how soon the reason of another time in which something was wrong.
/// Together they are as many as one a minute, which take 0.9 MB a day if those of all four resources have 150 bytes.
const OTHER_EVERY: Duration = Duration::from_secs(120);

/// How soon to record a reason that differs only in its figures, which change all the time.
const SAME_EVERY: Duration = Duration::from_secs(300);

/// The most characters by which reasons are told apart.
const KIND_MAX: usize = 300;

/// The reasons of one resource's verdicts.
#[derive(Default)]
pub(super) struct Reasons {
    newest: Option<Judged>,
    recorded: Option<Recorded>,
    /// When the reason of a time was recorded in which something was wrong.
    bad: Option<Instant>,
}

/// The reason that was recorded last.
struct Recorded {
    at: Instant,
    state: Option<State>,
    /// The reason without its figures.
    words: String,
    /// Whether the host had only begun to work on a verdict.
    is_early: bool,
}

impl Reasons {
    /// Whether the reason of that verdict is to be recorded. In a live view, it is whenever it has changed.
    pub(super) fn is_news(&mut self, judged: &Judged, now: Instant, is_live: bool) -> bool {
        let before = self.newest.replace(judged.clone());
        if is_live {
            return before.as_ref() != Some(judged);
        }
        let (state, reason) = (judged.state(), judged.reason());
        let is_bad = matches!(state, Some(State::Contended | State::SelfLimited));
        let begins = is_bad && before.is_none_or(|before| before.state() != state);
        let words = reason.chars().filter(|c| !c.is_ascii_digit()).take(KIND_MAX).collect();
        let is_due = self.recorded.as_ref().is_none_or(|last| {
            let is_other = (last.state, &last.words) != (state, &words);
            let soonest = if is_other { OTHER_EVERY } else { SAME_EVERY };
            is_other && last.is_early || now.duration_since(last.at) >= soonest
        });
        let is_bad_due = begins && self.bad.is_none_or(|at| now.duration_since(at) >= OTHER_EVERY);
        if is_bad_due {
            self.bad = Some(now);
        }
        let is_news = is_due || is_bad_due;
        if is_news {
            let is_early = state.is_some_and(|state| Verdict { state, reason }.again().is_some());
            self.recorded = Some(Recorded { at: now, state, words, is_early });
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether each reason is recorded that came so many seconds after the start.
    fn recorded(verdicts: &[(u64, &str)]) -> Vec<bool> {
        let (mut reasons, start) = (Reasons::default(), Instant::now());
        let mut is_news = |(seconds, verdict): &(u64, &str)| {
            let (state, reason) = verdict.split_once(": ").unwrap();
            let state = state.parse().unwrap();
            let judged = Judged::Verdict { state, reason: reason.to_owned() };
            reasons.is_news(&judged, start + Duration::from_secs(*seconds), false)
        };
        verdicts.iter().map(&mut is_news).collect()
    }

    #[test]
    fn a_time_in_which_something_was_wrong_has_its_reason_however_soon_it_begins() {
        let verdicts = [(0, "ok: ran 1%"), (10, "contended: 31% waited"), (20, "ok: ran 2%")];
        assert_eq!(recorded(&verdicts), [true, true, false]);
    }

    #[test]
    fn other_words_are_news_sooner_than_other_figures() {
        let verdicts = [
            (0, "contended: 31% waited"),
            (119, "contended: 95% waited, for a limit"),
            (120, "contended: 32% waited"),
            (121, "contended: 95% waited, for a limit"),
            (420, "contended: 95% waited, for a limit"),
            (421, "contended: 96% waited, for a limit"),
        ];
        assert_eq!(recorded(&verdicts), [true, false, false, true, false, true]);
    }

    #[test]
    fn the_first_reason_of_a_host_that_had_only_begun_is_news_at_once() {
        let verdicts = [
            (0, "unknown: ask again in 5 s"),
            (2, "unknown: ask again in 3 s"),
            (5, "unknown: this host has no figures of your disks"),
            (7, "ok: your disks answered in time"),
        ];
        assert_eq!(recorded(&verdicts), [true, false, true, false]);
    }

    #[test]
    fn the_reasons_of_a_verdict_that_changes_all_the_time_have_a_bound() {
        let verdicts: Vec<(u64, &str)> = (0..360)
            .map(|number| (10 * number, if number % 2 == 0 { "contended: x" } else { "ok: y" }))
            .collect();
        let count = recorded(&verdicts).into_iter().filter(|is_news| *is_news).count();
        assert!((30..=60).contains(&count), "{count} in an hour");
    }
}
