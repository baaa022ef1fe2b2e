//! Sockets outside the socket directory: one `[[sockets]]`, and what comes, changes and goes where it says.
//!
//! Nothing is made, changed or removed there, and nothing is opened but what matches the pattern in full: beside it
//! are other sockets of the VMM, each of which serves one client.

use std::collections::{BTreeSet, HashMap};
use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

use hostinfo_file::aside::{Patience, Signal};
use hostinfo_open::Entry;
use rustix::fs::inotify::{ReadFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

use crate::reactor::id::PortId;
use crate::sockets::below::Below;
use crate::sockets::directory::WATCHED;
use crate::sockets::looks::{Looks, is_held};
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
    watched_path: WatchedPath,
    /// The directory with the names, while it is there.
    directory: Option<Watch>,
    /// Directories of guests, by their names, where the pattern has segments below the name.
    below: Arc<Below<String>>,
    patience: Patience,
    looks: Looks<(), Looked>,
    /// Looks at the sockets of guests, by their names.
    finds: Looks<String, Found>,
    /// The guests that are served from here, by their names.
    pub(crate) ports: HashMap<String, PortId>,
    /// Why the directory cannot be looked into.
    problem: Option<String>,
    /// Whether that reason passes by itself. Nothing tells when, so it is tried again.
    is_passing: bool,
    pace: Pace<String>,
}

/// What a look at the directory with the names has found: the way to it, and the names of guests that are enabled.
type Looked = (WatchedPath, io::Result<(Watch, BTreeSet<String>)>);

/// The socket of a guest.
pub(crate) type Found = Result<(OwnedFd, FileId), ConnectError>;

