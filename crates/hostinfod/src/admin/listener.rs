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
    place: Box<dyn AsFd>,
    accepting: Accepting,
}

impl Listener {
    /// Adds a listening socket to the reactor. `who` connects, in the log.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub(super) fn new(
        who: &'static str,
        place: Box<dyn AsFd>,
        token: Token,
        alarm: Alarm,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        reactor.add(&place, token, Interest::Read)?;
        Ok(Self { place, accepting: Accepting { who, token, alarm } })
    }

    /// Accepts one waiting connection.
    pub(super) fn accept(&self, ctx: &mut Ctx<'_>) -> Option<OwnedFd> {
        self.accepting.accept(&self.place, ctx)
    }

    /// Accepts connections again after a pause.
    pub(super) fn resume(&self, ctx: &Ctx<'_>) {
        self.accepting.wait_for(&self.place, Interest::Read, ctx.reactor);
    }
}
