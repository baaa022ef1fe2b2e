//! The state of `top`: the newest of everything, and figures of the last minutes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::recording::{Entry, Heard, Sample, is_same_incident};
use crate::verdict::{self, RESOURCES};
use crate::views::dated::PRESENT;

/// The most samples kept, and so the most that a line shows.
const SAMPLES_MAX: usize = 512;

/// The most incidents kept, and so the most that are shown.
const INCIDENTS_MAX: usize = 8;

/// Everything there is to show.
pub(super) struct State {
    pub(super) every: Duration,
    pub(super) samples: VecDeque<Sample>,
    pub(super) host: String,
    /// The newest verdict on each resource; `None` if there is none.
    pub(super) verdicts: [Option<verdict::State>; RESOURCES.len()],
    /// How old the host's newest answer is. `None` before the first.
    pub(super) age: Option<Duration>,
    /// How long the host may not be asked yet, as it said with the newest sample.
    pub(super) wait: Option<Duration>,
    /// How long its answer has been waited for.
    pub(super) waited: Option<Duration>,
    /// The resources of which this guest has no device.
    pub(super) lacking: Vec<&'static str>,
    /// For each resource, the reason of its verdict, or why there is none.
    pub(super) reasons: BTreeMap<String, String>,
    /// Why the host does not answer.
    pub(super) silence: String,
    /// The newest first.
    pub(super) incidents: VecDeque<String>,
}

impl State {
    pub(super) fn new(every: Duration) -> Self {
        Self {
            every,
            samples: VecDeque::new(),
            host: String::new(),
            verdicts: [None; RESOURCES.len()],
            age: None,
            wait: None,
            waited: None,
            lacking: Vec::new(),
            reasons: BTreeMap::new(),
            silence: String::new(),
            incidents: VecDeque::new(),
        }
    }

    /// The newest sample.
    pub(super) fn newest(&self) -> Option<&Sample> {
        self.samples.back()
    }

    /// The newest sample for which the host was due to answer: samples between two answers have no
    /// figures from it.
    pub(super) fn newest_of_host(&self) -> Option<&Sample> {
        self.samples.iter().rev().find(|sample| sample.heard != Heard::TooSoon)
    }

    /// Whether the host failed to answer the last request.
    pub(super) fn is_silent(&self) -> bool {
        self.newest().is_some_and(|sample| sample.heard == Heard::Silence)
    }

    /// How old the host's figures are, where they are not of the present.
    pub(super) fn age_if_old(&self) -> Option<Duration> {
        self.age.filter(|age| self.is_silent() || *age > PRESENT)
    }

    /// Adds an entry from a recorder.
    pub(super) fn add(&mut self, entry: Entry) {
        match entry {
            Entry::Sample(sample) => {
                if let Heard::Verdicts(verdicts) = sample.heard {
                    self.verdicts = verdicts;
                }
                self.samples.push_back(sample);
                if self.samples.len() > SAMPLES_MAX {
                    self.samples.pop_front();
                }
            }
            // Whoever looks at it knows.
            Entry::Guest { .. } => {}
            Entry::Host { host, .. } => self.host = host,
            Entry::Verdict { resource, state, reason, .. } => {
                // The first answer comes before the first sample.
                let number = RESOURCES.iter().position(|known| *known == resource);
                if let Some(place) = number.and_then(|number| self.verdicts.get_mut(number)) {
                    *place = state;
                }
                self.reasons.insert(resource, reason);
            }
            Entry::Silence { why, .. } => self.silence = why,
            Entry::Incident { incident, .. } => {
                match self.incidents.front_mut() {
                    Some(newest) if is_same_incident(newest, &incident) => *newest = incident,
                    _ => self.incidents.push_front(incident),
                }
                self.incidents.truncate(INCIDENTS_MAX);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn between_two_answers_the_last_verdict_stands() {
        let mut state = State::new(Duration::from_secs(2));
        let ok = Some(verdict::State::Ok);
        state.add(Entry::Sample(Sample::at(5, Heard::Verdicts([ok, None, None, None]))));
        state.add(Entry::Sample(Sample::at(7, Heard::TooSoon)));
        assert_eq!((state.verdicts[0], state.is_silent()), (ok, false));
        assert_eq!(state.newest_of_host().map(|sample| sample.time), Some(5));
        state.add(Entry::Sample(Sample::at(9, Heard::Silence)));
        assert!(state.is_silent());
        assert_eq!(state.newest_of_host().map(|sample| sample.time), Some(9));
    }

    #[test]
    fn samples_and_incidents_have_a_bound_and_an_incident_that_goes_on_is_one() {
        let mut state = State::new(Duration::from_secs(2));
        for time in 0..2000 {
            state.add(Entry::Sample(Sample::at(time, Heard::TooSoon)));
            state.add(Entry::Incident {
                time,
                incident: format!("cpu contended from {time} to now"),
            });
            state
                .add(Entry::Incident { time, incident: format!("cpu contended from {time} to 9") });
        }
        assert_eq!((state.samples.len(), state.incidents.len()), (SAMPLES_MAX, INCIDENTS_MAX));
        assert_eq!(state.incidents[1], "cpu contended from 1998 to 9");
    }
}
