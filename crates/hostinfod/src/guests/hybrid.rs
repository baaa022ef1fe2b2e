//! Guests whose VMM connects: where the daemon listens for them, as `[[listen]]` of the settings says.

use std::collections::HashMap;
use std::ffi::{OsStr, OsString};

use hostinfo_answer::{Dialect, Name};
use hostinfo_peer::PeerSocket;

use super::Guests;
use super::refusals::RefusalLog;
use super::standing::cannot_be_served;
use crate::port::listener::{GuestListener, Listens, NotListening};
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::accepting::{AcceptPace, Accepting};
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{PortId, SectionId};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::settings::hybrid::{Hybrid, Hybrids};
use crate::sockets::hybrid::{GuestDir, Section};
use crate::sockets::pace::PlaceChange;
use crate::system::credentials::Credentials;
use crate::system::file_error::TRY_AGAIN;

/// Users who connect where a VMM does and may not: one pace and one quota of log lines for all `[[listen]]` together. Those who
/// may connect are charged to the guest.
pub(super) struct RefusedPeers {
    pace: AcceptPace,
    refusals: RefusalLog,
}

impl RefusedPeers {
    /// Nobody has come yet.
    pub(super) fn new() -> Self {
        let refusals = RefusalLog::new("listen", Alarm::RefusedPeersLeftOut);
        Self { pace: AcceptPace::new(), refusals }
    }
}

impl Guests {
    /// Logs the number of lines left out about refused peers, when that is due.
    pub(crate) fn log_refused_peers_left_out(&mut self, ctx: &mut Ctx<'_>) {
        self.refused_peers.refusals.log_left_out(ctx);
    }

    /// Listens where the settings say, and nowhere else any more.
    pub(crate) fn listen_at(&mut self, wanted: Hybrids, ctx: &mut Ctx<'_>) {
        let mut wanted: Vec<Hybrid> = wanted.into_iter().collect();
        let known = self.sections.iter().map(|(id, section)| (id, section.settings.clone()));
        let known: HashMap<SectionId, Hybrid> = known.collect();
        for (id, settings) in known {
            match wanted.iter().position(|wanted| wanted.is_same_place(&settings)) {
                // Others may be enabled now, and what had to be mended may have been.
                Some(index) => {
                    let settings = wanted.remove(index);
                    if let Some(section) = self.sections.get_mut(id) {
                        section.settings = settings;
                    }
                    self.check_section(id, ctx);
                }
                None => self.remove_section(id, ctx),
            }
        }
        wanted.into_iter().for_each(|settings| self.add_section(settings, ctx));
    }

    fn add_section(&mut self, settings: Hybrid, ctx: &mut Ctx<'_>) {
        let path = settings.path.text().to_owned();
        if settings.guests.is_empty() {
            tracing::warn!(
                "[[listen]] {path}: `guests` is empty, so nobody is served there: write guests = \
                 [\"{}-*\"] for all, or name them",
                settings.driver
            );
        }
        if settings.shares_its_user() {
            tracing::warn!(
                "[[listen]] {path}: one user runs the VMMs of all these guests, so a VMM that was taken \
                 over can speak for each of them; give each VMM a user of its own, and write {{name}} \
                 in `user`"
            );
        }
        let failed = |error: std::io::Error| {
            tracing::error!("[[listen]] {path}: {error}; until SIGHUP, no guests are served there");
        };
        let section = match Section::open(settings, &self.looks_ended) {
            Ok(section) => section,
            Err(error) => return failed(error),
        };
        let id = self.sections.insert(section);
        let Some(section) = self.sections.get(id) else { return };
        if let Err(error) = ctx.reactor.add(section.watcher(), Token::Section(id), Interest::Read) {
            self.sections.remove(id);
            return failed(error);
        }
        self.check_section(id, ctx);
    }

