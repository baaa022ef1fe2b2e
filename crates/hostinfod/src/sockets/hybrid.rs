//! The directories of one `[[listen]]`: which guests have theirs, and where to listen in it.

use std::collections::{BTreeSet, HashMap};
use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::OwnedFd;
use std::time::Instant;

use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::fs::{CWD, Mode, OFlags};
use rustix::io::Errno;

use crate::reactor::id::PortId;
use crate::settings::hybrid::Hybrid;
use crate::sockets::below::Below;
use crate::sockets::directory::WATCHED;
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
    watcher: Watcher,
    watched_path: WatchedPath,
    base: Option<Watch>,
    /// The watched directories of guests.
    below: Below<OsString>,
    /// Whether it could not be looked into for a passing reason. Nothing tells when that has passed.
    is_passing: bool,
    pace: Pace<OsString>,
}

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
    pub(crate) fn open(settings: Hybrid) -> io::Result<Self> {
        let (watcher, watched_path) =
            (Watcher::new()?, WatchedPath::new(settings.path.directory()));
        Ok(Self {
            settings,
            ports: HashMap::new(),
            watcher,
            watched_path,
            base: None,
            below: Below::new(),
            is_passing: false,
            pace: Pace::new(),
        })
    }

    /// Watches whatever stands behind the path now. Returns every entry that a guest's directory may be; `None` where the
    /// directory is there and cannot be read.
    pub(crate) fn look(&mut self) -> Option<Vec<OsString>> {
        let was_passing = std::mem::take(&mut self.is_passing);
        // First watched, then read: nothing comes in between.
        let (error, entries) = match (self.follow(), self.entries()) {
            (Ok(()), Ok(entries)) => return Some(entries),
            (Err(error), entries) => (error, entries.ok()),
            (Ok(()), Err(error)) => (error, None),
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

    fn follow(&mut self) -> io::Result<()> {
        self.watched_path.watch_all(&self.watcher);
        let base = self.settings.path.directory();
        let added = match self.watcher.add(base, WATCHED | WatchFlags::ONLYDIR) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            added => added.map(Some),
        };
        self.watcher.replace(&mut self.base, *added.as_ref().unwrap_or(&None));
        added.map(drop)
    }

    /// What tells that something has changed.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// What is to be looked at now, since it may have changed since the last call: names of entries, and what is in
    /// them.
    pub(crate) fn changes(&mut self, now: Instant) -> BTreeSet<PlaceChange<OsString>> {
        let mut changes = BTreeSet::new();
        for change in self.watcher.changes() {
            if self.watched_path.concerns(&change) || self.is_about_base(&change) {
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

    fn entry_of(&mut self, Change { watch, what, name }: Change) -> Option<OsString> {
        if Some(watch) == self.base {
            return name;
        }
        let entry = self.below.guest(watch)?.clone();
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

    fn entries(&self) -> io::Result<Vec<OsString>> {
        let found = match super::names(self.settings.path.directory()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            other => other?,
        };
        Ok(found.into_iter().map(OsString::from).collect())
    }

    /// What the socket is called in its directory.
    pub(crate) fn file_name(&self) -> &OsStr {
        self.settings.path.below().last().map(OsStr::new).unwrap_or_default()
    }

    /// Goes down to the directory in which to listen for a guest, as far as there is a way, and watches it. No
    /// symbolic link is followed: a guest is known by the directory itself.
    ///
    /// # Errors
    /// Where a directory may not be seen or watched.
    pub(crate) fn open_guest_dir(&mut self, entry: &OsStr) -> Result<GuestDir, FileError> {
        let path = &self.settings.path;
        let mut here = path.directory().to_owned();
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut directory = match rustix::fs::openat(CWD, &here, flags, Mode::empty()) {
            Err(Errno::NOENT | Errno::NOTDIR) => return Ok(GuestDir::Missing),
            other => other.map_err(FileError::of(&here))?,
        };
        let below = path.below().split_last();
        let directories = below.iter().flat_map(|(_, directories)| *directories).map(OsStr::new);
        for (depth, part) in std::iter::once(entry).chain(directories).enumerate() {
            here.push(part);
            directory = match rustix::fs::openat(
                &directory,
                part,
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
            let text = path.text();
            let watched = self.below.watch(&self.watcher, &directory, entry.to_owned(), text);
            watched.map_err(FileError::of(&here))?;
        }
        Ok(GuestDir::Open(directory))
    }

    /// A guest has no directory any more.
    pub(crate) fn remove_guest(&mut self, entry: &OsStr) -> Option<PortId> {
        self.below.forget(&self.watcher, entry);
        self.ports.remove(entry)
    }
}

#[cfg(test)]
mod tests;
