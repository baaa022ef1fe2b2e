//! The runs in progress, and what is known of statistics that have hung.

use std::collections::{HashMap, HashSet};

use crate::limits::{HUNG_RUNS_MAX, OWN_RUNS_MAX, RUNS_MAX};
use crate::queue::{Key, Place};
use crate::run::Run;

/// At most [`RUNS_MAX`] runs.
#[derive(Default)]
pub(super) struct Places {
    pub(super) runs: Vec<Run>,
    /// What is known of each statistic that has hung for a guest.
    pub(super) hung: HashMap<Box<str>, Hung>,
}

/// What is known of a statistic that has hung.
#[derive(Debug, Default)]
pub(super) struct Hung {
    /// The guests for which its last run took as long as it could.
    pub(super) guests: HashSet<Box<str>>,
    /// Whether the last run of all did. As soon as one for any guest does not, others are not held to be like those.
    is_last: bool,
}

impl Places {
    /// Notes how a run has ended.
    pub(super) fn note(&mut self, Key { name, guest }: &Key, hangs: bool) {
        if hangs {
            let hung = self.hung.entry(name.clone()).or_default();
            hung.guests.insert(guest.clone());
            hung.is_last = true;
        } else if let Some(hung) = self.hung.get_mut(name) {
            hung.guests.remove(guest);
            hung.is_last = false;
            if hung.guests.is_empty() {
                self.hung.remove(name);
            }
        }
    }

    /// Drops all runs of a statistic, which is another one from now on.
    pub(super) fn forget_statistic(&mut self, name: &str) {
        self.runs.retain(|run| *run.key.name != *name);
        self.hung.remove(name);
    }

    /// Forgets what has hung for a guest that is gone.
    pub(super) fn forget_guest(&mut self, guest: &str) {
        self.hung.retain(|_, hung| {
            hung.guests.remove(guest);
            !hung.guests.is_empty()
        });
    }

    /// Whether a run could start at once for that guest.
    pub(super) fn are_free_for(&self, key: &Key, asker: &str) -> bool {
        self.running(asker) < OWN_RUNS_MAX && self.free(key, &self.taken()).is_some()
    }

    /// How many of the runs had that guest's turn.
    pub(super) fn running(&self, guest: &str) -> usize {
        self.runs.iter().filter(|run| *run.asker == *guest).count()
    }

    /// The place of each run.
    pub(super) fn taken(&self) -> Vec<Place> {
        self.runs.iter().map(|run| self.place_of(&run.key)).collect()
    }

    /// The place that a run would have, if it is not `taken`.
    pub(super) fn free(&self, key: &Key, taken: &[Place]) -> Option<Place> {
        let place = self.place_of(key);
        let max = if place == Place::Any { RUNS_MAX } else { HUNG_RUNS_MAX };
        let is_free = taken.iter().filter(|taken| **taken == place).count() < max;
        (is_free && self.runs.iter().all(|run| run.key != *key)).then_some(place)
    }

    fn place_of(&self, key: &Key) -> Place {
        match self.hung.get(&key.name) {
            Some(hung) if hung.guests.contains(&key.guest) => Place::Hung,
            Some(Hung { is_last: true, .. }) => Place::Doubtful,
            _ => Place::Any,
        }
    }
}
