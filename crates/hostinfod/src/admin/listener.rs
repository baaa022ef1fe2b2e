//! A socket at which people and programs on the host connect.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use crate::reactor::accepting::Accepting;
use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};

/// A listening socket.
pub(super) struct Listener {
    socket: Box<dyn AsFd>,
    accepting: Accepting,
}

impl Listener {
    /// Adds a listening socket to the reactor. `who` connects, in the log.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub(super) fn new(
        who: &'static str,
        socket: Box<dyn AsFd>,
        token: Token,
        alarm: Alarm,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        reactor.add(&socket, token, Interest::Read)?;
        Ok(Self { socket, accepting: Accepting { who, token, alarm } })
    }

    /// Accepts one waiting connection.
    pub(super) fn accept(&self, ctx: &mut Ctx<'_>) -> Option<OwnedFd> {
        self.accepting.accept(&self.socket, ctx)
    }

    /// Accepts connections again after a pause.
    pub(super) fn resume(&self, ctx: &Ctx<'_>) {
        self.accepting.wait_for(&self.socket, Interest::Read, ctx.reactor);
    }
}
