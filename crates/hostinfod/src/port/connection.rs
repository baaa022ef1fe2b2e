//! One guest's end of a line: bytes in, bytes out, nothing of what they mean.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use hostinfo_wire::Framer;
use hostinfo_wire::limits::{LINE_MAX, READ_CHUNK};
use rustix::io::Errno;

use crate::pending::Pending;
use crate::system::poll::Interest;

/// A connection. Idle, it holds nothing but itself.
#[derive(Debug)]
pub(crate) struct Connection {
    fd: OwnedFd,
    /// The line that has come in part.
    pub(crate) framer: Framer,
    /// Lines that have come and have to wait: at most one that was begun to be answered, and
    /// [`READ_CHUNK`] bytes.
    pub(crate) held: Vec<u8>,
    /// What the guest has not read yet of the one reply that it may hold.
    unsent: Vec<u8>,
    unsent_since: Option<Instant>,
    /// Lines of nonsense in a row that were answered.
    pub(crate) nonsense: u32,
    /// What the first line of those held waits for, if it was asked already.
    pub(crate) pending: Option<Pending>,
    /// When it was made.
    pub(crate) since: Instant,
    /// What the loop waits for on it.
    pub(crate) interest: Interest,
}

/// The other end is gone.
#[derive(Debug)]
pub(crate) struct Closed;

impl Connection {
    /// Takes over a descriptor that does not block.
    pub(crate) fn new(fd: OwnedFd, now: Instant) -> Self {
        Self {
            fd,
            framer: Framer::new(),
            held: Vec::new(),
            unsent: Vec::new(),
            unsent_since: None,
            nonsense: 0,
            pending: None,
            since: now,
            interest: Interest::Read,
        }
    }

    /// Reads what is there, as far as `buffer` holds it. Nothing is no end.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Closed> {
        match rustix::io::read(&self.fd, &mut *buffer) {
            Ok(0) => Err(Closed),
            Ok(count) => Ok(buffer.get(..count).unwrap_or_default()),
            Err(Errno::AGAIN | Errno::INTR) => Ok(&[]),
            Err(_) => Err(Closed),
        }
    }

    /// Sends a reply, or as much as there is room for; the rest is kept, and it is said since
    /// when. There has to be no rest of another one.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn send(&mut self, reply: &[u8], now: Instant) -> Result<Option<Instant>, Closed> {
        let rest = write_some(self.fd.as_fd(), reply)?;
        if !rest.is_empty() {
            self.unsent = rest.to_vec();
            self.unsent_since = Some(now);
        }
        Ok(self.unsent_since)
    }

    /// Sends more of what was kept. Says since when there is something left.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn flush(&mut self) -> Result<Option<Instant>, Closed> {
        if self.unsent_since.is_some() {
            let left = write_some(self.fd.as_fd(), &self.unsent)?.len();
            if left == 0 {
                self.unsent = Vec::new();
                self.unsent_since = None;
            } else {
                self.unsent.drain(..self.unsent.len() - left);
            }
        }
        Ok(self.unsent_since)
    }

    /// Begins anew on the same descriptor.
    pub(crate) fn restart(&mut self, now: Instant) {
        self.framer = Framer::new();
        self.held = Vec::new();
        self.unsent = Vec::new();
        self.unsent_since = None;
        self.nonsense = 0;
        self.pending = None;
        self.since = now;
    }

    /// Keeps what has come until it may be looked at.
    pub(crate) fn hold(&mut self, input: &[u8]) {
        debug_assert!(input.len() <= LINE_MAX + 1 + READ_CHUNK);
        self.held = input.to_vec();
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Writes as much as there is room for, and hands back the rest.
///
/// # Errors
/// [`Closed`].
pub(crate) fn write_some<'b>(fd: BorrowedFd<'_>, mut bytes: &'b [u8]) -> Result<&'b [u8], Closed> {
    while !bytes.is_empty() {
        match rustix::io::write(fd, bytes) {
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => break,
            Err(_) => return Err(Closed),
        }
    }
    Ok(bytes)
}
