//! Guests that another program hands over, and those that are handed over to another.
//!
//! Connections go on. A port without one is found and tried as at the daemon's start.

use std::os::fd::{AsFd as _, OwnedFd};

use hostinfo_answer::Name;
use hostinfo_open::Entry;
use hostinfo_peer::PeerSocket;

use super::Guests;
use super::marks::plan_to_read_again;
use super::standing::cannot_be_served;
use crate::handover::{EndpointState, GuestState, GuestsState, PortState, UnidentifiedState};
use crate::port::connection::Connection;
use crate::port::pty::Pty;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, PatternId, PortId, SectionId};
use crate::reactor::token::Token;
use crate::sockets::hybrid::Section;
use crate::sockets::pattern_dir::PatternDir;
use crate::system::descriptors::{Incoming, Outgoing};

/// A connection that was handed over and waits until it is known where it belongs.
pub(super) struct TakenPort {
    guest: GuestId,
    state: PortState,
    fd: PeerSocket,
}

/// What was handed over and is taken over later at the start.
#[derive(Default)]
pub(super) struct Later {
    /// Sockets that listen, with what the service manager calls them.
    pub(super) listeners: Vec<(String, OwnedFd)>,
    /// The listener of AF_VSOCK.
    pub(super) vsock: Option<OwnedFd>,
    unidentified: Vec<(OwnedFd, UnidentifiedState)>,
    /// Connections that VMMs made.
    accepted: Vec<TakenPort>,
}

