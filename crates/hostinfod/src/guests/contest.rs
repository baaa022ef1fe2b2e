//! One name, one guest: sockets of different places, and connections that a guest's VMM makes, are one guest's only if
//! one process is at the other end of all. Whoever may make files in one place must not become another's guest.

use std::time::Duration;

use hostinfo_answer::{Peer, Standing};

use super::Guests;
use crate::guest::peer;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, PortId};

/// The time between two checks whether both processes that claim to be one guest still run. A check reads a file of each.
pub(super) const CONTEST_CHECK_INTERVAL: Duration = Duration::from_secs(10);

/// A domain's own port says who it is; a name elsewhere does not.
const DOMAIN: &str = "libvirt has a domain of that name, whose own hostinfo port is not connected: remove one of them, or \
                      give the guest another name";

impl Guests {
    /// Whether a port with that process at its other end may be served beside the others of its guest. Where it may
    /// not, what has to be done for that is done.
    pub(super) fn may_be_served(
        &mut self,
        number: PortId,
        peer: Option<Peer>,
        is_early: bool,
        ctx: &mut Ctx<'_>,
    ) -> bool {
        let Some(port) = self.roster.ports.get(number) else { return false };
        let (guest, here) = (port.guest, port.endpoint.pattern());
        // They were compared before there was a port.
        if port.endpoint.is_client() {
            return true;
        }
        if !self.may_be_beside_clients(guest, peer, is_early, ctx) {
            return false;
        }
        // Where there is one place only, nobody else has to be compared with anybody.
        if self.patterns.dirs().next().is_none() {
            return true;
        }
        let others = self.connected(guest).filter(|other| other.endpoint.is_beside_vsock());
        let others = others.filter(|other| other.endpoint.pattern() != here);
        let are_early: Vec<bool> = others.map(Port::is_early).collect();
        if are_early.is_empty() {
            let is_it = here.is_none() || !self.is_domain_elsewhere(guest);
            if !is_it {
                self.refuse(number, DOMAIN, ctx);
            }
            return is_it;
        }
        // Whose process it is will show: until then it waits.
        if is_early || are_early.contains(&true) {
            if let Some(port) = self.roster.ports.get_mut(number) {
                let again = port.retry.after_failure(ctx.now);
                ctx.reactor.set_alarm(Alarm::Port(number), Some(again));
            }
            return false;
        }
        let known = self.roster.guests.get(guest).and_then(|guest| guest.who.peer());
        let is_same = known.zip(peer).is_some_and(|(known, peer)| known.is(peer));
        if !is_same {
            self.contest(guest, known, peer, ctx);
        }
        is_same
    }

    /// Whether two processes claim to be this guest, so that neither is served. Ends the contest if one of them has ended.
    pub(super) fn is_contested(&mut self, guest: GuestId) -> bool {
        let Some(claimants) = self.contested.get(&guest) else { return false };
        let both_run = claimants.iter().flatten().all(|claimant| self.runs(*claimant));
        if !both_run {
            self.contested.remove(&guest);
            for (number, _) in self.ports_of(guest) {
                if let Some(port) = self.roster.ports.get_mut(number)
                    && let Endpoint::Listener(listener) = &port.endpoint
                    && listener.socket.is_some()
                {
                    port.refusal = None;
                }
            }
        }
        both_run
    }

    /// Whether a process is still there.
    pub(super) fn runs(&self, process: Peer) -> bool {
        peer::now(process.pid, &self.roots.proc).is(process)
    }

    /// A port has gone, or another process may be at the end of one: who is left may be served.
    pub(super) fn end_contest(&mut self, guest: GuestId, ctx: &mut Ctx<'_>) {
        if self.contested.remove(&guest).is_some() {
            self.try_others(guest, ctx);
        }
    }

    /// Tries all of a guest's ports that are not connected.
    pub(super) fn try_others(&mut self, guest: GuestId, ctx: &mut Ctx<'_>) {
        for (number, _) in self.ports_of(guest) {
            match self.roster.ports.get(number).map(|port| &port.endpoint) {
                Some(Endpoint::Listener(_)) => self.check_listener(number, ctx),
                _ => self.try_connect(number, ctx),
            }
        }
    }

    /// What libvirt says of a guest has changed. While the guest is a domain and only a socket elsewhere has its name, that
    /// socket is not the guest's; nor are connections that a VMM without libvirt has made.
    pub(super) fn reconsider(&mut self, guest: GuestId, ctx: &mut Ctx<'_>) {
        if !self.is_domain(guest) {
            return self.try_others(guest, ctx);
        }
        self.end_clients_of_vmm(guest, ctx);
        let is_own = |at: &Endpoint| at.pattern().is_none() && at.is_beside_vsock();
        if self.connected(guest).any(|port| is_own(&port.endpoint)) {
            return;
        }
        for (number, is_own) in self.ports_of(guest) {
            if !is_own {
                self.refuse(number, DOMAIN, ctx);
            }
        }
    }

