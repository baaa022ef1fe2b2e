//! A socket at which people and programs on the host connect.

use std::io;
use std::net::TcpListener;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Instant;

use hostinfo_peer::{PeerSocket, Unclosed};

use super::unix_socket::UnixSocket;
use crate::audit::quota::OncePerMinute;
use crate::handover::ListenerState;
use crate::reactor::accepting::{AcceptPace, Accepting};
use crate::reactor::alarms::Alarm;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::reactor::{Ctx, Reactor};
use crate::system::credentials::Credentials;
use crate::system::descriptors::Outgoing;

/// Where they connect.
pub(super) enum Socket {
    Unix(UnixSocket),
    Tcp(TcpListener),
}

/// The most connections of one socket's clients that are still being closed, since descriptors were sent over them: each
/// is an open file.
const UNCLOSED_MAX: usize = 16;

/// A listening socket.
pub(super) struct Listener {
    socket: Socket,
    accepting: Accepting,
    pace: AcceptPace,
    /// Clients that sent descriptors, in the log.
    senders: OncePerMinute,
}

impl Listener {
    /// Adds a listening socket to the reactor. `who` connects, in the log.
    ///
    /// # Errors
    /// The kernel has no room for it.
    pub(super) fn new(
        who: &'static str,
        socket: Socket,
        token: Token,
        alarm: Alarm,
        reactor: &Reactor,
    ) -> io::Result<Self> {
        reactor.add(&socket, token, Interest::Read)?;
        let accepting = Accepting { who, token, alarm };
        let pace = match &socket {
            Socket::Unix(_) => AcceptPace::new(),
            Socket::Tcp(_) => AcceptPace::where_others_are_refused(),
        };
        Ok(Self { socket, accepting, pace, senders: OncePerMinute::default() })
    }

    /// What another program goes on with.
    pub(super) fn hand_over<'l>(&'l self, fds: &mut Outgoing<'l>) -> ListenerState {
        let file = match &self.socket {
            Socket::Unix(socket) => Some(socket.file()),
            Socket::Tcp(_) => None,
        };
        ListenerState { fd: fds.add(self.socket.as_fd()), file }
    }

    /// Accepts one waiting connection, unless the clients have left too much to be closed.
    pub(super) fn accept(&mut self, unclosed: &Unclosed, ctx: &mut Ctx<'_>) -> Option<PeerSocket> {
        if unclosed.count() >= UNCLOSED_MAX {
            self.accepting.wait_for_closing(&self.socket, ctx);
            return None;
        }
        let fd = self.accepting.accept(&self.socket, &mut self.pace, ctx)?;
        Some(PeerSocket::new(fd, unclosed.clone()))
    }

    /// Hangs up on a client. If it has sent descriptors, the log says whose it was.
    pub(super) fn hang_up(&mut self, client: impl AsFd, unclosed: &Unclosed, now: Instant) {
        let (credentials, before) = (Credentials::of(&client), unclosed.count());
        drop(client);
        if let Some(Credentials { uid, .. }) = credentials
            && unclosed.count() > before
            && self.senders.ask(now)
        {
            let (who, uid) = (self.accepting.who, uid.as_raw());
            tracing::warn!(
                "{who}: user {uid} has sent descriptors, as no well-meaning client does, and was hung up on"
            );
        }
    }

    /// Accepts connections again after a pause.
    pub(super) fn resume(&self, ctx: &Ctx<'_>) {
        self.accepting.wait_for(&self.socket, Interest::Read, ctx.reactor);
    }
}

impl AsFd for Socket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Self::Unix(socket) => socket.as_fd(),
            Self::Tcp(socket) => socket.as_fd(),
        }
    }
}
