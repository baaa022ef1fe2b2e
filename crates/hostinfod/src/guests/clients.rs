//! Connections that guests make: up to [`CONNECTIONS_MAX`] each, over which a guest has one allowance.

use std::time::{Duration, Instant};

use hostinfo_answer::{Dialect, Peer};
use hostinfo_peer::PeerSocket;
use hostinfo_wire::limits::{CONNECTION_IDLE, CONNECTIONS_MAX};

use super::Guests;
use crate::guest::peer;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::id::{GuestId, PortId};

/// How far ahead of its lines a guest may connect over AF_VSOCK: for connections, it may owe as many lines as it gets in this
/// time. Lines that wait are not owed, so a program that floods the host with lines does not keep another one from connecting.
const AHEAD: Duration = Duration::from_secs(1);

/// Why a connection is closed at once.
#[derive(Debug, thiserror::Error)]
enum NotAdmitted {
    #[error(
        "it has {CONNECTIONS_MAX} connections, and said something over each in the last {} s: new ones are closed until it ends one",
        CONNECTION_IDLE.as_secs()
    )]
    Full,
    #[error(
        "it connects more often than lines are answered: new connections are closed until it may send a line again"
    )]
    TooOften,
    #[error(
        "a running domain of libvirt has this name and a port of its own, which is served: no other process may connect as this guest"
    )]
    Domains,
    #[error("two processes claim to be this guest")]
    Contested,
    #[error(
        "its own socket is served, and which process has that is not known (yet): until it is, no process may connect as this guest"
    )]
    Unknown,
}

impl Guests {
    /// Serves whoever has connected as that guest, where there is room for it.
    pub(super) fn admit(
        &mut self,
        guest: GuestId,
        fd: PeerSocket,
        endpoint: Endpoint,
        ctx: &mut Ctx<'_>,
    ) {
        let peer = peer::of(&fd, &self.roots.proc, ctx.now);
        let room = match endpoint {
            _ if self.is_contested(guest) => Err(NotAdmitted::Contested),
            // A domain of libvirt's, or a VMM that is served already: its process is not in question.
            Endpoint::Vsock(_) => self.charge_over_vsock(guest, ctx.now),
            _ => self.check_process(guest, peer.as_ref().ok().map(|found| found.peer), ctx),
        };
        if let Err(error) = room.and_then(|()| self.make_room(guest, ctx)) {
            // Of a contest, the log knows already.
            if !matches!(error, NotAdmitted::Contested)
                && let Some(guest) = self.roster.guests.get_mut(guest)
                && guest.rare_mut().not_admitted.ask(ctx.now)
            {
                let guest = guest.who.name().whole();
                tracing::warn!(guest, "guest {guest}: {error}");
            }
            return;
        }
        let port = Port::new(guest, endpoint, Dialect::Hostinfo, ctx.now);
        let number = self.roster.add_port(port);
        self.connect(number, fd, None, peer, ctx);
        if self.roster.ports.get(number).is_some_and(|port| port.connection.is_none()) {
            self.remove_port(number, ctx);
        }
    }

    /// Charges a guest for a connection over AF_VSOCK. Which guest's it is shows only once it is accepted, so it cannot
    /// wait in the kernel as one at a `[[listen]]` does.
    ///
    /// # Errors
    /// [`NotAdmitted::TooOften`].
    fn charge_over_vsock(&mut self, number: GuestId, now: Instant) -> Result<(), NotAdmitted> {
        let Some(guest) = self.roster.guests.get_mut(number) else { return Ok(()) };
        let charged = self.responder.charge_connection(guest, AHEAD, now);
        charged.map_err(|_| NotAdmitted::TooOften)
    }

