//! The outcomes of a reply's look-ups, which decide what the reply costs the guest.

use hostinfo_sample::Absent;
use hostinfo_wire::{Refusal, Value};

use super::Sources;
use crate::allowance::Cost;

/// How many values were looked up, by outcome.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lookups {
    values: u32,
    /// Values that are being fetched. The guest is told to ask again in a second.
    soon: u32,
    nothing: u32,
}

impl Lookups {
    /// Counts one look-up.
    pub(super) fn count(&mut self, value: &Result<Value<'_>, Refusal>) {
        *match value {
            Ok(_) => &mut self.values,
            Err(Refusal::Unavailable(why)) if *why == Absent::AGAIN.reason => &mut self.soon,
            Err(_) => &mut self.nothing,
        } += 1;
    }
}

impl Sources<'_, '_> {
    /// Runs `look`, and returns its result and its look-ups, without counting them for this reply.
    pub(crate) fn count_apart<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> (T, Lookups) {
        let before = std::mem::take(&mut self.lookups);
        let what = look(self);
        (what, std::mem::replace(&mut self.lookups, before))
    }

    /// Counts look-ups that were made now, or for another reply of this step.
    pub(crate) fn add_lookups(&mut self, Lookups { values, soon, nothing }: Lookups) {
        self.lookups.values += values;
        self.lookups.soon += soon;
        self.lookups.nothing += nothing;
    }

    /// The cost of the reply so far.
    pub(crate) fn cost(&self) -> Cost {
        match self.lookups {
            Lookups { values: 0, soon: 0, nothing: 0 } => Cost::Nothing,
            Lookups { values: 0, soon: 1.., .. } => Cost::Soon,
            Lookups { .. } => Cost::Read,
        }
    }
}
