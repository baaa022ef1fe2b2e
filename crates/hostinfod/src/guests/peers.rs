//! Which process is at the other end of a port, and so is its guest.

use std::io;
use std::sync::Arc;

use hostinfo_answer::{Observed, Peer, Process};
use hostinfo_peer::PeerSocket;
use hostinfo_sample::{Absent, Vmm};

use super::Guests;
use crate::guest::{begin_session, peer};
use crate::port::Endpoint;
use crate::reactor::Ctx;
use crate::reactor::id::PortId;
use crate::sockets::{ConnectError, Found};

impl Guests {
    /// Sets which process a port's guest is, or why that is unknown. True if it is another process than
    /// before.
    pub(super) fn identify_peer(
        &mut self,
        number: PortId,
        peer: Result<Peer, Absent>,
        ctx: &mut Ctx<'_>,
    ) -> io::Result<bool> {
        let known = peer.as_ref().ok().copied();
        let Some((port, guest)) = self.roster.at(number) else { return Ok(false) };
        let (of, is_another) = (port.guest, guest.who.connected(known, begin_session)?);
        if is_another {
            guest.since = matches!(port.endpoint, Endpoint::Socket | Endpoint::Pattern(_))
                .then_some(port.since);
        }
        self.look_at(of, peer.as_ref().copied(), is_another, ctx);
        if is_another && let Some((port, guest)) = self.roster.at(number) {
            let (roots, files) = (Arc::clone(&self.roots), self.files.clone());
            guest.observed = Observed::new(peer.map(|peer| Process::new(roots, files, peer)));
            if let Some(rare) = &mut guest.rare {
                rare.asked_ahead = None;
            }
            if port.endpoint.is_beside_vsock() {
                self.end_vsock_connections_of_vmm(of, ctx);
            }
            self.decide_anew(of, ctx);
        }
        Ok(is_another)
    }

    /// Identifies the peer of an early connection. Either the guest has sent something, so QEMU has
    /// the socket by now, and a new connection shows QEMU as the peer. Or the guest is to be
    /// watched and some time has passed; then the socket may still be libvirt's. This connection is
    /// closed again before QEMU accepts it.
    pub(crate) fn identify_again(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        self.identify_again_by(number, None, ctx);
    }

    /// The same, where the socket has been `found` already.
    pub(super) fn identify_again_by(
        &mut self,
        number: PortId,
        found: Option<Found>,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(port) = self.roster.ports.get(number).filter(|port| port.is_early()) else {
            return;
        };
        let guest = port.guest;
        if self.has_unclosed(guest) {
            return;
        }
        match self.dial(number, found, ctx.now) {
            Some(Ok((socket, _))) => self.identify_by(number, &socket, ctx),
            Some(Err(ConnectError::Denied)) => self.ask_opener(number, ctx),
            None | Some(Err(_)) => {}
        }
        self.plan_for(guest, ctx);
    }

    /// An early connection over which the guest has sent something is to be identified by now: QEMU calls listen(2) before its
    /// guest runs. Whoever cannot be identified is not taken for a domain.
    pub(super) fn refuse_if_early(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let port = self.roster.ports.get(number).filter(|port| port.is_early());
        let Some(guest) = port.map(|port| port.guest) else { return };
        if self.is_domain(guest) {
            self.look_at(guest, Err(&Vmm::HANDED_ON), false, ctx);
            self.plan_for(guest, ctx);
        }
    }

    /// Identifies the peer of an early connection by another connection to the same socket.
    pub(super) fn identify_by(&mut self, number: PortId, socket: &PeerSocket, ctx: &mut Ctx<'_>) {
        let peer = peer::of(socket, &self.roots.proc, ctx.now);
        if matches!(peer, Ok(found) if found.is_libvirt) {
            return;
        }
        let Some(port) = self.roster.ports.get_mut(number) else { return };
        if let Some(connection) = &mut port.connection {
            connection.is_early = false;
        }
        let guest = port.guest;
        self.set_peer(number, peer.map(|found| found.peer), ctx);
        self.plan_for(guest, ctx);
    }

    fn set_peer(&mut self, number: PortId, peer: Result<Peer, Absent>, ctx: &mut Ctx<'_>) {
        if let Err(error) = self.identify_peer(number, peer, ctx)
            && let Some((_, guest)) = self.roster.at(number)
        {
            guest.log_no_session(&error);
        }
    }
}
