//! Guests that connect by AF_VSOCK: `[vsock]` of the settings. Listens, accepts, and refuses; `identifying` finds out
//! which guest has connected.

mod identifying;
mod owner;
mod unidentified;

use std::cell::LazyCell;
use std::collections::HashSet;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::Duration;

use super::Guests;
use super::refusals::RefusalLog;
use crate::handover::UnidentifiedState;
use crate::port::Endpoint;
use crate::reactor::Ctx;
use crate::reactor::accepting::{AcceptPace, Accepting};
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, UnidentifiedId};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::settings::vsock::Vsock;
use crate::sockets::vsock::{VsockListener, guest_at_other_end, is_vsock, remedy};
use crate::system::descriptors::{Number, Outgoing};

use identifying::NOT_ENABLED;
use owner::addresses;
use unidentified::{Refused, Stage, UnidentifiedPeers};

/// What the listener is in the reactor.
const ACCEPTING: Accepting =
    Accepting { who: "guests over vsock", token: Token::Vsock, alarm: Alarm::Vsock };

/// How long a refused peer has to send a line and to read that it may not ask.
const REFUSED_FOR: Duration = Duration::from_secs(2);

/// What there is of AF_VSOCK.
pub(crate) struct VsockState {
    settings: Vsock,
    listener: Option<VsockListener>,
    pace: AcceptPace,
    unidentified: UnidentifiedPeers,
    refusals: RefusalLog,
}

impl VsockState {
    /// Nobody listens yet.
    pub(super) fn new(settings: Vsock) -> Self {
        Self {
            settings,
            listener: None,
            pace: AcceptPace::where_others_are_refused(),
            unidentified: UnidentifiedPeers::default(),
            refusals: RefusalLog::new("vsock", Alarm::UnidentifiedLeftOut),
        }
    }

    /// Whether guests may connect this way at all.
    pub(super) fn is_enabled(&self) -> bool {
        self.settings.enabled
    }

    /// What another program goes on with.
    pub(super) fn hand_over<'v>(
        &'v self,
        fds: &mut Outgoing<'v>,
    ) -> (Option<Number>, Vec<UnidentifiedState>) {
        let listener = self.listener.as_ref().map(|listener| fds.add(listener.as_fd()));
        // Whoever was told already is hung up on, and is not told again.
        let untold = self.unidentified.iter().filter(|peer| peer.stage != Stage::Told);
        let unidentified = untold.filter_map(|peer| {
            let fd = fds.add(peer.fd.as_ref()?.as_fd());
            Some(UnidentifiedState { fd, cid: peer.cid, since: peer.since })
        });
        (listener, unidentified.collect())
    }

    fn log(&mut self, cid: u32, why: &str, ctx: &mut Ctx<'_>) {
        self.refusals.log(&format!("vsock CID {cid}"), why, ctx);
    }
}

impl Guests {
    /// Listens, if the settings say so and nobody does yet.
    pub(super) fn listen_on_vsock(&mut self, mut handed_over: Vec<OwnedFd>, ctx: &Ctx<'_>) {
        let vsock = &mut self.vsock;
        handed_over.retain(is_vsock);
        if !vsock.settings.enabled {
            if !handed_over.is_empty() {
                tracing::warn!(
                    "guests that connect over vsock wait in vain: set `enabled = true` in [vsock] of hostinfod.toml, or run \
                     `systemctl disable --now hostinfo-vsock.socket`"
                );
            }
            return;
        }
        if vsock.listener.is_some() {
            return;
        }
        let port = vsock.settings.port;
        let opened = VsockListener::open(port, handed_over).and_then(|listener| {
            ctx.reactor.add(&listener, Token::Vsock, Interest::Read)?;
            Ok(listener)
        });
        match opened {
            Ok(listener) => vsock.listener = Some(listener),
            Err(error) => tracing::error!(
                "[vsock] port {port}: {error}; no guests are served over vsock: {}",
                remedy(&error)
            ),
        }
    }

    /// Takes over what the settings say of who may ask, and tries again to listen.
    pub(crate) fn apply_vsock(&mut self, settings: Vsock, ctx: &mut Ctx<'_>) {
        self.vsock.settings.guests = settings.guests;
        self.end_vsock_connections(ctx);
        self.listen_on_vsock(Vec::new(), ctx);
    }

    /// Somebody connects over AF_VSOCK.
    pub(crate) fn accept_over_vsock(&mut self, ctx: &mut Ctx<'_>) {
        let Some(listener) = &self.vsock.listener else { return };
        let Some(fd) = ACCEPTING.accept(listener, &mut self.vsock.pace, ctx) else { return };
        let Some(cid) = guest_at_other_end(&fd) else { return };
        let Some(peer) = self.vsock.unidentified.add(fd, cid, ctx.now) else {
            let why = "too many connections wait to be identified: it was hung up on";
            return self.vsock.log(cid, why, ctx);
        };
        self.look_up(peer, ctx);
    }

