//! The directories of one `[[listen]]`: which guests have theirs, and where to listen in it.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hostinfo_file::aside::{Patience, Signal};
use hostinfo_peer::Unclosed;
use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::reactor::id::PortId;
use crate::settings::hybrid::Hybrid;
use crate::sockets::below::Below;
use crate::sockets::directory::WATCHED;
use crate::sockets::listening::{self, EarlierSockets, Listening, Made};
use crate::sockets::looks::Looks;
use crate::sockets::pace::{Pace, PlaceChange};
use crate::system::file_error::FileError;
use crate::system::watch::{Change, Watch, Watcher};
use crate::system::watched_path::WatchedPath;

/// One `[[listen]]`. What is above the guests' directories is awaited while it is not there.
#[derive(Debug)]
pub(crate) struct Section {
    /// As it is in the settings.
    pub(crate) settings: Hybrid,
    /// The ports of guests whose directories are there, by the entries that these are.
    pub(crate) ports: HashMap<OsString, PortId>,
    watched_path: WatchedPath,
    base: Option<Watch>,
    /// The watched directories of guests.
    below: Arc<Below<OsString>>,
    patience: Patience,
    looks: Looks<(), Looked>,
    /// Looks for the directory in each entry in which the daemon listens.
    ways: Looks<OsString, Found>,
    /// Sockets that are being made there.
    openings: Looks<OsString, Result<Listening, listening::Error>>,
    /// Whether it could not be looked into for a passing reason. Nothing tells when that has passed.
    is_passing: bool,
    pace: Pace<OsString>,
}

/// What a look at the section's directory has found: the way to it, its watch, and its entries.
type Looked = (WatchedPath, io::Result<Option<Watch>>, io::Result<Vec<OsString>>);

/// How far there is a way to where the daemon listens for a guest, and whether the daemon's socket is still there.
pub(crate) type Found = (Result<GuestDir, FileError>, bool);

/// How far there is a way to where the daemon listens for a guest.
#[derive(Debug)]
pub(crate) enum GuestDir {
    /// The guest has no directory.
    Missing,
    /// It has one, and more is needed; why more does not come by itself.
    Incomplete(Option<String>),
    /// To the directory in which it listens.
    Open(OwnedFd),
}

/// A directory, if it is one itself.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW);

impl Section {
    /// Nothing is looked at yet.
    ///
    /// # Errors
    /// Where nothing can be watched.
    pub(crate) fn open(settings: Hybrid, ended: &Signal) -> io::Result<Self> {
        Ok(Self {
            watched_path: WatchedPath::new(settings.path.directory()),
            settings,
            ports: HashMap::new(),
            base: None,
            below: Arc::new(Below::new()?),
            patience: Patience::default(),
            looks: Looks::new(ended.clone()),
            ways: Looks::new(ended.clone()),
            openings: Looks::new(ended.clone()),
            is_passing: false,
            pace: Pace::new(),
        })
    }

