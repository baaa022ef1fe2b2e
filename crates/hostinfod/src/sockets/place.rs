//! What `[[sockets]]` and `[[listen]]` have in common: a directory of the administrator's choice, which others may list and
//! change, and in it something for each guest.
//!
//! Whoever lists a directory there can hold its lock and keep everybody from looking into it. So threads look.

use std::collections::{BTreeSet, HashMap};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hostinfo_file::aside::{Late, Looks, Owner, Patience, Signal};
use hostinfo_open::Entry;
use rustix::fs::inotify::ReadFlags;

use crate::audit::quota::{Permit, Quota};
use crate::reactor::id::PortId;
use crate::sockets::below::Below;
use crate::sockets::pace::{Pace, PlaceChange};
use crate::sockets::way::{base, is_followed};
use crate::sockets::{names, path_of};
use crate::system::file_error::{FileError, TRY_AGAIN};
use crate::system::watch::{Change, Watch, Watcher};
use crate::system::watched_path::WatchedPath;

/// A place, in which a look at what is there for a guest finds a `T`. Guests are known here by their names without a driver.
#[derive(Debug)]
pub(crate) struct Place<T> {
    entry: Entry,
    /// The ports of guests that have something here.
    pub(crate) ports: HashMap<String, PortId>,
    watched_path: WatchedPath,
    /// The directory with the names, while it is there.
    base: Option<Watch>,
    below: Arc<Below>,
    patience: Patience,
    base_looks: Looks<(), Listed>,
    looks: Looks<String, T>,
    /// Why the directory cannot be read or watched.
    problem: Option<String>,
    /// For the lines that say so: its owner can have that come and go.
    told: Quota,
    /// Where that reason passes by itself. Nothing tells when.
    try_again_at: Option<Instant>,
    pace: Pace<String>,
}

/// What a look at the directory has found: the way to it, and the names of guests that are enabled.
#[derive(Debug)]
struct Listed {
    watched_path: WatchedPath,
    watch: io::Result<Watch>,
    names: io::Result<BTreeSet<String>>,
}

