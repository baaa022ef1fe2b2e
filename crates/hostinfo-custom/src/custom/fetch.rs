//! Gets values: reads files, queues runs of commands, and stores what they print.

use std::collections::BTreeMap;
use std::time::Instant;

use super::{Custom, NewValues, Statistic};
use crate::account::Account;
use crate::definition::{Source, fill};
use crate::failure::Failure;
use crate::message::Request;
use crate::queue::{Asked, Key};
use crate::reads::Place;
use crate::run::Order;
use crate::stored::Subject;

impl Custom {
    /// Reads the file, or makes sure that a run is queued, with a place for the guest `asker`.
    pub(super) fn fetch(&mut self, name: &str, guest: &str, asker: &str, now: Instant) {
        let Some(statistic) = self.statistics.get_mut(name) else { return };
        let Some(definition) = &statistic.definition else { return };
        let stored = statistic.values.entry(guest.into()).or_default();
        let key = Key { name: name.into(), guest: guest.into() };
        match &definition.source {
            Source::File(path) => {
                let place = place(path, definition.account, guest);
                let Some(bytes) = self.reads.read(key, place, &mut statistic.patience, now) else {
                    stored.is_pending = true;
                    return;
                };
                let subject = Subject { name, guest, kind: definition.about.kind };
                self.failures += u64::from(stored.put(subject, bytes, now));
            }
            Source::Command(_) if stored.is_pending => {
                if self.pool.join(&key, asker) {
                    self.advance(now);
                }
            }
            Source::Command(_) => {
                let asked = self.pool.ask(key, asker);
                stored.is_pending = asked != Asked::NoRoom;
                if let Asked::InPlaceOf(displaced) = asked {
                    self.give_up(displaced, now);
                }
                self.advance(now);
            }
        }
    }

    /// A run will not take place: a guest that waits for it asks again, and has another queued or learns that there is no
    /// room.
    pub(super) fn give_up(&mut self, displaced: Key, now: Instant) {
        let statistic = self.statistics.get_mut(&*displaced.name);
        if let Some(stored) = statistic.and_then(|one| one.values.get_mut(&displaced.guest)) {
            stored.is_pending = false;
        }
        self.add_new_value(displaced, now);
    }

    fn add_new_value(&mut self, of: Key, now: Instant) {
        let (came, new_values) = self.new_values.get_or_insert_with(|| (now, NewValues::default()));
        *came = now;
        new_values.0.entry(of.name).or_default().insert(of.guest);
    }

    pub(super) fn advance(&mut self, now: Instant) {
        for ((Key { name, guest }, read), bytes) in self.reads.take(now) {
            // It may be another file by now.
            let definition = self.find(&name).filter(|definition| match &definition.source {
                Source::File(path) => place(path, definition.account, &guest) == read,
                Source::Command(_) => false,
            });
            if definition.is_some() {
                self.store(Key { name, guest }, bytes, now);
            }
        }
        let statistics = &self.statistics;
        let ended = self.pool.turn(now, |key| order(statistics, key));
        ended.into_iter().for_each(|(key, bytes)| self.store(key, bytes, now));
    }

    /// Stores what was read or printed.
    fn store(&mut self, key: Key, bytes: Result<Vec<u8>, Failure>, now: Instant) {
        self.add_new_value(key.clone(), now);
        let Key { name, guest } = key;
        if let Some(statistic) = self.statistics.get_mut(&*name)
            && let Some(definition) = &statistic.definition
            && let Some(stored) = statistic.values.get_mut(&guest)
        {
            let subject = Subject { name: &name, guest: &guest, kind: definition.about.kind };
            self.failures += u64::from(stored.put(subject, bytes, now));
        }
    }
}

/// The file of a statistic for a guest.
fn place(path: &str, account: Option<Account>, guest: &str) -> Place {
    let steps: Vec<&str> = path.split('/').map(|step| fill(step, guest)).collect();
    Place { path: steps.join("/"), account }
}

/// What to run for an entry of the queue.
fn order(statistics: &BTreeMap<String, Statistic>, key: &Key) -> Option<Order> {
    let definition = statistics.get(&*key.name)?.definition.as_ref()?;
    let Source::Command(words) = &definition.source else { return None };
    let (name, guest) = (key.name.as_ref().to_owned(), key.guest.as_ref().to_owned());
    Some(Order {
        request: Request { fingerprint: definition.fingerprint(), name, guest },
        program: words.first().cloned().unwrap_or_default(),
        timeout: definition.timeout,
    })
}
