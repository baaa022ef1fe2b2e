//! One end of a connection: moves bytes without looking at them.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use hostinfo_peer::{PeerSocket, ReadError};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A descriptor, and the bytes that were not sent yet. An idle one owns no other memory.
#[derive(Debug)]
pub(crate) struct Stream {
    socket: PeerSocket,
    unsent: Option<Box<Unsent>>,
}

/// What was kept. Few of 10,000 streams have something.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Unsent {
    #[serde(with = "hostinfo_handover::text")]
    bytes: Vec<u8>,
    #[serde(with = "hostinfo_handover::instant")]
    since: Instant,
}

impl Unsent {
    /// Number of bytes.
    pub(crate) fn length(&self) -> usize {
        self.bytes.len()
    }
}

/// Why a connection is over.
#[derive(Debug)]
pub(crate) enum Closed {
    /// The other end is gone, or has said what nobody says who means well.
    Gone,
    /// It has sent descriptors.
    Descriptors,
}

impl Closed {
    /// The same for the log.
    pub(crate) fn why(&self) -> &'static str {
        match self {
            Self::Gone => "its connection has ended",
            Self::Descriptors => {
                "its VMM has sent descriptors, so somebody may have taken it over: it was hung up on"
            }
        }
    }
}

impl Stream {
    /// Takes over a non-blocking descriptor.
    pub(crate) fn new(socket: PeerSocket) -> Self {
        Self { socket, unsent: None }
    }

    /// Takes over a non-blocking descriptor, with what was kept of what was to be sent over it.
    pub(crate) fn taken_over(socket: PeerSocket, unsent: Option<Unsent>) -> Self {
        Self { socket, unsent: unsent.map(Box::new) }
    }

    /// What was kept.
    pub(crate) fn kept(&self) -> Option<&Unsent> {
        self.unsent.as_deref()
    }

    /// Whether the other end is there still, also if it has ended since events were looked for.
    pub(crate) fn is_there(&self) -> bool {
        let mut polled = [PollFd::new(self, PollFlags::empty())];
        poll(&mut polled, Some(&Timespec::default())) == Ok(0)
    }

    /// Reads what is there, as far as it fits into `buffer`. An empty result does not mean the end.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn read<'b>(&self, buffer: &'b mut [u8]) -> Result<&'b [u8], Closed> {
        match self.socket.read(buffer) {
            Ok(0) => Err(Closed::Gone),
            Ok(count) => Ok(buffer.get(..count).unwrap_or_default()),
            Err(ReadError::System(Errno::AGAIN | Errno::INTR)) => Ok(&[]),
            Err(ReadError::System(_)) => Err(Closed::Gone),
            Err(ReadError::Descriptors) => Err(Closed::Descriptors),
        }
    }

    /// Sends as much of an answer as there is room for, after what was kept before. The rest is
    /// kept. Returns since when something is kept.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn send(&mut self, answer: &[u8], now: Instant) -> Result<Option<Instant>, Closed> {
        if let Some(unsent) = &mut self.unsent {
            unsent.bytes.extend_from_slice(answer);
            return self.flush();
        }
        let rest = write_some(&self.socket, answer)?;
        if rest.is_empty() {
            return Ok(None);
        }
        self.unsent = Some(Box::new(Unsent { bytes: rest.to_vec(), since: now }));
        Ok(Some(now))
    }

    /// Sends more of what was kept. Returns since when something is kept.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn flush(&mut self) -> Result<Option<Instant>, Closed> {
        let Some(unsent) = &mut self.unsent else { return Ok(None) };
        let left = write_some(&self.socket, &unsent.bytes)?.len();
        if left == 0 {
            self.unsent = None;
            return Ok(None);
        }
        unsent.bytes.drain(..unsent.bytes.len() - left);
        Ok(Some(unsent.since))
    }

    /// Number of bytes kept.
    pub(crate) fn unsent(&self) -> usize {
        self.unsent.as_ref().map_or(0, |unsent| unsent.bytes.len())
    }

    /// Discards what was kept.
    pub(crate) fn forget_unsent(&mut self) {
        self.unsent = None;
    }
}

impl AsFd for Stream {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// Writes as much as there is room for, and returns the rest. If that is not all, it is not tried again: whoever reads on
/// the other side must not keep this one busy.
///
/// # Errors
/// [`Closed`].
fn write_some<'b>(socket: &PeerSocket, bytes: &'b [u8]) -> Result<&'b [u8], Closed> {
    if bytes.is_empty() {
        return Ok(bytes);
    }
    match rustix::io::retry_on_intr(|| socket.send(bytes)) {
        Ok(count) => Ok(bytes.get(count..).unwrap_or_default()),
        Err(Errno::AGAIN) => Ok(bytes),
        Err(_) => Err(Closed::Gone),
    }
}