    fn remove_section(&mut self, id: SectionId, ctx: &mut Ctx<'_>) {
        self.wait_for_changes(Token::Section(id), Interest::None, ctx);
        let Some(section) = self.sections.remove(id) else { return };
        ctx.reactor.set_alarm(Alarm::Section(id), None);
        section.ports.into_values().for_each(|port| self.remove_listener(port, ctx));
    }

    /// Looks at what has changed in the directories of a `[[listen]]`, as far as it is time to.
    pub(crate) fn take_section_changes(&mut self, id: SectionId, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        let changes = section.changes(ctx.now);
        ctx.reactor.set_alarm(Alarm::Section(id), section.next_check());
        for change in changes {
            match change {
                PlaceChange::Everything => self.check_section(id, ctx),
                PlaceChange::Guest(entry) => self.check_entry(id, &entry, ctx),
            }
        }
    }

    fn check_section(&mut self, id: SectionId, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        let entries = section.look(ctx.now);
        if section.is_to_be_tried_again() {
            ctx.reactor.set_alarm(Alarm::Section(id), Some(ctx.now + TRY_AGAIN));
        }
        let known = section.ports.keys();
        let entries: Vec<OsString> = match entries {
            // Those that are gone, too.
            Some(entries) => entries.into_iter().chain(known.cloned()).collect(),
            // Those that are not enabled any more.
            None => known.filter(|entry| section.name(entry).is_none()).cloned().collect(),
        };
        entries.iter().for_each(|entry| self.check_entry(id, entry, ctx));
    }

    /// Looks at an entry that may be a guest's directory.
    fn check_entry(&mut self, id: SectionId, entry: &OsStr, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        let whole = section.name(entry);
        if let Some(port) = section.ports.get(entry).copied() {
            return match whole {
                Some(_) => self.check_listener(port, ctx),
                // It is not enabled any more.
                None => self.remove_listener(port, ctx),
            };
        }
        if whole.is_none() {
            return;
        }
        match section.find(entry, None, ctx.now) {
            None | Some((Ok(GuestDir::Missing), _)) => return,
            Some(found) => section.put_back(entry, found),
        }
        if let Some(port) = self.add_listener(id, entry, ctx) {
            self.check_listener(port, ctx);
        }
        if let Some(section) = self.sections.get_mut(id) {
            section.forget_found(entry);
        }
    }

    /// Adds the port of a guest that is enabled, where the daemon does not listen yet.
    pub(super) fn add_listener(
        &mut self,
        id: SectionId,
        entry: &OsStr,
        ctx: &Ctx<'_>,
    ) -> Option<PortId> {
        let name = Name::parse(&self.sections.get(id)?.name(entry)?)?;
        let guest = match self.guest(&name, ctx.now) {
            Ok(guest) => guest,
            Err(error) => {
                cannot_be_served(&name, &error);
                return None;
            }
        };
        let endpoint = Endpoint::Listener(GuestListener::new(id, entry.to_owned()).into());
        let port = self.roster.add_port(Port::new(guest, endpoint, Dialect::Hostinfo, ctx.now));
        self.sections.get_mut(id)?.ports.insert(entry.to_owned(), port);
        Some(port)
    }

    /// Goes on where looks at the directories of a `[[listen]]` have ended late.
    pub(super) fn take_late_listeners(&mut self, id: SectionId, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        let (looked, found) = (section.take_looked(), section.take_found());
        if let Some(has_changed) = looked {
            self.check_section(id, ctx);
            if has_changed {
                self.check_section(id, ctx);
            }
        }
        for (entry, has_changed) in found {
            self.check_entry(id, &entry, ctx);
            if let Some(section) = self.sections.get_mut(id) {
                section.forget_found(&entry);
            }
            if has_changed {
                self.check_entry(id, &entry, ctx);
            }
        }
    }

    /// Gives up the sockets of an earlier run that nobody has taken, once all directories have been looked at.
    pub(super) fn give_up_earlier_sockets(&self) {
        if !self.sections.iter().any(|(_, section)| section.is_being_looked_at()) {
            self.earlier_sockets.give_up();
        }
    }