impl Guests {
    /// What another program goes on with.
    pub(crate) fn hand_over<'g>(&'g self, fds: &mut Outgoing<'g>) -> GuestsState {
        let guests = self.roster.guests.iter().map(|(number, guest)| {
            let ports = self.roster.ports_of(number);
            let ports = ports.filter_map(|(_, port)| self.hand_over_port(port, fds)).collect();
            (guest.who.name().whole().to_owned(), guest.hand_over(ports))
        });
        let guests = guests.collect();
        let name = |guest: &GuestId| self.roster.guests.get(*guest).map(|guest| guest.who.name());
        let contested = self
            .contested
            .iter()
            .filter_map(|(guest, claimants)| Some((name(guest)?.whole().to_owned(), *claimants)));
        let listening = self.roster.ports.iter().filter_map(|(_, port)| match &port.endpoint {
            Endpoint::Listener(listener) => listener.socket.as_ref(),
            _ => None,
        });
        let listeners =
            listening.map(|socket| (socket.kept_as(), fds.add(socket.as_fd()))).collect();
        let (vsock, unidentified) = self.vsock.hand_over(fds);
        GuestsState {
            guests,
            contested: contested.collect(),
            listeners,
            vsock,
            unidentified,
            unwritten: self.incidents.unwritten().clone(),
        }
    }

    fn hand_over_port<'g>(&'g self, port: &'g Port, fds: &mut Outgoing<'g>) -> Option<PortState> {
        let connection = port.connection.as_ref()?;
        let endpoint = match &port.endpoint {
            Endpoint::Socket => EndpointState::Socket,
            Endpoint::Channel(path) => EndpointState::Channel(path.to_path_buf()),
            Endpoint::Pattern(pattern) => EndpointState::Pattern(
                self.patterns.dirs.get(*pattern)?.entry().pattern.text().to_owned(),
            ),
            Endpoint::Pty(pty) => EndpointState::Pty(pty.path.clone(), fds.add(pty.slave())),
            // It has no connection itself.
            Endpoint::Listener(_) => return None,
            Endpoint::Accepted(listener) => {
                let Endpoint::Listener(listener) = &self.roster.ports.get(*listener)?.endpoint
                else {
                    return None;
                };
                let Section { place, user } = self.sections.get(listener.section)?;
                EndpointState::Accepted(place.entry().pattern.text().to_owned(), user.clone())
            }
            Endpoint::Vsock(domain) => EndpointState::Vsock(domain.as_deref().copied()),
        };
        let connection = connection.hand_over(fds.add(connection.as_fd()));
        Some(PortState { endpoint, dialect: port.dialect, since: port.since, connection })
    }

    /// Goes on with the guests that another program hands over. What depends on where the daemon looks and listens
    /// comes later.
    pub(super) fn take_over(
        &mut self,
        state: GuestsState,
        mut fds: Incoming,
        ctx: &mut Ctx<'_>,
    ) -> Later {
        let GuestsState { guests, contested, listeners, vsock, unidentified, unwritten } = state;
        let mut later = Later {
            listeners: listeners
                .into_iter()
                .filter_map(|(name, fd)| Some((name, fds.take(fd)?)))
                .collect(),
            vsock: vsock.and_then(|fd| fds.take(fd)),
            unidentified: unidentified
                .into_iter()
                .filter_map(|peer| Some((fds.take(peer.fd)?, peer)))
                .collect(),
            accepted: Vec::new(),
        };
        self.incidents.take_over(unwritten);
        for (name, state) in guests {
            let Some(name) = Name::parse(&name) else { continue };
            match self.guest(&name, ctx.now) {
                Ok(guest) => {
                    self.take_over_guest(guest, state, &mut fds, &mut later, ctx);
                }
                Err(error) => cannot_be_served(&name, &error),
            }
        }
        let contested = contested.into_iter();
        let contested =
            contested.filter_map(|(name, claimants)| Some((self.roster.named(&name)?, claimants)));
        self.contested = contested.collect();
        later
    }

    fn take_over_guest(
        &mut self,
        number: GuestId,
        state: GuestState,
        fds: &mut Incoming,
        later: &mut Later,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let (rules, unclosed) = (self.rules.rules(), guest.unclosed.clone());
        let ports = guest.take_over(state, rules, &self.roots, &self.files);
        plan_to_read_again(number, guest, ctx);
        for state in ports {
            let Some(fd) = fds.take(state.connection.fd) else { continue };
            let fd = PeerSocket::new(fd, unclosed.clone());
            let endpoint = match &state.endpoint {
                // Where the settings have switched such ports off meanwhile, their connections end.
                EndpointState::Channel(_) if !self.responder.libvirt().has_channels() => continue,
                EndpointState::Vsock(_) if !self.vsock.is_enabled() => continue,
                EndpointState::Socket => Endpoint::Socket,
                EndpointState::Channel(path) => Endpoint::Channel(path.as_path().into()),
                EndpointState::Pattern(_) => {
                    self.patterns.taken_over.push(TakenPort { guest: number, state, fd });
                    continue;
                }
                EndpointState::Pty(path, slave) => match fds.take(*slave) {
                    Some(slave) => Endpoint::Pty(Pty::taken_over(path.clone(), slave).into()),
                    None => continue,
                },
                EndpointState::Accepted(..) => {
                    later.accepted.push(TakenPort { guest: number, state, fd });
                    continue;
                }
                EndpointState::Vsock(domain) => Endpoint::Vsock(domain.map(Box::new)),
            };
            self.take_over_port(TakenPort { guest: number, state, fd }, endpoint, ctx);
        }
    }

    /// Goes on with a connection.
    fn take_over_port(
        &mut self,
        taken: TakenPort,
        endpoint: Endpoint,
        ctx: &mut Ctx<'_>,
    ) -> Option<PortId> {
        let TakenPort { guest, state: PortState { dialect, since, connection, .. }, fd } = taken;
        let name = self.roster.guests.get(guest)?.who.name().clone();
        let connection = Connection::taken_over(connection, fd, ctx.now)?;
        let phase = connection.phase;
        let port =
            Port { connection: Some(connection), ..Port::new(guest, endpoint, dialect, since) };
        let number = self.roster.add_port(port);
        let connection = self.roster.ports.get(number)?.connection.as_ref()?;
        if let Err(error) = ctx.reactor.add(connection, Token::Port(number), phase.interest()) {
            let name = name.whole();
            tracing::error!(guest = name, "guest {name} cannot be served any more: {error}");
            self.roster.remove_port(number);
            return None;
        }
        ctx.reactor.set_alarm(Alarm::Port(number), phase.until());
        Some(number)
    }

    /// Goes on with the connections to sockets in the place of a `[[sockets]]`.
    pub(super) fn take_over_pattern_ports(&mut self, ctx: &mut Ctx<'_>) {
        for taken in std::mem::take(&mut self.patterns.taken_over) {
            let EndpointState::Pattern(text) = &taken.state.endpoint else { continue };
            let Some(name) = self.roster.guests.get(taken.guest).map(|it| it.who.name()) else {
                continue;
            };
            let is_it = |(_, dir): &(PatternId, &PatternDir)| is_at(name, text, dir.entry());
            let Some((pattern, _)) = self.patterns.dirs.iter().find(is_it) else { continue };
            let name = name.guest().to_owned();
            let port = self.take_over_port(taken, Endpoint::Pattern(pattern), ctx);
            if let (Some(port), Some(dir)) = (port, self.patterns.dirs.get_mut(pattern)) {
                dir.ports.insert(name, port);
            }
        }
    }

    /// Goes on with the rest, once it is known where the daemon listens.
    pub(super) fn take_over_later(&mut self, later: Later, ctx: &mut Ctx<'_>) {
        if self.vsock.is_enabled() {
            self.take_over_unidentified(later.unidentified, ctx);
        }
        for taken in later.accepted {
            let EndpointState::Accepted(text, user) = &taken.state.endpoint else { continue };
            let Some(name) = self.roster.guests.get(taken.guest).map(|it| it.who.name()) else {
                continue;
            };
            let is_it = |(_, section): &(SectionId, &Section)| {
                is_at(name, text, section.place.entry()) && section.user == *user
            };
            let Some((id, Section { place, .. })) = self.sections.iter().find(is_it) else {
                continue;
            };
            let listener = match place.ports.get(name.guest()) {
                // Where the guest is not enabled any more, or its directory has gone, its connections end.
                None if !place.is_being_looked_at() => continue,
                None => {
                    let name = name.guest().to_owned();
                    self.add_listener(id, &name, ctx)
                }
                Some(listener) => Some(*listener),
            };
            if let Some(listener) = listener {
                self.take_over_port(taken, Endpoint::Accepted(listener), ctx);
                // Its directory may have gone, where it is another guest's that is being looked at.
                self.check_listener(listener, ctx);
            }
        }
        self.check_users(ctx);
        let mut guests = self.roster.guests.ids(|_| true);
        // Where there is not room to watch all, those that were watched stay so.
        let has_watch = |number: &GuestId| {
            self.roster.guests.get(*number).is_some_and(|guest| guest.observed.watch.is_some())
        };
        guests.sort_by_key(|number| !has_watch(number));
        for number in guests {
            // Its socket may have gone between the two programs.
            self.end_vsock_connections_without_port(number, ctx);
            self.plan_for(number, ctx);
            let Some(guest) = self.roster.guests.get(number) else { continue };
            ctx.reactor.set_alarm(Alarm::LeftOut(number), guest.quotas.due(ctx.now));
            if guest.observed.watch.is_some() {
                self.set_watch_alarm(number, ctx);
            }
        }
        // The settings may name others now.
        self.end_vsock_connections(ctx);
    }
}

