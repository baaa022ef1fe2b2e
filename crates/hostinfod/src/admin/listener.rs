//! Where people connect, and when nobody is let in.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SocketFlags;

use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};

/// How long nobody is let in where there are no descriptors left.
const PAUSE: Duration = Duration::from_secs(1);

/// A place where people connect.
pub(super) struct Listener {
    /// What it is to the log.
    name: &'static str,
    place: Box<dyn AsFd>,
    /// What tells that somebody has come.
    token: Token,
    /// When people are let in again.
    alarm: Alarm,
}

impl Listener {
    /// Waits for people to come to a socket that listens.
    ///
    /// # Errors
    /// Where the kernel has no room for it.
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

    /// Lets one in who waits.
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

    /// Lets people in again.
    pub(super) fn resume(&self, ctx: &Ctx<'_>) {
        self.wait_for(Interest::Read, ctx.reactor);
    }

    fn wait_for(&self, interest: Interest, reactor: &Reactor) {
        if let Err(error) = reactor.modify(&self.place, self.token, interest) {
            tracing::error!("cannot wait for {}: {error}", self.name);
        }
    }
}
