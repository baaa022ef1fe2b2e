//! Reads of statistics' files, in threads, since others can keep everybody from reading a file. A descriptor becomes
//! readable when one has been read late.

use std::collections::HashMap;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Instant;

use hostinfo_file::aside::{HELD_AFTER, Patience, Signal};

use crate::account::Account;
use crate::failure::Failure;
use crate::file;
use crate::queue::Key;

/// A file, and with whose rights it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) account: Option<Account>,
}

type Bytes = Result<Vec<u8>, Failure>;

/// What was read late.
pub(crate) type Late = (Key, Place, Bytes);

/// The reads that are under way: at most one for each statistic and guest.
pub(crate) struct Reads {
    ended: Signal,
    tell: Sender<Late>,
    told: Receiver<Late>,
    under_way: HashMap<Key, UnderWay>,
}

struct UnderWay {
    place: Place,
    /// When it counts as held; `None` once that was reported.
    held_at: Option<Instant>,
}

impl Reads {
    /// None.
    ///
    /// # Errors
    /// If there are no descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        let (tell, told) = channel();
        Ok(Self { ended: Signal::new()?, tell, told, under_way: HashMap::new() })
    }

    /// A file's bytes; `None` if they come later.
    pub(crate) fn read(
        &mut self,
        key: Key,
        place: Place,
        patience: &mut Patience,
        now: Instant,
    ) -> Option<Bytes> {
        if let Some(UnderWay { place, held_at }) = self.under_way.get(&key) {
            return held_at.is_none().then(|| Err(Failure::Held(place.path.clone())));
        }
        let (tell, ended, late) = (self.tell.clone(), self.ended.clone(), place.clone());
        let (asked, told) = (place.clone(), key.clone());
        let read = move || file::read(&asked.path, asked.account);
        let tell = move |bytes| {
            if tell.send((told, late, bytes)).is_ok() {
                ended.tell();
            }
        };
        let bytes = patience.run(read, tell, now);
        if bytes.is_none() {
            self.under_way.insert(key, UnderWay { place, held_at: Some(now + HELD_AFTER) });
        }
        bytes
    }

    /// What was read late; and each read that has come to be held, with [`Failure::Held`].
    pub(crate) fn take(&mut self, now: Instant) -> Vec<Late> {
        self.ended.clear();
        let mut taken: Vec<Late> = self.told.try_iter().collect();
        for (key, ..) in &taken {
            self.under_way.remove(key);
        }
        for (key, UnderWay { place, held_at }) in &mut self.under_way {
            if held_at.take_if(|held_at| *held_at <= now).is_some() {
                taken.push((key.clone(), place.clone(), Err(Failure::Held(place.path.clone()))));
            }
        }
        taken
    }

    /// When more may have come to be held.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.under_way.values().filter_map(|read| read.held_at).min()
    }
}

impl AsFd for Reads {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.ended.as_fd()
    }
}

#[cfg(test)]
mod tests;
