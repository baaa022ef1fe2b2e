//! What a reply's look-ups found, which decides what the reply costs the guest.

use hostinfo_sample::Absent;
use hostinfo_wire::{Refusal, Value};

use super::Sources;
use crate::allowance::Cost;

/// How many values were looked up, by outcome.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    values: u32,
    /// On their way: the guest is told to ask again in a second.
    soon: u32,
    nothing: u32,
}

impl Found {
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
    /// Runs `look`, and returns its result and what it found, without counting that.
    pub(crate) fn finding<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> (T, Found) {
        let before = std::mem::take(&mut self.found);
        let what = look(self);
        (what, std::mem::replace(&mut self.found, before))
    }

    /// Counts what was found, now or for another reply of this step.
    pub(crate) fn has_found(&mut self, Found { values, soon, nothing }: Found) {
        self.found.values += values;
        self.found.soon += soon;
        self.found.nothing += nothing;
    }

    /// The cost of the reply so far.
    pub(crate) fn cost(&self) -> Cost {
        match self.found {
            Found { values: 0, soon: 0, nothing: 0 } => Cost::Nothing,
            Found { values: 0, soon: 1.., .. } => Cost::Soon,
            Found { .. } => Cost::Read,
        }
    }
}