    /// Watches whatever stands behind the path now. Returns every entry that a guest's directory may be; `None` while that is
    /// being looked at, or where the directory is there and cannot be read.
    pub(crate) fn look(&mut self, now: Instant) -> Option<Vec<OsString>> {
        let below = Arc::clone(&self.below);
        let base = self.settings.path.directory().to_owned();
        let mut watched_path = self.watched_path.clone();
        let look = move || {
            watched_path.watch_all(below.watcher());
            // First watched, then read: nothing comes in between.
            let added = match below.watcher().add(&base, WATCHED | WatchFlags::ONLYDIR) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
                added => added.map(Some),
            };
            (watched_path, added, entries(&base))
        };
        let (watched_path, added, entries) = self.looks.look(&(), &mut self.patience, look, now)?;
        self.watched_path = watched_path;
        self.below.watcher().replace(&mut self.base, *added.as_ref().unwrap_or(&None));
        let was_passing = std::mem::take(&mut self.is_passing);
        let (error, entries) = match (added, entries) {
            (Ok(_), Ok(entries)) => return Some(entries),
            (Err(error), entries) => (error, entries.ok()),
            (Ok(_), Err(error)) => (error, None),
        };
        let error = FileError::of(self.settings.path.directory())(error);
        self.is_passing = error.is_passing();
        if !self.is_passing {
            tracing::error!("{error}; guests that come there are found only at SIGHUP");
        } else if !was_passing {
            tracing::error!("{error}; it is tried again");
        }
        entries
    }

    /// Whether it could not be looked into for a passing reason, so that it is to be looked at again soon.
    pub(crate) fn is_to_be_tried_again(&self) -> bool {
        self.is_passing
    }

    /// What tells that something has changed.
    pub(crate) fn watcher(&self) -> &Watcher {
        self.below.watcher()
    }

    /// What is to be looked at now, since it may have changed since the last call: names of entries, and what is in
    /// them.
    pub(crate) fn changes(&mut self, now: Instant) -> BTreeSet<PlaceChange<OsString>> {
        let mut changes = BTreeSet::new();
        for change in self.watcher().changes() {
            if self.watched_path.concerns(&change)
                || self.is_about_base(&change)
                || self.is_of_a_look(&change)
            {
                changes.insert(PlaceChange::Everything);
            } else if let Some(entry) = self.entry_of(change) {
                let is_guests = self.ports.contains_key(&entry) || self.name(&entry).is_some();
                changes.extend(is_guests.then_some(PlaceChange::Guest(entry)));
            }
        }
        if self.is_passing {
            changes.insert(PlaceChange::Everything);
        }
        self.pace.admit(changes, now)
    }

    /// When [`Section::changes`] has more although nothing changes.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        self.pace.next()
    }

    /// Its mode or its ACL is another, or it is gone.
    fn is_about_base(&self, change: &Change) -> bool {
        Some(change.watch) == self.base && change.name.is_none()
    }

    /// It may be of a directory that a look has begun to watch, and has read already.
    fn is_of_a_look(&self, Change { watch, what, .. }: &Change) -> bool {
        let is_known = || Some(*watch) == self.base || self.below.guest(*watch).is_some();
        self.looks.is_any_pending() && !what.contains(ReadFlags::IGNORED) && !is_known()
    }

    fn entry_of(&mut self, Change { watch, what, name }: Change) -> Option<OsString> {
        if Some(watch) == self.base {
            return name;
        }
        let entry = self.below.guest(watch)?;
        if what.contains(ReadFlags::IGNORED) {
            self.below.has_ended(watch);
        }
        // A VMM has other files there as well.
        let mut parts = self.settings.path.below().iter();
        let concerns = name.is_none_or(|name| parts.any(|part| OsStr::new(part) == name));
        concerns.then_some(entry)
    }

    /// The guest's whole name in an entry; `None` where it is not one of a guest that is enabled.
    pub(crate) fn name(&self, entry: &OsStr) -> Option<String> {
        let name = self.settings.path.name(entry.to_str()?)?;
        let whole = format!("{}-{name}", self.settings.driver);
        self.settings.guests.has(&whole).then_some(whole)
    }

    /// What the socket is called in its directory.
    pub(crate) fn file_name(&self) -> &OsStr {
        self.settings.path.below().last().map(OsStr::new).unwrap_or_default()
    }

    /// Goes down to the directory in which to listen for a guest, as far as there is a way, and watches it. No
    /// symbolic link is followed: a guest is known by the directory itself. `None` while it is being looked at.
    pub(crate) fn find(
        &mut self,
        entry: &OsStr,
        made: Option<Arc<Made>>,
        now: Instant,
    ) -> Option<Found> {
        let path = &self.settings.path;
        let below = path.below().split_last();
        let directories = below.iter().flat_map(|(_, directories)| *directories);
        let way = Way {
            base: path.directory().to_owned(),
            steps: std::iter::once(entry.to_owned())
                .chain(directories.map(OsString::from))
                .collect(),
        };
        let (below, text) = (Arc::clone(&self.below), path.text().to_owned());
        let find = move || {
            let found = way.follow(&below, &text);
            let is_there = match (&found, made) {
                (Ok(GuestDir::Open(directory)), Some(made)) => made.is_in(directory),
                _ => false,
            };
            (found, is_there)
        };
        self.ways.look(&entry.to_owned(), &mut self.patience, find, now)
    }

    /// Has the next look at an entry return this.
    pub(crate) fn put_back(&mut self, entry: &OsStr, found: Found) {
        self.ways.put_back(entry.to_owned(), found);
    }

    /// Makes a socket in the directory that was found for a guest; `None` while that takes long.
    pub(crate) fn listen(
        &mut self,
        entry: &OsStr,
        directory: OwnedFd,
        earlier: &EarlierSockets,
        unclosed: &Unclosed,
        now: Instant,
    ) -> Option<Result<Listening, listening::Error>> {
        let name = self.file_name().to_owned();
        let (earlier, unclosed) = (earlier.clone(), unclosed.clone());
        let owner = self.patience.owner();
        let open = move || Listening::open(directory, &name, &earlier, &unclosed, owner);
        self.openings.look(&entry.to_owned(), &mut self.patience, open, now)
    }

    /// Takes a socket that was made late.
    pub(crate) fn take_opened(
        &mut self,
        entry: &OsStr,
    ) -> Option<Result<Listening, listening::Error>> {
        self.openings.take(&entry.to_owned())
    }

    /// Whether a socket is being made for a guest. If so, its directory is looked at again afterwards.
    pub(crate) fn is_opening(&mut self, entry: &OsStr) -> bool {
        self.openings.is_pending(&entry.to_owned())
    }

    /// Whether anything is being looked at.
    pub(crate) fn is_being_looked_at(&self) -> bool {
        self.looks.is_any_pending() || self.ways.is_any_pending() || self.openings.is_any_pending()
    }

    /// A path that is held, if any is.
    pub(crate) fn held(&self) -> Option<PathBuf> {
        let base = self.settings.path.directory();
        let entry = || self.ways.held().or_else(|| self.openings.held());
        let places = self.looks.held().map(|()| base.to_owned());
        places.or_else(|| entry().map(|entry| base.join(entry)))
    }

    /// What has come to be held: the path, and the guest's port.
    pub(crate) fn newly_held(&mut self, now: Instant) -> Vec<(PathBuf, Option<PortId>)> {
        let base = self.settings.path.directory();
        let places = self.looks.newly_held(now).into_iter().map(|()| (base.to_owned(), None));
        let entries = self.ways.newly_held(now).into_iter().chain(self.openings.newly_held(now));
        let entries = entries.map(|entry| (base.join(&entry), self.ports.get(&entry).copied()));
        places.chain(entries).collect()
    }

    /// Whether there was a change during a look at the section's directory that has ended late; `None` if none has.
    pub(crate) fn take_looked(&mut self) -> Option<bool> {
        self.looks.take_ended().pop().map(|((), has_changed)| has_changed)
    }

    /// Entries of which looks have ended late, and whether there was a change meanwhile.
    pub(crate) fn take_found(&mut self) -> Vec<(OsString, bool)> {
        let mut found = self.ways.take_ended();
        found.append(&mut self.openings.take_ended());
        found
    }

    /// Drops what was found late of an entry.
    pub(crate) fn forget_found(&mut self, entry: &OsStr) {
        let entry = entry.to_owned();
        self.ways.take(&entry);
        self.openings.take(&entry);
    }

    /// A guest has no directory any more.
    pub(crate) fn remove_guest(&mut self, entry: &OsStr) -> Option<PortId> {
        self.below.forget(entry);
        self.ports.remove(entry)
    }
}