impl<T: Send + 'static> Place<T> {
    /// Nothing is looked at yet.
    ///
    /// # Errors
    /// Where the user has no inotify instance left.
    pub(crate) fn new(entry: Entry, ended: &Signal) -> io::Result<Self> {
        Ok(Self {
            watched_path: WatchedPath::with_links(entry.pattern.directory(), is_followed),
            entry,
            ports: HashMap::new(),
            base: None,
            below: Arc::new(Below::new()?),
            patience: Patience::default(),
            base_looks: Looks::new(ended.clone()),
            looks: Looks::new(ended.clone()),
            problem: None,
            told: Quota::default(),
            try_again_at: None,
            pace: Pace::new(),
        })
    }

    /// What the settings say.
    pub(crate) fn entry(&self) -> &Entry {
        &self.entry
    }

    /// Other guests are enabled now.
    pub(crate) fn set_entry(&mut self, entry: Entry) {
        self.entry = entry;
    }

    /// What tells that something has happened.
    pub(crate) fn watcher(&self) -> &Watcher {
        self.below.watcher()
    }

    /// The watched directories of guests.
    pub(crate) fn below(&self) -> &Arc<Below> {
        &self.below
    }

    /// For whom threads work here.
    pub(crate) fn owner(&self) -> Owner {
        self.patience.owner()
    }

    /// What is to be looked at now, since something has happened to it since the last call.
    pub(crate) fn changes(&mut self, now: Instant) -> BTreeSet<PlaceChange<String>> {
        let mut changes = BTreeSet::new();
        for change in self.below.watcher().changes() {
            changes.extend(self.concerned_by(change));
        }
        if self.try_again_at.take_if(|at| *at <= now).is_some() {
            changes.insert(PlaceChange::Everything);
        }
        self.pace.admit(changes, now)
    }

    fn concerned_by(&self, change: Change) -> Option<PlaceChange<String>> {
        if self.watched_path.concerns(&change) {
            return Some(PlaceChange::Everything);
        }
        let Change { watch, what, name } = change;
        if Some(watch) == self.base {
            // Without a name, its own mode or ACL is another, or it is gone.
            let Some(segment) = name else { return Some(PlaceChange::Everything) };
            let guest = self.entry.pattern.name(segment.to_str()?)?;
            let concerns = self.entry.allows(guest) || self.ports.contains_key(guest);
            return concerns.then(|| PlaceChange::Guest(guest.to_owned()));
        }
        if let Some(guest) = self.below.guest(watch) {
            if what.contains(ReadFlags::IGNORED) {
                self.below.has_ended(watch);
            }
            // A VMM has other files there as well.
            let mut parts = self.entry.pattern.below().iter();
            let concerns = name.is_none_or(|name| parts.any(|part| *name == **part));
            return concerns.then_some(PlaceChange::Guest(guest));
        }
        // It may be in the directory that a look has begun to watch, and has read already.
        let is_of_a_look = self.base_looks.are_under_way() && !what.contains(ReadFlags::IGNORED);
        is_of_a_look.then_some(PlaceChange::Everything)
    }

    /// When [`Place::changes`] has more although nothing happens.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        self.pace.next().into_iter().chain(self.try_again_at).min()
    }

    /// Watches the directory, or waits for it where it is not there, and reads it. Returns the guests that are to be looked
    /// at then: those who have something there, and those who had. While it is being looked at, and where it cannot be read,
    /// only those who are not enabled any more.
    pub(crate) fn look_at_all(&mut self, now: Instant) -> BTreeSet<String> {
        let (below, entry) = (Arc::clone(&self.below), self.entry.clone());
        let mut watched_path = self.watched_path.clone();
        let look = move || {
            watched_path.watch_all(below.watcher());
            let (watch, names) = match base(entry.pattern.directory()) {
                // First watched, then read: nothing comes in between.
                Ok(base) => (below.watch_base(&base), enabled(&base, &entry)),
                Err(error) => (Err(error), Err(io::ErrorKind::NotFound.into())),
            };
            Listed { watched_path, watch, names }
        };
        let listed = self.base_looks.look(&(), &mut self.patience, look, now);
        self.guests_to_look_at(listed, now)
    }

    fn guests_to_look_at(&mut self, listed: Option<Listed>, now: Instant) -> BTreeSet<String> {
        let names = listed.and_then(|listed| self.take_listed(listed, now));
        let known = self.ports.keys();
        match names {
            Some(names) => names.into_iter().chain(known.cloned()).collect(),
            None => known.filter(|name| !self.entry.allows(name)).cloned().collect(),
        }
    }

    /// The names that were found; `None` where the directory is there and cannot be read.
    fn take_listed(&mut self, listed: Listed, now: Instant) -> Option<BTreeSet<String>> {
        let Listed { watched_path, watch, names } = listed;
        self.watched_path = watched_path;
        let (watch, unwatched) = unless_missing(watch);
        let (names, unread) = unless_missing(names);
        let error = unwatched.or(unread).map(FileError::of(self.entry.pattern.directory()));
        let is_passing = error.as_ref().is_some_and(FileError::is_passing);
        self.try_again_at = is_passing.then(|| now + TRY_AGAIN);
        let names = match &error {
            None => Some(names.unwrap_or_default()),
            Some(_) => names,
        };
        let before = std::mem::replace(&mut self.problem, error.map(|error| error.to_string()));
        let text = self.entry.pattern.text();
        let is_new = match &self.problem {
            Some(_) => before != self.problem,
            None => watch.is_some() && (before.is_some() || self.base != watch),
        };
        let permit = is_new.then(|| self.told.ask(now)).flatten();
        if let Some(Permit { left_out }) = permit {
            match &self.problem {
                Some(problem) => {
                    tracing::error!(left_out, "not all guests are served at {text}: {problem}");
                }
                None => tracing::info!(left_out, "guests are served at {text}"),
            }
        }
        self.below.watcher().replace(&mut self.base, watch);
        names
    }

    /// Looks at what is there for a guest; `None` if what it finds comes late. If that is being looked at already, it is looked
    /// at again afterwards.
    pub(crate) fn look(
        &mut self,
        name: &str,
        look: impl FnOnce() -> T + Send + 'static,
        now: Instant,
    ) -> Option<T> {
        self.looks.look(&name.to_owned(), &mut self.patience, look, now)
    }

    /// Whether that is being looked at. If so, it is looked at again afterwards.
    pub(crate) fn ask_again(&mut self, name: &str) -> bool {
        self.looks.ask_again(&name.to_owned())
    }

    /// At most so many of the looks that have ended late, and the guests that are to be looked at besides.
    pub(crate) fn take_late(
        &mut self,
        most: usize,
        now: Instant,
    ) -> (Vec<Late<String, T>>, BTreeSet<String>) {
        let mut names = BTreeSet::new();
        for Late { found, has_changed, .. } in self.base_looks.take_late(usize::MAX) {
            names = self.guests_to_look_at(Some(found), now);
            if has_changed {
                names.append(&mut self.look_at_all(now));
            }
        }
        (self.looks.take_late(most), names)
    }

    /// Whether anything is being looked at.
    pub(crate) fn is_being_looked_at(&self) -> bool {
        self.base_looks.are_under_way() || self.looks.are_under_way()
    }

    /// For the administrator: its path, and why the directory, or what is there for a guest, cannot be looked at.
    pub(crate) fn state(&self) -> hostinfo_control::Place {
        let problem = self.held().map(|path| is_held(&path)).or_else(|| self.problem.clone());
        hostinfo_control::Place { path: self.entry.pattern.text().to_owned(), problem }
    }

    /// A path that is held, if any is.
    pub(crate) fn held(&self) -> Option<PathBuf> {
        let pattern = &self.entry.pattern;
        let base = self.base_looks.held().map(|()| pattern.directory().to_owned());
        base.or_else(|| Some(pattern.path(self.looks.held()?)))
    }

    /// What has come to be held: the path, and the guest's port.
    pub(crate) fn newly_held(&mut self, now: Instant) -> Vec<(PathBuf, Option<PortId>)> {
        let pattern = &self.entry.pattern;
        let base = self.base_looks.newly_held(now).into_iter();
        let base = base.map(|()| (pattern.directory().to_owned(), None));
        let guests = self.looks.newly_held(now).into_iter();
        let guests = guests.map(|name| (pattern.path(&name), self.ports.get(&name).copied()));
        base.chain(guests).collect()
    }

    /// When [`Place::newly_held`] may have more.
    pub(crate) fn next_held_check(&self) -> Option<Instant> {
        [self.base_looks.next_check(), self.looks.next_check()].into_iter().flatten().min()
    }

    /// A guest has nothing here any more.
    pub(crate) fn remove(&mut self, name: &str) -> Option<PortId> {
        self.below.forget(name);
        self.ports.remove(name)
    }
}

