//! One socket directory: what appears, changes and disappears in it.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::File;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::time::Instant;

use rustix::fs::inotify::{ReadFlags, WatchFlags};

use crate::sockets::lock::{self, DirLock};
use crate::sockets::pace::{Pace, PlaceChange};
use crate::system::file_error::FileError;
use crate::system::watch::{Change, Watch, Watcher};
use crate::system::watched_path::WatchedPath;

/// The directory. It is locked and watched while it exists, and waited for while it does not.
///
/// Its path is watched all the time. The kernel does not report that a directory was removed while
/// somebody has it open, and the lock keeps it open.
#[derive(Debug)]
pub(crate) struct SocketDir {
    path: PathBuf,
    watcher: Watcher,
    watched_path: WatchedPath,
    present: Option<(DirLock, Watch)>,
    /// The lock that another program took, for the first time that the directory is entered.
    taken_over: Option<OwnedFd>,
    /// Why the directory is not there, if it is not.
    problem: Option<String>,
    /// Whether that reason passes by itself. Nothing tells when, so it is tried again.
    is_passing: bool,
    /// Of files' modes, owners and ACLs, which a VMM can change all the time: libvirt gives it its socket.
    pace: Pace<OsString>,
}

/// What happened in the directory.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum DirChange {
    /// A name is new, or refers to another file.
    New(OsString),
    /// A file's mode, owner or ACL has changed.
    Changed(OsString),
    /// A file was removed: a guest stopped, or somebody cleaned up.
    Removed(OsString),
    /// A file was renamed from this name.
    Renamed(OsString),
    /// Anything may have happened: look at everything.
    Everything,
}

impl SocketDir {
    /// Watches and locks the directory; with the lock that another program took `before`, if any.
    ///
    /// # Errors
    /// It cannot be watched or locked, or another daemon has it.
    pub(crate) fn open(path: &Path, before: Option<OwnedFd>) -> Result<Self, lock::Error> {
        let mut directory = Self::awaiting(path)?;
        directory.taken_over = before;
        directory.enter()?;
        Ok(directory)
    }

    /// Waits for the directory to be created.
    ///
    /// # Errors
    /// Nothing can be watched.
    pub(crate) fn awaiting(path: &Path) -> Result<Self, lock::Error> {
        let watcher = Watcher::new().map_err(FileError::of(path));
        let watcher = watcher.map_err(lock::Error::Unreachable)?;
        let (watched_path, path) = (WatchedPath::new(path), path.to_owned());
        let (present, taken_over, problem, is_passing) = (None, None, None, false);
        let pace = Pace::new();
        let mut directory =
            Self { path, watcher, watched_path, present, taken_over, problem, is_passing, pace };
        directory.watched_path.watch_all(&directory.watcher);
        Ok(directory)
    }

    /// Goes on with the lock that another program took of it.
    pub(crate) fn set_lock(&mut self, lock: Option<OwnedFd>) {
        self.taken_over = lock;
    }

    /// Its path.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The open directory, while it exists.
    pub(crate) fn directory(&self) -> Option<&File> {
        self.present.as_ref().map(|(lock, _)| lock.as_ref())
    }

    /// Why nothing is served from it, with the remedy.
    pub(crate) fn problem(&self) -> Option<&str> {
        self.problem.as_deref()
    }

    /// Whether it could not be entered for a passing reason, so that it is to be looked for again soon.
    pub(crate) fn is_to_be_tried_again(&self) -> bool {
        self.is_passing
    }

    /// Reports events.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// What has happened since the last call, as far as it is time to look at that. If the directory disappeared, it is
    /// waited for; if it appeared, it is opened.
    pub(crate) fn changes(&mut self, now: Instant) -> Vec<DirChange> {
        let (mut changes, mut changed) = (Vec::new(), BTreeSet::new());
        for change in self.watcher.changes() {
            if self.watched_path.concerns(&change) {
                changes.extend(self.look_again());
            } else if self.present.as_ref().is_some_and(|(_, watch)| *watch == change.watch) {
                match what_happened(change) {
                    Some(DirChange::Changed(name)) => {
                        changed.insert(PlaceChange::Guest(name));
                    }
                    other => changes.extend(other),
                }
            }
        }
        changes.extend(self.pace.admit(changed, now).into_iter().map(|change| match change {
            PlaceChange::Everything => DirChange::Everything,
            PlaceChange::Guest(name) => DirChange::Changed(name),
        }));
        changes
    }

    /// When [`SocketDir::changes`] has more although nothing happens.
    pub(crate) fn next_check(&self) -> Option<Instant> {
        self.pace.next()
    }

    /// Looks again if the path does not lead to the open directory. The kernel does not report a
    /// file system that was mounted over it.
    pub(crate) fn look_for_another(&mut self) -> Option<DirChange> {
        if self.is_there() { None } else { self.look_again() }
    }

    fn is_there(&self) -> bool {
        self.present.as_ref().is_some_and(|(lock, _)| lock.is_of(&self.path))
    }

    /// Looks what the path leads to now, if anything.
    pub(crate) fn look_again(&mut self) -> Option<DirChange> {
        self.watched_path.watch_all(&self.watcher);
        let was_there = self.present.is_some();
        if self.is_there() {
            return Some(DirChange::Everything);
        }
        if let Some((_, watch)) = self.present.take() {
            self.watcher.remove(watch);
        }
        let entered = self.enter();
        self.is_passing = entered.as_ref().is_err_and(lock::Error::is_passing);
        match entered {
            Ok(()) => {
                tracing::info!("{}: guests are served from here", self.path.display());
                self.problem = None;
                Some(DirChange::Everything)
            }
            Err(error) => {
                if was_there {
                    tracing::error!("{error}; its guests are served when it is there again");
                }
                self.problem = Some(error.to_string());
                None
            }
        }
    }

    fn enter(&mut self) -> Result<(), lock::Error> {
        let before = self.taken_over.take().and_then(|fd| DirLock::taken_over(fd, &self.path));
        let lock = match before {
            Some(lock) => lock,
            None => DirLock::take(&self.path)?,
        };
        let watch = self.watcher.add(&self.path, WATCHED);
        let watch = watch.map_err(FileError::of(&self.path)).map_err(lock::Error::Unreachable)?;
        self.present = Some((lock, watch));
        Ok(())
    }
}

/// What is told of a directory of sockets.
pub(crate) const WATCHED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB);

fn what_happened(change: Change) -> Option<DirChange> {
    let what = change.what;
    let Some(name) = change.name else {
        // The directory's own mode or ACL changed: sockets that were denied may be accessible now.
        return what.contains(ReadFlags::ATTRIB).then_some(DirChange::Everything);
    };
    if what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
        Some(DirChange::New(name))
    } else if what.contains(ReadFlags::ATTRIB) {
        Some(DirChange::Changed(name))
    } else if what.contains(ReadFlags::DELETE) {
        Some(DirChange::Removed(name))
    } else if what.contains(ReadFlags::MOVED_FROM) {
        Some(DirChange::Renamed(name))
    } else {
        None
    }
}

#[cfg(test)]
mod tests;
