//! Which guest an unidentified peer is. An address is a guest's only if libvirt says so after the connection was
//! accepted, so that one is not believed that was another guest's a moment ago.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_answer::{Name, Observed, Requester, Standing};
use hostinfo_domains::{Claim, Snapshot, Uuid};

use super::owner::{NoOwner, Owner, owner};
use super::unidentified::Refused;
use crate::guest::begin_session;
use crate::guests::Guests;
use crate::guests::connecting::BY_CID_ALONE;
use crate::libvirt::Libvirt;
use crate::port::Endpoint;
use crate::port::vsock_domain::VsockDomain;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, UnidentifiedId};

impl Guests {
    /// An unidentified peer's alarm is due: it is looked up, or waited for no longer, or closed.
    pub(crate) fn on_unidentified_alarm(&mut self, id: UnidentifiedId, ctx: &mut Ctx<'_>) {
        match self.vsock.unidentified.get(id) {
            None => {}
            Some(peer) if peer.is_refused() => drop(self.vsock.unidentified.remove(id)),
            Some(_) => self.look_up(id, ctx),
        }
    }

    /// Asks libvirt which domain has an unidentified peer's address.
    pub(super) fn look_up(&mut self, id: UnidentifiedId, ctx: &mut Ctx<'_>) {
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
    pub(in crate::guests) fn identify_vsock_peers(&mut self, ctx: &mut Ctx<'_>) {
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
        if peer.is_over() {
            return self.refuse_unidentified(id, Refused::MayNotAsk, ctx);
        }
        match self.guest_at(cid, since, ctx) {
            Ok((guest, domain)) => {
                ctx.reactor.set_alarm(Alarm::Unidentified(id), None);
                if let Some(fd) = self.vsock.unidentified.remove(id).and_then(|peer| peer.fd) {
                    // No descriptors come over AF_VSOCK.
                    self.admit(guest, fd.into(), Endpoint::Vsock(domain.map(Box::new)), ctx);
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
            let is_claimed = guest.cid() == Some(cid) && is_no_domain;
            let mut ports = self.roster.ports_of(*number).filter(|_| is_claimed);
            ports.any(|(_, port)| port.serves_beside_vsock())
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
                if !self.may_ask_over_vsock(&name, uuid) {
                    return Err(format!("{}: {NOT_ENABLED}", name.whole()).into());
                }
                let number = self.guest(&name, ctx.now).map_err(|error| error.to_string())?;
                self.forget_process_of_another(number, uuid, ctx);
                if let Some(guest) = self.roster.guests.get_mut(number) {
                    let is_another = guest.rare_mut().by_cid.replace(uuid) != Some(uuid);
                    let (marks, since) = (guest.marks.as_deref(), guest.since);
                    let standing =
                        self.responder.libvirt().standing(name.whole(), since, marks, Some(uuid));
                    let has_changed =
                        standing.is_some_and(|standing| guest.set_standing(standing, ctx.now));
                    let may_be_another = is_another || (has_changed && guest.who.peer().is_none());
                    if has_changed {
                        self.reconsider(number, ctx);
                    }
                    if may_be_another {
                        self.decide_anew(number, ctx);
                    }
                }
                Ok((number, Some(of)))
            }
        }
    }

    /// Forgets the process that has had a domain's name, unless it is the domain's: it was that before, or is at a socket of
    /// its own. One at a `[[sockets]]` or `[[listen]]` may be anybody's, and its figures would be taken for the domain's.
    pub(in crate::guests) fn forget_process_of_another(
        &mut self,
        number: GuestId,
        domain: Uuid,
        ctx: &mut Ctx<'_>,
    ) {
        let is_at_own = self.roster.ports_of(number).any(|(_, port)| {
            let is_own =
                matches!(port.endpoint, Endpoint::Socket | Endpoint::Channel(_) | Endpoint::Pty(_));
            is_own && port.connection.is_some()
        });
        let Some(guest) = self.roster.guests.get_mut(number).filter(|_| !is_at_own) else { return };
        let was_it = matches!(guest.who.standing(), Standing::Domain(of, _) if *of == domain);
        if was_it || (guest.who.peer().is_none() && guest.marks.is_none()) {
            return;
        }
        guest.marks = None;
        guest.is_unread = false;
        if let Some(rare) = &mut guest.rare {
            rare.cid = None;
        }
        guest.observed = Observed::new(Err(BY_CID_ALONE));
        if let Err(error) = guest.who.connected(None, begin_session) {
            guest.log_no_session(&error);
        }
        self.plan_for(number, ctx);
    }

    /// Whether a domain may ask: the settings name it, or it has a hostinfo port. What it has for vhostmd's clients lets only
    /// these ask.
    pub(super) fn may_ask_over_vsock(&mut self, name: &Name, uuid: Uuid) -> bool {
        let (name, libvirt) = (name.whole(), self.responder.libvirt());
        let has_port = |known: &Arc<Snapshot>| {
            let ports = known.guest(uuid).map(|guest| &guest.domain.names.clauses);
            ports.is_some_and(|ports| ports.iter().any(|port| port == name))
                && known.whose().of(name) == Claim::Named(uuid)
        };
        self.vsock.settings.guests.has(name) || libvirt.known().is_some_and(has_port)
    }

    /// Why neither of two guests is answered at an address: the VMMs of both have it on their command lines.
    pub(super) fn claimed_by(&self, claimants: [GuestId; 2]) -> String {
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
pub(super) const NOT_ENABLED: &str =
    "not enabled: hostinfod.toml does not name it in [vsock] guests, and it has no hostinfo port";
