//! Accepts connections at a listening socket, and pauses when it cannot or there are too many.

use std::os::fd::{AsFd, OwnedFd};
use std::time::{Duration, Instant};

use hostinfo_answer::{Bound, Bucket};
use rustix::io::Errno;
use rustix::net::SocketFlags;

use super::alarms::Alarm;
use super::poll::Interest;
use super::token::Token;
use super::{Ctx, Reactor};

/// How long to pause when no descriptors are left.
const PAUSE: Duration = Duration::from_secs(1);

/// Connections accepted at one socket. Each costs the daemon 10 to 20 us of CPU time, so whoever connects again and again,
/// allowed to ask or not, costs it 2 % of a CPU. All others wait 1 ms for each of those that connect at the same time.
const ACCEPTED: Bound = Bound { per_second: 1000, burst: 64 };

/// Connections for which there has to be room again before more are accepted: pauses are not shorter than 16 ms.
const BATCH: u32 = 16;

/// How many connections were accepted at a socket, if that is bounded.
#[derive(Debug)]
pub(crate) struct AcceptPace(Option<Bucket>);

impl AcceptPace {
    /// None yet.
    pub(crate) fn new() -> Self {
        Self(Some(Bucket::default()))
    }

    /// Over TCP and AF_VSOCK. There, who finds no room does not wait for it, but is refused or tries again after a second: if
    /// connections were accepted slowly, whoever connects again and again would keep all others out.
    pub(crate) fn without_bound() -> Self {
        Self(None)
    }

    /// How long to pause before the next connection is accepted; zero if that is not necessary.
    fn pause(&self, now: Instant) -> Duration {
        match &self.0 {
            Some(bucket) if !bucket.wait(1, ACCEPTED, now).is_zero() => {
                bucket.wait(BATCH, ACCEPTED, now)
            }
            _ => Duration::ZERO,
        }
    }

    fn accepted(&mut self, now: Instant) {
        self.0.iter_mut().for_each(|bucket| bucket.take(1, ACCEPTED, now));
    }
}

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
    /// Accepts one waiting connection, at the socket's `pace`.
    pub(crate) fn accept(
        self,
        socket: impl AsFd,
        pace: &mut AcceptPace,
        ctx: &mut Ctx<'_>,
    ) -> Option<OwnedFd> {
        let pause = pace.pause(ctx.now);
        if !pause.is_zero() {
            self.pause(socket, pause, ctx);
            return None;
        }
        match rustix::net::accept_with(&socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(fd) => {
                pace.accepted(ctx.now);
                Some(fd)
            }
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.pause(socket, PAUSE, ctx);
                None
            }
            Err(_) => None,
        }
    }

    fn pause(self, socket: impl AsFd, time: Duration, ctx: &mut Ctx<'_>) {
        ctx.reactor.set_alarm(self.alarm, Some(ctx.now + time));
        self.wait_for(socket, Interest::None, ctx.reactor);
    }

    /// Waits for connections, or pauses.
    pub(crate) fn wait_for(self, socket: impl AsFd, interest: Interest, reactor: &Reactor) {
        if let Err(error) = reactor.modify(socket, self.token, interest) {
            tracing::error!("cannot wait for {}: {error}", self.who);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_thousand_connections_a_second_are_accepted_and_the_others_wait() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = UnixListener::bind(&path).unwrap();
        let (mut reactor, mut pace) = (Reactor::new().unwrap(), AcceptPace::new());
        reactor.add(&socket, Token::Control, Interest::Read).unwrap();
        let accepting = Accepting { who: "x", token: Token::Control, alarm: Alarm::Control };
        let (start, mut accepted) = (reactor.now().now, 0);
        for millis in 0..1000 {
            let ctx =
                &mut Ctx { reactor: &mut reactor, now: start + Duration::from_millis(millis) };
            for _ in 0..10 {
                let _client = UnixStream::connect(&path).unwrap();
                if accepting.accept(&socket, &mut pace, ctx).is_none() {
                    // It waits still.
                    drop(socket.accept().unwrap());
                    continue;
                }
                accepted += 1;
            }
        }
        assert!((1000..=1064).contains(&accepted), "{accepted}");
        assert_eq!(reactor.due(start + Duration::from_secs(1) + PAUSE), Some(Alarm::Control));
    }
}
