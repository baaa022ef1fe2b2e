//! A port of a guest: a socket in the directory or elsewhere, one of libvirt's own channels, a
//! pseudo-terminal, a place where the guest's VMM connects and each connection that was made there, or a connection
//! that the guest itself has made over AF_VSOCK.

pub(crate) mod connection;
pub(crate) mod listener;
pub(crate) mod pty;
pub(crate) mod retry;
pub(crate) mod vsock_domain;

use std::path::Path;
use std::time::Instant;

use connection::Connection;
use hostinfo_answer::Dialect;
use listener::GuestListener;
use pty::Pty;
use retry::Retry;
use vsock_domain::VsockDomain;

use crate::reactor::id::{GuestId, PatternId, PortId};

/// One port, connected or not.
#[derive(Debug)]
pub(crate) struct Port {
    /// The guest it belongs to.
    pub(crate) guest: GuestId,
    /// Where it leads.
    pub(crate) endpoint: Endpoint,
    /// The dialect that is spoken over it.
    pub(crate) dialect: Dialect,
    /// Failed tries to connect.
    pub(crate) retry: Retry,
    /// The connection, while there is one.
    pub(crate) connection: Option<Connection>,
    /// The peer may be another one since this time: what libvirt said before does not count.
    pub(crate) since: Instant,
    /// Why it was refused, as last logged.
    pub(crate) refusal: Option<String>,
}

/// What a port connects to.
#[derive(Debug)]
pub(crate) enum Endpoint {
    /// The socket with the guest's name.
    Socket,
    /// One of libvirt's own channels, at that path.
    Channel(Box<Path>),
    /// The socket with the guest's name in the place of a `[[sockets]]`.
    Pattern(PatternId),
    /// A pseudo-terminal, for whoever opens its other end.
    Pty(Box<Pty>),
    /// To nobody itself: the guest's VMM connects there, and each connection is a port.
    Listener(Box<GuestListener>),
    /// To the VMM that connected at that place.
    Accepted(PortId),
    /// To the guest itself, which has connected by AF_VSOCK.
    Vsock(Option<Box<VsockDomain>>),
}

impl Endpoint {
    /// The `[[sockets]]` that it is in the place of. `None` for the daemon's own directory, libvirt's channels and where the
    /// daemon listens: nobody else chooses the names there.
    pub(crate) fn pattern(&self) -> Option<PatternId> {
        match self {
            Self::Pattern(pattern) => Some(*pattern),
            Self::Socket
            | Self::Channel(_)
            | Self::Pty(_)
            | Self::Listener(_)
            | Self::Accepted(_)
            | Self::Vsock(_) => None,
        }
    }

    /// Whether it is anything else than a connection over AF_VSOCK: those say nothing of the process, nor whether the guest is
    /// enabled.
    pub(crate) fn is_beside_vsock(&self) -> bool {
        !matches!(self, Self::Vsock(_))
    }

    /// Whether the guest or its VMM has made the connection, and not the daemon.
    pub(crate) fn is_client(&self) -> bool {
        matches!(self, Self::Accepted(_) | Self::Vsock(_))
    }
}

impl Port {
    /// A port that was not tried yet.
    pub(crate) fn new(
        guest: GuestId,
        endpoint: Endpoint,
        dialect: Dialect,
        since: Instant,
    ) -> Self {
        let (retry, connection, refusal) = (Retry::default(), None, None);
        Self { guest, endpoint, dialect, retry, connection, since, refusal }
    }

    /// Whether it is a socket of that dialect's directory.
    pub(crate) fn is_socket(&self, dialect: Dialect) -> bool {
        self.dialect == dialect && matches!(self.endpoint, Endpoint::Socket)
    }

    /// Whether the guest is served there, beside AF_VSOCK: so the administrator has enabled it, and its process is known. What
    /// is for vhostmd's clients lets only these ask.
    pub(crate) fn serves_beside_vsock(&self) -> bool {
        let is_served = self.connection.is_some() && self.dialect == Dialect::Hostinfo;
        is_served && self.endpoint.is_beside_vsock()
    }

    /// Whether it is connected, but its peer is still libvirt.
    pub(crate) fn is_early(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.is_early)
    }

    /// Drops the connection. Returns when to try again.
    pub(crate) fn drop_connection(&mut self, now: Instant) -> Option<Instant> {
        let connection = self.connection.take()?;
        self.since = now;
        let lasted = now.saturating_duration_since(connection.since);
        Some(self.retry.after_connection(lasted, now))
    }
}
