//! A command that hostinfo-run was asked to run: a connection to it.

use std::path::Path;
use std::time::{Duration, Instant};

use hostinfo_peer::{Epoll, PeerSocket, ReadError, Unclosed, refuse_descriptors};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::failure::Failure;
use crate::limits::ANSWER_MARGIN;
use crate::message::{self, Answer, Request};
use crate::queue::Key;

/// What to run.
pub(crate) struct Order {
    pub(crate) request: Request,
    /// Its program, for messages.
    pub(crate) program: String,
    pub(crate) timeout: Duration,
}

/// A run in progress. If it is dropped, hostinfo-run kills the command.
pub(crate) struct Run {
    pub(crate) key: Key,
    /// The guest whose turn it is.
    pub(crate) asker: Box<str>,
    connection: PeerSocket,
    program: String,
    timeout: Duration,
    pub(crate) deadline: Instant,
}

impl Run {
    /// Asks hostinfo-run, which listens at `socket`, for a run, and has `epoll` report its answer. Never waits. What it leaves
    /// to be closed is counted in `unclosed`.
    ///
    /// # Errors
    /// If it cannot be asked, whatever for.
    pub(crate) fn start(
        socket: &Path,
        epoll: &Epoll,
        unclosed: &Unclosed,
        key: Key,
        asker: Box<str>,
        order: Order,
        now: Instant,
    ) -> Result<Self, (Key, Unasked)> {
        if unclosed.count() > 0 {
            return Err((key, Unasked::Descriptors));
        }
        let Order { request, program, timeout } = order;
        match ask(socket, epoll, unclosed, &request) {
            Ok(connection) => {
                let deadline = now + timeout + ANSWER_MARGIN;
                Ok(Self { key, asker, connection, program, timeout, deadline })
            }
            Err(error) => Err((key, Unasked::Error(error))),
        }
    }

    /// What came of it; `None` while it is running.
    pub(crate) fn outcome(&self, now: Instant) -> Option<Result<Vec<u8>, Failure>> {
        let packet = match message::receive(&self.connection) {
            Err(ReadError::Descriptors) => return Some(Err(Failure::Descriptors)),
            Err(ReadError::System(error)) => match error {
                Errno::AGAIN | Errno::INTR if now < self.deadline => return None,
                Errno::AGAIN | Errno::INTR => return Some(Err(Failure::Silent)),
                Errno::MSGSIZE => return Some(Err(Failure::Nonsense)),
                _ => return Some(Err(Failure::Lost)),
            },
            Ok(packet) if packet.is_empty() => return Some(Err(Failure::Lost)),
            Ok(packet) => packet,
        };
        Some(match Answer::parse(&packet) {
            Some(Answer::Printed(output)) => Ok(output),
            Some(Answer::TooLong) => Err(Failure::TooLong),
            Some(Answer::Failed(status, errors)) => Err(Failure::Failed { status, errors }),
            Some(Answer::Late(errors)) => Err(Failure::Late { timeout: self.timeout, errors }),
            Some(Answer::NotRun(error)) => Err(Failure::NotRun(self.program.clone(), error.into())),
            Some(Answer::Refused(why)) => Err(Failure::Refused(why)),
            None => Err(Failure::Nonsense),
        })
    }
}

/// Why hostinfo-run cannot be asked now, whatever for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unasked {
    /// It left something that is not closed yet.
    Descriptors,
    /// It cannot be reached; `EAGAIN` if it does not accept what others asked for.
    Error(Errno),
}

impl Unasked {
    /// The same for a run that would have asked it at `socket`.
    pub(crate) fn failure(self, socket: &Path) -> Failure {
        match self {
            Self::Descriptors => Failure::Descriptors,
            Self::Error(Errno::AGAIN) => Failure::Silent,
            Self::Error(error) => Failure::NoRunner(socket.to_owned(), error.into()),
        }
    }
}

fn ask(
    socket: &Path,
    epoll: &Epoll,
    unclosed: &Unclosed,
    request: &Request,
) -> Result<PeerSocket, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let connection =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    refuse_descriptors(&connection);
    let connection = PeerSocket::new(connection, unclosed.clone());
    rustix::net::connect(&connection, &SocketAddrUnix::new(socket)?)?;
    message::send(&connection, &request.to_packet())?;
    epoll.add(&connection)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_peer::examples::{Slow, packets};
    use rustix::net::SendFlags;

    #[test]
    fn nobody_waits_for_a_descriptor_that_comes_with_an_answer_or_after_it() {
        for is_read in [true, false] {
            let (unclosed, now) = (Unclosed::default(), Instant::now());
            let (sender, connection) = packets(&unclosed).unwrap();
            let key = Key { name: "x".into(), guest: "a".into() };
            let (program, timeout) = ("x".to_owned(), Duration::from_secs(2));
            let (asker, deadline) = (Box::from("a"), now);
            let run = Run { key: key.clone(), asker, connection, program, timeout, deadline };
            let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
            if is_read {
                let outcome = run.outcome(now).unwrap();
                assert!(matches!(outcome, Err(Failure::Descriptors)), "{outcome:?}");
            }
            drop(run);
            let request =
                Request { fingerprint: "0".repeat(64), name: "x".into(), guest: "a".into() };
            let order = Order { request, program: "x".to_owned(), timeout };
            let epoll = Epoll::new().unwrap();
            let (socket, asker) = (Path::new("/nonexistent"), Box::from("a"));
            let next = Run::start(socket, &epoll, &unclosed, key, asker, order, now);
            assert!(matches!(next, Err((_, Unasked::Descriptors))), "it is asked again");
            assert!(now.elapsed() < Duration::from_secs(60), "{:?}", now.elapsed());
            drop(far_end);
        }
    }
}
