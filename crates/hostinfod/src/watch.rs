//! inotify(7), as much of it as the daemon needs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// Directories whose changes are told.
#[derive(Debug)]
pub(crate) struct Watcher {
    fd: OwnedFd,
}

/// A watched directory's number.
pub(crate) type Watch = i32;

/// What has happened in a watched directory.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// In which directory.
    pub(crate) watch: Watch,
    /// What.
    pub(crate) what: ReadFlags,
    /// To which of its entries; to the directory itself where there is none.
    pub(crate) name: Option<OsString>,
}

impl Watcher {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// Where max_user_instances is reached.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { fd: inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC)? })
    }

    /// Watches `directory` for `what`, and for its own end. A directory has one number, however
    /// often it is given.
    ///
    /// # Errors
    /// Where there is no such directory, or max_user_watches is reached.
    pub(crate) fn add(&self, directory: &Path, what: WatchFlags) -> io::Result<Watch> {
        let what = what | WatchFlags::DELETE_SELF | WatchFlags::MOVE_SELF | WatchFlags::ONLYDIR;
        Ok(inotify::add_watch(&self.fd, directory, what)?)
    }

    /// Watches a directory no longer.
    pub(crate) fn remove(&self, watch: Watch) {
        // It fails where the directory is gone, and the watch with it.
        let _ = inotify::remove_watch(&self.fd, watch);
    }

    /// What has happened since the last call.
    pub(crate) fn changes(&self) -> Vec<Change> {
        // The longest event is its head and a name of 255 bytes: 15 of them at the least.
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        let mut changes = Vec::new();
        while let Ok(event) = reader.next() {
            changes.push(Change {
                watch: event.wd(),
                what: event.events(),
                name: event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()).to_owned()),
            });
        }
        changes
    }
}

impl AsFd for Watcher {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
