//! The queue of runs: guests take turns, however much one of them asks for.

use std::collections::HashMap;

use crate::limits::{ASKERS_MAX, QUEUE_MAX};

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The statistic.
    pub(crate) name: Box<str>,
    /// The guest; empty if all guests share the value.
    pub(crate) guest: Box<str>,
}

/// At most [`QUEUE_MAX`] runs. A guest has a place in a round for each run that it asks for: in the current round for
/// the first, in the next for its second, and so on. Earlier rounds come first, so a guest that asks for one run waits
/// for no more than one of each other guest. A run that several guests ask for has the places of all of them, and takes
/// the first that comes.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    waiting: HashMap<Key, Waiting>,
    /// How many have been queued.
    count: u64,
    /// The current round.
    round: u64,
    /// The last round of each guest, unless that is over.
    rounds: HashMap<Box<str>, u64>,
}

/// What is known of a queued run.
#[derive(Debug)]
struct Waiting {
    /// How many were queued before.
    since: u64,
    /// The guests that ask for it, each with the round of its place: the [`ASKERS_MAX`] earliest, in order.
    askers: Vec<(u64, Box<str>)>,
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
        let round = self.next_round(asker);
        let mut asked = Asked::Waits;
        if self.waiting.len() >= QUEUE_MAX {
            match self.displace(round) {
                None => return Asked::NoRoom,
                Some(displaced) => asked = Asked::InPlaceOf(displaced),
            }
        }
        let askers = vec![(round, asker.into())];
        self.waiting.insert(key, Waiting { since: self.count, askers });
        self.count += 1;
        self.rounds.insert(asker.into(), round);
        asked
    }

    /// Notes that the guest `asker` asks for a run, too, if that is queued.
    pub(crate) fn join(&mut self, key: &Key, asker: &str) {
        let round = self.next_round(asker);
        let Some(Waiting { askers, .. }) = self.waiting.get_mut(key) else { return };
        let at = askers.partition_point(|(earlier, _)| *earlier <= round);
        if at < ASKERS_MAX && askers.iter().all(|(_, other)| **other != *asker) {
            askers.insert(at, (round, asker.into()));
            askers.truncate(ASKERS_MAX);
            self.rounds.insert(asker.into(), round);
        }
    }

    /// Takes the next of the runs that may start, and the guest whose place it takes: one of those with the fewest
    /// `running`, then of the earliest round, then for the run that has waited longest.
    pub(crate) fn take(
        &mut self,
        may_run: impl Fn(&Key) -> bool,
        running: impl Fn(&str) -> usize,
    ) -> Option<(Key, Box<str>)> {
        let may_start = self.waiting.iter().filter(|(key, _)| may_run(key));
        let places = may_start.filter_map(|(key, Waiting { since, askers })| {
            let places = askers.iter().map(|(round, asker)| (running(asker), *round, asker));
            let (running, round, asker) = places.min()?;
            Some((running, round, since, asker, key))
        });
        let (_, round, _, asker, key) = places.min()?;
        let taken = (key.clone(), asker.clone());
        self.waiting.remove(&taken.0);
        if round > self.round {
            self.round = round;
            // A guest whose last turn was in a past round starts over.
            self.rounds.retain(|_, last| *last >= round);
        }
        Some(taken)
    }

    /// Removes all matching runs.
    pub(crate) fn cancel(&mut self, which: impl Fn(&Key) -> bool) {
        self.waiting.retain(|key, _| !which(key));
    }

    /// The round of the next run that a guest asks for.
    fn next_round(&self, asker: &str) -> u64 {
        self.rounds.get(asker).map_or(self.round, |last| self.round.max(last + 1))
    }

    /// Removes the run whose first place is the last of all, if that is after `round`.
    fn displace(&mut self, round: u64) -> Option<Key> {
        let firsts = self.waiting.iter().filter_map(|(key, Waiting { since, askers })| {
            askers.first().map(|(first, _)| (*first, since, key))
        });
        let (last, _, key) = firsts.max()?;
        if last <= round {
            return None;
        }
        let key = key.clone();
        // Those who have no later place get this one again.
        for (round, asker) in self.waiting.remove(&key)?.askers {
            if self.rounds.get(&asker) == Some(&round) {
                self.rounds.insert(asker, round - 1);
            }
        }
        Some(key)
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests;
