//! A connection to a guest: its stream, its unanswered input, and what it is doing.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use hostinfo_answer::{Conversation, Dialect};
use hostinfo_peer::PeerSocket;

use crate::handover::{ConnectionState, PhaseState};
use crate::reactor::poll::Interest;
use crate::stream::Stream;
use crate::system::descriptors::Number;
use crate::system::file_id::FileId;

/// A connection. An idle one owns no other memory.
#[derive(Debug)]
pub(crate) struct Connection {
    /// The stream. It keeps at most one unsent reply.
    pub(crate) stream: Stream,
    /// Input that is not answered yet.
    pub(crate) conversation: Conversation,
    /// What it is doing.
    pub(crate) phase: Phase,
    /// The file it is connected to; `None` for a pseudo-terminal, which is not in a directory, and where the guest or
    /// its VMM has connected.
    pub(crate) file: Option<FileId>,
    /// Whether it was made while libvirt, which creates the socket, had not handed it to QEMU yet.
    /// The guest's process still has to be identified then.
    pub(crate) is_early: bool,
    /// When it was made.
    pub(crate) since: Instant,
    /// When the guest last sent something, or it was made.
    pub(crate) heard: Instant,
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// It waits for input.
    Reading,
    /// Nothing is read or answered until then: the guest has used up its turn, or its flow.
    Throttled(Instant),
    /// The first line waits for values, until that time at most.
    WaitingForValue(Instant),
    /// The guest has not read all of a reply. At that time the connection is closed.
    Writing(Instant),
}

impl Phase {
    /// What is waited for on the descriptor.
    pub(crate) fn interest(self) -> Interest {
        match self {
            Self::Reading => Interest::Read,
            Self::Throttled(_) | Self::WaitingForValue(_) => Interest::None,
            Self::Writing(_) => Interest::Write,
        }
    }

    /// When the phase ends without an event.
    pub(crate) fn until(self) -> Option<Instant> {
        match self {
            Self::Reading => None,
            Self::Throttled(at) | Self::WaitingForValue(at) | Self::Writing(at) => Some(at),
        }
    }
}

impl Connection {
    /// Takes over a non-blocking descriptor that is connected to `file`.
    pub(crate) fn new(
        socket: PeerSocket,
        file: Option<FileId>,
        dialect: Dialect,
        now: Instant,
    ) -> Self {
        Self {
            stream: Stream::new(socket),
            conversation: Conversation::new(dialect),
            phase: Phase::Reading,
            file,
            is_early: false,
            since: now,
            heard: now,
        }
    }

    /// What another program goes on with. The number is its descriptor's.
    pub(crate) fn hand_over(&self, fd: Number) -> ConnectionState {
        ConnectionState {
            fd,
            unsent: self.stream.kept().cloned(),
            conversation: self.conversation.hand_over(),
            phase: match self.phase {
                Phase::Reading => PhaseState::Reading,
                Phase::Throttled(until) => PhaseState::Throttled(until),
                Phase::WaitingForValue(_) => PhaseState::WaitingForValue,
                Phase::Writing(until) => PhaseState::Writing(until),
            },
            file: self.file,
            is_early: self.is_early,
            since: self.since,
            heard: self.heard,
        }
    }

    /// Goes on with a connection that was handed over. `None` if no connection can be like that.
    pub(crate) fn taken_over(
        state: ConnectionState,
        socket: PeerSocket,
        now: Instant,
    ) -> Option<Self> {
        let ConnectionState { fd: _, unsent, conversation, phase, file, is_early, since, heard } =
            state;
        let phase = match phase {
            PhaseState::Reading => Phase::Reading,
            PhaseState::Throttled(until) => Phase::Throttled(until),
            PhaseState::WaitingForValue => Phase::Throttled(now),
            PhaseState::Writing(until) => Phase::Writing(until),
        };
        let stream = Stream::taken_over(socket, unsent);
        let conversation = Conversation::taken_over(conversation)?;
        Some(Self { stream, conversation, phase, file, is_early, since, heard })
    }

    /// Since when the guest has sent nothing; `None` if the connection waits for anything else.
    pub(crate) fn idle_since(&self) -> Option<Instant> {
        (self.phase == Phase::Reading).then_some(self.heard)
    }

    /// Whether the host has begun to work on a line whose answer was not sent: also while others have their turns, or after
    /// a handover.
    pub(crate) fn has_begun_an_answer(&self) -> bool {
        self.conversation.pending().is_some()
    }

    /// Starts over on the same descriptor.
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;

    use hostinfo_answer::Pending;
    use serde_json::json;

    #[test]
    fn an_answer_that_was_begun_before_an_upgrade_counts_as_begun_after_it() {
        let now = Instant::now();
        let fd = || OwnedFd::from(std::fs::File::open("/dev/null").unwrap()).into();
        let plain = Connection::new(fd(), None, Dialect::Hostinfo, now);
        assert!(!plain.has_begun_an_answer());
        let pending = Pending { asked: now, until: now, on: String::new() };
        let mut conversation = serde_json::to_value(plain.conversation.hand_over()).unwrap();
        conversation["pending"] = json!(pending);
        conversation["held"] = json!("0a");
        let number = serde_json::from_value(json!(0)).unwrap();
        let state = ConnectionState {
            conversation: serde_json::from_value(conversation).unwrap(),
            phase: PhaseState::WaitingForValue,
            ..plain.hand_over(number)
        };
        let begun = Connection::taken_over(state, fd(), now).unwrap();
        assert_eq!(begun.phase, Phase::Throttled(now));
        assert!(begun.has_begun_an_answer());
    }
}
