//! Accepts connections of people and programs on the host, and pauses when it cannot.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SocketFlags;

use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};

/// How long to pause when no descriptors are left.
const PAUSE: Duration = Duration::from_secs(1);

/// A listening socket.
pub(super) struct Listener {
    /// Its name in the log.
    name: &'static str,
    place: Box<dyn AsFd>,
    /// Its token in the reactor.
    token: Token,
    /// The alarm that ends a pause.
    alarm: Alarm,
}

impl Listener {
    /// Adds a listening socket to the reactor.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub(super) fn new(
        name: &'static str,
        place: Box<dyn AsFd>,
        token: Token,
        alarm: Alarm,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        reactor.add(&place, token, Interest::Read)?;
        Ok(Self { name, place, token, alarm })
    }

    /// Accepts one waiting connection.
    pub(super) fn accept(&self, ctx: &mut Ctx<'_>) -> Option<OwnedFd> {
        match rustix::net::accept_with(&self.place, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(fd) => Some(fd),
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                ctx.reactor.set_alarm(self.alarm, Some(ctx.now + PAUSE));
                self.wait_for(Interest::Rest, ctx.reactor);
                None
            }
            Err(_) => None,
        }
    }

    /// Accepts connections again after a pause.
    pub(super) fn resume(&self, ctx: &Ctx<'_>) {
        self.wait_for(Interest::Read, ctx.reactor);
    }

    fn wait_for(&self, interest: Interest, reactor: &Reactor) {
        if let Err(error) = reactor.modify(&self.place, self.token, interest) {
            tracing::error!("cannot wait for {}: {error}", self.name);
        }
    }
}
