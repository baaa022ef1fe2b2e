//! As much of inotify(7) as the daemon needs.

use std::ffi::{OsStr, OsString};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::io::Errno;

/// Directories and files whose changes are reported.
#[derive(Debug)]
pub(crate) struct Watcher {
    fd: OwnedFd,
}

/// inotify(7) describes the limits.
const NO_INSTANCE: &str = "all inotify instances of this user are in use: raise \
                           fs.inotify.max_user_instances with sysctl, or end what uses them";

const NO_WATCH: &str = "all inotify watches of this user are in use: raise \
                        fs.inotify.max_user_watches with sysctl, or end what uses them";

/// Changes after which no more are read at once: whoever may write to a watched directory can change it faster than that is
/// read. One read(2) brings 256 at the most, which are 4 KiB of 16 bytes each, so there are at most 511.
const CHANGES: usize = 256;

fn has_descriptors() -> bool {
    let flags = OFlags::PATH | OFlags::CLOEXEC;
    !matches!(rustix::fs::open("/", flags, Mode::empty()), Err(Errno::MFILE))
}

/// The number of a watched directory or file.
pub(crate) type Watch = i32;

/// A change of something watched.
#[derive(Debug, Clone)]
pub(crate) struct Change {
    /// Which of the watched it concerns.
    pub(crate) watch: Watch,
    /// What happened.
    pub(crate) what: ReadFlags,
    /// The entry of a directory that it concerns; `None` for the directory itself.
    pub(crate) name: Option<OsString>,
}

impl Watcher {
    /// Watches nothing yet.
    ///
    /// # Errors
    /// The user has no inotify instance left, or the process no descriptor.
    pub(crate) fn new() -> io::Result<Self> {
        match inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC) {
            Ok(fd) => Ok(Self { fd }),
            // The kernel has one error for both.
            Err(Errno::MFILE) if has_descriptors() => Err(io::Error::other(NO_INSTANCE)),
            Err(error) => Err(error.into()),
        }
    }

    /// Watches a directory or a file for `what`. Adding it again gives the same number.
    ///
    /// # Errors
    /// It does not exist or may not be read, or the user has no watch left.
    pub(crate) fn add(&self, path: &Path, what: WatchFlags) -> io::Result<Watch> {
        inotify::add_watch(&self.fd, path, what).map_err(|error| match error {
            Errno::NOSPC => io::Error::other(NO_WATCH),
            error => error.into(),
        })
    }

    /// Stops watching it.
    pub(crate) fn remove(&self, watch: Watch) {
        // Fails if the directory is gone, and the watch with it.
        let _ = inotify::remove_watch(&self.fd, watch);
    }

    /// Puts another watch, or none, in the place of one, and stops watching what nobody watches any more.
    pub(crate) fn replace(&self, place: &mut Option<Watch>, watch: Option<Watch>) {
        let before = std::mem::replace(place, watch);
        if let Some(before) = before.filter(|_| before != watch) {
            self.remove(before);
        }
    }

    /// The changes since the last call, up to a bound. The descriptor tells of what is left.
    pub(crate) fn changes(&self) -> Vec<Change> {
        // The longest event is its head and a name of 255 bytes, so at least 15 events fit.
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.fd, &mut buffer);
        let mut changes = Vec::new();
        // What is left in the buffer would be lost with it.
        while (changes.len() < CHANGES || !reader.is_buffer_empty())
            && let Ok(event) = reader.next()
        {
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn whoever_changes_a_directory_faster_than_it_is_read_holds_nobody_up_and_no_change_is_lost() {
        let folder = tempfile::tempdir().unwrap();
        let watcher = Watcher::new().unwrap();
        watcher.add(folder.path(), WatchFlags::CREATE).unwrap();
        let names: Vec<OsString> = (0..1000).map(|number| number.to_string().into()).collect();
        for name in &names {
            fs::write(folder.path().join(name), "").unwrap();
        }
        let mut found = Vec::new();
        while found.len() < names.len() {
            let changes = watcher.changes();
            assert!((1..512).contains(&changes.len()), "{}", changes.len());
            found.extend(changes.into_iter().filter_map(|change| change.name));
        }
        assert_eq!(found, names);
    }
}
