//! Where a part of a program waits for its descriptors.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use crate::closing::take_out_of;

/// An epoll(7) that reports whatever one part of a program has added by the same number.
///
/// Several parts share one. If each had its own within another, the kernel would take one lock for the whole host whenever
/// something is added, and any user can hold that as long as they like.
#[derive(Debug, Clone)]
pub struct Epoll {
    fd: Arc<OwnedFd>,
    number: u64,
}

impl Epoll {
    /// One that nobody shares yet.
    ///
    /// # Errors
    /// No descriptors are left.
    pub fn new() -> io::Result<Self> {
        let fd = Arc::new(epoll::create(CreateFlags::CLOEXEC)?);
        take_out_of(&fd);
        Ok(Self { fd, number: 0 })
    }

    /// The same for another part of the program.
    #[must_use]
    pub fn of_part(&self, number: u64) -> Self {
        Self { fd: Arc::clone(&self.fd), number }
    }

    /// Reports when there is something to read, until `fd` is closed.
    ///
    /// # Errors
    /// The kernel has no room (max_user_watches), or `fd` is there already.
    pub fn add(&self, fd: impl AsFd) -> Result<(), Errno> {
        epoll::add(&self.fd, fd, EventData::new_u64(self.number), EventFlags::IN)
    }

    /// Reports no more of `fd`, if it is there.
    pub fn delete(&self, fd: impl AsFd) {
        let _ = epoll::delete(&self.fd, fd);
    }
}

impl AsFd for Epoll {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
