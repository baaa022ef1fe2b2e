//! A listening socket.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;
use rustix::net::{Shutdown, SocketFlags};

use crate::closing::{Unclosed, close};
use crate::descriptors::refuse_descriptors;
use crate::socket::PeerSocket;

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

    /// Lets nobody connect any more, and hangs up on all who wait to be accepted: at most as many as its backlog. Whoever
    /// closes the last copy of this socket, such as a service manager, would otherwise close what these have sent.
    pub fn hang_up(&self, of: &Unclosed) {
        // Whoever has a copy would be told that it is hung up (EPOLLHUP) if it were shut down for writing as well.
        let _ = rustix::net::shutdown(self, Shutdown::Read);
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        while let Ok(fd) = rustix::net::accept_with(self, flags) {
            drop(PeerSocket::new(fd, of.clone()));
        }
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
