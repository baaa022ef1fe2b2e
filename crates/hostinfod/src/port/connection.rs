//! A connection to a guest: its stream, and what has come over it and is not answered.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use hostinfo_answer::{Dialect, Pending, Protocol};
use hostinfo_wire::Framer;
use hostinfo_wire::limits::{LINE_MAX, READ_CHUNK};

use crate::reactor::poll::Interest;
use crate::stream::Stream;

/// A connection. Idle, it holds nothing but itself.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Of what is sent, it keeps the one reply that the guest has not read yet.
    pub(crate) stream: Stream,
    /// The line that has come in part.
    pub(crate) framer: Framer,
    /// Lines that have come and have to wait: at most one that was begun to be answered, and
    /// [`READ_CHUNK`] bytes.
    pub(crate) held: Vec<u8>,
    /// What is spoken over it.
    pub(crate) protocol: Protocol,
    /// What the first line of those held waits for, if it was asked already.
    pub(crate) pending: Option<Pending>,
    /// When it was made.
    pub(crate) since: Instant,
    /// What the loop waits for on it.
    pub(crate) interest: Interest,
}

impl Connection {
    /// Takes over a descriptor that does not block.
    pub(crate) fn new(fd: OwnedFd, dialect: Dialect, now: Instant) -> Self {
        Self {
            stream: Stream::new(fd),
            framer: Framer::new(),
            held: Vec::new(),
            protocol: Protocol::new(dialect),
            pending: None,
            since: now,
            interest: Interest::Read,
        }
    }

    /// Begins anew on the same descriptor.
    pub(crate) fn restart(&mut self, dialect: Dialect, now: Instant) {
        self.stream.forget_unsent();
        self.framer = Framer::new();
        self.held = Vec::new();
        self.protocol = Protocol::new(dialect);
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
        self.stream.as_fd()
    }
}
