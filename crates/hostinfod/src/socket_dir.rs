//! The directory of the guests' sockets: what comes, changes and goes in it.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::inotify::{ReadFlags, WatchFlags};

use crate::file_error::FileError;
use crate::lock::{self, DirLock};
use crate::watch::{Change, Watch, Watcher};

/// The directory, watched and locked while it is there, and awaited while it is not.
#[derive(Debug)]
pub(crate) struct SocketDir {
    path: PathBuf,
    watcher: Watcher,
    watch: Option<Watch>,
    present: Option<DirLock>,
}

/// What has happened in it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// A name is new, or stands for something else.
    New(OsString),
    /// A file's mode, owner or ACL has changed.
    Changed(OsString),
    /// A file was removed: a guest stopped, or somebody tidied up.
    Removed(OsString),
    /// A file has another name now.
    Renamed(OsString),
    /// Anything may have happened: look at all.
    Everything,
}

impl SocketDir {
    /// Watches and locks the directory; `await_it`, where there is something to serve without it.
    ///
    /// # Errors
    /// Where it cannot be, or another daemon has it.
    pub(crate) fn open(path: &Path, await_it: bool) -> Result<Self, lock::Error> {
        let watcher =
            Watcher::new().map_err(FileError::of(path)).map_err(lock::Error::Unreachable)?;
        let mut directory = Self { path: path.to_owned(), watcher, watch: None, present: None };
        match directory.enter() {
            Err(error @ (lock::Error::Missing(_) | lock::Error::Unreachable(_))) if await_it => {
                tracing::warn!("{error}: no guests are served from there");
                directory.leave();
            }
            other => other?,
        }
        Ok(directory)
    }

    /// Where it is.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// It itself, while it is there.
    pub(crate) fn directory(&self) -> Option<&File> {
        self.present.as_ref().map(AsRef::as_ref)
    }

    /// What tells that something has happened.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// What has happened since the last call. A directory that went away is awaited, one that
    /// came is entered.
    pub(crate) fn news(&mut self) -> Vec<News> {
        let mut news = Vec::new();
        for change in self.watcher.changes() {
            if Some(change.watch) != self.watch && change.watch != -1 {
                continue;
            }
            if self.present.is_none() {
                if change.name.as_deref() == self.path.file_name() && self.enter().is_ok() {
                    tracing::info!("{}: is there again", self.path.display());
                    news.push(News::Everything);
                }
            } else if change.what.intersects(ReadFlags::DELETE_SELF | ReadFlags::MOVE_SELF) {
                tracing::error!(
                    "{}: is gone; its guests are served when it is there again",
                    self.path.display()
                );
                self.leave();
            } else {
                news.extend(what_happened(change));
            }
        }
        news
    }

    fn enter(&mut self) -> Result<(), lock::Error> {
        let lock = DirLock::take(&self.path)?;
        let watch = self.watcher.add(&self.path, WATCHED);
        let watch = watch.map_err(FileError::of(&self.path)).map_err(lock::Error::Unreachable)?;
        if let Some(before) = self.watch.replace(watch)
            && before != watch
        {
            self.watcher.remove(before);
        }
        self.present = Some(lock);
        Ok(())
    }

    fn leave(&mut self) {
        self.present = None;
        if let Some(watch) = self.watch.take() {
            self.watcher.remove(watch);
        }
        if let Err(error) = self.await_it() {
            tracing::error!("{}: cannot be awaited: {error}", self.path.display());
        }
    }

    /// Watches for it to be made.
    fn await_it(&mut self) -> io::Result<()> {
        let parent = self.path.parent().unwrap_or(Path::new("/"));
        self.watch = Some(self.watcher.add(parent, WatchFlags::CREATE | WatchFlags::MOVED_TO)?);
        Ok(())
    }
}

const WATCHED: WatchFlags = WatchFlags::CREATE
    .union(WatchFlags::MOVED_TO)
    .union(WatchFlags::MOVED_FROM)
    .union(WatchFlags::DELETE)
    .union(WatchFlags::ATTRIB);

fn what_happened(change: Change) -> Option<News> {
    let what = change.what;
    if what.contains(ReadFlags::QUEUE_OVERFLOW) {
        return Some(News::Everything);
    }
    let name = change.name?;
    if what.intersects(ReadFlags::CREATE | ReadFlags::MOVED_TO) {
        Some(News::New(name))
    } else if what.contains(ReadFlags::ATTRIB) {
        Some(News::Changed(name))
    } else if what.contains(ReadFlags::DELETE) {
        Some(News::Removed(name))
    } else if what.contains(ReadFlags::MOVED_FROM) {
        Some(News::Renamed(name))
    } else {
        None
    }
}