/// Whether a guest's place is still that at `text`: with another driver, it is another guest's.
fn is_at(name: &Name, text: &str, entry: &Entry) -> bool {
    entry.pattern.text() == text && entry.whole(name.guest()) == name.whole()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::path::Path;

    use hostinfo_answer::Dialect;

    use crate::guests::tests::guests;
    use crate::libvirt::Libvirt;
    use crate::reactor::Reactor;

    #[test]
    fn connections_to_channels_end_at_an_upgrade_where_the_settings_have_switched_them_off() {
        let is_served_after = |libvirt| {
            let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
            let ctx = &mut reactor.now();
            let mut before = guests(folder.path());
            let guest = before.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
            let (_far_end, fd) = UnixStream::pair().unwrap();
            let fd = PeerSocket::from(OwnedFd::from(fd));
            let connection = Some(Connection::new(fd, None, Dialect::Vhostmd, ctx.now));
            let channel = Endpoint::Channel(Path::new("/run/a").into());
            let port = Port::new(guest, channel, Dialect::Vhostmd, ctx.now);
            before.roster.add_port(Port { connection, ..port });
            let mut fds = Outgoing::default();
            let state = before.hand_over(&mut fds);
            let fds = fds.received();
            let elsewhere = tempfile::tempdir().unwrap();
            let mut after = guests(elsewhere.path());
            *after.responder.libvirt() = libvirt;
            after.take_over(state, fds, ctx);
            after.roster.is_connected(after.roster.named("qemu-a").unwrap())
        };
        let libvirt = || Libvirt::asked_by(Libvirt::helper_that_says(&[]));
        assert!(is_served_after(libvirt().with_channels(true)));
        assert!(!is_served_after(libvirt().with_channels(false)));
        assert!(!is_served_after(Libvirt::none().with_channels(true)));
    }
}
