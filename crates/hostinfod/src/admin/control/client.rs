//! One client of the control socket: bytes in, messages out, and what it is owed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use hostinfo_answer::Pending;
use hostinfo_control::limits::{CHUNK, WATCH_QUEUE_MAX};
use hostinfo_control::{Front, Request, front};
use rustix::process::Uid;

use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::ClientId;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::stream::{Closed, Stream};

/// A client. Idle, it holds nothing but itself.
pub(super) struct Client {
    /// What is unsent is one reply, or events.
    stream: Stream,
    user: Uid,
    /// What has come and was not looked at: at most one message and [`CHUNK`] bytes.
    input: Vec<u8>,
    doing: Doing,
    /// What the loop waits for on it.
    interest: Interest,
}

/// What a client has asked for that is not over.
enum Doing {
    Nothing,
    /// An answer that has to wait for values.
    Waiting(Request, Pending),
    /// Events, of one guest or of all. How many were left out since the last one that was told.
    Watching(Option<Box<str>>, u64),
}

/// Root and the user that the daemon runs as; others are of the group.
pub(super) fn is_trusted(user: Uid) -> bool {
    user.is_root() || user == rustix::process::geteuid()
}

/// When a client has its next turn, or what to do in this one.
pub(super) enum Next {
    /// It has asked that, and has waited where it is not the first try.
    Answer(Request, Option<Pending>),
    /// When more has come.
    WhenRead,
    /// When there is room. Since when it does not read an answer; events may wait.
    WhenWritten(Option<Instant>),
    /// When there is an event.
    WhenSomethingIsSeen,
}

/// What has become of an event.
pub(super) struct Told {
    /// It was not left out.
    pub(super) is_kept: bool,
    /// The kernel had room for it and for all before it.
    pub(super) is_sent: bool,
}

impl Client {
    /// Takes over a descriptor that does not block, of that user.
    pub(super) fn new(fd: OwnedFd, user: Uid) -> Self {
        Self {
            stream: Stream::new(fd),
            user,
            input: Vec::new(),
            doing: Doing::Nothing,
            interest: Interest::Read,
        }
    }

    /// Who it is.
    pub(super) fn user(&self) -> Uid {
        self.user
    }

    /// What the loop waits for on it.
    pub(super) fn interest(&self) -> Interest {
        self.interest
    }

    /// Has the loop wait for something on it, by its number.
    pub(super) fn wait_for(
        &mut self,
        number: ClientId,
        interest: Interest,
        alarm: Option<Instant>,
        ctx: &mut Ctx<'_>,
    ) {
        ctx.reactor.set_alarm(Alarm::Client(number), alarm);
        if std::mem::replace(&mut self.interest, interest) != interest
            && let Err(error) = ctx.reactor.modify(&self.stream, Token::Client(number), interest)
        {
            tracing::error!("cannot wait for a client of the control socket: {error}");
        }
    }

    /// Whether it may change something, and always finds room.
    pub(super) fn is_trusted(&self) -> bool {
        is_trusted(self.user)
    }

    /// Whether it waits for values.
    pub(super) fn waits(&self) -> bool {
        matches!(self.doing, Doing::Waiting(..))
    }

    /// What it waited for with its end.
    pub(super) fn waits_for(self) -> Option<Request> {
        match self.doing {
            Doing::Waiting(request, _) => Some(request),
            Doing::Nothing | Doing::Watching(..) => None,
        }
    }

    /// Whether it is told what guests ask.
    pub(super) fn watches(&self) -> bool {
        matches!(self.doing, Doing::Watching(..))
    }

    /// Has `request` come again.
    pub(super) fn wait(&mut self, request: Request, pending: Pending) {
        self.doing = Doing::Waiting(request, pending);
    }

    /// Tells it events from now on, of that guest or of all.
    pub(super) fn watch(&mut self, guest: Option<Box<str>>) {
        self.doing = Doing::Watching(guest, 0);
    }

    /// Sends what is owed, or finds what is asked. Reads at most [`CHUNK`] bytes.
    ///
    /// # Errors
    /// [`Closed`], also where it speaks nonsense.
    pub(super) fn turn(&mut self) -> Result<Next, Closed> {
        if let Some(since) = self.stream.flush()? {
            return Ok(Next::WhenWritten((!self.watches()).then_some(since)));
        }
        match std::mem::replace(&mut self.doing, Doing::Nothing) {
            Doing::Waiting(request, pending) => return Ok(Next::Answer(request, Some(pending))),
            watching @ Doing::Watching(..) => {
                self.doing = watching;
                return Ok(Next::WhenSomethingIsSeen);
            }
            Doing::Nothing => {}
        }
        if let Some(request) = self.message()? {
            return Ok(Next::Answer(request, None));
        }
        let mut chunk = [0; CHUNK];
        self.input.extend_from_slice(self.stream.read(&mut chunk)?);
        let message = self.message()?;
        Ok(message.map_or(Next::WhenRead, |request| Next::Answer(request, None)))
    }

    /// Whether it has a turn as soon as others had theirs.
    pub(super) fn may_go_on(&self) -> bool {
        matches!(self.doing, Doing::Nothing) && self.has_more()
    }

    /// Whether something has come that was not looked at.
    pub(super) fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// Sends an answer, or as much as there is room for. Since when something is left of it.
    ///
    /// # Errors
    /// [`Closed`].
    pub(super) fn send(&mut self, bytes: &[u8], now: Instant) -> Result<Option<Instant>, Closed> {
        self.stream.send(bytes, now)
    }

    /// Tells of an event of that guest; `make` makes it of the number that was left out before.
    /// `None` where the client does not watch that guest.
    ///
    /// # Errors
    /// [`Closed`].
    pub(super) fn tell(
        &mut self,
        guest: &str,
        make: impl FnOnce(u64) -> Vec<u8>,
        now: Instant,
    ) -> Result<Option<Told>, Closed> {
        let Doing::Watching(only, left_out) = &mut self.doing else { return Ok(None) };
        if only.as_deref().is_some_and(|only| only != guest) {
            return Ok(None);
        }
        if self.stream.unsent() >= WATCH_QUEUE_MAX {
            *left_out += 1;
            return Ok(Some(Told { is_kept: false, is_sent: false }));
        }
        let unsent = self.stream.send(&make(std::mem::take(left_out)), now)?;
        Ok(Some(Told { is_kept: true, is_sent: unsent.is_none() }))
    }

    fn message(&mut self) -> Result<Option<Request>, Closed> {
        match front(&self.input) {
            Front::Incomplete => Ok(None),
            Front::Broken => Err(Closed),
            Front::Message(request, length) => {
                self.input.drain(..length);
                if self.input.is_empty() {
                    self.input = Vec::new();
                }
                Ok(Some(request))
            }
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.stream.as_fd()
    }
}
