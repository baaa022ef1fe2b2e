//! One end of a connection: moves bytes without looking at them.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use rustix::io::Errno;

/// A descriptor, and the bytes that were not sent yet. An idle one owns no other memory.
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
    /// Takes over a non-blocking descriptor.
    pub(crate) fn new(fd: OwnedFd) -> Self {
        Self { fd, unsent: Vec::new(), unsent_since: None }
    }

    /// Reads what is there, as far as it fits into `buffer`. An empty result does not mean the end.
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

    /// Sends as much of an answer as there is room for, after what was kept before. The rest is
    /// kept. Returns since when something is kept.
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

    /// Sends more of what was kept. Returns since when something is kept.
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

    /// Number of bytes kept.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.len()
    }

    /// Discards what was kept.
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

/// Writes as much as there is room for, and returns the rest.
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