    /// A guest's listener accepts connections again after a pause, or is to be tried again.
    pub(super) fn on_listener_alarm(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, _)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &port.endpoint else { return };
        match &listener.socket {
            Some(socket) => accepting(number).wait_for(socket, Interest::Read, ctx.reactor),
            None => self.check_listener(number, ctx),
        }
    }

    /// Looks whether the daemon can listen at a guest's listener, and does so. One that listens already may pause, and goes
    /// on pausing.
    pub(super) fn check_listener(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &mut port.endpoint else { return };
        if listener.socket.is_none() && guest.unclosed.count() > 0 {
            return ctx.reactor.set_alarm(Alarm::Port(number), Some(ctx.now + TRY_AGAIN));
        }
        let Some(section) = self.sections.get_mut(listener.section) else { return };
        let (name, unclosed) = (guest.who.name(), &guest.unclosed);
        let listens = listener.listen(section, name, &self.earlier_sockets, unclosed, ctx.now);
        let listens = match listens {
            None => return,
            Some(Ok(Listens::Nowhere)) => return self.remove_listener(number, ctx),
            Some(Ok(Listens::AsBefore)) => Ok(()),
            Some(Ok(Listens::Anew(socket))) => {
                let socket = listener.socket.insert(socket);
                let added = ctx.reactor.add(socket, Token::Port(number), Interest::Read);
                added.map_err(NotListening::from)
            }
            Some(Err(why)) => Err(why),
        };
        if listens.is_err() {
            listener.socket = None;
        }
        let again = listens.as_ref().is_err_and(NotListening::is_passing);
        let path = section.settings.path.text();
        let refusal = listens.err().map(|why| format!("[[listen]] {path}: {why}"));
        let is_told = port.refusal == refusal;
        port.refusal.clone_from(&refusal);
        if listener.socket.is_none() {
            ctx.reactor.set_alarm(Alarm::Port(number), again.then(|| ctx.now + TRY_AGAIN));
        }
        if let Some(why) = refusal.filter(|_| !is_told) {
            self.log_refused(number, &why, ctx);
        }
    }

    /// Listens at a guest's listener no more, and ends all connections that were made there.
    fn remove_listener(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, _)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &port.endpoint else { return };
        if let Some(section) = self.sections.get_mut(listener.section) {
            section.remove_guest(&listener.entry);
        }
        let guest = port.guest;
        let ports =
            self.ports_at(guest, |at| matches!(at, Endpoint::Accepted(at) if *at == number));
        ports.into_iter().for_each(|port| self.remove_port(port, ctx));
        self.remove_port(number, ctx);
    }

    /// Listens nowhere any more, before the daemon ends.
    pub(super) fn stop_listening(&mut self) {
        for (_, port) in self.roster.ports.iter_mut() {
            if let Endpoint::Listener(listener) = &mut port.endpoint {
                listener.socket = None;
            }
        }
    }

    /// Somebody connects at a guest's listener.
    pub(super) fn accept(&mut self, number: PortId, ctx: &mut Ctx<'_>) {
        let Some((port, guest)) = self.roster.at(number) else { return };
        let Endpoint::Listener(listener) = &mut port.endpoint else { return };
        let Some(socket) = &listener.socket else { return };
        let accepting = accepting(number);
        if guest.unclosed.count() > 0 {
            return accepting.wait_for_closing(socket, ctx);
        }
        let fd = accepting.accept_uncounted(socket, ctx);
        let Some(fd) = fd.map(|fd| PeerSocket::new(fd, guest.unclosed.clone())) else { return };
        let Some(peer) = Credentials::of(&fd) else { return };
        if !peer.uid.is_root() && Some(peer.uid) != listener.user {
            accepting.count(socket, &mut self.refused_peers.pace, ctx);
            let allowed =
                listener.user.map_or_else(|| "nobody".to_owned(), |user| format!("user {user}"));
            let why = format!(
                "user {} connected where the VMM does, and only {allowed} and root may: it was hung up on",
                peer.uid
            );
            return self.refused_peers.refusals.log(guest.who.name().whole(), &why, ctx);
        }
        if let Some(until) = self.responder.charge_accepted(guest, ctx.now) {
            // Those behind it wait in the kernel. If a line that came meanwhile takes what this waits for, the next one is
            // accepted all the same, so lines keep no connection out, and it is owed for.
            accepting.wait_for(socket, Interest::None, ctx.reactor);
            ctx.reactor.set_alarm(Alarm::Port(number), Some(until));
        }
        let guest = port.guest;
        self.admit(guest, fd, Endpoint::Accepted(number), ctx);
    }
}

