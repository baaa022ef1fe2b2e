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

/// How long to pause when no descriptors are left, or something is to be closed first.
const PAUSE: Duration = Duration::from_secs(1);

/// Connections accepted at a Unix socket, or at all of them that share a pace. Each costs the daemon 10 to 20 us of CPU time,
/// so whoever connects again and again, allowed to ask or not, costs it 2 % of a CPU. All others wait 1 ms for each of those
/// that connect at the same time.
const ACCEPTED: Bound = Bound { per_second: 1000, burst: 64 };

/// Connections accepted over TCP or AF_VSOCK, which cost the daemon 10 % of a CPU, and 17 % where each is a scrape that
/// takes 35 us to answer. There, whoever finds no room does not wait for it, but is refused, or tries again after a
/// second. So whoever connects more often than that keeps others out as well, which a lower bound would make easier.
const ACCEPTED_OR_REFUSED: Bound = Bound { per_second: 5000, burst: 64 };

/// Connections for which there has to be room again before more are accepted: pauses are not shorter than 16 ms, or 4 ms
/// over TCP and AF_VSOCK, where 64 may wait at least.
const BATCH: u32 = 16;

/// How many connections were accepted at a socket, or at several.
#[derive(Debug)]
pub(crate) struct AcceptPace {
    bound: Bound,
    accepted: Bucket,
}

impl AcceptPace {
    /// None yet, at a Unix socket.
    pub(crate) fn new() -> Self {
        Self { bound: ACCEPTED, accepted: Bucket::default() }
    }

    /// None yet, over TCP or AF_VSOCK.
    pub(crate) fn where_others_are_refused() -> Self {
        Self { bound: ACCEPTED_OR_REFUSED, accepted: Bucket::default() }
    }

    /// Counts one. Returns how long to pause before the next is accepted; zero if that is not necessary.
    fn count(&mut self, now: Instant) -> Duration {
        self.accepted.take(1, self.bound, now);
        match self.accepted.wait(1, self.bound, now).is_zero() {
            true => Duration::ZERO,
            false => self.accepted.wait(BATCH, self.bound, now),
        }
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
    /// Accepts one waiting connection, and counts it.
    pub(crate) fn accept(
        self,
        socket: impl AsFd,
        pace: &mut AcceptPace,
        ctx: &mut Ctx<'_>,
    ) -> Option<OwnedFd> {
        let fd = self.accept_uncounted(&socket, ctx)?;
        self.count(socket, pace, ctx);
        Some(fd)
    }

    /// Accepts one waiting connection, which is counted only if it turns out to be one that has to be.
    pub(crate) fn accept_uncounted(self, socket: impl AsFd, ctx: &mut Ctx<'_>) -> Option<OwnedFd> {
        match rustix::net::accept_with(&socket, SocketFlags::NONBLOCK | SocketFlags::CLOEXEC) {
            Ok(fd) => Some(fd),
            Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                self.pause(socket, PAUSE, ctx);
                None
            }
            Err(_) => None,
        }
    }

    /// Counts a connection that was accepted, and pauses if there is no room for another. Where sockets share a pace, each
    /// pauses only after one of its own connections was counted.
    pub(crate) fn count(self, socket: impl AsFd, pace: &mut AcceptPace, ctx: &mut Ctx<'_>) {
        let pause = pace.count(ctx.now);
        if !pause.is_zero() {
            self.pause(socket, pause, ctx);
        }
    }

    /// Pauses while something has to be closed first that those who connected have left.
    pub(crate) fn wait_for_closing(self, socket: impl AsFd, ctx: &mut Ctx<'_>) {
        self.pause(socket, PAUSE, ctx);
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

    use crate::reactor::Ready;

    /// How many of 10 that connect each millisecond at each of some sockets are accepted in a second.
    fn accepted_in_a_second(sockets: usize, mut pace: AcceptPace) -> u32 {
        let (start, mut accepted) = (Instant::now(), 0);
        let mut paused_until = vec![start; sockets];
        for now in (0..1000).map(|millis| start + Duration::from_millis(millis)) {
            for until in &mut paused_until {
                for _ in 0..10 {
                    if *until <= now {
                        accepted += 1;
                        *until = now + pace.count(now);
                    }
                }
            }
        }
        accepted
    }

    #[test]
    fn a_thousand_connections_a_second_are_accepted_and_the_others_wait() {
        let accepted = accepted_in_a_second(1, AcceptPace::new());
        assert!((1000..=1064).contains(&accepted), "{accepted}");
    }

    #[test]
    fn forty_sockets_that_share_a_pace_accept_no_more_than_one_but_for_their_first() {
        let accepted = accepted_in_a_second(40, AcceptPace::new());
        assert!((1000..=1064 + 40).contains(&accepted), "{accepted}");
    }

    #[test]
    fn five_thousand_are_accepted_where_the_others_may_be_refused() {
        let accepted = accepted_in_a_second(1, AcceptPace::where_others_are_refused());
        assert!((5000..=5064).contains(&accepted), "{accepted}");
    }

    #[test]
    fn a_socket_that_has_used_up_its_room_is_not_waited_for_until_its_alarm() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let socket = UnixListener::bind(&path).unwrap();
        let mut reactor = Reactor::new().unwrap();
        reactor.add(&socket, Token::Control, Interest::Read).unwrap();
        let accepting = Accepting { who: "x", token: Token::Control, alarm: Alarm::Control };
        let (mut pace, mut ready) = (AcceptPace::new(), Vec::<Ready>::new());
        let ctx = &mut reactor.now();
        let now = ctx.now;
        for _ in 0..ACCEPTED.burst {
            let _client = UnixStream::connect(&path).unwrap();
            assert!(accepting.accept(&socket, &mut pace, ctx).is_some());
        }
        let _waits = UnixStream::connect(&path).unwrap();
        // It sleeps until the alarm, although somebody waits.
        reactor.wait(&mut ready).unwrap();
        assert!(ready.is_empty());
        assert_eq!(reactor.due(now + Duration::from_millis(BATCH.into())), Some(Alarm::Control));
        accepting.wait_for(&socket, Interest::Read, &reactor);
        reactor.wait(&mut ready).unwrap();
        assert_eq!(ready.len(), 1);
    }
}
