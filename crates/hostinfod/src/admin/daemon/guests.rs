//! Guests as an administrator sees them: looked up by name, and described one by one.

use std::collections::HashMap;
use std::time::{Instant, SystemTime};

use hostinfo_answer::{Dialect, Name, Requester, Standing};
use hostinfo_control::limits::PAGE;
use hostinfo_control::{
    Guest as GuestInfo, GuestState, LastQuery, Page, Port as PortInfo, PortKind, PortState,
    Refusal, timestamp,
};

use super::Daemon;
use crate::guest::Guest;
use crate::guests::Patterns;
use crate::metrics::tally::LastLine;
use crate::port::{Endpoint, Port};
use crate::reactor::id::GuestId;
use crate::responder::event::shown;

impl Daemon<'_> {
    /// The guest that an administrator means: the one with that whole name, or the one with that
    /// name if no other guest has the same. A whole name may also be that of a guest that does not
    /// exist yet.
    pub(super) fn find_guest(&self, name: &str) -> Result<Name, Refusal> {
        let known = self
            .guests
            .roster()
            .named(name)
            .and_then(|number| self.guests.roster().guests.get(number));
        if let Some(guest) = known {
            return Ok(guest.who.name().clone());
        }
        let mut named = self
            .guests
            .roster()
            .in_order(None)
            .map(|(_, guest)| guest.who.name())
            .filter(|known| known.guest() == name);
        let message = match (named.next(), named.next(), Name::parse(name)) {
            (Some(found), None, _) => return Ok(found.clone()),
            (Some(one), Some(other), _) => format!(
                "more than one guest is called {name}: say {} or {}",
                one.whole(),
                other.whole()
            ),
            (None, _, Some(whole)) => return Ok(whole),
            (None, _, None) => format!(
                "no guest called {name} has a socket here: `hostinfoctl enable` gives it one; \
                 called by its whole name, as in $driver-{name}, it need not have one"
            ),
        };
        Err(Refusal::NoSuchGuest { guest: name.to_owned(), message })
    }

    /// The guests that come after that name.
    pub(super) fn page(&self, after: Option<&str>, now: Instant) -> Page {
        let mut guests: Vec<_> = self.guests.roster().in_order(after).take(PAGE + 1).collect();
        let complete = guests.len() <= PAGE;
        guests.truncate(PAGE);
        let mut ports: HashMap<GuestId, Vec<&Port>> =
            guests.iter().map(|(number, _)| (*number, Vec::new())).collect();
        for (_, port) in self.guests.roster().ports.iter() {
            if let Some(ports) = ports.get_mut(&port.guest) {
                ports.push(port);
            }
        }
        let patterns = self.guests.patterns();
        let described = guests.iter().map(|(number, guest)| {
            describe(guest, ports.get(number).map_or(&[], Vec::as_slice), patterns, now)
        });
        Page { guests: described.collect(), complete }
    }

    /// Number of guests in each state.
    pub(crate) fn states(&self) -> HashMap<GuestState, u64> {
        let mut ports: HashMap<GuestId, PortState> = HashMap::new();
        for (_, port) in self.guests.roster().ports.iter() {
            let state = port_state(port);
            let best = ports.entry(port.guest).or_insert(state);
            *best = (*best).min(state);
        }
        let mut states = HashMap::new();
        for (number, guest) in self.guests.roster().guests.iter() {
            *states.entry(state(&guest.who, ports.get(&number).copied())).or_insert(0) += 1;
        }
        states
    }

    /// Whether the guest can ask, and why not.
    pub(super) fn state_of(
        &self,
        number: Option<GuestId>,
        who: &Requester,
    ) -> (GuestState, Option<String>) {
        let ports = self.guests.roster().ports.iter().map(|(_, port)| port);
        let ports: Vec<&Port> = ports.filter(|port| Some(port.guest) == number).collect();
        (state(who, best(&ports)), problem(who, &ports))
    }

    /// The whole names of guests that have a socket.
    pub(super) fn present_guests(&self) -> impl Iterator<Item = &str> {
        let present: std::collections::HashSet<GuestId> =
            self.guests.roster().ports.iter().map(|(_, port)| port.guest).collect();
        let guests =
            self.guests.roster().guests.iter().filter(move |(number, _)| present.contains(number));
        guests.map(|(_, guest)| guest.who.name().whole())
    }
}

fn describe(guest: &Guest, ports: &[&Port], patterns: &Patterns, now: Instant) -> GuestInfo {
    let rule = guest.who.rule();
    let record = &guest.record;
    GuestInfo {
        guest: guest.who.name().whole().to_owned(),
        driver: guest.who.name().driver().to_owned(),
        name: guest.who.name().guest().to_owned(),
        state: state(&guest.who, best(ports)),
        problem: problem(&guest.who, ports),
        ports: ports.iter().map(|port| describe_port(port, patterns, guest.who.name())).collect(),
        uuid: match guest.who.standing() {
            Standing::Domain(uuid, _) => Some(uuid.to_string()),
            Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => None,
        },
        pattern: rule.map(|rule| rule.pattern.clone()),
        line: rule.map(|rule| rule.line as u64),
        interval: guest.who.grant().interval().as_secs_f64(),
        counts: record.counts(),
        last: record.last().map(|LastLine { at, code, line }| LastQuery {
            at: timestamp(SystemTime::now() - now.saturating_duration_since(*at)),
            asked: shown(line),
            code: *code as u16,
        }),
    }
}

fn describe_port(port: &Port, patterns: &Patterns, guest: &Name) -> PortInfo {
    let kind = match (&port.endpoint, port.dialect) {
        (Endpoint::Pty(_), _) => PortKind::Pty,
        (Endpoint::Listener(_) | Endpoint::Accepted(_) | Endpoint::Vsock(_), _) => PortKind::Vsock,
        (Endpoint::Socket, Dialect::Hostinfo) | (Endpoint::Pattern(_), _) => PortKind::Hostinfo,
        (Endpoint::Socket, Dialect::Vhostmd) | (Endpoint::Channel(_), _) => PortKind::Vhostmd,
    };
    let path = port.endpoint.pattern().and_then(|pattern| patterns.path(pattern, guest));
    let path = path.map(|path| path.display().to_string());
    PortInfo { kind, state: port_state(port), path, problem: port.refusal.clone() }
}

fn port_state(port: &Port) -> PortState {
    match (&port.connection, &port.refusal) {
        (Some(_), _) => PortState::Connected,
        (None, Some(_)) => PortState::Failed,
        (None, None) => PortState::Waiting,
    }
}

fn best(ports: &[&Port]) -> Option<PortState> {
    ports.iter().map(|port| port_state(port)).min()
}

/// The state by its best port. `port` is `None` if it has none.
fn state(who: &Requester, port: Option<PortState>) -> GuestState {
    match (who.standing(), port) {
        (_, None) => GuestState::Absent,
        (Standing::Refused(_) | Standing::Awaited, _) => GuestState::Refused,
        _ if who.is_undecided() => GuestState::Refused,
        _ if !who.grant().enabled() => GuestState::Disabled,
        (_, Some(PortState::Connected)) => GuestState::Connected,
        (_, Some(PortState::Failed)) => GuestState::Failed,
        (_, Some(PortState::Waiting)) => GuestState::Waiting,
    }
}

fn problem(who: &Requester, ports: &[&Port]) -> Option<String> {
    let of_port = || ports.iter().find_map(|port| port.refusal.clone());
    who.refusal().map(std::borrow::Cow::into_owned).or_else(of_port)
}
