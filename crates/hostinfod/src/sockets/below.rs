//! The watched directories of guests, in the places of `[[sockets]]` and `[[listen]]`.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::path::Path;

use rustix::fs::inotify::WatchFlags;

use super::directory::WATCHED;
use crate::system::watch::{Watch, Watcher};

/// Such directories of one place, at most: two for each of 4,096 guests. The kernel permits a user 8,192 watches or more.
const BELOW_MAX: usize = 8192;

/// The directories of guests with names `N`.
#[derive(Debug)]
pub(crate) struct Below<N> {
    watches: HashMap<Watch, N>,
    /// There are more than are watched, and the log has been told.
    is_full: bool,
    max: usize,
}

impl<N: Eq> Below<N> {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self { watches: HashMap::new(), is_full: false, max: BELOW_MAX }
    }

    /// Watches a directory of a guest, if there is room. `text` is the place in the settings.
    ///
    /// # Errors
    /// It cannot be watched.
    pub(crate) fn watch(
        &mut self,
        watcher: &Watcher,
        directory: &OwnedFd,
        guest: N,
        text: &str,
    ) -> io::Result<()> {
        // One that is watched already has its watch again.
        if self.watches.len() >= self.max && !self.watches.values().any(|other| *other == guest) {
            if !std::mem::replace(&mut self.is_full, true) {
                tracing::error!(
                    "{text}: guests have over {BELOW_MAX} directories there: changes in the others take effect only at \
                     SIGHUP. Enable fewer guests in hostinfod.toml"
                );
            }
            return Ok(());
        }
        let itself = format!("/proc/self/fd/{}", directory.as_raw_fd());
        let watch = watcher.add(Path::new(&itself), WATCHED | WatchFlags::ONLYDIR)?;
        self.watches.insert(watch, guest);
        Ok(())
    }

    /// Whose directory that is.
    pub(crate) fn guest(&self, watch: Watch) -> Option<&N> {
        self.watches.get(&watch)
    }

    /// The kernel has ended a watch: its directory is gone.
    pub(crate) fn has_ended(&mut self, watch: Watch) {
        self.watches.remove(&watch);
    }

    /// Watches nothing of a guest's any more.
    pub(crate) fn forget<Q: Eq + ?Sized>(&mut self, watcher: &Watcher, guest: &Q)
    where
        N: Borrow<Q>,
    {
        self.watches.retain(|watch, of| {
            let stays = (*of).borrow() != guest;
            if !stays {
                watcher.remove(*watch);
            }
            stays
        });
    }

    /// How many are watched.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.watches.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};

    #[test]
    fn no_more_directories_are_watched_than_there_is_room_for() {
        let (folder, watcher) = (tempfile::tempdir().unwrap(), Watcher::new().unwrap());
        let mut below = Below { max: 2, ..Below::new() };
        let mut watch = |guest: &str| {
            let path = folder.path().join(guest);
            fs::create_dir_all(&path).unwrap();
            let directory = File::open(path).unwrap().into();
            below.watch(&watcher, &directory, guest.to_owned(), "x").unwrap();
            below.len()
        };
        assert_eq!(["a", "b", "c", "b"].map(&mut watch), [1, 2, 2, 2]);
        below.forget(&watcher, "a");
        assert_eq!(below.len(), 1);
        let directory = File::open(folder.path().join("c")).unwrap().into();
        below.watch(&watcher, &directory, "c".to_owned(), "x").unwrap();
        assert_eq!(below.len(), 2);
    }
}
