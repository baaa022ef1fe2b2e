//! One client of the control socket: bytes in, messages out, and what is still to be sent.

use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use hostinfo_answer::Pending;
use hostinfo_control::limits::{CHUNK, READ_DEADLINE, WATCH_QUEUE_MAX};
use hostinfo_control::{Front, Request, front};
use hostinfo_peer::PeerSocket;
use rustix::process::Uid;

use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::ClientId;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::stream::{Closed, Stream};

/// A client. An idle one owns no other memory.
pub(super) struct Client {
    /// Unsent bytes are one reply, or events.
    stream: Stream,
    user: Uid,
    /// Unprocessed input: at most one message and [`CHUNK`] bytes.
    input: Vec<u8>,
    state: ClientState,
    /// What the reactor waits for on the connection.
    interest: Interest,
    /// There is something to read, and its turn comes after those of others.
    is_put_off: bool,
}

/// What a client is doing.
enum ClientState {
    /// No call of it is unfinished.
    Idle,
    /// A call whose answer waits for values.
    Waiting(Request, Pending),
    /// An upgrade.
    AwaitingUpgrade,
    /// Events, of one guest or of all; and the number of events left out since the last one sent.
    Watching(Option<Box<str>>, u64),
}

/// The least number of a user who is a person: UID_MIN of login.defs(5), where the administrator has not changed it.
const PERSONS: u32 = 1000;

/// Whether this is root, or the person who has started the daemon. Other clients are members of the group. A user that
/// is the daemon's alone is one of them as well: it is also that of its helper, which is to be trusted with nothing.
pub(super) fn is_trusted(user: Uid) -> bool {
    is_trusted_by(rustix::process::geteuid(), user)
}

pub(super) fn is_trusted_by(daemon: Uid, user: Uid) -> bool {
    user.is_root() || (user == daemon && user.as_raw() >= PERSONS)
}

/// What a client's turn leads to.
pub(super) enum Next {
    /// An answer to this request. The second part is set if the request has waited already.
    Answer(Request, Option<Pending>),
    /// Nothing more.
    Wait(Wait),
}

/// When a client has its next turn.
pub(super) enum Wait {
    /// When others have had theirs.
    ForOthers,
    /// When values have arrived, or then at the latest.
    ForValues(Instant),
    /// When there is an event.
    ForEvent,
    /// When more input has arrived.
    ToRead,
    /// When there is room to write. Contains since when a reply is unread; `None` for events, which may wait.
    ToWrite(Option<Instant>),
}

/// What happened to an event.
pub(super) struct Delivery {
    /// Whether it was kept rather than left out.
    pub(super) is_kept: bool,
    /// Whether the kernel took it and everything before it.
    pub(super) is_sent: bool,
}

impl Client {
    /// Takes over a non-blocking descriptor of that user.
    pub(super) fn new(socket: PeerSocket, user: Uid) -> Self {
        Self {
            stream: Stream::new(socket),
            user,
            input: Vec::new(),
            state: ClientState::Idle,
            interest: Interest::Read,
            is_put_off: false,
        }
    }

    pub(super) fn user(&self) -> Uid {
        self.user
    }

    /// What the reactor waits for on the connection.
    pub(super) fn interest(&self) -> Interest {
        self.interest
    }

    /// Lets client `number` wait for its next turn.
    pub(super) fn await_turn(&mut self, number: ClientId, wait: Wait, ctx: &mut Ctx<'_>) {
        let (interest, alarm) = match wait {
            Wait::ForOthers => (Interest::None, Some(ctx.now)),
            Wait::ForValues(until) => (Interest::None, Some(until)),
            Wait::ForEvent => (Interest::None, None),
            Wait::ToRead => (Interest::Read, None),
            Wait::ToWrite(since) => (Interest::Write, since.map(|since| since + READ_DEADLINE)),
        };
        ctx.reactor.set_alarm(Alarm::Client(number), alarm);
        self.is_put_off = false;
        if std::mem::replace(&mut self.interest, interest) != interest
            && let Err(error) = ctx.reactor.modify(&self.stream, Token::Client(number), interest)
        {
            tracing::error!("cannot wait for a client of the control socket: {error}");
        }
    }

    /// Puts its turn off. If it was put off before, it keeps its place among those that wait.
    pub(super) fn put_off(&mut self, number: ClientId, ctx: &mut Ctx<'_>) {
        if !std::mem::replace(&mut self.is_put_off, true) {
            ctx.reactor.set_alarm(Alarm::Client(number), Some(ctx.now));
        }
    }