#[cfg(test)]
impl Section {
    /// What a thread keeps while it looks at something here.
    pub(crate) fn kept_by_a_look(&self) -> Arc<Below<OsString>> {
        Arc::clone(&self.below)
    }
}

fn entries(base: &Path) -> io::Result<Vec<OsString>> {
    let found = match super::names(base) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        other => other?,
    };
    Ok(found.into_iter().map(OsString::from).collect())
}

/// The way to where the daemon listens for a guest.
struct Way {
    base: PathBuf,
    /// The guest's directory, and those below it.
    steps: Vec<OsString>,
}

impl Way {
    fn follow(self, below: &Below<OsString>, text: &str) -> Result<GuestDir, FileError> {
        let (entry, mut here) = (self.steps.first().cloned().unwrap_or_default(), self.base);
        // A VMM can put other directories in the place of those that are watched.
        below.forget(&entry);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory = match rustix::fs::openat(CWD, &here, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(GuestDir::Missing),
            other => other.map_err(FileError::of(&here))?,
        };
        for (depth, step) in self.steps.into_iter().enumerate() {
            here.push(&step);
            directory = match rustix::fs::openat(
                &directory,
                step,
                DIRECTORY | OFlags::CLOEXEC,
                Mode::empty(),
            ) {
                Ok(directory) => directory,
                Err(Errno::NOENT | Errno::NOTDIR) if depth == 0 => return Ok(GuestDir::Missing),
                Err(Errno::NOENT) => return Ok(GuestDir::Incomplete(None)),
                Err(Errno::NOTDIR) => {
                    let here = here.display();
                    let why = format!(
                        "{here}: is not a directory, or a symbolic link to one: make it one"
                    );
                    return Ok(GuestDir::Incomplete(Some(why)));
                }
                Err(error) => return Err(FileError::of(&here)(error)),
            };
            let watched = below.watch(&directory, entry.clone(), text);
            watched.map_err(FileError::of(&here))?;
        }
        Ok(GuestDir::Open(directory))
    }
}

#[cfg(test)]
mod tests;
