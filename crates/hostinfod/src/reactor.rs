//! What the daemon waits for: descriptors with their [`Token`]s, and times with their [`Alarm`]s.

pub(crate) mod alarms;
pub(crate) mod id;
pub(crate) mod poll;
pub(crate) mod token;

use std::io;
use std::os::fd::AsFd;
use std::time::Instant;

use alarms::{Alarm, Alarms};
use poll::{Interest, Poll};
use token::Token;

/// Everything that the daemon waits for.
pub(crate) struct Reactor {
    poll: Poll,
    alarms: Alarms<Alarm>,
}

/// What whoever has to do something is handed: what to wait for next, and what time it is.
pub(crate) struct Ctx<'r> {
    /// Where it says what it waits for.
    pub(crate) reactor: &'r mut Reactor,
    /// Now.
    pub(crate) now: Instant,
}

/// Something has come about on a descriptor.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ready {
    /// Whom it concerns.
    pub(crate) token: Token,
    /// The other end is gone, or the descriptor is broken.
    pub(crate) hung_up: bool,
}

impl Reactor {
    /// Waits for nothing yet.
    ///
    /// # Errors
    /// Where there are no descriptors left.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self { poll: Poll::new()?, alarms: Alarms::new() })
    }

    /// For something that is to be done now.
    pub(crate) fn now(&mut self) -> Ctx<'_> {
        Ctx { reactor: self, now: Instant::now() }
    }

    /// Waits for `fd` from now on, until it is closed.
    ///
    /// # Errors
    /// Where the kernel has no room (max_user_watches) or `fd` cannot be waited for.
    pub(crate) fn add(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.poll.add(fd, token.encode(), interest)
    }

    /// Waits for something else on `fd`.
    ///
    /// # Errors
    /// Where `fd` was not added.
    pub(crate) fn modify(&self, fd: impl AsFd, token: Token, interest: Interest) -> io::Result<()> {
        self.poll.modify(fd, token.encode(), interest)
    }

    /// Sets, moves or takes away an alarm.
    pub(crate) fn set_alarm(&mut self, alarm: Alarm, at: Option<Instant>) {
        self.alarms.set(alarm, at);
    }

    /// Sleeps until something has come about or an alarm is due. Fills `ready`.
    ///
    /// # Errors
    /// What epoll_wait(2) has, but for a signal that came between.
    pub(crate) fn wait(&mut self, ready: &mut Vec<Ready>) -> io::Result<()> {
        ready.clear();
        let until = self.alarms.next();
        // A number that no token has was never given to the kernel: there is nobody to tell.
        ready.extend(self.poll.wait(until)?.filter_map(|(number, hung_up)| {
            Some(Ready { token: Token::decode(number)?, hung_up })
        }));
        Ok(())
    }

    /// Takes off the first alarm that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<Alarm> {
        self.alarms.due(now)
    }
}