    /// Whether it may change something, and take a place that is reserved.
    pub(super) fn is_trusted(&self) -> bool {
        is_trusted(self.user)
    }

    /// Whether it waits for values.
    pub(super) fn waits(&self) -> bool {
        matches!(self.state, ClientState::Waiting(..))
    }

    /// Lets it wait for an upgrade.
    pub(super) fn await_upgrade(&mut self) {
        self.state = ClientState::AwaitingUpgrade;
    }

    /// Whether it waits for one.
    pub(super) fn awaits_upgrade(&self) -> bool {
        matches!(self.state, ClientState::AwaitingUpgrade)
    }

    /// It waits no longer.
    pub(super) fn stop_waiting(&mut self) {
        self.state = ClientState::Idle;
    }

    /// Whether it gets events.
    pub(super) fn watches(&self) -> bool {
        matches!(self.state, ClientState::Watching(..))
    }

    /// Lets `request` wait, to be tried again.
    pub(super) fn wait(&mut self, request: Request, pending: Pending) {
        self.state = ClientState::Waiting(request, pending);
    }

    /// From now on, sends it the events of that guest or of all.
    pub(super) fn watch(&mut self, guest: Option<Box<str>>) {
        self.state = ClientState::Watching(guest, 0);
    }

    /// Sends unsent bytes, and begins nothing more if there were any. Otherwise returns the next request. Reads at most
    /// [`CHUNK`] bytes.
    ///
    /// # Errors
    /// [`Closed`], also if the client sends something that is not a message.
    pub(super) fn turn(&mut self) -> Result<Next, Closed> {
        let had_unsent = self.stream.unsent() > 0;
        if let Some(since) = self.stream.flush()? {
            return Ok(Next::Wait(Wait::ToWrite((!self.watches()).then_some(since))));
        }
        match std::mem::replace(&mut self.state, ClientState::Idle) {
            ClientState::Waiting(request, pending) => {
                return Ok(Next::Answer(request, Some(pending)));
            }
            // Both wait for something that does not come from the client.
            waiting @ (ClientState::AwaitingUpgrade | ClientState::Watching(..)) => {
                self.state = waiting;
                return Ok(Next::Wait(Wait::ForEvent));
            }
            ClientState::Idle if had_unsent => return Ok(Next::Wait(self.after_answer())),
            ClientState::Idle => {}
        }
        if let Some(request) = self.message()? {
            return Ok(Next::Answer(request, None));
        }
        let mut chunk = [0; CHUNK];
        self.input.extend_from_slice(self.stream.read(&mut chunk)?);
        let message = self.message()?;
        Ok(message.map_or(Next::Wait(Wait::ToRead), |request| Next::Answer(request, None)))
    }

    /// When it has its next turn once an answer is sent.
    pub(super) fn after_answer(&self) -> Wait {
        if self.has_more() { Wait::ForOthers } else { Wait::ToRead }
    }

    /// Whether it has another turn as soon as others have had theirs.
    pub(super) fn may_go_on(&self) -> bool {
        matches!(self.state, ClientState::Idle) && self.has_more()
    }

    /// Whether there is unprocessed input.
    fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// Sends as much of an answer as there is room for. Returns since when something is unsent.
    ///
    /// # Errors
    /// [`Closed`].
    pub(super) fn send(&mut self, bytes: &[u8], now: Instant) -> Result<Option<Instant>, Closed> {
        self.stream.send(bytes, now)
    }

    /// Sends an event of that guest. `make` makes it; its argument is the number of events left out
    /// before it. `None` if the client does not watch that guest.
    ///
    /// # Errors
    /// [`Closed`].
    pub(super) fn send_event(
        &mut self,
        guest: &str,
        make: impl FnOnce(u64) -> Vec<u8>,
        now: Instant,
    ) -> Result<Option<Delivery>, Closed> {
        let ClientState::Watching(only, left_out) = &mut self.state else { return Ok(None) };
        if only.as_deref().is_some_and(|only| only != guest) {
            return Ok(None);
        }
        if self.stream.unsent() >= WATCH_QUEUE_MAX {
            *left_out += 1;
            return Ok(Some(Delivery { is_kept: false, is_sent: false }));
        }
        let unsent = self.stream.send(&make(std::mem::take(left_out)), now)?;
        Ok(Some(Delivery { is_kept: true, is_sent: unsent.is_none() }))
    }

    fn message(&mut self) -> Result<Option<Request>, Closed> {
        match front(&self.input) {
            Front::Incomplete => Ok(None),
            Front::Broken => Err(Closed::Gone),
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