impl PatternDir {
    /// Nothing is looked at yet.
    ///
    /// # Errors
    /// Where the user has no inotify instance left.
    pub(crate) fn new(entry: Entry, ended: &Signal) -> io::Result<Self> {
        Ok(Self {
            watched_path: WatchedPath::new(entry.pattern.directory()),
            entry,
            directory: None,
            below: Arc::new(Below::new()?),
            patience: Patience::default(),
            looks: Looks::new(ended.clone()),
            finds: Looks::new(ended.clone()),
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
        self.below.watcher()
    }

    /// Why the directory, or a guest's own, cannot be looked into, with the remedy.
    pub(crate) fn problem(&self) -> Option<String> {
        self.held().map(|path| is_held(&path)).or_else(|| self.problem.clone())
    }

    /// A path that is held, if any is.
    pub(crate) fn held(&self) -> Option<PathBuf> {
        let directory = self.looks.held().map(|()| self.entry.pattern.directory().to_owned());
        directory.or_else(|| Some(self.entry.pattern.path(self.finds.held()?)))
    }

    /// What has come to be held: the path, and the guest's port.
    pub(crate) fn newly_held(&mut self, now: Instant) -> Vec<(PathBuf, Option<PortId>)> {
        let pattern = &self.entry.pattern;
        let directory = self.looks.newly_held(now).into_iter();
        let directory = directory.map(|()| (pattern.directory().to_owned(), None));
        let sockets = self.finds.newly_held(now).into_iter();
        let sockets = sockets.map(|name| (pattern.path(&name), self.ports.get(&name).copied()));
        directory.chain(sockets).collect()
    }

    /// Whether anything is being looked at.
    pub(crate) fn is_being_looked_at(&self) -> bool {
        self.looks.is_any_pending() || self.finds.is_any_pending()
    }

    /// Whether there was a change during a look at the directory with the names that has ended late; `None` if none has.
    pub(crate) fn take_looked(&mut self) -> Option<bool> {
        self.looks.take_ended().pop().map(|((), has_changed)| has_changed)
    }

    /// Guests of whose sockets looks have ended late, by their names, and whether there was a change meanwhile.
    pub(crate) fn take_found(&mut self) -> Vec<(String, bool)> {
        self.finds.take_ended()
    }

    /// Whether it could not be looked into for a passing reason, so that it is to be looked at again soon.
    pub(crate) fn is_to_be_tried_again(&self) -> bool {
        self.is_passing
    }

    /// What is to be looked at now, since something has happened to it since the last call.
    pub(crate) fn changes(&mut self, now: Instant) -> BTreeSet<PlaceChange<String>> {
        let mut changes = BTreeSet::new();
        for change in self.watcher().changes() {
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
                changes.insert(PlaceChange::Guest(name));
            } else if self.looks.is_any_pending() {
                // It may be in a directory that this look has begun to watch, and has read already.
                changes.insert(PlaceChange::Everything);
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
        enabled(&self.entry, segment)
    }

    /// Watches the directory, or waits for it where it is not there. The names of guests that are enabled and
    /// have something there; `None` while it is being looked at.
    pub(crate) fn look(&mut self, now: Instant) -> Option<BTreeSet<String>> {
        let path = self.entry.pattern.directory().to_owned();
        let (below, entry) = (Arc::clone(&self.below), self.entry.clone());
        let (mut watched_path, place) = (self.watched_path.clone(), path.clone());
        let look = move || {
            watched_path.watch_all(below.watcher());
            let names = watch_and_read(below.watcher(), &place, &entry);
            (watched_path, names)
        };
        let (watched_path, names) = self.looks.look(&(), &mut self.patience, look, now)?;
        self.watched_path = watched_path;
        self.is_passing = false;
        let (watch, names) = match names {
            Ok((watch, names)) => {
                if self.problem.take().is_some() || self.directory != Some(watch) {
                    tracing::info!("{}: guests are served from here", self.entry.pattern.text());
                }
                (Some(watch), names)
            }
            Err(error) => {
                self.set_problem(&path, error);
                (None, BTreeSet::new())
            }
        };
        self.below.watcher().replace(&mut self.directory, watch);
        Some(names)
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

    /// Watches nothing of a guest's own any more.
    pub(crate) fn forget_below(&mut self, name: &str) {
        self.below.forget(name);
    }

    /// Watches the directories of a guest's own as far as they are there, and looks for its socket. `None` while it is being
    /// looked at.
    pub(crate) fn watch_and_find(&mut self, name: &str, now: Instant) -> Option<Found> {
        let text = self.entry.pattern.text().to_owned();
        let (below, guest) = (Arc::clone(&self.below), name.to_owned());
        let watch = move |directory: Option<&OwnedFd>| {
            let Some(directory) = directory else {
                below.forget(&guest);
                return Ok(());
            };
            below.watch(directory, guest.clone(), &text)
        };
        self.look_for(name, watch, now)
    }

    /// The socket of the guest of that name; `None` while it is being looked at.
    pub(crate) fn find(&mut self, name: &str, now: Instant) -> Option<Found> {
        self.look_for(name, |_| Ok(()), now)
    }

    fn look_for(
        &mut self,
        name: &str,
        watch: impl Fn(Option<&OwnedFd>) -> io::Result<()> + Send + 'static,
        now: Instant,
    ) -> Option<Found> {
        let way = Way {
            above: self.entry.pattern.directory().to_owned(),
            segments: self.entry.pattern.segments(name),
            path: self.entry.pattern.path(name),
        };
        let (patience, name) = (&mut self.patience, name.to_owned());
        self.finds.look(&name, patience, move || way.find(watch), now)
    }

    /// Has the next look at a guest's socket return this.
    pub(crate) fn put_back(&mut self, name: &str, found: Found) {
        self.finds.put_back(name.to_owned(), found);
    }

    /// Takes what the next look at a guest's socket would return.
    pub(crate) fn forget_found(&mut self, name: &str) -> Option<Found> {
        self.finds.take(&name.to_owned())
    }
}

#[cfg(test)]
impl PatternDir {
    /// How long looks are waited for.
    pub(crate) fn patience(&mut self) -> &mut Patience {
        &mut self.patience
    }

    /// Whether a guest's socket is being looked for.
    pub(crate) fn is_looking_for(&self, name: &str) -> bool {
        self.finds.is_pending_at(&name.to_owned())
    }
}

/// The name of a guest that is enabled, from the name of an entry of the directory.
fn enabled(entry: &Entry, segment: &str) -> Option<String> {
    entry.pattern.name(segment).filter(|name| entry.allows(name)).map(str::to_owned)
}

fn watch_and_read(
    watcher: &Watcher,
    path: &Path,
    entry: &Entry,
) -> io::Result<(Watch, BTreeSet<String>)> {
    // First watched, then read: nothing comes in between.
    let watch = watcher.add(path, WATCHED | WatchFlags::ONLYDIR)?;
    let mut names = BTreeSet::new();
    for found in fs::read_dir(path)? {
        names.extend(found?.file_name().to_str().and_then(|name| enabled(entry, name)));
    }
    Ok((watch, names))
}

/// The way to a guest's socket.
struct Way {
    /// The directory with the names. Above it, links are the administrator's affair.
    above: PathBuf,
    segments: Vec<String>,
    path: PathBuf,
}

impl Way {
    /// Goes there. First has no directory of the guest's own watched any more, then each before it looks for the next one.
    fn find(&self, watch: impl Fn(Option<&OwnedFd>) -> io::Result<()>) -> Found {
        let watch = |directory: Option<&OwnedFd>| {
            if let Err(error) = watch(directory) {
                tracing::error!("{}", FileError::of(&self.path)(error));
            }
        };
        watch(None);
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let mut here = rustix::fs::open(&self.above, flags, Mode::empty())?;
        let Some((socket, directories)) = self.segments.split_last() else {
            return Err(ConnectError::Gone);
        };
        for segment in directories {
            here = enter(&here, segment)?;
            watch(Some(&here));
        }
        sockets::find(here, OsStr::new(socket))
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
