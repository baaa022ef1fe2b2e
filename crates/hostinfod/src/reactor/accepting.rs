//! Accepts connections at a listening socket, and pauses when it cannot.

use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::alarms::Alarm;
use super::poll::Interest;
use super::token::Token;
use super::{Ctx, Reactor};

/// How long to pause when no descriptors are left.
const PAUSE: Duration = Duration::from_secs(1);

/// What a listening socket is in the reactor and in the log.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Accepting {
    /// Who connects, in the log.
    pub(crate) who: &'static str,
    /// Its token in the reactor.
    pub(crate) token: Token,
    /// The alarm that ends a pause.
    pub(crate) alarm: Alarm,
}

impl Accepting {
    /// Accepts one waiting connection.
    pub(crate) fn accept(self, socket: impl AsFd, ctx: &mut Ctx<'_>) -> Option<OwnedFd> {
        match rustix::net::accept_with(&socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(fd) => Some(fd),
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                ctx.reactor.set_alarm(self.alarm, Some(ctx.now + PAUSE));
                self.wait_for(socket, Interest::None, ctx.reactor);
                None
            }
            Err(_) => None,
        }
    }

    /// Waits for connections, or pauses.
    pub(crate) fn wait_for(self, socket: impl AsFd, interest: Interest, reactor: &Reactor) {
        if let Err(error) = reactor.modify(socket, self.token, interest) {
            tracing::error!("cannot wait for {}: {error}", self.who);
        }
    }
}
