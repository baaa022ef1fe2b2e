//! A listening socket.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;

use crate::closing::{Unclosed, close};
use crate::descriptors::refuse_descriptors;

/// A socket that listens, or will. Whoever still waits to be accepted when it is closed may have sent descriptors
/// already, so it is closed in another thread.
#[derive(Debug)]
pub struct PeerListener {
    /// `Some` until this value is dropped.
    fd: Option<OwnedFd>,
}

impl PeerListener {
    /// Takes over a descriptor.
    pub fn new(fd: OwnedFd) -> Self {
        refuse_descriptors(&fd);
        Self { fd: Some(fd) }
    }
}

impl AsFd for PeerListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // `None` only while it is dropped, when nobody borrows it. No call takes CWD for a socket.
        self.fd.as_ref().map_or(CWD, AsFd::as_fd)
    }
}

impl Drop for PeerListener {
    fn drop(&mut self) {
        if let Some(fd) = self.fd.take() {
            close(fd, Unclosed::default());
        }
    }
}
