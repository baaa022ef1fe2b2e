//! One end of a connection: bytes in, bytes out, nothing of what they mean.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;

/// A descriptor, and what the other end has not read yet. Idle, it holds nothing but itself.
#[derive(Debug)]
pub(crate) struct Stream {
    fd: OwnedFd,
    unsent: Vec<u8>,
    unsent_since: Option<Instant>,
}

/// The other end is gone.
#[derive(Debug)]
pub(crate) struct Closed;

impl Stream {
    /// Takes over a descriptor that does not block.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd, unsent: Vec::new(), unsent_since: None }
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

    /// Sends an answer behind what was kept, or as much as there is room for; the rest is kept, and it is
    /// said since when.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn send(&mut self, answer: &[u8], now: Instant) -> Result<Option<Instant>, Closed> {
        if self.unsent_since.is_some() {
            self.unsent.extend_from_slice(answer);
            return self.flush();
        }
        let rest = write_some(self.fd.as_fd(), answer)?;
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
                self.forget_unsent();
            } else {
                self.unsent.drain(..self.unsent.len() - left);
            }
        }
        Ok(self.unsent_since)
    }

    /// How many bytes are kept.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Throws away what was kept.
    pub(crate) fn forget_unsent(&mut self) {
        self.unsent = Vec::new();
        self.unsent_since = None;
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Writes as much as there is room for, and hands back the rest.
///
/// # Errors
/// [`Closed`].
fn write_some<'b>(fd: BorrowedFd<'_>, mut bytes: &'b [u8]) -> Result<&'b [u8], Closed> {
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
