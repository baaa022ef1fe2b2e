//! Ports that are not connected: trying to connect them.

use std::ffi::OsStr;
use std::io::{self, Write as _};
use std::time::Instant;

use anyhow::Context as _;
use hostinfo_answer::{Dialect, Name, VMM_UNKNOWN};
use hostinfo_open::unix::connect_to;
use hostinfo_peer::PeerSocket;
use hostinfo_sample::Absent;

use super::Guests;
use super::contest::CONTEST_CHECK_INTERVAL;
use super::standing::cannot_be_served;
use crate::guest::peer::{self, Identified};
use crate::port::connection::Connection;
use crate::port::pty::{self, Pty};
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, PortId};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::sockets::{self, ConnectError, Found};
use crate::system::file_error::TRY_AGAIN;
use crate::system::file_id::FileId;

/// Why nothing is known of the process of a guest that has only connected over AF_VSOCK.
pub(super) const BY_CID_ALONE: Absent =
    Absent::plain("over vsock alone it is not known which process runs this guest");

impl Guests {
    /// Tries to connect a port, once libvirt has said whose socket it is.
    pub(super) fn try_connect(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        self.try_connect_to(number, None, ctx);
    }

    /// The same, where its socket has been `found` already.
    pub(super) fn try_connect_to(
        &mut self,
        number: PortId,
        found: Option<Found>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(port) = self.roster.ports.get(number) else { return };
        if port.connection.is_some() {
            return;
        }
        if self.is_contested(port.guest) {
            return ctx
                .reactor
                .set_alarm(Alarm::Port(number), Some(ctx.now + CONTEST_CHECK_INTERVAL));
        }
        let Some(port) = self.roster.ports.get(number) else { return };
        if matches!(port.endpoint, Endpoint::Socket | Endpoint::Pattern(_))
            && let Some(until) = self.responder.libvirt().awaited(number, port.since, ctx.now)
        {
            return ctx.reactor.set_alarm(Alarm::Port(number), Some(until));
        }
        let is_pattern = matches!(port.endpoint, Endpoint::Pattern(_));
        if self.has_unclosed(port.guest) {
            return ctx.reactor.set_alarm(Alarm::Port(number), Some(ctx.now + TRY_AGAIN));
        }
        match self.dial(number, found, ctx.now) {
            None => {}
            Some(Err(ConnectError::Denied)) if is_pattern => self.ask_opener(number, ctx),
            Some(dialled) => {
                self.dialled(number, dialled.map(|(socket, file)| (socket, Some(file))), ctx);
            }
        }
    }

    /// Serves a port to which there is a connection, or sees to the next try.
    pub(super) fn dialled(
        &mut self,
        number: PortId,
        dialled: Result<(PeerSocket, Option<FileId>), ConnectError>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let (again, refused) = match dialled {
            Ok((socket, file)) => {
                let peer = peer::of(&socket, &self.roots.proc, ctx.now);
                return self.connect(number, socket, file, peer, ctx);
            }
            Err(ConnectError::NobodyListens) => (port.retry.after_refusal(ctx.now), None),
            Err(refused @ (ConnectError::Full | ConnectError::Failed(_))) => {
                (Some(port.retry.after_failure(ctx.now)), Some(refused))
            }
            Err(
                refused @ (ConnectError::Denied
                | ConnectError::NoOpener
                | ConnectError::ByOpener(_)),
            ) => (None, Some(refused)),
            Err(refused) => {
                let (name, dialect) = (guest.who.name().clone(), port.dialect);
                if !matches!(refused, ConnectError::Gone | ConnectError::Directory) {
                    self.log_refused(number, &refused.to_string(), ctx);
                }
                let Some(port) = self.roster.ports.get(number) else { return };
                return match port.endpoint {
                    Endpoint::Socket => self.remove_socket(dialect, OsStr::new(name.whole()), ctx),
                    Endpoint::Pattern(pattern) => {
                        self.remove_pattern_socket(pattern, name.guest(), ctx);
                    }
                    // libvirt reports when one of its own channels is removed.
                    Endpoint::Channel(_)
                    | Endpoint::Pty(_)
                    | Endpoint::Listener(_)
                    | Endpoint::Accepted(_)
                    | Endpoint::Vsock(_) => {}
                };
            }
        };
        if let Some(refused) = refused.map(|refused| refused.to_string())
            && port.refusal.as_ref() != Some(&refused)
        {
            port.refusal = Some(refused.clone());
            self.log_refused(number, &refused, ctx);
        }
        ctx.reactor.set_alarm(Alarm::Port(number), again);
    }

    /// Whether a guest's connections have left something to be closed before it gets another.
    pub(super) fn has_unclosed(&self, guest: GuestId) -> bool {
        self.roster.guests.get(guest).is_some_and(|guest| guest.unclosed.count() > 0)
    }

