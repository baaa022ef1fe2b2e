//! Looks into places of guests' sockets that others may list. Whoever lists a directory there can hold its lock and keep
//! everybody from looking into it. So threads look, and a descriptor becomes readable when one has found something late.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::Instant;

use hostinfo_file::aside::{HELD_AFTER, Patience, Signal};

/// Late looks of one place that are taken in one turn of the loop: each takes as long as a change of a socket.
const TAKEN_MAX: usize = 64;

/// Looks at the things `K` of one place. Each finds a `T`.
#[derive(Debug)]
pub(crate) struct Looks<K, T> {
    /// Readable when a look has ended late.
    ended: Signal,
    tell: Sender<(K, T)>,
    told: Receiver<(K, T)>,
    /// What is being looked at: at most one look at each thing.
    pending: BTreeMap<K, Pending>,
    /// What was found late, for the next look at it.
    found: BTreeMap<K, T>,
}

#[derive(Debug)]
struct Pending {
    /// When a thread began with it.
    since: Arc<OnceLock<Instant>>,
    /// It was asked for again since.
    has_changed: bool,
    /// That it is held was reported.
    is_told: bool,
}

impl<K: Clone + Ord + Send + 'static, T: Send + 'static> Looks<K, T> {
    /// Nothing is looked at yet.
    pub(crate) fn new(ended: Signal) -> Self {
        let (tell, told) = channel();
        Self { ended, tell, told, pending: BTreeMap::new(), found: BTreeMap::new() }
    }

    /// What is found at `of`; `None` while it is being looked at. Later, [`Looks::take_ended`] names it, and the next look at
    /// it returns at once what this one has found.
    pub(crate) fn look(
        &mut self,
        of: &K,
        patience: &mut Patience,
        look: impl FnOnce() -> T + Send + 'static,
        now: Instant,
    ) -> Option<T> {
        if let Some(found) = self.found.remove(of) {
            return Some(found);
        }
        if self.is_pending(of) {
            return None;
        }
        let (tell, ended, late) = (self.tell.clone(), self.ended.clone(), of.clone());
        let tell = move |found| {
            // If the place was removed from the settings, nobody wants what was found.
            if tell.send((late, found)).is_ok() {
                ended.tell();
            }
        };
        let since = Arc::new(OnceLock::new());
        let begun = Arc::clone(&since);
        let look = move || {
            begun.get_or_init(Instant::now);
            look()
        };
        let found = patience.run(look, tell, now);
        if found.is_none() {
            let pending = Pending { since, has_changed: false, is_told: false };
            self.pending.insert(of.clone(), pending);
        }
        found
    }

    /// Whether it is being looked at. If so, it counts as asked for again, since what is found may be old by then.
    pub(crate) fn is_pending(&mut self, of: &K) -> bool {
        let pending = self.pending.get_mut(of);
        pending.map(|pending| pending.has_changed = true).is_some()
    }

    /// Whether it is being looked at, without a word to that.
    #[cfg(test)]
    pub(crate) fn is_pending_at(&self, of: &K) -> bool {
        self.pending.contains_key(of)
    }

    /// Whether anything is being looked at.
    pub(crate) fn is_any_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Has the next look at `of` return this.
    pub(crate) fn put_back(&mut self, of: K, found: T) {
        self.found.insert(of, found);
    }

    /// Takes what the next look at `of` would return.
    pub(crate) fn take(&mut self, of: &K) -> Option<T> {
        self.found.remove(of)
    }

    /// Late looks that have ended since the last call, and whether each was asked for again meanwhile.
    pub(crate) fn take_ended(&mut self) -> Vec<(K, bool)> {
        let ended: Vec<(K, T)> = self.told.try_iter().take(TAKEN_MAX).collect();
        if ended.len() == TAKEN_MAX {
            self.ended.tell();
        }
        let mut keys = Vec::new();
        for (of, found) in ended {
            let has_changed = self.pending.remove(&of).is_some_and(|pending| pending.has_changed);
            self.found.insert(of.clone(), found);
            keys.push((of, has_changed));
        }
        keys
    }

    /// What was not held yet at the last call and is now.
    pub(crate) fn newly_held(&mut self, now: Instant) -> Vec<K> {
        let held = self.pending.iter_mut().filter_map(|(of, pending)| {
            let is_held = *pending.since.get()? + HELD_AFTER <= now;
            let is_new = is_held && !std::mem::replace(&mut pending.is_told, is_held);
            is_new.then(|| of.clone())
        });
        held.collect()
    }

    /// One of those that are held.
    pub(crate) fn held(&self) -> Option<&K> {
        self.pending.iter().find(|(_, pending)| pending.is_told).map(|(of, _)| of)
    }
}

/// Why a path cannot be looked at, with the remedy.
pub(crate) fn is_held(path: &Path) -> String {
    let path = path.display();
    format!(
        "{path} cannot be looked at, since a process that lists a directory on the way to it does not let it go: end that \
         process; fuser -v names those that have a directory open"
    )
}

/// What is found at last, however busy the machine is: `take_ended` takes what was found late.
#[cfg(test)]
pub(crate) fn at_last<P, T>(
    place: &mut P,
    mut look: impl FnMut(&mut P) -> Option<T>,
    mut take_ended: impl FnMut(&mut P),
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look(place) {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 60, "nothing is found");
        std::thread::sleep(std::time::Duration::from_millis(1));
        take_ended(place);
    }
}

/// Waits for work until nothing is waited for any more: all looks are late then.
#[cfg(test)]
pub(crate) fn spend(patience: &mut Patience, now: Instant) {
    let one = std::time::Duration::from_millis(100);
    patience.run(move || std::thread::sleep(one), drop, now);
}

#[cfg(test)]
mod tests;
