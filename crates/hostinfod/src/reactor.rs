//! What the daemon waits for: descriptors, each with a [`Token`], and times, each with an
//! [`Alarm`].

pub(crate) mod accepting;
pub(crate) mod alarms;
pub(crate) mod id;
pub(crate) mod poll;
pub(crate) mod token;

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use alarms::{Alarm, Alarms};
use hostinfo_peer::Epoll;
use poll::{Interest, Poll};
use token::Token;

/// Everything that the daemon waits for.
pub(crate) struct Reactor {
    poll: Poll,
    alarms: Alarms<Alarm>,
}

/// What every event handler gets: the reactor, and the current time.
pub(crate) struct Ctx<'r> {
    /// Where the handler says what to wait for.
    pub(crate) reactor: &'r mut Reactor,
    /// The current time.
    pub(crate) now: Instant,
}

/// A descriptor that is ready.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    /// Identifies the descriptor.
    pub(crate) token: Token,
    /// The other end is gone, or the descriptor is broken.
    pub(crate) hung_up: bool,
}

impl Reactor {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// No descriptors are left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, alarms: Alarms::new() })
    }

    /// A context with the current time.
    pub(crate) fn now(&mut self) -> Ctx<'_> {
        Ctx { reactor: self, now: Instant::now() }
    }

    /// Waits for `fd` from now on, until it is closed.
    ///
    /// # Errors
    /// The kernel has no room (max_user_watches), or `fd` cannot be waited for.
    pub(crate) fn add(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.poll.add(fd, token.encode(), interest)
    }

    /// For a part of the daemon that adds its descriptors itself.
    pub(crate) fn of_part(&self, token: Token) -> Epoll {
        self.poll.of_part(token.encode())
    }

    /// Changes what is waited for on `fd`.
    ///
    /// # Errors
    /// `fd` was not added.
    pub(crate) fn modify(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.poll.modify(fd, token.encode(), interest)
    }

    /// Sets, moves or cancels an alarm.
    pub(crate) fn set_alarm(&mut self, alarm: Alarm, at: Option<Instant>) {
        self.alarms.set(alarm, at);
    }

    /// Sleeps until a descriptor is ready or an alarm is due. Fills `ready`.
    ///
    /// # Errors
    /// Those of epoll_wait(2), except an interruption by a signal.
    pub(crate) fn wait(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        let until = self.alarms.next();
        // A number that is not a token's was never passed to the kernel, and can be ignored.
        ready.extend(self.poll.wait(until)?.filter_map(|(number, hung_up)| {
            Some(Ready { token: Token::decode(number)?, hung_up })
        }));
        Ok(())
    }

    /// Removes and returns the first alarm that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Alarm> {
        self.alarms.due(now)
    }
}