    /// Connects to a port's socket, which may have been `found` already. `None` if there is none to connect to, or if it is
    /// found late.
    pub(super) fn dial(
        &mut self,
        number: PortId,
        found: Option<Found>,
        now: Instant,
    ) -> Option<Result<(PeerSocket, FileId), ConnectError>> {
        let (port, guest) = self.roster.at(number)?;
        let found = match (&port.endpoint, found) {
            (Endpoint::Socket, _) => {
                let directory = self.directories.of(port.dialect).directory()?;
                sockets::find(directory, OsStr::new(guest.who.name().whole()))
            }
            (Endpoint::Channel(_) | Endpoint::Pattern(_), Some(found)) => found,
            (Endpoint::Channel(path), None) => {
                let (of, patience) = ((number, path.to_path_buf()), &mut guest.patience);
                let path = path.clone();
                self.channels.look(&of, patience, move || sockets::find_at(&path), now)?
            }
            (Endpoint::Pattern(pattern), None) => {
                self.patterns.dirs.get_mut(*pattern)?.find(guest.who.name().guest(), now)?
            }
            (
                Endpoint::Pty(_)
                | Endpoint::Listener(_)
                | Endpoint::Accepted(_)
                | Endpoint::Vsock(_),
                _,
            ) => return None,
        };
        let connected = found.and_then(|(file, id)| Ok((connect_to(&file)?, id)));
        let unclosed = guest.unclosed.clone();
        Some(connected.map(|(socket, file)| (PeerSocket::new(socket, unclosed), file)))
    }

    /// The socket of a port has been found late. It was looked for so that the port could be tried or identified again.
    /// Returns what was found if neither is to be done any more.
    pub(super) fn take_late_socket(
        &mut self,
        number: PortId,
        found: Found,
        ctx: &mut Ctx<'_>,
    ) -> Option<Found> {
        let port = self.roster.ports.get(number)?;
        if port.connection.is_none() {
            self.try_connect_to(number, Some(found), ctx);
        } else if port.is_early() {
            self.identify_again_by(number, Some(found), ctx);
        } else {
            return Some(found);
        }
        None
    }

    /// Makes `fd` the connection of a port, and serves the port's guest over it. `peer` is at its other end.
    pub(super) fn connect(
        &mut self,
        number: PortId,
        fd: PeerSocket,
        file: Option<FileId>,
        peer: Result<Identified, Absent>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let is_vsock = matches!(port.endpoint, Endpoint::Vsock(_));
        let is_known = is_vsock && guest.who.was_connected();
        let is_early = peer.as_ref().is_ok_and(|found| found.is_libvirt);
        let peer = peer.map(|found| found.peer);
        let known = peer.as_ref().ok().copied();
        if !self.may_be_served(number, known, is_early, ctx) {
            return;
        }
        let peer = match is_early {
            true => Err(VMM_UNKNOWN),
            false => peer.map_err(|why| if is_vsock { BY_CID_ALONE } else { why }),
        };
        // AF_VSOCK tells who the guest is, but not its process: what is known of that stays.
        let identified = if is_known { Ok(false) } else { self.identify_peer(number, peer, ctx) };
        let added = identified.and_then(|is_another| {
            ctx.reactor.add(&fd, Token::Port(number), Interest::Read)?;
            Ok(is_another)
        });
        let Some((port, guest)) = self.roster.at(number) else { return };
        let is_another = match added {
            Ok(is_another) => is_another,
            Err(error) => {
                cannot_be_served(guest.who.name(), &error);
                let again = port.retry.after_failure(ctx.now);
                return ctx.reactor.set_alarm(Alarm::Port(number), Some(again));
            }
        };
        let connection = Connection::new(fd, file, port.dialect, ctx.now);
        port.connection = Some(Connection { is_early, ..connection });
        port.refusal = None;
        ctx.reactor.set_alarm(Alarm::Port(number), None);
        // A program in the guest that asks once makes one connection: only the VMM is logged.
        if is_another || !port.endpoint.is_client() {
            guest.log_access(ctx.now);
        }
        let guest = port.guest;
        // Sockets elsewhere may have been refused until the guest's own is served. A client's connection changes nothing there.
        let is_own = port.endpoint.pattern().is_none() && !port.endpoint.is_client();
        self.log_left_out(guest, ctx);
        self.plan_for(guest, ctx);
        if is_own && self.patterns.dirs().next().is_some() {
            self.try_others(guest, ctx);
        }
    }

    /// Serves a pseudo-terminal, and prints its path.
    ///
    /// # Errors
    /// The system has none.
    pub(crate) fn add_pty(&mut self, ctx: &mut Ctx<'_>) -> anyhow::Result<()> {
        let (master, pty) = Pty::open()?;
        let Some(name) = Name::parse(pty::GUEST) else { return Ok(()) };
        let guest = self.guest(&name, ctx.now)?;
        writeln!(io::stdout(), "{}", pty.path).context("standard output")?;
        let port = Port::new(guest, Endpoint::Pty(pty.into()), Dialect::Hostinfo, ctx.now);
        let number = self.roster.add_port(port);
        let peer = peer::of(&master, &self.roots.proc, ctx.now);
        self.connect(number, master.into(), None, peer, ctx);
        Ok(())
    }
}
