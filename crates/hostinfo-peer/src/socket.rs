//! A connected socket.

use std::io::{self, Read, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::net::{AddressFamily, Shutdown, sockopt};

use crate::closing::{Unclosed, close};
use crate::descriptors::{are_refused, refuse_descriptors, take};

/// Reads after which what is left of a connection that has ended is closed elsewhere: the kernel keeps some 300 messages
/// of a sender, unless its administrator permits more (`net.core.wmem_max`).
const LEFT_MAX: usize = 512;

/// A non-blocking socket, or another descriptor that is read and written like one.
#[derive(Debug)]
pub struct PeerSocket {
    /// There until this value is dropped.
    fd: Option<OwnedFd>,
    /// Whether descriptors can come. If not, it is read and closed like any other file, which is less work.
    can_come: bool,
    unclosed: Unclosed,
}

/// Why nothing more is read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The other end has sent descriptors. Nobody who only talks does.
    #[error("it has sent descriptors")]
    Descriptors,
    /// The system's error.
    #[error(transparent)]
    System(#[from] Errno),
}

impl PeerSocket {
    /// Takes over a descriptor. What its other end leaves to be closed is counted in `unclosed`.
    pub fn new(fd: OwnedFd, unclosed: Unclosed) -> Self {
        let is_unix = sockopt::socket_domain(&fd).is_ok_and(|domain| domain == AddressFamily::UNIX);
        // If they are refused only from here on, some may have come before.
        let can_come = is_unix && !are_refused(&fd);
        if can_come {
            refuse_descriptors(&fd);
            // The kernel would drop a byte that was sent with MSG_OOB, and what came with it.
            let _ = sockopt::set_socket_oobinline(&fd, true);
        }
        Self { fd: Some(fd), can_come, unclosed }
    }

    /// The same, with its sender known by now, in whose `unclosed` is counted from here on.
    #[must_use]
    pub fn counted_in(mut self, unclosed: Unclosed) -> Self {
        self.unclosed = unclosed;
        self
    }

    /// Reads what is there, as far as it fits. 0 is the end.
    ///
    /// # Errors
    /// [`ReadError`]. If it was [`ReadError::Descriptors`], bytes that came with them are lost.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        if !self.can_come {
            return Ok(rustix::io::read(self, buffer)?);
        }
        let (length, descriptors) = take(self, buffer)?;
        if descriptors.is_empty() {
            return Ok(length);
        }
        close(descriptors, self.unclosed.clone());
        Err(ReadError::Descriptors)
    }
}

/// With nobody who is counted for what is to be closed.
impl From<OwnedFd> for PeerSocket {
    fn from(fd: OwnedFd) -> Self {
        Self::new(fd, Unclosed::default())
    }
}

impl AsFd for PeerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // In place of the second, which is never needed, something that no call takes for a socket.
        self.fd.as_ref().map_or(CWD, AsFd::as_fd)
    }
}

impl Read for PeerSocket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        Self::read(self, buffer).map_err(|error| match error {
            ReadError::System(error) => error.into(),
            sent => io::Error::other(sent),
        })
    }
}

impl Write for PeerSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(rustix::io::write(self, bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PeerSocket {
    fn drop(&mut self) {
        let Some(fd) = self.fd.take().filter(|_| self.can_come) else { return };
        // From here on, the other end can send nothing more.
        let _ = rustix::net::shutdown(&fd, Shutdown::Read);
        let mut descriptors = match left_by(&fd) {
            Some(descriptors) if descriptors.is_empty() => return,
            descriptors => descriptors.unwrap_or_default(),
        };
        descriptors.push(fd);
        close(descriptors, self.unclosed.clone());
    }
}

/// The descriptors of the first message that is left and has any; none if nothing is left. `None` if there is too much.
fn left_by(fd: &OwnedFd) -> Option<Vec<OwnedFd>> {
    let mut buffer = [0; 4096];
    for _ in 0..LEFT_MAX {
        match take(fd, &mut buffer) {
            Err(Errno::INTR) => {}
            Ok((0, _)) | Err(_) => return Some(Vec::new()),
            Ok((_, descriptors)) if descriptors.is_empty() => {}
            Ok((_, descriptors)) => return Some(descriptors),
        }
    }
    None
}

#[cfg(test)]
mod tests;
