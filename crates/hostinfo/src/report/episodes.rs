//! Continuous periods in which a resource was contended, or limited by the guest's own limits.
//! Pure.

use crate::report::read::Recording;
use crate::report::timeline::{LOOKS_BACK, Span};
use crate::verdict::{RESOURCES, State};

/// The most that are listed, choosing the longest.
const EPISODES_MAX: usize = 20;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Episode {
    pub(crate) resource: &'static str,
    pub(crate) state: State,
    /// In seconds since 1970.
    pub(crate) start: i64,
    pub(crate) end: i64,
    /// The host's last reason; empty if it was not recorded.
    pub(crate) reason: String,
}

/// The longest of a recording, in order of time, and how many others there are.
pub(crate) fn longest(recording: &Recording, told: &[Span<'_>]) -> (Vec<Episode>, usize) {
    let of_resource = |(number, resource)| episodes(number, resource, told);
    let mut all: Vec<Episode> = RESOURCES.into_iter().enumerate().flat_map(of_resource).collect();
    all.sort_by_key(|episode| (episode.start - episode.end, episode.start));
    let more = all.len().saturating_sub(EPISODES_MAX);
    all.truncate(EPISODES_MAX);
    all.sort_by_key(|episode| episode.start);
    for episode in &mut all {
        let reason = recording.reasons.iter().rev().find(|reason| {
            reason.resource == episode.resource
                && reason.state == Some(episode.state)
                && (episode.start..=episode.end).contains(&reason.time)
        });
        episode.reason = reason.map(|reason| reason.words.clone()).unwrap_or_default();
    }
    (all, more)
}

fn episodes(number: usize, resource: &'static str, told: &[Span<'_>]) -> Vec<Episode> {
    // Over a short gap, the verdict behind it speaks of the gap as well.
    let is_next = |one: &Span<'_>, other: &Span<'_>| {
        one.part == other.part || other.from - one.to < LOOKS_BACK
    };
    let same = |one: &Span<'_>, other: &Span<'_>| {
        is_next(one, other) && one.sample.state(number) == other.sample.state(number)
    };
    let episode = |spans: &[Span<'_>]| {
        let (first, last) = (spans.first()?, spans.last()?);
        let state = first.sample.state(number)?;
        let is_bad = matches!(state, State::Contended | State::SelfLimited);
        let (start, end) = (first.from, last.to);
        is_bad.then(|| Episode { resource, state, start, end, reason: String::new() })
    };
    told.chunk_by(same).filter_map(episode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::HEAD;

    /// One sample every 10 s, with those verdicts on the CPU.
    fn longest(states: &str) -> (Vec<(i64, i64, State, String)>, usize) {
        let sample = |(state, number)| format!("s {} {state}o-- .\n", number * 10);
        let samples: String = states.chars().zip(1i64..).map(sample).collect();
        let text = format!("{HEAD}{samples}v 30 cpu contended your vCPUs waited .\n");
        let recording = Recording::read(text.as_bytes()).unwrap();
        let (episodes, more) = super::longest(&recording, &recording.known_spans());
        let told = episodes.into_iter().map(|e| (e.start, e.end, e.state, e.reason));
        (told.collect(), more)
    }

    #[test]
    fn an_episode_goes_on_as_long_as_the_verdict_is_the_same() {
        let none = String::new;
        assert_eq!(
            longest("ocoocccos").0,
            [
                (10, 20, State::Contended, none()),
                (40, 70, State::Contended, none()),
                (80, 90, State::SelfLimited, none()),
            ]
        );
        assert_eq!(longest("occcc").0[0].3, "your vCPUs waited");
    }

    #[test]
    fn an_episode_goes_on_over_a_gap_that_the_next_verdict_speaks_of() {
        let times = |samples: &[i64]| -> Vec<(i64, i64)> {
            let samples: String = samples.iter().map(|time| format!("s {time} co-- .\n")).collect();
            let recording = Recording::read(format!("{HEAD}{samples}").as_bytes()).unwrap();
            let (episodes, _) = super::longest(&recording, &recording.known_spans());
            episodes.iter().map(|episode| (episode.start, episode.end)).collect()
        };
        assert_eq!(times(&[10, 20, 30, 80, 90]), [(0, 90)]);
        assert_eq!(times(&[10, 20, 30, 100, 110]), [(0, 30), (90, 110)]);
    }

    #[test]
    fn only_the_longest_of_many_episodes_are_told() {
        let (told, more) = longest(&("oc".repeat(25) + "cc"));
        assert_eq!((told.len(), more), (20, 5));
        assert_eq!(told.last().map(|(start, end, ..)| end - start), Some(30));
    }
}
