//! One client of the control socket: bytes in, messages out, and what it is owed.

use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Instant;

use hostinfo_answer::Pending;
use hostinfo_control::limits::{CHUNK, WATCH_QUEUE_MAX};
use hostinfo_control::{Front, Request, front};
use rustix::io::Errno;
use rustix::process::Uid;

use crate::reactor::poll::Interest;
use crate::stream::{Closed, write_some};

/// A client. Idle, it holds nothing but itself.
pub(crate) struct Client {
    fd: OwnedFd,
    user: Uid,
    /// What has come and was not looked at: at most one message and [`CHUNK`] bytes.
    input: Vec<u8>,
    /// What it has not read yet: one reply, or events.
    output: Vec<u8>,
    output_since: Option<Instant>,
    doing: Doing,
    /// What the loop waits for on it.
    pub(crate) interest: Interest,
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
pub(crate) fn is_trusted(user: Uid) -> bool {
    user.is_root() || user == rustix::process::geteuid()
}

/// When a client has its next turn, or what to do in this one.
pub(crate) enum Next {
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
pub(crate) struct Told {
    /// It was not left out.
    pub(crate) is_kept: bool,
    /// The kernel had room for it and for all before it.
    pub(crate) is_sent: bool,
}

impl Client {
    /// Takes over a descriptor that does not block, of that user.
    pub(crate) fn new(fd: OwnedFd, user: Uid) -> Self {
        Self {
            fd,
            user,
            input: Vec::new(),
            output: Vec::new(),
            output_since: None,
            doing: Doing::Nothing,
            interest: Interest::Read,
        }
    }

    /// Who it is.
    pub(crate) fn user(&self) -> Uid {
        self.user
    }

    /// Whether it may change something, and always finds room.
    pub(crate) fn is_trusted(&self) -> bool {
        is_trusted(self.user)
    }

    /// Whether it waits for values.
    pub(crate) fn waits(&self) -> bool {
        matches!(self.doing, Doing::Waiting(..))
    }

    /// What it waited for with its end.
    pub(crate) fn waits_for(self) -> Option<Request> {
        match self.doing {
            Doing::Waiting(request, _) => Some(request),
            Doing::Nothing | Doing::Watching(..) => None,
        }
    }

    /// Whether it is told what guests ask.
    pub(crate) fn watches(&self) -> bool {
        matches!(self.doing, Doing::Watching(..))
    }

    /// Has `request` come again.
    pub(crate) fn wait(&mut self, request: Request, pending: Pending) {
        self.doing = Doing::Waiting(request, pending);
    }

    /// Tells it events from now on, of that guest or of all.
    pub(crate) fn watch(&mut self, guest: Option<Box<str>>) {
        self.doing = Doing::Watching(guest, 0);
    }

    /// Sends what is owed, or finds what is asked. Reads at most [`CHUNK`] bytes.
    ///
    /// # Errors
    /// [`Closed`], also where it speaks nonsense.
    pub(crate) fn turn(&mut self) -> Result<Next, Closed> {
        if !self.flush()? {
            return Ok(Next::WhenWritten(self.output_since));
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
        self.read()?;
        let message = self.message()?;
        Ok(message.map_or(Next::WhenRead, |request| Next::Answer(request, None)))
    }

    /// Whether it has a turn as soon as others had theirs.
    pub(crate) fn may_go_on(&self) -> bool {
        matches!(self.doing, Doing::Nothing) && self.has_more()
    }

    /// Whether something has come that was not looked at.
    pub(crate) fn has_more(&self) -> bool {
        !self.input.is_empty()
    }

    /// Sends an answer, or as much as there is room for. True where that was all. There has to be
    /// nothing left of another one.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn send(&mut self, bytes: &[u8], now: Instant) -> Result<bool, Closed> {
        let rest = write_some(self.fd.as_fd(), bytes)?;
        self.output = rest.to_vec();
        self.output_since = (!rest.is_empty()).then_some(now);
        Ok(rest.is_empty())
    }

    /// Tells of an event of that guest; `make` makes it of the number that was left out before.
    /// `None` where the client does not watch that guest.
    ///
    /// # Errors
    /// [`Closed`].
    pub(crate) fn tell(
        &mut self,
        guest: &str,
        make: impl FnOnce(u64) -> Vec<u8>,
    ) -> Result<Option<Told>, Closed> {
        let Doing::Watching(only, left_out) = &mut self.doing else { return Ok(None) };
        if only.as_deref().is_some_and(|only| only != guest) {
            return Ok(None);
        }
        let is_kept = self.output.len() < WATCH_QUEUE_MAX;
        if is_kept {
            self.output.extend(make(std::mem::take(left_out)));
        } else {
            *left_out += 1;
        }
        Ok(Some(Told { is_kept, is_sent: is_kept && self.flush()? }))
    }

    /// True where nothing is left.
    fn flush(&mut self) -> Result<bool, Closed> {
        let left = write_some(self.fd.as_fd(), &self.output)?.len();
        if left == 0 {
            self.output = Vec::new();
            self.output_since = None;
        } else {
            self.output.drain(..self.output.len() - left);
        }
        Ok(left == 0)
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

    fn read(&mut self) -> Result<(), Closed> {
        let mut chunk = [0; CHUNK];
        match rustix::io::read(&self.fd, &mut chunk) {
            Ok(0) => Err(Closed),
            Ok(count) => {
                self.input.extend_from_slice(chunk.get(..count).unwrap_or_default());
                Ok(())
            }
            Err(Errno::AGAIN | Errno::INTR) => Ok(()),
            Err(_) => Err(Closed),
        }
    }
}

impl AsFd for Client {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}
