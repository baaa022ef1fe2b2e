//! The queue of runs: guests take turns, however much one of them asks for.

use std::collections::HashMap;
use std::mem;

use crate::limits::{ASKERS_MAX, OWN_RUNS_MAX, QUEUE_MAX};

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The statistic.
    pub(crate) name: Box<str>,
    /// The guest; empty if all guests share the value.
    pub(crate) guest: Box<str>,
}

/// Which of the places of runs in progress a run takes: see [`Pool`](crate::pool::Pool).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Any that is left.
    Any,
    /// That of statistics of which the last run, for another guest, hung.
    Doubtful,
    /// That of what hung the last time.
    Hung,
}

/// At most [`QUEUE_MAX`] runs. Guests take turns for each kind of place: next comes the guest whose last turn there is the
/// longest ago, with the run that has waited longest. So a guest that asks for one run waits for no more than one of each
/// other guest. A run that several guests ask for comes in a turn of one of its askers, of whom those count that wait for the
/// fewest.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: HashMap<Key, Waiting>,
    /// How many runs each guest waits for.
    loads: HashMap<Box<str>, usize>,
    /// How many have been queued.
    count: u64,
    /// How many have been taken.
    turns: u64,
    last_turns: HashMap<Box<str>, LastTurns>,
}

/// The last turn of a guest for each kind of place; 0 if it has had none, so that it comes first.
#[derive(Debug, Default)]
struct LastTurns {
    any: u64,
    doubtful: u64,
    hung: u64,
}

impl LastTurns {
    fn at(&self, place: Place) -> u64 {
        match place {
            Place::Any => self.any,
            Place::Doubtful => self.doubtful,
            Place::Hung => self.hung,
        }
    }

    fn set(&mut self, place: Place, turn: u64) {
        match place {
            Place::Any => self.any = turn,
            Place::Doubtful => self.doubtful = turn,
            Place::Hung => self.hung = turn,
        }
    }
}

/// What is known of a queued run.
#[derive(Debug)]
struct Waiting {
    /// How many were queued before.
    since: u64,
    /// The guests that ask for it: of more than [`ASKERS_MAX`], those that wait for little else.
    askers: Vec<Box<str>>,
}

/// What happened to a requested run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is queued.
    Waits,
    /// It is queued in place of this one, of a guest that asks for more.
    InPlaceOf(Key),
    /// There is no room: its guest asks for as much as any other.
    NoRoom,
}

impl Queue {
    /// Adds a run, which must not be queued already, for the guest `asker`.
    pub(crate) fn ask(&mut self, key: Key, asker: &str) -> Asked {
        let mut asked = Asked::Waits;
        if self.waiting.len() >= QUEUE_MAX {
            match self.displace(asker) {
                None => return Asked::NoRoom,
                Some(displaced) => asked = Asked::InPlaceOf(displaced),
            }
        }
        let askers = vec![asker.into()];
        self.waiting.insert(key, Waiting { since: self.count, askers });
        self.count += 1;
        *self.loads.entry(asker.into()).or_default() += 1;
        asked
    }

    /// Notes that the guest `asker` asks for a run, too, if that is queued. Returns whether it can come in this guest's turn
    /// now, and could not before.
    pub(crate) fn join(&mut self, key: &Key, asker: &str) -> bool {
        let Some(Waiting { askers, .. }) = self.waiting.get_mut(key) else { return false };
        if askers.iter().any(|other| **other == *asker) {
            return false;
        }
        if askers.len() >= ASKERS_MAX {
            let loads = askers.iter().enumerate().map(|(at, other)| (load(&self.loads, other), at));
            let Some((most, at)) = loads.max() else { return false };
            if most <= load(&self.loads, asker) + 1 {
                return false;
            }
            lower(&mut self.loads, &askers.swap_remove(at));
        }
        askers.push(asker.into());
        *self.loads.entry(asker.into()).or_default() += 1;
        true
    }

    /// Takes the next of the runs that have a place now, and the guest whose turn it is. A guest that has [`OWN_RUNS_MAX`]
    /// `running` has none.
    pub(crate) fn take(
        &mut self,
        place: impl Fn(&Key) -> Option<Place>,
        running: impl Fn(&str) -> usize,
    ) -> Option<(Key, Box<str>)> {
        let may_start = self.waiting.iter().filter_map(|(key, run)| Some((place(key)?, key, run)));
        let turns = may_start.flat_map(|(place, key, Waiting { since, askers })| {
            askers.iter().map(move |asker| (asker, place, key, since))
        });
        let may_run = turns.filter_map(|(asker, place, key, since)| {
            let last = self.last_turns.get(asker).map_or(0, |turns| turns.at(place));
            (running(asker) < OWN_RUNS_MAX).then_some(((last, since), (asker, place, key)))
        });
        let (_, (asker, place, key)) = may_run.min_by_key(|(order, _)| *order)?;
        let (asker, key) = (asker.clone(), key.clone());
        self.remove(&key);
        self.turns += 1;
        self.last_turns.entry(asker.clone()).or_default().set(place, self.turns);
        Some((key, asker))
    }

    /// Removes all matching runs.
    pub(crate) fn cancel(&mut self, which: impl Fn(&Key) -> bool) {
        let cancelled: Vec<Key> = self.waiting.keys().filter(|key| which(key)).cloned().collect();
        cancelled.iter().for_each(|key| self.remove(key));
    }

    /// Removes all runs, and returns what they were for.
    pub(crate) fn clear(&mut self) -> impl Iterator<Item = Key> {
        self.loads.clear();
        mem::take(&mut self.waiting).into_keys()
    }

    /// Whether a run is queued for which that guest asked.
    pub(crate) fn has_any_of(&self, guest: &str) -> bool {
        self.loads.contains_key(guest)
    }

    /// Forgets the turns of a guest that is gone.
    pub(crate) fn forget(&mut self, guest: &str) {
        self.last_turns.remove(guest);
    }

    fn remove(&mut self, key: &Key) {
        if let Some(Waiting { askers, .. }) = self.waiting.remove(key) {
            askers.iter().for_each(|asker| lower(&mut self.loads, asker));
        }
    }

    /// Removes the last run for which only guests wait that wait for more than `asker` will.
    fn displace(&mut self, asker: &str) -> Option<Key> {
        // Where nobody waits for more, the runs need not be looked at, for which whoever is refused asks again and again.
        let enough = load(&self.loads, asker) + 1;
        if self.loads.values().max().is_none_or(|most| *most <= enough) {
            return None;
        }
        let least = |run: &Waiting| run.askers.iter().map(|other| load(&self.loads, other)).min();
        let runs = self.waiting.iter().filter_map(|(key, run)| Some((least(run)?, run.since, key)));
        let (most, _, key) = runs.max_by_key(|(least, since, _)| (*least, *since))?;
        let key = (most > enough).then(|| key.clone())?;
        self.remove(&key);
        Some(key)
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

fn load(loads: &HashMap<Box<str>, usize>, guest: &str) -> usize {
    loads.get(guest).copied().unwrap_or_default()
}

fn lower(loads: &mut HashMap<Box<str>, usize>, guest: &str) {
    if let Some(load) = loads.get_mut(guest) {
        *load -= 1;
        if *load == 0 {
            loads.remove(guest);
        }
    }
}

#[cfg(test)]
mod tests;
