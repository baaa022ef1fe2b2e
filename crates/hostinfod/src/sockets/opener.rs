//! hostinfo-open: connects to sockets that the daemon's own user may not open. Asked one thing at a time, and never
//! waited for: its answer comes as an event of the loop.

use std::collections::VecDeque;
use std::io;
use std::path::PathBuf;

use hostinfo_open::{Answer, Request, message};
use hostinfo_peer::PeerSocket;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::reactor::id::PortId;
use crate::sockets::ConnectError;

/// The way to it.
#[derive(Debug)]
pub(crate) struct Opener {
    path: PathBuf,
    /// Only while there is something to ask: then it can end.
    connection: Option<PeerSocket>,
    /// What it was asked.
    asked: Option<(PortId, Request)>,
    /// Ports that want it asked: at most as many as there are.
    waiting: VecDeque<PortId>,
}

impl Opener {
    /// Nothing is asked yet.
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, connection: None, asked: None, waiting: VecDeque::new() }
    }

    /// A port wants it asked.
    pub(crate) fn add(&mut self, port: PortId) {
        let is_asked = self.asked.as_ref().is_some_and(|(asked, _)| *asked == port);
        if !is_asked && !self.waiting.contains(&port) {
            self.waiting.push_back(port);
        }
    }

    /// The next port, while nothing is asked.
    pub(crate) fn next(&mut self) -> Option<PortId> {
        if self.asked.is_some() { None } else { self.waiting.pop_front() }
    }

    /// Asks it. Its descriptor where the connection is new, and is to be waited for.
    ///
    /// # Errors
    /// [`ConnectError::NoOpener`] where it does not run, [`ConnectError::Failed`] where it does not take more.
    pub(crate) fn ask(
        &mut self,
        port: PortId,
        request: Request,
    ) -> Result<Option<&PeerSocket>, ConnectError> {
        let is_new = self.connection.is_none();
        let connection = match self.connection.take() {
            Some(connection) => connection,
            None => self.connect()?,
        };
        match message::send(&connection, &request.to_packet(), None) {
            // It has hung up, and may have said why.
            Ok(()) | Err(Errno::PIPE | Errno::CONNRESET) => {}
            Err(error) => return Err(failed(error)),
        }
        self.asked = Some((port, request));
        let connection = self.connection.insert(connection);
        Ok(is_new.then_some(connection))
    }

    fn connect(&self) -> Result<PeerSocket, ConnectError> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket =
            rustix::net::socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        let address = SocketAddrUnix::new(&*self.path)?;
        match rustix::net::connect(&socket, &address) {
            // A late answer, which nobody takes, has a socket at which a guest's VMM can send anything.
            Ok(()) => Ok(PeerSocket::for_descriptors(socket)),
            Err(Errno::NOENT | Errno::CONNREFUSED | Errno::ACCESS) => Err(ConnectError::NoOpener),
            Err(error) => Err(failed(error)),
        }
    }

    /// What it has answered, and to what; `None` while it has not.
    pub(crate) fn answer(&mut self) -> Option<(PortId, Request, Result<PeerSocket, ConnectError>)> {
        let connection = self.connection.as_ref()?;
        let answered = match message::receive(connection) {
            Err(Errno::AGAIN | Errno::INTR) => return None,
            // It hung up before it read what it was asked. What it has said comes behind that.
            Err(Errno::CONNRESET) => message::receive(connection),
            other => other,
        };
        let result = match answered.map(|(packet, fd)| (Answer::parse(&packet), fd)) {
            Ok((Some(Answer::Connected), Some(socket))) => Ok(socket.into()),
            Ok((Some(Answer::Gone), _)) => Err(ConnectError::Gone),
            Ok((Some(Answer::NobodyListens), _)) => Err(ConnectError::NobodyListens),
            Ok((Some(Answer::Full), _)) => Err(ConnectError::Full),
            Ok((Some(Answer::Refused(why)), _)) => Err(ConnectError::ByOpener(why)),
            Ok(_) => Err(self.hung_up(io::Error::other("hostinfo-open hung up: see its log"))),
            Err(error) => Err(self.hung_up(error.into())),
        };
        let (port, request) = self.asked.take()?;
        Some((port, request, result))
    }

    /// It has not answered in time: what it was asked.
    pub(crate) fn give_up(&mut self) -> Option<PortId> {
        self.connection = None;
        self.asked.take().map(|(port, _)| port)
    }

    /// There is nothing more to ask.
    pub(crate) fn hang_up(&mut self) {
        if self.asked.is_none() {
            self.connection = None;
        }
    }

    /// Whether nothing is asked.
    pub(crate) fn is_idle(&self) -> bool {
        self.asked.is_none()
    }

    fn hung_up(&mut self, error: io::Error) -> ConnectError {
        self.connection = None;
        ConnectError::Failed(error)
    }
}

fn failed(error: Errno) -> ConnectError {
    ConnectError::Failed(io::Error::other(format!("hostinfo-open cannot be asked: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::fd::OwnedFd;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use hostinfo_peer::examples::Slow;
    use rustix::net::{SendFlags, accept, bind, listen, socket};

    use crate::reactor::id::Id as _;

    fn listen_at(path: &Path) -> OwnedFd {
        let listener = socket(AddressFamily::UNIX, SocketType::SEQPACKET, None).unwrap();
        bind(&listener, &SocketAddrUnix::new(path).unwrap()).unwrap();
        listen(&listener, 1).unwrap();
        listener
    }

    fn request() -> Request {
        let [pattern, driver, name] = ["/run/{name}", "qemu", "a"].map(str::to_owned);
        Request { pattern, driver, name }
    }

    #[test]
    fn why_it_refuses_is_known_although_it_hangs_up_before_it_is_asked_or_reads_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (listener, mut opener) = (listen_at(&path), Opener::new(path));
        let refuse = |socket: OwnedFd| {
            message::send(&socket, &Answer::Refused("no".into()).to_packet(), None).unwrap();
        };
        let answer = |opener: &mut Opener| match opener.answer().unwrap().2 {
            Err(ConnectError::ByOpener(why)) => assert_eq!(why, "no"),
            other => panic!("{other:?}"),
        };
        opener.ask(PortId::of(1), request()).unwrap();
        refuse(accept(&listener).unwrap());
        answer(&mut opener);
        opener.hang_up();

        opener.ask(PortId::of(1), request()).unwrap();
        let socket = accept(&listener).unwrap();
        message::receive(&socket).unwrap();
        message::send(&socket, &Answer::Gone.to_packet(), None).unwrap();
        assert!(matches!(opener.answer().unwrap().2, Err(ConnectError::Gone)));
        refuse(socket);
        opener.ask(PortId::of(2), request()).unwrap();
        answer(&mut opener);
    }

    #[test]
    fn nobody_waits_for_what_comes_with_an_answer_that_is_late() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let (listener, mut opener) = (listen_at(&path), Opener::new(path));
        opener.ask(PortId::of(1), request()).unwrap();
        let asked = accept(&listener).unwrap();
        let far_end = Slow::new().unwrap().send(&asked, SendFlags::empty()).unwrap();
        let begun = Instant::now();
        assert_eq!(opener.give_up(), Some(PortId::of(1)));
        assert!(begun.elapsed() < Duration::from_secs(60));
        drop(far_end);
    }
}
