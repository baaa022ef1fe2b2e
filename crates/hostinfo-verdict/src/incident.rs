//! One incident: what was wrong, from when to when, and how bad it was.

pub(crate) mod figure;

use std::time::Duration;

use hostinfo_catalog::source::Judged;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::{Permits, State};
use figure::Figure;

/// Guests see times to the minute: the exact second would show two guests that they share a host.
const MINUTE: i64 = 60;

/// A time in which all verdicts on one resource were of one state other than `ok`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Incident {
    #[serde(with = "word")]
    pub(crate) what: Judged,
    /// [`State::Contended`] or [`State::SelfLimited`].
    pub(crate) state: State,
    pub(crate) from: Timestamp,
    /// The end of the last sample with that state.
    pub(crate) to: Timestamp,
    pub(crate) figure: Figure,
    pub(crate) end: End,
}

/// Whether the incident has ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum End {
    /// It goes on.
    Open,
    /// The guest is no longer watched, so it is not known whether the incident went on.
    Unseen,
    /// It has ended.
    Closed,
}

impl Incident {
    /// Adds another sample with the same state.
    pub(crate) fn extend(&mut self, to: Timestamp, figure: &Figure) {
        self.to = self.to.max(to);
        self.figure.add(figure);
    }

    /// The incident as the guest reads it. `is_lasting`: whether it still goes on, as far as is known.
    /// Times are moved back by the guest's `time_shift`, so that none is in the future, and truncated to the
    /// minute. A figure is named only if the guest may see the statistics it comes from.
    ///
    /// ```text
    /// cpu contended from 2026-11-28T10:02Z to 2026-11-28T10:05Z: 34% waited
    /// ```
    pub(crate) fn words(
        &self,
        is_lasting: bool,
        time_shift: Duration,
        permits: Permits<'_>,
    ) -> String {
        let (what, state, from) =
            (self.what.word(), self.state.word(), minute(self.from, time_shift));
        let to = if is_lasting { "now".to_owned() } else { minute(self.to, time_shift) };
        let figure = self.figure.words(self.what, permits);
        let figure = figure.map_or_else(String::new, |figure| format!(": {figure}"));
        format!("{what} {state} from {from} to {to}{figure}")
    }
}

fn minute(time: Timestamp, time_shift: Duration) -> String {
    let time_shift = SignedDuration::try_from(time_shift).unwrap_or_default();
    let moved = time.checked_sub(time_shift).unwrap_or(time).as_second();
    let cut = Timestamp::from_second(moved - moved.rem_euclid(MINUTE)).unwrap_or(time);
    cut.strftime("%Y-%m-%dT%H:%MZ").to_string()
}

/// What is judged, by its word.
mod word {
    use super::{Deserialize, Judged};
    use serde::de::Error as _;
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        what: &Judged,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(what.word())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Judged, D::Error> {
        let what = String::deserialize(deserializer)?.parse();
        what.map_err(|_| D::Error::custom("not a resource that is judged"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn incident() -> Incident {
        Incident {
            what: Judged::Cpu,
            state: State::Contended,
            from: "2026-11-28T10:02:31Z".parse().unwrap(),
            to: "2026-11-28T10:05:31Z".parse().unwrap(),
            figure: Figure { part: 34, whole: 100, disk: None },
            end: End::Closed,
        }
    }

    #[test]
    fn an_incident_is_given_to_the_minute_moved_back_by_the_guests_own_time_shift() {
        let told =
            |time_shift| incident().words(false, Duration::from_secs(time_shift), &|_, _| true);
        assert_eq!(
            told(0),
            "cpu contended from 2026-11-28T10:02Z to 2026-11-28T10:05Z: 34% waited"
        );
        assert_eq!(told(31), told(0));
        assert_eq!(
            told(32),
            "cpu contended from 2026-11-28T10:01Z to 2026-11-28T10:04Z: 34% waited"
        );
    }

    #[test]
    fn an_incident_that_lasts_is_given_until_now() {
        let told = incident().words(true, Duration::ZERO, &|_, _| true);
        assert_eq!(told, "cpu contended from 2026-11-28T10:02Z to now: 34% waited");
    }

    #[test]
    fn a_guest_that_may_not_see_what_a_figure_comes_from_gets_none() {
        for hidden in ["vm.cpu.delay", "vm.cpu.throttled"] {
            let told =
                incident().words(false, Duration::ZERO, &|stat, _| stat.stat().name != hidden);
            assert_eq!(told, "cpu contended from 2026-11-28T10:02Z to 2026-11-28T10:05Z");
        }
    }

    #[test]
    fn any_time_can_be_given_and_never_as_a_later_one() {
        for time in [Timestamp::MIN, Timestamp::UNIX_EPOCH, Timestamp::MAX] {
            for time_shift in [Duration::ZERO, Duration::from_secs(59), Duration::MAX] {
                let told = minute(time, time_shift);
                assert!(told.ends_with('Z') && told <= minute(time, Duration::ZERO), "{told}");
            }
        }
    }
}
