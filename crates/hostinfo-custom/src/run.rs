//! A command that hostinfo-run was asked to run: a connection to it.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
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
    connection: OwnedFd,
    program: String,
    timeout: Duration,
    pub(crate) deadline: Instant,
}

impl Run {
    /// Asks hostinfo-run, which listens at `socket`, for a run, and has `epoll` report its answer. Never waits.
    ///
    /// # Errors
    /// [`Failure::NoRunner`], or [`Failure::Silent`] if it does not accept what others asked for.
    pub(crate) fn start(
        socket: &Path,
        epoll: &OwnedFd,
        key: Key,
        order: Order,
        now: Instant,
    ) -> Result<Self, (Key, Failure)> {
        let Order { request, program, timeout } = order;
        match ask(socket, epoll, &request) {
            Ok(connection) => {
                let deadline = now + timeout + ANSWER_MARGIN;
                Ok(Self { key, connection, program, timeout, deadline })
            }
            Err(Errno::AGAIN) => Err((key, Failure::Silent)),
            Err(error) => Err((key, Failure::NoRunner(socket.to_owned(), error.into()))),
        }
    }

    /// What came of it; `None` while it is running.
    pub(crate) fn outcome(&self, now: Instant) -> Option<Result<Vec<u8>, Failure>> {
        let packet = match message::receive(&self.connection) {
            Err(Errno::AGAIN | Errno::INTR) if now < self.deadline => return None,
            Err(Errno::AGAIN | Errno::INTR) => return Some(Err(Failure::Silent)),
            Err(Errno::MSGSIZE) => return Some(Err(Failure::Nonsense)),
            Err(_) => return Some(Err(Failure::Lost)),
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

fn ask(socket: &Path, epoll: &OwnedFd, request: &Request) -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let connection =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    hostinfo_peer::refuse_descriptors(&connection);
    rustix::net::connect(&connection, &SocketAddrUnix::new(socket)?)?;
    message::send(&connection, &request.to_packet())?;
    epoll::add(epoll, &connection, EventData::new_u64(0), EventFlags::IN)?;
    Ok(connection)
}
