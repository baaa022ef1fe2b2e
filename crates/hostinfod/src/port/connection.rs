//! A connection to a guest: its stream, what has come over it and is not answered, and what it is
//! doing.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use hostinfo_answer::{Conversation, Dialect};

use crate::reactor::poll::Interest;
use crate::stream::Stream;
use crate::system::file_id::FileId;

/// A connection. Idle, it holds nothing but itself.
#[derive(Debug)]
pub(crate) struct Connection {
    /// Of what is sent, it keeps the one reply that the guest has not read yet.
    pub(crate) stream: Stream,
    /// What has come over it and is not answered.
    pub(crate) conversation: Conversation,
    /// What it is doing.
    pub(crate) phase: Phase,
    /// What it is connected to; `None` for a pseudo-terminal, which is no file of a directory.
    pub(crate) file: Option<FileId>,
    /// It was made while libvirt, which makes the socket, had not handed it to QEMU yet: which process
    /// its guest is has to be seen.
    pub(crate) is_early: bool,
    /// When it was made.
    pub(crate) since: Instant,
    /// When the guest last sent something, or it was made.
    pub(crate) heard: Instant,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for what the guest says.
    Reading,
    /// What has come, or would, is left alone until then: the guest has used up its turn, or what it
    /// may send.
    Throttled(Instant),
    /// The first line that has come waits for values, at the latest until then.
    WaitingForValue(Instant),
    /// The guest has not read all of a reply. Then its connection is over.
    Writing(Instant),
}

impl Phase {
    /// What is waited for on the descriptor.
    pub(crate) fn interest(self) -> Interest {
        match self {
            Self::Reading => Interest::Read,
            Self::Throttled(_) | Self::WaitingForValue(_) => Interest::Rest,
            Self::Writing(_) => Interest::Write,
        }
    }

    /// When it ends by itself.
    pub(crate) fn until(self) -> Option<Instant> {
        match self {
            Self::Reading => None,
            Self::Throttled(at) | Self::WaitingForValue(at) | Self::Writing(at) => Some(at),
        }
    }
}

impl Connection {
    /// Takes over a descriptor that does not block, and that leads to `file`.
    pub(crate) fn new(fd: OwnedFd, file: Option<FileId>, dialect: Dialect, now: Instant) -> Self {
        Self {
            stream: Stream::new(fd),
            conversation: Conversation::new(dialect),
            phase: Phase::Reading,
            file,
            is_early: false,
            since: now,
            heard: now,
        }
    }

    /// Since when nothing has come, where it waits for that and for nothing else.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.phase == Phase::Reading).then_some(self.heard)
    }

    /// Begins anew on the same descriptor.
    pub(crate) fn restart(&mut self, dialect: Dialect, now: Instant) {
        self.stream.forget_unsent();
        self.conversation = Conversation::new(dialect);
        self.since = now;
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
