//! A listening socket.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;

use crate::closing::{Unclosed, close};
use crate::descriptors::refuse_descriptors;

/// A socket that listens, or will. Those who wait to be accepted when it is closed may have sent descriptors already.
#[derive(Debug)]
pub struct PeerListener {
    /// There until this value is dropped.
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
        // In place of the second, which is never needed, something that no call takes for a socket.
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
