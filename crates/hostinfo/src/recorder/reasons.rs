//! Which reasons of verdicts are recorded. The verdict itself is in each sample.

use std::time::{Duration, Instant};

use crate::verdict::State;
use crate::views::hosts::Judged;

/// How soon to record a reason again that differs only in its figures, which change all the time.
const SAME_EVERY: Duration = Duration::from_secs(300);

/// The most in that time for one resource: as many as one a minute, which take 0.9 MB a day if each of the four
/// resources' reasons has 150 bytes.
const REASONS_MAX: usize = 5;

/// The most characters by which reasons are told apart.
const KIND_MAX: usize = 300;

/// The reasons of one resource's verdicts.
#[derive(Default)]
pub(super) struct Reasons {
    newest: Option<Judged>,
    /// Those that were recorded in the last [`SAME_EVERY`], without their figures.
    recent: Vec<(Option<State>, String, Instant)>,
}

impl Reasons {
    /// Whether the reason of that verdict is to be recorded: where it has other words than those before, or a time
    /// begins in which something was wrong. In a live view, it is whenever it has changed.
    pub(super) fn is_news(&mut self, judged: &Judged, now: Instant, is_live: bool) -> bool {
        let before = self.newest.replace(judged.clone());
        if is_live {
            return before.as_ref() != Some(judged);
        }
        let state = judged.state();
        let is_bad = matches!(state, Some(State::Contended | State::SelfLimited));
        let begins = is_bad && before.is_none_or(|before| before.state() != state);
        self.recent.retain(|(.., at)| now.duration_since(*at) < SAME_EVERY);
        let kind: String =
            judged.reason().chars().filter(|c| !c.is_ascii_digit()).take(KIND_MAX).collect();
        let is_known =
            self.recent.iter().any(|(known, words, _)| *known == state && *words == kind);
        let is_news = (begins || !is_known) && self.recent.len() < REASONS_MAX;
        if is_news {
            self.recent.push((state, kind, now));
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
            let state = State::named(state).unwrap();
            let judged = Judged::Verdict { state, reason: reason.to_owned() };
            reasons.is_news(&judged, start + Duration::from_secs(*seconds), false)
        };
        verdicts.iter().map(&mut is_news).collect()
    }

    #[test]
    fn a_time_in_which_something_was_wrong_has_its_reason_however_soon_it_begins() {
        let verdicts = [
            (0, "ok: ran 1%"),
            (10, "contended: 31% waited"),
            (20, "ok: ran 2%"),
            (30, "contended: 9% waited"),
        ];
        assert_eq!(recorded(&verdicts), [true, true, false, true]);
    }

    #[test]
    fn other_figures_are_no_news_for_a_while_and_other_words_are() {
        let verdicts = [
            (0, "contended: 31% waited"),
            (10, "contended: 32% waited"),
            (20, "contended: 32% waited, for a limit"),
            (299, "contended: 33% waited"),
            (300, "contended: 33% waited"),
        ];
        assert_eq!(recorded(&verdicts), [true, false, true, false, true]);
    }

    #[test]
    fn the_reasons_of_a_verdict_that_changes_all_the_time_have_a_bound() {
        let verdicts: Vec<(u64, &str)> = (0..60)
            .map(|number| (10 * number, if number % 2 == 0 { "contended: x" } else { "ok: y" }))
            .collect();
        let count = |part: &[bool]| part.iter().filter(|is_news| **is_news).count();
        let recorded = recorded(&verdicts);
        assert_eq!([&recorded[..30], &recorded[30..]].map(count), [REASONS_MAX; 2]);
    }
}
