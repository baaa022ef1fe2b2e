//! The watched directories of guests, in the places of `[[sockets]]` and `[[listen]]`.

use std::collections::HashMap;
use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use rustix::fs::inotify::WatchFlags;

use super::directory::WATCHED;
use super::path_of;
use crate::audit::quota::{Permit, Quota};
use crate::system::watch::{Watch, Watcher};

/// Such directories of one place, at most: two for each of 4,096 guests. The kernel permits a user 8,192 watches or more.
const BELOW_MAX: usize = 8192;

/// The directories of guests, which threads look at and watch.
#[derive(Debug)]
pub(crate) struct Below {
    watcher: Watcher,
    watched: Mutex<Watched>,
    max: usize,
}

#[derive(Debug)]
struct Watched {
    watches: HashMap<Watch, String>,
    /// How often a guest's were ended.
    ended: u64,
    /// There are more than are watched, and the log has been told.
    is_full: bool,
    /// Lines about those that cannot be watched.
    unwatched: Quota,
}

impl Below {
    /// None yet.
    ///
    /// # Errors
    /// Where nothing can be watched.
    pub(crate) fn new() -> io::Result<Self> {
        let watched = Watched {
            watches: HashMap::new(),
            ended: 0,
            is_full: false,
            unwatched: Quota::default(),
        };
        Ok(Self { watcher: Watcher::new()?, watched: Mutex::new(watched), max: BELOW_MAX })
    }

    /// What reports changes in them, and in others of the place.
    pub(crate) fn watcher(&self) -> &Watcher {
        &self.watcher
    }

    /// Watches the directory in which theirs are.
    ///
    /// # Errors
    /// It cannot be watched.
    pub(crate) fn watch_base(&self, base: &OwnedFd) -> io::Result<Watch> {
        self.watcher.add(&path_of(base), WATCHED | WatchFlags::ONLYDIR)
    }

    /// Watches a directory of a guest, if there is room. `text` is the place in the settings.
    ///
    /// # Errors
    /// It cannot be watched.
    pub(crate) fn watch(&self, directory: &OwnedFd, guest: String, text: &str) -> io::Result<()> {
        if !self.has_room(&guest, text) {
            return Ok(());
        }
        loop {
            let ended = self.lock().ended;
            // Without the lock, since the kernel may keep this thread waiting here.
            let watch = self.watcher.add(&path_of(directory), WATCHED | WatchFlags::ONLYDIR)?;
            let mut watched = self.lock();
            // Otherwise it may be the one that another guest has had there, and that was ended meanwhile.
            if watched.ended == ended {
                watched.watches.insert(watch, guest);
                return Ok(());
            }
        }
    }

    /// Logs why a directory of a guest is not watched, within a quota: its owner can have that come again and again.
    pub(crate) fn log_unwatched(&self, why: &str) {
        let permit = self.lock().unwatched.ask(Instant::now());
        if let Some(Permit { left_out }) = permit {
            tracing::error!(left_out, "{why}");
        }
    }

    /// One that is watched already has its watch again.
    fn has_room(&self, guest: &str, text: &str) -> bool {
        let mut watched = self.lock();
        let has_room = watched.watches.len() < self.max
            || watched.watches.values().any(|other| other == guest);
        if !has_room && !std::mem::replace(&mut watched.is_full, true) {
            tracing::error!(
                "{text}: guests have over {BELOW_MAX} directories there: changes in the others take effect only at \
                 SIGHUP. Enable fewer guests in hostinfod.toml"
            );
        }
        has_room
    }

    /// Whose directory that is.
    pub(crate) fn guest(&self, watch: Watch) -> Option<String> {
        self.lock().watches.get(&watch).cloned()
    }

    /// The kernel has ended a watch: its directory is gone.
    pub(crate) fn has_ended(&self, watch: Watch) {
        self.lock().watches.remove(&watch);
    }

    /// Watches nothing of a guest's any more.
    pub(crate) fn forget(&self, guest: &str) {
        let mut watched = self.lock();
        let before = watched.watches.len();
        watched.watches.retain(|watch, of| {
            let stays = of != guest;
            if !stays {
                self.watcher.remove(*watch);
            }
            stays
        });
        watched.ended += u64::from(watched.watches.len() < before);
    }

    /// How many are watched.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.lock().watches.len()
    }

    fn lock(&self) -> MutexGuard<'_, Watched> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::os::fd::{AsFd as _, AsRawFd as _};
    use std::thread::ScopedJoinHandle;

    #[test]
    fn no_more_directories_are_watched_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let below = Below { max: 2, ..Below::new().unwrap() };
        let watch = |guest: &str| {
            let path = folder.path().join(guest);
            fs::create_dir_all(&path).unwrap();
            let directory = File::open(path).unwrap().into();
            below.watch(&directory, guest.to_owned(), "x").unwrap();
            below.len()
        };
        assert_eq!(["a", "b", "c", "b"].map(watch), [1, 2, 2, 2]);
        below.forget("a");
        assert_eq!(below.len(), 1);
        assert_eq!(watch("c"), 2);
    }

    #[test]
    fn a_watch_that_another_guest_ends_meanwhile_is_not_taken_for_one_of_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let below = &Below::new().unwrap();
        let directory = &File::open(folder.path()).unwrap().into();
        let watch = |guest: &str| below.watch(directory, guest.to_owned(), "x").unwrap();
        let info = format!("/proc/self/fdinfo/{}", below.watcher.as_fd().as_raw_fd());
        std::thread::scope(|scope| {
            let both = ["a", "b"].map(|guest| {
                scope.spawn(move || {
                    for _ in 0..5_000 {
                        watch(guest);
                        below.forget(guest);
                    }
                })
            });
            while !both.iter().all(ScopedJoinHandle::is_finished) {
                let watched = below.lock();
                let kernels = fs::read_to_string(&info).unwrap();
                let is_there = |watch| kernels.contains(&format!("inotify wd:{watch:x} "));
                assert!(watched.watches.keys().all(is_there), "{watched:?}, {kernels}");
            }
        });
    }
}
