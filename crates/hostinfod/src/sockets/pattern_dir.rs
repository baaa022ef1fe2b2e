//! Sockets outside the socket directory: one `[[sockets]]`, and what comes, changes and goes where it says.
//!
//! Nothing is made, changed or removed there, and nothing is opened but what matches the pattern in full: beside it
//! are other sockets of the VMM, each of which serves one client.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Instant;

use hostinfo_open::Entry;
use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::reactor::id::PortId;
use crate::sockets::below::Below;
use crate::sockets::directory::WATCHED;
use crate::sockets::pace::{Pace, PlaceChange};
use crate::sockets::{self, ConnectError};
use crate::system::file_error::FileError;
use crate::system::file_id::FileId;
use crate::system::watch::{Watch, Watcher};
use crate::system::watched_path::WatchedPath;

/// One `[[sockets]]`.
#[derive(Debug)]
pub(crate) struct PatternDir {
    entry: Entry,
    watcher: Watcher,
    watched_path: WatchedPath,
    /// The directory with the names, while it is there.
    directory: Option<Watch>,
    /// Directories of guests, by their names, where the pattern has segments below the name.
    below: Below<String>,
    /// The guests that are served from here, by their names.
    pub(crate) ports: HashMap<String, PortId>,
    /// Why the directory cannot be looked into.
    problem: Option<String>,
    /// Whether that reason passes by itself. Nothing tells when, so it is tried again.
    is_passing: bool,
    pace: Pace<String>,
}

impl PatternDir {
    /// Nothing is looked at yet.
    ///
    /// # Errors
    /// Where the user has no inotify instance left.
    pub(crate) fn new(entry: Entry) -> io::Result<Self> {
        Ok(Self {
            watcher: Watcher::new()?,
            watched_path: WatchedPath::new(entry.pattern.directory()),
            entry,
            directory: None,
            below: Below::new(),
            ports: HashMap::new(),
            problem: None,
            is_passing: false,
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
        &self.watcher
    }

    /// Why the directory cannot be looked into, with the remedy.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Whether it could not be looked into for a passing reason, so that it is to be looked at again soon.
    pub(crate) fn is_to_be_tried_again(&self) -> bool {
        self.is_passing
    }

    /// What is to be looked at now, since something has happened to it since the last call.
    pub(crate) fn changes(&mut self, now: Instant) -> BTreeSet<PlaceChange<String>> {
        let mut changes = BTreeSet::new();
        for change in self.watcher.changes() {
            if self.watched_path.concerns(&change) {
                changes.insert(PlaceChange::Everything);
            } else if self.directory == Some(change.watch) {
                changes.extend(match change.name.as_deref().map(OsStr::to_str) {
                    Some(name) => name.and_then(|name| self.enabled(name)).map(PlaceChange::Guest),
                    // Its own mode or ACL: sockets that were denied may be accessible now.
                    None if change.what.contains(ReadFlags::ATTRIB) => {
                        Some(PlaceChange::Everything)
                    }
                    None => None,
                });
            } else if change.what.contains(ReadFlags::IGNORED) {
                self.below.has_ended(change.watch);
            } else if let Some(name) = self.below.guest(change.watch) {
                changes.insert(PlaceChange::Guest(name.clone()));
            }
        }
        if self.is_passing {
            changes.insert(PlaceChange::Everything);
        }
        self.pace.admit(changes, now)
    }

    /// When [`PatternDir::changes`] has more although nothing happens.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        self.pace.next()
    }

    /// The name of a guest that is enabled, from the name of an entry of the directory.
    fn enabled(&self, segment: &str) -> Option<String> {
        let name = self.entry.pattern.name(segment).filter(|name| self.entry.allows(name));
        name.map(str::to_owned)
    }

    /// Watches the directory, or waits for it where it is not there. The names of guests that are enabled and
    /// have something there.
    pub(crate) fn look(&mut self) -> BTreeSet<String> {
        self.watched_path.watch_all(&self.watcher);
        let path = self.entry.pattern.directory().to_owned();
        self.is_passing = false;
        let (watch, names) = match self.watch_and_read(&path) {
            Ok((watch, names)) => (Some(watch), names),
            Err(error) => {
                self.set_problem(&path, error);
                (None, BTreeSet::new())
            }
        };
        self.watcher.replace(&mut self.directory, watch);
        names
    }

    fn watch_and_read(&mut self, path: &Path) -> io::Result<(Watch, BTreeSet<String>)> {
        // First watched, then read: nothing comes in between.
        let watch = self.watcher.add(path, WATCHED | WatchFlags::ONLYDIR)?;
        let mut names = BTreeSet::new();
        for entry in fs::read_dir(path)? {
            names.extend(entry?.file_name().to_str().and_then(|name| self.enabled(name)));
        }
        if self.problem.take().is_some() || self.directory != Some(watch) {
            tracing::info!("{}: guests are served from here", self.entry.pattern.text());
        }
        Ok((watch, names))
    }

    fn set_problem(&mut self, path: &Path, error: io::Error) {
        let is_awaited = error.kind() == io::ErrorKind::NotFound;
        let error = FileError::of(path)(error);
        self.is_passing = error.is_passing();
        let problem = (!is_awaited).then(|| error.to_string());
        if self.problem != problem
            && let Some(problem) = &problem
        {
            tracing::error!("no guests are served from {}: {problem}", self.entry.pattern.text());
        }
        self.problem = problem;
    }

    /// Watches the directories of a guest's own as far as they are there.
    pub(crate) fn watch_below(&mut self, name: &str) {
        if !self.entry.pattern.has_directories() {
            return;
        }
        self.forget_below(name);
        let segments = self.entry.pattern.segments(name);
        let (Some((_, directories)), Ok(mut here)) = (segments.split_last(), self.open()) else {
            return;
        };
        for segment in directories {
            match enter(&here, segment) {
                Ok(next) => here = next,
                Err(_) => return,
            }
            let text = self.entry.pattern.text();
            if let Err(error) = self.below.watch(&self.watcher, &here, name.to_owned(), text) {
                let path = self.entry.pattern.path(name);
                return tracing::error!("{}", FileError::of(&path)(error));
            }
        }
    }

    /// Watches nothing of a guest's own any more.
    pub(crate) fn forget_below(&mut self, name: &str) {
        self.below.forget(&self.watcher, name);
    }

    /// The socket of the guest of that name.
    ///
    /// # Errors
    /// [`ConnectError`].
    pub(crate) fn find(&self, name: &str) -> Result<(OwnedFd, FileId), ConnectError> {
        let mut here = self.open()?;
        let segments = self.entry.pattern.segments(name);
        let Some((socket, directories)) = segments.split_last() else {
            return Err(ConnectError::Gone);
        };
        for segment in directories {
            here = enter(&here, segment)?;
        }
        sockets::find(here, OsStr::new(socket))
    }

    /// The directory with the names. Above it, links are the administrator's affair.
    fn open(&self) -> Result<OwnedFd, Errno> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        rustix::fs::open(self.entry.pattern.directory(), flags, Mode::empty())
    }
}

/// A directory in another. A link could lead to another guest's.
fn enter(directory: &OwnedFd, segment: &str) -> Result<OwnedFd, ConnectError> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, segment, flags, Mode::empty()).map_err(|error| match error {
        Errno::NOTDIR | Errno::LOOP => ConnectError::Link,
        error => error.into(),
    })
}

#[cfg(test)]
mod tests;
