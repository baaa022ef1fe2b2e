//! A guest's incidents, as statistics.

use hostinfo_wire::{Refusal, Value};
use jiff::Timestamp;

use super::Sources;

/// The reason behind 503. Not 404, because looking for incidents now and then is reasonable.
const NONE: &str = "there was no incident while this guest was watched";
const NO_MORE: &str = "there were fewer incidents while this guest was watched";
const NOT_WATCHED: &str = "this guest is not watched: asking for a verdict has it watched for a while, and its host's \
     administrator can have it watched for good";

impl Sources<'_, '_> {
    /// One of the guest's incidents, numbered from 1.
    pub(super) fn incident(&mut self, number: Option<&str>) -> Result<Value<'static>, Refusal> {
        let number: Option<usize> = number.and_then(|number| number.parse().ok());
        let is_watched = self.observed.watch.is_some();
        let incidents = self.incidents_of_guest();
        match number.and_then(|number| incidents.get(number.checked_sub(1)?)) {
            Some(incident) => Ok(Value::text(incident.clone())),
            None if !incidents.is_empty() => Err(Refusal::Unavailable(NO_MORE.into())),
            None if is_watched => Err(Refusal::Unavailable(NONE.into())),
            None => Err(Refusal::Unavailable(NOT_WATCHED.into())),
        }
    }

    /// The numbers of the guest's incidents.
    pub(super) fn incident_numbers(&mut self) -> Vec<String> {
        (1..=self.incidents_of_guest().len()).map(|number| number.to_string()).collect()
    }

    fn incidents_of_guest(&mut self) -> &[String] {
        let (who, incidents) = (self.who, &self.observed.incidents);
        self.incidents.get_or_insert_with(|| {
            let permits = |stat, instance: Option<&str>| who.grant.permits(stat, instance);
            let incidents = incidents.of(who.key());
            incidents.map_or_else(Vec::new, |incidents| {
                incidents.lines(Timestamp::now(), who.time_shift, &permits)
            })
        })
    }
}
