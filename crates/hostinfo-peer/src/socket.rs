//! A connected socket.

use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::fs::CWD;
use rustix::io::Errno;
use rustix::net::{AddressFamily, RecvFlags, SendFlags, Shutdown, SocketType, sockopt};

use crate::closing::{Unclosed, close};
use crate::descriptors::{are_refused, peek, peek_packet, refuse_descriptors};

/// Reads after which what is left of a connection that has ended is closed elsewhere: the kernel keeps some 300 messages
/// of a sender, unless its administrator permits more (`net.core.wmem_max`).
const LEFT_MAX: usize = 512;

/// A non-blocking socket, or another descriptor that is read and written like one.
#[derive(Debug)]
pub struct PeerSocket {
    /// `Some` until this value is dropped.
    fd: Option<OwnedFd>,
    kind: Kind,
    unclosed: Unclosed,
}

/// How it is read, written and closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// A socket whose other end can send descriptors.
    WithDescriptors,
    /// Another socket. recv(2) and send(2) look at less of it than read(2) and write(2), which know it as a file: where 9,000
    /// guests ask at once, an answer takes 6 % less time.
    Socket,
    /// No socket.
    File,
}

/// Why nothing more is read.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The other end has sent descriptors, which nothing that speaks one of our protocols does.
    #[error("it has sent descriptors")]
    Descriptors,
    /// The system's error.
    #[error(transparent)]
    System(#[from] Errno),
}

impl PeerSocket {
    /// Takes over a descriptor. What its other end leaves to be closed is counted in `unclosed`.
    pub fn new(fd: OwnedFd, unclosed: Unclosed) -> Self {
        // If they are refused only from here on, some may have come before. Only a Unix socket can refuse them.
        let are_refused = are_refused(&fd);
        let kind = if are_refused { Kind::Socket } else { kind(&fd) };
        if kind == Kind::WithDescriptors {
            refuse_descriptors(&fd);
        }
        if kind == Kind::WithDescriptors || are_refused {
            // The kernel would drop a byte that was sent with MSG_OOB, and what came with it: each would wake whoever waits
            // for something to read, and nobody would count it.
            let _ = sockopt::set_socket_oobinline(&fd, true);
        }
        Self { fd: Some(fd), kind, unclosed }
    }

    /// Takes over a socket over which descriptors are meant to come. They are read elsewhere; here it is only closed, as
    /// all others are.
    pub fn for_descriptors(fd: OwnedFd) -> Self {
        Self { fd: Some(fd), kind: Kind::WithDescriptors, unclosed: Unclosed::default() }
    }

    /// The same socket, counted in another `unclosed` from here on: for when its sender becomes known.
    #[must_use]
    pub fn counted_in(mut self, unclosed: Unclosed) -> Self {
        self.unclosed = unclosed;
        self
    }

    /// Reads what is there, as far as it fits: of a socket of packets, one. 0 is the end, or an empty packet.
    ///
    /// # Errors
    /// [`ReadError`]. After [`ReadError::Descriptors`] it is to be dropped: what was not read by then is lost.
    pub fn read(&self, buffer: &mut [u8]) -> Result<usize, ReadError> {
        match self.kind {
            Kind::WithDescriptors => {}
            Kind::Socket => return Ok(rustix::net::recv(self, buffer, RecvFlags::empty())?.0),
            Kind::File => return Ok(rustix::io::read(self, buffer)?),
        }
        match peek(self, buffer)? {
            (_, true) => Err(ReadError::Descriptors),
            (0, false) => Ok(0),
            // No more than that, since descriptors can have come with what follows.
            (length, false) => {
                Ok(rustix::io::read(self, buffer.get_mut(..length).unwrap_or_default())?)
            }
        }
    }

    /// Writes as much as there is room for, and returns how much that was.
    ///
    /// # Errors
    /// Those of send(2) and write(2).
    pub fn send(&self, bytes: &[u8]) -> Result<usize, Errno> {
        match self.kind {
            Kind::WithDescriptors | Kind::Socket => {
                rustix::net::send(self, bytes, SendFlags::NOSIGNAL)
            }
            Kind::File => rustix::io::write(self, bytes),
        }
    }
}

/// Counted in an `unclosed` of its own, which nobody looks at.
impl From<OwnedFd> for PeerSocket {
    fn from(fd: OwnedFd) -> Self {
        Self::new(fd, Unclosed::default())
    }
}

impl AsFd for PeerSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        // `None` only while it is dropped, when nobody borrows it. No call takes CWD for a socket.
        self.fd.as_ref().map_or(CWD, AsFd::as_fd)
    }
}

impl Write for PeerSocket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        Ok(self.send(bytes)?)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for PeerSocket {
    fn drop(&mut self) {
        let Some(fd) = self.fd.take().filter(|_| self.kind == Kind::WithDescriptors) else {
            return;
        };
        // From here on, the other end can send nothing more.
        let _ = rustix::net::shutdown(&fd, Shutdown::Read);
        if has_descriptors(&fd) {
            close(fd, self.unclosed.clone());
        }
    }
}

fn kind(fd: &OwnedFd) -> Kind {
    match sockopt::socket_domain(fd) {
        Ok(AddressFamily::UNIX) => Kind::WithDescriptors,
        Ok(_) => Kind::Socket,
        Err(_) => Kind::File,
    }
}

/// Whether descriptors came with something that nobody has read. If that is too much to look through, they may have.
fn has_descriptors(fd: &OwnedFd) -> bool {
    let has_packets = sockopt::socket_type(fd) != Ok(SocketType::STREAM);
    if has_packets && sockopt::set_socket_passcred(fd, true).is_err() {
        return true;
    }
    let mut buffer = [0; 4096];
    for _ in 0..LEFT_MAX {
        let next = match has_packets {
            true => peek_packet(fd, &mut buffer),
            false => {
                peek(fd, &mut buffer).map(|next| Some(next).filter(|next| *next != (0, false)))
            }
        };
        match next {
            // The other end has not read all. Of packets, the kernel says so before it shows the next.
            Err(Errno::INTR | Errno::CONNRESET) => {}
            Ok(None) | Err(_) => return false,
            Ok(Some((_, true))) => return true,
            Ok(Some((length, false))) => {
                // With no room, the kernel would leave an empty packet where it is.
                let room = if has_packets { buffer.len() } else { length };
                let _ = rustix::io::read(fd, buffer.get_mut(..room).unwrap_or_default());
            }
        }
    }
    true
}

#[cfg(test)]
mod tests;
