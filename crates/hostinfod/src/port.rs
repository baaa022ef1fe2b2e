//! A way to a guest: a socket in the directory, a channel of libvirt's own, a pseudo-terminal, or a place where its
//! VMM connects and each connection that was made there.

pub(crate) mod connection;
pub(crate) mod of_domain;
pub(crate) mod place;
pub(crate) mod pty;
pub(crate) mod retry;

use std::path::PathBuf;
use std::time::Instant;

use connection::Connection;
use hostinfo_answer::Dialect;
use of_domain::OfDomain;
use place::Place;
use pty::Pty;
use retry::Retry;

use crate::reactor::id::{GuestId, PortId};

/// One way, connected or not.
#[derive(Debug)]
pub(crate) struct Port {
    /// Whose it is, in the roster.
    pub(crate) guest: GuestId,
    /// Where it leads.
    pub(crate) to: To,
    /// What is spoken over it.
    pub(crate) dialect: Dialect,
    /// Tries that failed.
    pub(crate) retry: Retry,
    /// While it is connected.
    pub(crate) connection: Option<Connection>,
    /// Since when whoever is at the other end may have been there: libvirt is asked whose it is.
    pub(crate) since: Instant,
    /// Why it was refused, as far as the log has been told.
    pub(crate) refusal: Option<String>,
}

/// Where a port leads.
#[derive(Debug)]
pub(crate) enum To {
    /// To the socket of the guest's name.
    Socket,
    /// To a channel of libvirt's own at that path.
    Channel(PathBuf),
    /// To whoever has the other end open.
    Pty(Pty),
    /// To nobody itself: the guest's VMM connects there, and each connection is a port.
    Place(Box<Place>),
    /// To the VMM that connected at that place.
    Accepted(PortId),
    /// To the guest itself, which has connected by AF_VSOCK.
    Vsock(Option<OfDomain>),
}

impl Port {
    /// A port that nobody has tried yet.
    pub(crate) fn new(guest: GuestId, to: To, dialect: Dialect, since: Instant) -> Self {
        let (retry, connection, refusal) = (Retry::default(), None, None);
        Self { guest, to, dialect, retry, connection, since, refusal }
    }

    /// Whether it is connected, and who is at the other end has still to be seen.
    pub(crate) fn is_early(&self) -> bool {
        self.connection.as_ref().is_some_and(|connection| connection.is_early)
    }

    /// Drops the connection. When to try for another one.
    pub(crate) fn drop_connection(&mut self, now: Instant) -> Option<Instant> {
        let connection = self.connection.take()?;
        self.since = now;
        let lasted = now.saturating_duration_since(connection.since);
        Some(self.retry.after_connection(lasted, now))
    }
}