/// What the socket of a listener is in the reactor.
fn accepting(number: PortId) -> Accepting {
    let (token, alarm) = (Token::Port(number), Alarm::Port(number));
    Accepting { who: "a VMM to connect", token, alarm }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;
    use std::path::Path;
    use std::time::{Duration, Instant};

    use rustix::process::geteuid;

    use crate::guests::tests::guests;
    use crate::reactor::Reactor;
    use crate::sockets::looks::at_last;

    fn settings(below: &Path) -> Hybrids {
        let settings = format!(
            "[[listen]]\npath = '{}/{{name}}/v_4678'\ndriver = 'fc'\nuser = '{}'\nguests = ['*']\n",
            below.display(),
            geteuid().as_raw()
        );
        let mut settings: HashMap<String, Hybrids> = toml::from_str(&settings).unwrap();
        settings.remove("listen").unwrap()
    }

    #[test]
    fn a_place_that_is_removed_while_a_thread_looks_at_it_does_not_wake_the_loop_any_more() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("vm");
        std::fs::create_dir_all(&below).unwrap();
        let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        guests.listen_at(settings(&below), ctx);
        let looked = |guests: &mut Guests| {
            let (_, section) = guests.sections.iter().next()?;
            (!section.is_being_looked_at()).then(|| section.kept_by_a_look())
        };
        let _kept = at_last(&mut guests, looked, |guests| guests.take_late_looks(ctx));
        let mut ready = Vec::new();
        let is_woken = |ctx: &mut Ctx<'_>, ready: &mut Vec<_>| {
            ctx.reactor.set_alarm(Alarm::Watches, Some(Instant::now()));
            ctx.reactor.wait(ready).unwrap();
            ready.iter().any(|ready| matches!(ready.token, Token::Section(_)))
        };
        std::fs::create_dir(below.join("web")).unwrap();
        assert!(is_woken(ctx, &mut ready));
        guests.listen_at(Hybrids::default(), ctx);
        assert!(!is_woken(ctx, &mut ready));
    }

    #[test]
    fn a_connection_that_is_accepted_too_early_is_owed_for() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("vm");
        std::fs::create_dir_all(below.join("web")).unwrap();
        let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        guests.listen_at(settings(&below), ctx);
        let is_listener = |port: &Port| match &port.endpoint {
            Endpoint::Listener(listener) => listener.socket.is_some(),
            _ => false,
        };
        let listener = |guests: &mut Guests| {
            let listener = guests.roster.ports.iter().find(|(_, port)| is_listener(port));
            listener.map(|(number, port)| (number, port.guest))
        };
        let (number, guest) = at_last(&mut guests, listener, |guests| guests.take_late_looks(ctx));
        let mut debts = Vec::new();
        for _ in 0..100 {
            let client = UnixStream::connect(below.join("web/v_4678")).unwrap();
            guests.accept(number, ctx);
            drop(client);
            let guest = guests.roster.guests.get_mut(guest).unwrap();
            debts.push(guests.responder.charge_connection(guest, Duration::ZERO, ctx.now).err());
        }
        let owed = debts.split_off(50);
        assert!(owed.is_sorted_by(|one, next| one < next), "{owed:?}");
    }
}