    pub(super) fn is_domain(&self, guest: GuestId) -> bool {
        let guest = self.roster.guests.get(guest);
        guest.is_some_and(|guest| matches!(guest.who.standing(), Standing::Domain(..)))
    }

    /// Whether a domain has a guest's name, whoever is there or was refused: a process that comes at no port of the domain's
    /// own may hide that it is not the domain's.
    pub(super) fn is_domain_elsewhere(&mut self, number: GuestId) -> bool {
        let Some(guest) = self.roster.guests.get(number) else { return false };
        let (name, by_cid) = (guest.who.name().whole(), guest.by_cid());
        let by_name = self.responder.libvirt().standing(name, None, None, by_cid);
        matches!(by_name, Some(Standing::Domain(..))) || self.is_domain(number)
    }

    /// Its ports that are connected.
    pub(super) fn connected(&self, guest: GuestId) -> impl Iterator<Item = &Port> {
        let ports = self.roster.ports_of(guest).map(|(_, port)| port);
        ports.filter(|port| port.connection.is_some())
    }

    fn ports_of(&self, guest: GuestId) -> Vec<(PortId, bool)> {
        let ports = self.roster.ports_of(guest);
        ports.map(|(number, port)| (number, port.endpoint.pattern().is_none())).collect()
    }

    /// Serves none of a guest's ports, until one of them goes or one of the processes ends.
    pub(super) fn contest(
        &mut self,
        guest: GuestId,
        one: Option<Peer>,
        two: Option<Peer>,
        ctx: &mut Ctx<'_>,
    ) {
        // Before it is contested, since a port that goes ends that.
        self.end_clients(guest, ctx);
        self.contested.insert(guest, [one, two]);
        let [one, two] = [one, two].map(|peer| match peer {
            Some(Peer { pid, .. }) => format!("process {pid}"),
            None => "a process that cannot be seen".to_owned(),
        });
        let why = format!(
            "{one} and {two} claim to be this guest, and only one of them can be: end one of them, remove its socket, or \
             take the name out of guests in hostinfod.toml; until then neither is served"
        );
        for (number, _) in self.ports_of(guest) {
            self.refuse(number, &why, ctx);
            if self
                .roster
                .ports
                .get(number)
                .is_some_and(|port| !matches!(port.endpoint, Endpoint::Listener(_)))
            {
                ctx.reactor.set_alarm(Alarm::Port(number), Some(ctx.now + CONTEST_CHECK_INTERVAL));
            }
        }
    }

    /// Does not serve a port, and says why once.
    fn refuse(&mut self, number: PortId, why: &str, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        if port.connection.take().is_some() {
            guest.log_gone(why, ctx.now);
        }
        let is_told = port.refusal.as_deref() == Some(why);
        port.refusal = Some(why.to_owned());
        let guest = port.guest;
        // A listener goes on listening, and its alarm is for that.
        if !matches!(port.endpoint, Endpoint::Listener(_)) {
            ctx.reactor.set_alarm(Alarm::Port(number), None);
            ctx.reactor.set_alarm(Alarm::LookAgain(number), None);
        }
        self.plan_for(guest, ctx);
        self.end_vsock_connections_without_port(guest, ctx);
        if !is_told {
            self.log_refused(number, why, ctx);
        }
    }

    /// Logs that a port is not served, unless too much was logged about its guest: whoever may write where it is can
    /// have it refused again and again.
    pub(super) fn log_refused(&mut self, number: PortId, why: &str, ctx: &mut Ctx<'_>) {
        let Some(socket) = self.socket_of(number) else { return };
        let Some((port, guest)) = self.roster.at(number) else { return };
        guest.log_refused(&socket, why, ctx.now);
        ctx.reactor.set_alarm(Alarm::LeftOut(port.guest), guest.quotas.due(ctx.now));
    }

    /// What a port's socket is called in the log.
    fn socket_of(&self, number: PortId) -> Option<String> {
        let port = self.roster.ports.get(number)?;
        let name = self.roster.guests.get(port.guest)?.who.name();
        let path = match &port.endpoint {
            Endpoint::Pattern(pattern) => self.patterns.path(*pattern, name),
            Endpoint::Listener(listener) => {
                let section = self.sections.get(listener.section);
                section.map(|section| section.place.entry().pattern.path(name.guest()))
            }
            Endpoint::Socket
            | Endpoint::Channel(_)
            | Endpoint::Pty(_)
            | Endpoint::Accepted(_)
            | Endpoint::Vsock(_) => None,
        };
        Some(path.map_or_else(|| name.whole().to_owned(), |path| path.display().to_string()))
    }
}