    /// Looks whether a process may be a guest. One that was the guest's and has ended is hung up on.
    ///
    /// # Errors
    /// A domain has that name, or another process that still runs is connected: then neither is served. The same if that
    /// may be another process: then this one is not served.
    fn check_process(
        &mut self,
        number: GuestId,
        now: Option<Peer>,
        ctx: &mut Ctx<'_>,
    ) -> Result<(), NotAdmitted> {
        if self.is_domain_elsewhere(number) {
            return Err(NotAdmitted::Domains);
        }
        let Some(guest) = self.roster.guests.get(number) else { return Ok(()) };
        let before = guest.who.peer().filter(|_| self.roster.is_connected(number));
        let another = before.filter(|before| !now.is_some_and(|now| before.is(now)));
        match another {
            Some(before) if self.runs(before) => {
                self.contest(number, Some(before), now, ctx);
                return Err(NotAdmitted::Contested);
            }
            Some(_) => self.hang_up_on_all(number, "another process connects as this guest", ctx),
            None if before.is_none() && self.has_socket_of_unknown(number) => {
                return Err(NotAdmitted::Unknown);
            }
            None => {}
        }
        Ok(())
    }

    /// Whether a guest whose process is not known is connected at a socket of its own.
    fn has_socket_of_unknown(&self, number: GuestId) -> bool {
        self.connected(number).any(|port| !port.endpoint.is_client())
    }

    /// Makes room for one more connection.
    ///
    /// # Errors
    /// [`NotAdmitted::Full`].
    fn make_room(&mut self, number: GuestId, ctx: &mut Ctx<'_>) -> Result<(), NotAdmitted> {
        let clients = self.clients_of(number);
        if clients.len() < CONNECTIONS_MAX {
            return Ok(());
        }
        let idle_since = |port| self.roster.ports.get(port)?.connection.as_ref()?.idle_since();
        let idle = clients.into_iter().filter_map(|port| Some((idle_since(port)?, port))).min();
        match idle.filter(|(since, _)| ctx.now.duration_since(*since) >= CONNECTION_IDLE) {
            Some((_, port)) => {
                self.hang_up(port, "nothing was asked over it for long", ctx);
                Ok(())
            }
            None => Err(NotAdmitted::Full),
        }
    }

    /// Whether a port that the daemon connects may be a guest's beside the connections that its VMM has made. A
    /// domain's own socket is the guest's before any of these.
    pub(super) fn may_be_beside_clients(
        &mut self,
        number: GuestId,
        now: Option<Peer>,
        is_early: bool,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let is_by_vmm = |port: &Port| matches!(port.endpoint, Endpoint::Accepted(_));
        if !self.roster.ports_of(number).any(|(_, port)| is_by_vmm(port)) {
            return true;
        }
        let before = self.roster.guests.get(number).and_then(|guest| guest.who.peer());
        if before.zip(now).is_some_and(|(before, now)| before.is(now)) {
            return true;
        }
        if is_early || self.is_domain(number) || before.is_some_and(|before| !self.runs(before)) {
            self.end_clients(number, ctx);
            return true;
        }
        self.contest(number, before, now, ctx);
        false
    }

    /// Ends all connections that a guest has made.
    pub(super) fn end_clients(&mut self, guest: GuestId, ctx: &mut Ctx<'_>) {
        self.clients_of(guest).into_iter().for_each(|port| self.remove_port(port, ctx));
    }

    /// The same where a domain of libvirt's has come to have the guest's name: ends those of the VMM that had it before.
    pub(super) fn end_clients_of_vmm(&mut self, guest: GuestId, ctx: &mut Ctx<'_>) {
        let are_its = |at: &Endpoint| matches!(at, Endpoint::Accepted(_) | Endpoint::Vsock(None));
        self.ports_at(guest, are_its).into_iter().for_each(|port| self.remove_port(port, ctx));
    }

    fn clients_of(&self, guest: GuestId) -> Vec<PortId> {
        self.ports_at(guest, Endpoint::is_client)
    }

    /// A guest's ports at such endpoints.
    pub(super) fn ports_at(
        &self,
        guest: GuestId,
        is_it: impl Fn(&Endpoint) -> bool,
    ) -> Vec<PortId> {
        let ports = self.roster.ports_of(guest).filter(|(_, port)| is_it(&port.endpoint));
        ports.map(|(port, _)| port).collect()
    }