    /// Goes on with whoever was not known yet when another program handed over.
    pub(super) fn take_over_unidentified(
        &mut self,
        peers: Vec<(OwnedFd, UnidentifiedState)>,
        ctx: &mut Ctx<'_>,
    ) {
        for (fd, UnidentifiedState { cid, since, .. }) in peers {
            if let Some(peer) = self.vsock.unidentified.add(fd, cid, since) {
                self.look_up(peer, ctx);
            }
        }
    }

    /// Logs the number of lines left out about connections whose guest is not known, now or when it is due.
    pub(crate) fn log_unidentified_left_out(&mut self, ctx: &mut Ctx<'_>) {
        self.vsock.refusals.log_left_out(ctx);
    }

    /// Accepts connections again.
    pub(crate) fn resume_vsock(&self, ctx: &Ctx<'_>) {
        if let Some(listener) = &self.vsock.listener {
            ACCEPTING.wait_for(listener, Interest::Read, ctx.reactor);
        }
    }

    /// Refuses an unidentified peer: once it asks, it gets the refusal.
    fn refuse_unidentified(&mut self, id: UnidentifiedId, why: Refused, ctx: &mut Ctx<'_>) {
        let Some(peer) = self.vsock.unidentified.get(id) else { return };
        peer.stage = Stage::Refused(why);
        if let Some(fd) = &peer.fd {
            // If it cannot be waited for, it goes without being told.
            let _ = ctx.reactor.add(fd, Token::Unidentified(id), Interest::Read);
        }
        ctx.reactor.set_alarm(Alarm::Unidentified(id), Some(ctx.now + REFUSED_FOR));
    }

    /// A refused peer has sent something, or hung up.
    pub(crate) fn on_unidentified_ready(
        &mut self,
        id: UnidentifiedId,
        hung_up: bool,
        ctx: &Ctx<'_>,
    ) {
        // The one that the event is about may have given way to another that has its number.
        let peer = self.vsock.unidentified.get(id).filter(|peer| peer.is_refused());
        let Some(peer) = peer else { return };
        if hung_up {
            peer.fd = None;
        }
        let (Some(fd), Stage::Refused(why)) = (&peer.fd, peer.stage) else { return };
        // Nothing is read, so that nothing can be sent without end, and nothing more is told.
        let _ = rustix::io::write(fd, why.line().as_bytes());
        peer.stage = Stage::Told;
        let _ = ctx.reactor.modify(fd, Token::Unidentified(id), Interest::None);
    }

    /// The VMM by whose command line a guest was known is not this guest any more, or not enabled: the connections end that
    /// it has by that.
    pub(super) fn end_vsock_connections_of_vmm(&mut self, guest: GuestId, ctx: &mut Ctx<'_>) {
        let by_vmm = self.ports_at(guest, |at| matches!(at, Endpoint::Vsock(None)));
        by_vmm.into_iter().for_each(|number| self.remove_port(number, ctx));
    }

    /// The same where the VMM is served at no port any more by which the administrator has enabled the guest. It may have
    /// ended, and its address may be anybody's then.
    pub(super) fn end_vsock_connections_without_port(&mut self, guest: GuestId, ctx: &mut Ctx<'_>) {
        if !self.is_served_beside_vsock(guest) {
            self.end_vsock_connections_of_vmm(guest, ctx);
        }
    }

    fn is_served_beside_vsock(&self, guest: GuestId) -> bool {
        self.roster.ports_of(guest).any(|(_, port)| port.serves_beside_vsock())
    }

    /// libvirt's domains or the settings have changed: connections end of domains that have stopped, or may not ask any more,
    /// and of VMMs without libvirt whose address is a domain's: they may have come before libvirt said so.
    /// While libvirt does not say which domains have a hostinfo port, these are those that are served there.
    pub(super) fn end_vsock_connections(&mut self, ctx: &mut Ctx<'_>) {
        let known = self.responder.libvirt().known().cloned();
        let domains = known.iter().flat_map(|known| known.guests()).map(|guest| &guest.domain);
        // Only where a VMM without libvirt is connected.
        let taken = LazyCell::new(|| addresses(domains));
        let mut told = HashSet::new();
        for number in self.roster.ports.ids(|port| matches!(port.endpoint, Endpoint::Vsock(_))) {
            let Some((port, guest)) = self.roster.at(number) else { continue };
            let Endpoint::Vsock(of) = &port.endpoint else { continue };
            let Some(of) = of.as_deref().copied() else {
                if guest.cid().is_some_and(|cid| taken.contains(&cid)) {
                    self.hang_up(number, "a running domain has its address", ctx);
                }
                continue;
            };
            let (name, guest) = (guest.who.name().clone(), port.guest);
            if known.as_ref().is_some_and(|known| !of.still_runs(known)) {
                self.hang_up(number, "its domain has stopped", ctx);
            } else if !self.may_ask_over_vsock(&name, of.uuid)
                && (known.is_some() || !self.is_served_beside_vsock(guest))
            {
                if let Some(cid) = of.cid
                    && told.insert(cid)
                {
                    self.vsock.log(cid, &format!("{}: {NOT_ENABLED}", name.whole()), ctx);
                }
                self.hang_up(number, NOT_ENABLED, ctx);
            }
        }
    }
}

#[cfg(test)]
mod tests;
