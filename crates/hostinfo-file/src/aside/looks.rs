//! Work that is done for one thing at a time, and what it results in, sooner or later.

use std::collections::BTreeMap;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::{Patience, Signal, pool};

/// A look that takes this long is held by somebody.
pub const HELD_AFTER: Duration = Duration::from_secs(1);

/// Looks at the things `K`, each of which finds a `T`. At most one look at each thing is under way.
#[derive(Debug)]
pub struct Looks<K, T> {
    /// Readable when a look has ended late.
    ended: Signal,
    tell: Sender<(K, T)>,
    told: Receiver<(K, T)>,
    under_way: BTreeMap<K, UnderWay>,
    /// When the next may have come to be held.
    next_check: Option<Instant>,
}

#[derive(Debug)]
struct UnderWay {
    /// When a thread began with it.
    since: Arc<OnceLock<Instant>>,
    /// It was asked for again since.
    has_changed: bool,
    is_held: bool,
}

/// A look that has ended late.
#[derive(Debug, PartialEq, Eq)]
pub struct Late<K, T> {
    /// At what.
    pub of: K,
    /// What it has found.
    pub found: T,
    /// It was asked for again meanwhile: what it has found may be old.
    pub has_changed: bool,
}

impl<K: Clone + Ord + Send + 'static, T: Send + 'static> Looks<K, T> {
    /// Nothing is looked at yet. `ended` becomes readable when a look has ended late.
    pub fn new(ended: Signal) -> Self {
        let (tell, told) = channel();
        Self { ended, tell, told, under_way: BTreeMap::new(), next_check: None }
    }

    /// What is found at `of`; `None` if that comes late. If it is being looked at already, it counts as asked for again.
    pub fn look(
        &mut self,
        of: &K,
        patience: &mut Patience,
        look: impl FnOnce() -> T + Send + 'static,
        now: Instant,
    ) -> Option<T> {
        if self.ask_again(of) {
            return None;
        }
        let (tell, ended, late) = (self.tell.clone(), self.ended.clone(), of.clone());
        let tell = move |found| {
            // Nobody wants what was found if these looks are given up.
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
            let under_way = UnderWay { since, has_changed: false, is_held: false };
            self.under_way.insert(of.clone(), under_way);
            self.next_check.get_or_insert(now + HELD_AFTER);
        }
        found
    }

    /// Whether it is being looked at. If so, it counts as asked for again, since what is found may be old by then.
    pub fn ask_again(&mut self, of: &K) -> bool {
        let under_way = self.under_way.get_mut(of);
        under_way.map(|look| look.has_changed = true).is_some()
    }

    /// Whether anything is being looked at.
    pub fn are_under_way(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// At most so many of the looks that have ended late since the last call. If there are more, it is told again.
    pub fn take_late(&mut self, most: usize) -> Vec<Late<K, T>> {
        let late: Vec<(K, T)> = self.told.try_iter().take(most).collect();
        if late.len() == most {
            self.ended.tell();
        }
        let late = late.into_iter().map(|(of, found)| {
            let has_changed = self.under_way.remove(&of).is_some_and(|look| look.has_changed);
            Late { of, found, has_changed }
        });
        late.collect()
    }

    /// What was not held yet at the last call and is now.
    pub fn newly_held(&mut self, now: Instant) -> Vec<K> {
        let mut held = Vec::new();
        self.next_check = None;
        for (of, look) in self.under_way.iter_mut().filter(|(_, look)| !look.is_held) {
            let since = look.since.get().copied();
            look.is_held = since.is_some_and(|since| since + HELD_AFTER <= now);
            if look.is_held {
                held.push(of.clone());
            } else {
                let check = since.unwrap_or(now) + HELD_AFTER;
                self.next_check = Some(self.next_check.map_or(check, |next| next.min(check)));
            }
        }
        // There may have been no thread for some.
        pool::go_on();
        held
    }

    /// When [`Looks::newly_held`] may have more; `None` while nothing is being looked at.
    pub fn next_check(&self) -> Option<Instant> {
        self.next_check.filter(|_| self.are_under_way())
    }

    /// Whether that is held, as [`Looks::newly_held`] has said.
    pub fn is_held(&self, of: &K) -> bool {
        self.under_way.get(of).is_some_and(|look| look.is_held)
    }

    /// One of those that are held.
    pub fn held(&self) -> Option<&K> {
        self.under_way.iter().find(|(_, look)| look.is_held).map(|(of, _)| of)
    }
}

#[cfg(test)]
mod tests;