    fn hang_up_on_all(&mut self, number: GuestId, why: &str, ctx: &mut Ctx<'_>) {
        let ports = self.roster.ports_of(number).filter(|(_, port)| port.connection.is_some());
        let ports: Vec<PortId> = ports.map(|(port, _)| port).collect();
        ports.into_iter().for_each(|port| self.hang_up(port, why, ctx));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::{UnixListener, UnixStream};

    use hostinfo_answer::Name;
    use hostinfo_open::Sockets;
    use hostinfo_peer::Unclosed;
    use hostinfo_wire::limits::{LINE_BURST, LINES_PER_SECOND};

    use crate::guests::tests::guests;
    use crate::port::connection::Connection;
    use crate::reactor::Reactor;

    #[test]
    fn no_process_connects_beside_a_socket_whose_process_is_not_known() {
        let is_admitted_beside = |is_connected: bool| {
            let folder = tempfile::tempdir().unwrap();
            let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
            let ctx = &mut reactor.now();
            let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
            let socket = || {
                let (far_end, fd) = UnixStream::pair().unwrap();
                (far_end, PeerSocket::new(fd.into(), Unclosed::default()))
            };
            let (_of_socket, fd) = socket();
            let connection = Connection::new(fd, None, Dialect::Hostinfo, ctx.now);
            let own = Port::new(guest, Endpoint::Socket, Dialect::Hostinfo, ctx.now);
            let connection = is_connected.then_some(connection);
            let own = guests.roster.add_port(Port { connection, ..own });
            let (_of_vmm, fd) = socket();
            guests.admit(guest, fd, Endpoint::Accepted(own), ctx);
            !guests.clients_of(guest).is_empty()
        };
        assert!(is_admitted_beside(false));
        assert!(!is_admitted_beside(true));
    }

    #[test]
    fn a_client_that_connects_has_no_socket_elsewhere_tried_again() {
        let folder = tempfile::tempdir().unwrap();
        let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let place = folder.path().join("elsewhere");
        std::fs::create_dir(&place).unwrap();
        let socket = place.join("a");
        drop(UnixListener::bind(&socket).unwrap());
        let place = place.display();
        let text =
            format!("[[sockets]]\npath = '{place}/{{name}}'\ndriver = 'qemu'\nguests = ['*']\n");
        guests.apply_sockets(&Sockets::parse(&text).unwrap(), ctx);
        let guest = guests.roster.named("qemu-a").unwrap();
        let elsewhere = guests.ports_at(guest, |at| at.pattern().is_some())[0];
        std::fs::remove_file(&socket).unwrap();
        let _listener = UnixListener::bind(&socket).unwrap();
        let is_connected =
            |guests: &Guests| guests.roster.ports.get(elsewhere).unwrap().connection.is_some();
        let (_far_end, fd) = UnixStream::pair().unwrap();
        let fd = PeerSocket::new(fd.into(), Unclosed::default());
        guests.admit(guest, fd, Endpoint::Accepted(elsewhere), ctx);
        assert!(guests.roster.is_connected(guest) && !is_connected(&guests));
        guests.on_port_alarm(elsewhere, ctx);
        assert!(is_connected(&guests));
    }

    #[test]
    fn each_connection_over_vsock_counts_as_a_line_and_those_beyond_the_flow_are_closed() {
        let folder = tempfile::tempdir().unwrap();
        let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let start = reactor.now().now;
        let guest = guests.guest(&Name::parse("qemu-a").unwrap(), start).unwrap();
        let mut connect = |after| {
            let ctx = &mut Ctx { reactor: &mut reactor, now: start + after };
            let (_far_end, fd) = UnixStream::pair().unwrap();
            let socket = PeerSocket::new(fd.into(), Unclosed::default());
            guests.admit(guest, socket, Endpoint::Vsock(None), ctx);
            let connected = guests.clients_of(guest);
            connected.iter().for_each(|port| guests.remove_port(*port, ctx));
            connected.len()
        };
        let at_once: usize = (0..1000).map(|_| connect(Duration::ZERO)).sum();
        assert_eq!(at_once, usize::try_from(LINE_BURST + LINES_PER_SECOND).unwrap());
        let in_ten_seconds: usize =
            (1..1000).map(|tick| connect(tick * Duration::from_millis(10))).sum();
        assert_eq!(in_ten_seconds, usize::try_from(10 * LINES_PER_SECOND - 1).unwrap());
    }
}
