//! Guests that connect by AF_VSOCK: `[vsock]` of the settings. An address is a guest's only if libvirt says so after
//! the connection was accepted, so that one is not believed that was another guest's a moment ago.

mod owner;
mod unidentified;

use std::borrow::Cow;
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use hostinfo_answer::{Name, Requester, Standing};
use rustix::event::{PollFd, PollFlags, Timespec};

use super::Guests;
use super::refusals::RefusalLog;
use crate::handover::UnidentifiedState;
use crate::libvirt::Libvirt;
use crate::port::Endpoint;
use crate::port::vsock_domain::VsockDomain;
use crate::reactor::Ctx;
use crate::reactor::accepting::{AcceptPace, Accepting};
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, PortId, UnidentifiedId};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::settings::vsock::Vsock;
use crate::sockets::vsock::{VsockListener, guest_at_other_end, is_vsock, remedy};
use crate::system::descriptors::{Number, Outgoing};

use owner::{NoOwner, Owner, owner};
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
    pub(crate) fn apply_vsock(&mut self, settings: Vsock, ctx: &Ctx<'_>) {
        self.vsock.settings.guests = settings.guests;
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

    /// An unidentified peer's alarm is due: it is looked up, or waited for no longer, or closed.
    pub(crate) fn on_unidentified_alarm(&mut self, id: UnidentifiedId, ctx: &mut Ctx<'_>) {
        match self.vsock.unidentified.get(id) {
            None => {}
            Some(peer) if peer.is_refused() => drop(self.vsock.unidentified.remove(id)),
            Some(_) => self.look_up(id, ctx),
        }
    }

    /// Asks libvirt which domain has an unidentified peer's address.
    fn look_up(&mut self, id: UnidentifiedId, ctx: &mut Ctx<'_>) {
        let unidentified = &mut self.vsock.unidentified;
        let Some((cid, since)) = unidentified.get(id).map(|one| (one.cid, one.since)) else {
            return;
        };
        if !self.responder.libvirt().is_asked_since(since)
            && let Err(at) = self.vsock.unidentified.begin_look_up(cid, ctx.now)
            && at > ctx.now
            && Libvirt::peer_patience(since) > ctx.now
        {
            let at = at.min(Libvirt::peer_patience(since));
            return ctx.reactor.set_alarm(Alarm::Unidentified(id), Some(at));
        }
        match self.responder.libvirt().awaited_by_peer(since, ctx.now) {
            Some(until) => ctx.reactor.set_alarm(Alarm::Unidentified(id), Some(until)),
            None => self.identify(id, ctx),
        }
    }

    /// libvirt has answered: unidentified peers may be known now.
    pub(super) fn identify_vsock_peers(&mut self, ctx: &mut Ctx<'_>) {
        for id in self.vsock.unidentified.awaiting() {
            let since = self.vsock.unidentified.get(id).map(|peer| peer.since);
            if since.is_some_and(|since| self.responder.libvirt().is_asked_since(since)) {
                self.identify(id, ctx);
            }
        }
    }

    /// Finds the guest of an unidentified peer, by what is known now.
    fn identify(&mut self, id: UnidentifiedId, ctx: &mut Ctx<'_>) {
        let Some(peer) = self.vsock.unidentified.get(id) else { return };
        let (cid, since) = (peer.cid, peer.since);
        if peer.fd.as_ref().is_none_or(is_over) {
            return self.refuse_unidentified(id, Refused::MayNotAsk, ctx);
        }
        match self.guest_at(cid, since, ctx) {
            Ok((guest, domain)) => {
                ctx.reactor.set_alarm(Alarm::Unidentified(id), None);
                if let Some(fd) = self.vsock.unidentified.remove(id).and_then(|peer| peer.fd) {
                    self.admit(guest, fd, Endpoint::Vsock(domain.map(Box::new)), ctx);
                }
            }
            // It is looked at again when its domain changes.
            Err(NotIdentified::Owner(NoOwner::NotYet))
                if Libvirt::peer_patience(since) > ctx.now =>
            {
                let until = Libvirt::peer_patience(since);
                ctx.reactor.set_alarm(Alarm::Unidentified(id), Some(until));
            }
            Err(why) => {
                self.vsock.log(cid, &why.to_string(), ctx);
                let refused = match why {
                    NotIdentified::Silent => Refused::Unknown,
                    NotIdentified::Owner(_) | NotIdentified::Refused(_) => Refused::MayNotAsk,
                };
                self.refuse_unidentified(id, refused, ctx);
            }
        }
    }

    /// The guest that has an address, if it may ask.
    fn guest_at(
        &mut self,
        cid: u32,
        since: Instant,
        ctx: &mut Ctx<'_>,
    ) -> Result<(GuestId, Option<VsockDomain>), NotIdentified> {
        let libvirt = self.responder.libvirt();
        let known = match libvirt.is_asked_since(since) {
            true => libvirt.known().cloned(),
            false if libvirt.may_be_there() => return Err(NotIdentified::Silent),
            false => None,
        };
        let vmms = self.roster.guests.iter().filter(|(number, guest)| {
            let is_no_domain = matches!(guest.who.standing(), Standing::Unnamed);
            guest.cid == Some(cid) && is_no_domain && self.roster.is_connected(*number)
        });
        let domains = known.iter().flat_map(|known| known.guests()).map(|guest| &guest.domain);
        let found = owner(cid, domains, vmms.map(|(number, _)| number));
        if let Err(NoOwner::Vmms(claimants)) = found {
            return Err(self.claimed_by(claimants).into());
        }
        match found? {
            // Its own socket is served, so the administrator has enabled it.
            Owner::Guest(number) => Ok((number, None)),
            Owner::Domain(uuid) => {
                let domain = known.as_ref().and_then(|known| Some(&known.guest(uuid)?.domain));
                let domain = domain.ok_or("it has just stopped")?;
                let name =
                    Name::parse(&domain.socket_name()).ok_or("its name cannot be a guest's")?;
                let of = VsockDomain::of(domain);
                let standing = self.responder.libvirt().standing(name.whole(), None, None);
                let has_port = matches!(standing, Some(Standing::Domain(of, _)) if of == uuid);
                if !has_port && !self.vsock.settings.guests.has(name.whole()) {
                    return Err(format!("{}: {NOT_ENABLED}", name.whole()).into());
                }
                let number = self.guest(&name, ctx.now).map_err(|error| error.to_string())?;
                if let Some(guest) = self.roster.guests.get_mut(number) {
                    let is_another = guest.by_cid.replace(uuid) != Some(uuid);
                    let (marks, since) = (guest.marks.as_deref(), guest.since);
                    let standing =
                        self.responder.libvirt().standing(name.whole(), marks, Some(uuid));
                    if standing.is_some_and(|standing| guest.set_standing(standing, ctx.now)) {
                        self.reconsider(number, ctx);
                    }
                    if is_another {
                        self.decide_anew(number, since, ctx);
                    }
                }
                Ok((number, Some(of)))
            }
        }
    }

    /// Why neither of two guests is answered at an address: the VMMs of both have it on their command lines.
    fn claimed_by(&self, claimants: [GuestId; 2]) -> String {
        let who = claimants.map(|guest| {
            let guest = self.roster.guests.get(guest).map(|guest| &guest.who);
            let pid = guest.and_then(Requester::pid).map(|pid| format!(" (process {pid})"));
            let name = guest.map_or("a guest", |who| who.name().whole());
            format!("{name}{}", pid.unwrap_or_default())
        });
        let [one, other] = who;
        format!(
            "{one} and {other} both have it on their command lines: give each another guest-cid, and if they have \
             different ones, one of the processes was taken over"
        )
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

    /// libvirt's domains have changed: connections of those that have stopped end.
    pub(super) fn end_stopped_domains_connections(&mut self, ctx: &mut Ctx<'_>) {
        let Some(known) = self.responder.libvirt().known().cloned() else { return };
        let is_over = |endpoint: &Endpoint| matches!(endpoint, Endpoint::Vsock(Some(of)) if !of.still_runs(&known));
        let over = self.roster.ports.iter().filter(|(_, port)| is_over(&port.endpoint));
        let over: Vec<PortId> = over.map(|(number, _)| number).collect();
        over.into_iter().for_each(|port| self.hang_up(port, "its domain has stopped", ctx));
    }
}

/// Why a connection is no guest's that may ask.
#[derive(Debug, thiserror::Error)]
enum NotIdentified {
    #[error(transparent)]
    Owner(#[from] NoOwner),
    #[error("libvirt does not answer")]
    Silent,
    #[error("{0}")]
    Refused(Cow<'static, str>),
}

impl<T: Into<Cow<'static, str>>> From<T> for NotIdentified {
    fn from(why: T) -> Self {
        Self::Refused(why.into())
    }
}

/// Why a guest of this host may not ask.
const NOT_ENABLED: &str =
    "not enabled: hostinfod.toml does not name it in [vsock] guests, and it has no hostinfo port";

/// Whether the other end is gone, as it is when the domain has stopped whose it was: the kernel resets its connections
/// before anybody else can have its address. One that will send no more is still there.
fn is_over(fd: &OwnedFd) -> bool {
    let mut polled = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::empty())];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    rustix::event::poll(&mut polled, Some(&now)).is_ok_and(|count| count > 0)
}

#[cfg(test)]
mod tests;