#[cfg(test)]
impl<T> Place<T> {
    /// How long looks are waited for.
    pub(crate) fn patience(&mut self) -> &mut Patience {
        &mut self.patience
    }
}

/// The names of guests that are enabled in a directory.
fn enabled(base: &OwnedFd, entry: &Entry) -> io::Result<BTreeSet<String>> {
    let found = names(&path_of(base))?;
    let found = found.iter().filter_map(|segment| entry.pattern.name(segment.to_str()?));
    Ok(found.filter(|name| entry.allows(name)).map(str::to_owned).collect())
}

/// What is not there is awaited, which is no error.
fn unless_missing<V>(found: io::Result<V>) -> (Option<V>, Option<io::Error>) {
    match found {
        Ok(found) => (Some(found), None),
        Err(error) if error.kind() == io::ErrorKind::NotFound => (None, None),
        Err(error) => (None, Some(error)),
    }
}

/// Why a path cannot be looked at, with the remedy.
pub(crate) fn is_held(path: &Path) -> String {
    let path = path.display();
    format!(
        "{path} cannot be looked at, since a process that lists a directory on the way to it does not let it go: end that \
         process; fuser -v names it, unless it has closed the directory since"
    )
}

/// What is found at last, however busy the machine is: `take_late` takes what was found late.
#[cfg(test)]
pub(crate) fn at_last<P, T>(
    place: &mut P,
    mut look: impl FnMut(&mut P) -> Option<T>,
    mut take_late: impl FnMut(&mut P),
) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look(place) {
            return found;
        }
        assert!(begun.elapsed().as_secs() < 60, "nothing is found");
        std::thread::sleep(std::time::Duration::from_millis(1));
        take_late(place);
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
