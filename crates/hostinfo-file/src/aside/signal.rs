//! How a thread tells a loop that waits for descriptors that it has something for it.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::event::{EventfdFlags, eventfd};

/// A descriptor that is readable once there is something to take, until that is cleared: eventfd(2). Clones share it.
#[derive(Debug, Clone)]
pub struct Signal(Arc<OwnedFd>);

impl Signal {
    /// There is nothing yet.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn new() -> io::Result<Self> {
        Ok(Self(Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?)))
    }

    /// There is something to take.
    pub fn tell(&self) {
        // It fails only if it is readable already.
        let _ = rustix::io::write(&self.0, &1u64.to_ne_bytes());
    }

    /// To be called before what there is is taken, so that nothing that comes meanwhile is missed.
    pub fn clear(&self) {
        let _ = rustix::io::read(&self.0, &mut [0; 8]);
    }
}

impl AsFd for Signal {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}
