//! Reads of statistics' files, in threads, since others can keep everybody from reading a file. A descriptor becomes
//! readable when one has been read late.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use hostinfo_file::aside::{Looks, Patience, Signal};

use crate::account::Account;
use crate::failure::Failure;
use crate::file;
use crate::queue::Key;

/// A file, and with whose rights it is read.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) account: Option<Account>,
}

type Bytes = Result<Vec<u8>, Failure>;

/// The reads that are under way: at most one of each file for each statistic and guest.
pub(crate) struct Reads {
    ended: Signal,
    looks: Looks<(Key, Place), Bytes>,
}

impl Reads {
    /// None.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        let ended = Signal::new()?;
        Ok(Self { looks: Looks::new(ended.clone()), ended })
    }

    /// A file's bytes; `None` if they come later.
    pub(crate) fn read(
        &mut self,
        key: Key,
        place: Place,
        patience: &mut Patience,
        now: Instant,
    ) -> Option<Bytes> {
        let Place { path, account } = place.clone();
        let of = (key, place);
        if self.looks.is_held(&of) {
            return Some(Err(Failure::Held(path)));
        }
        self.looks.look(&of, patience, move || file::read(&path, account), now)
    }

    /// What was read late; and each read that has come to be held, with [`Failure::Held`].
    pub(crate) fn take(&mut self, now: Instant) -> Vec<((Key, Place), Bytes)> {
        self.ended.clear();
        let late = self.looks.take_late(usize::MAX).into_iter();
        let mut taken: Vec<_> = late.map(|late| (late.of, late.found)).collect();
        if self.next_deadline().is_some_and(|check| check <= now) {
            taken.extend(self.looks.newly_held(now).into_iter().map(|(key, place)| {
                let held = Failure::Held(place.path.clone());
                ((key, place), Err(held))
            }));
        }
        taken
    }

    /// When more may have come to be held.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.looks.next_check()
    }
}

impl AsFd for Reads {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }
}

#[cfg(test)]
mod tests;
