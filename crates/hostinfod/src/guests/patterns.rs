//! Guests whose sockets are outside the socket directory: `[[sockets]]` of hostinfod.toml.

use std::collections::BTreeSet;
use std::path::PathBuf;

use hostinfo_answer::{Dialect, Name};
use hostinfo_open::{Entry, Sockets};

use super::Guests;
use super::handover::TakenPort;
use super::standing::cannot_be_served;
use crate::port::retry::Retry;
use crate::port::{Endpoint, Port};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, PatternId, PortId, Table};
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::sockets::ConnectError;
use crate::sockets::looks::is_held;
use crate::sockets::opener::Opener;
use crate::sockets::pace::PlaceChange;
use crate::sockets::pattern_dir::PatternDir;
use crate::system::file_error::TRY_AGAIN;

/// Sockets outside the socket directory, and how they are reached.
pub(crate) struct Patterns {
    pub(super) dirs: Table<PatternId, PatternDir>,
    pub(super) opener: Opener,
    /// Connections that another program handed over, until the places of their sockets are looked at.
    pub(super) taken_over: Vec<TakenPort>,
}

impl Patterns {
    /// None yet.
    pub(super) fn new(opener: PathBuf) -> Self {
        Self { dirs: Table::default(), opener: Opener::new(opener), taken_over: Vec::new() }
    }

    /// Each `[[sockets]]` that is served.
    pub(crate) fn dirs(&self) -> impl Iterator<Item = &PatternDir> {
        self.dirs.iter().map(|(_, pattern)| pattern)
    }

    /// The path of a guest's socket.
    pub(crate) fn path(&self, pattern: PatternId, guest: &Name) -> Option<PathBuf> {
        Some(self.dirs.get(pattern)?.entry().pattern.path(guest.guest()))
    }
}

impl Guests {
    /// Serves the guests of these `[[sockets]]`, and of no others. Those that were served before and are among them
    /// go on.
    pub(crate) fn apply_sockets(&mut self, sockets: &Sockets, ctx: &mut Ctx<'_>) {
        let mut wanted: Vec<Entry> = sockets.entries().to_vec();
        for number in self.patterns.dirs.ids(|_| true) {
            let Some(pattern) = self.patterns.dirs.get_mut(number) else { continue };
            match wanted.iter().position(|entry| entry.is_place_of(pattern.entry())) {
                Some(at) => pattern.set_entry(wanted.swap_remove(at)),
                None => {
                    let names: Vec<String> = pattern.ports.keys().cloned().collect();
                    for name in names {
                        self.remove_pattern_socket(number, &name, ctx);
                    }
                    self.wait_for_changes(Token::Pattern(number), Interest::None, ctx);
                    self.patterns.dirs.remove(number);
                    ctx.reactor.set_alarm(Alarm::Pattern(number), None);
                }
            }
        }
        for entry in wanted {
            let text = entry.pattern.text().to_owned();
            if let Err(error) = self.add_pattern(entry, ctx) {
                tracing::error!("no guests are served from {text}: {error}");
            }
        }
        self.take_over_pattern_ports(ctx);
        for number in self.patterns.dirs.ids(|_| true) {
            self.check_pattern(number, ctx);
        }
    }

    fn add_pattern(&mut self, entry: Entry, ctx: &mut Ctx<'_>) -> std::io::Result<()> {
        let pattern = PatternDir::new(entry, &self.looks_ended)?;
        let number = self.patterns.dirs.insert(pattern);
        let Some(pattern) = self.patterns.dirs.get(number) else { return Ok(()) };
        let added = ctx.reactor.add(pattern.watcher(), Token::Pattern(number), Interest::Read);
        if added.is_err() {
            self.patterns.dirs.remove(number);
        }
        added
    }

    /// Looks at what has happened where a pattern's sockets are, as far as it is time to.
    pub(crate) fn take_pattern_changes(&mut self, number: PatternId, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        let changes = pattern.changes(ctx.now);
        ctx.reactor.set_alarm(Alarm::Pattern(number), pattern.next_check());
        for change in changes {
            match change {
                PlaceChange::Everything => self.check_pattern(number, ctx),
                PlaceChange::Guest(name) => self.check_pattern_socket(number, &name, ctx),
            }
        }
    }

    /// Looks at all of a pattern's sockets.
    fn check_pattern(&mut self, number: PatternId, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        let looked = pattern.look(ctx.now);
        if pattern.is_to_be_tried_again() {
            ctx.reactor.set_alarm(Alarm::Pattern(number), Some(ctx.now + TRY_AGAIN));
        }
        let known = pattern.ports.keys();
        let names: BTreeSet<String> = match looked {
            // Those that are gone, too.
            Some(names) => names.into_iter().chain(known.cloned()).collect(),
            // Those that are not enabled any more.
            None => known.filter(|name| !pattern.entry().allows(name)).cloned().collect(),
        };
        names.iter().for_each(|name| self.check_pattern_socket(number, name, ctx));
    }

    /// Looks at the socket of a guest. One that is not enabled any more, which it may have been when something happened to
    /// the socket or a look began, is not served.
    fn check_pattern_socket(&mut self, number: PatternId, name: &str, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        if !pattern.entry().allows(name) {
            pattern.forget_below(name);
            return self.remove_pattern_socket(number, name, ctx);
        }
        let Some(socket) = pattern.watch_and_find(name, ctx.now) else { return };
        let found = socket.as_ref().map(|(_, file)| *file);
        let port = pattern.ports.get(name).and_then(|port| self.roster.ports.get(*port));
        if let Some(port) = port {
            let is_contested = self.contested.contains_key(&port.guest);
            let file = port.connection.as_ref().map(|connection| connection.file);
            match (file, &found) {
                // It is connected to what is there, or the file went before its guest does.
                (Some(file), Ok(found)) if file == Some(*found) => return,
                (Some(_), Err(ConnectError::Gone | ConnectError::Denied)) => return,
                (None, Ok(_) | Err(ConnectError::Denied)) if !is_contested => {}
                (_, Ok(_) | Err(_)) => self.remove_pattern_socket(number, name, ctx),
            }
        }
        if !matches!(found, Err(ConnectError::Gone))
            && let Some(pattern) = self.patterns.dirs.get_mut(number)
        {
            pattern.put_back(name, socket);
            self.try_pattern_socket(number, name, ctx);
            self.forget_found(number, name);
        }
    }

    fn forget_found(&mut self, number: PatternId, name: &str) {
        self.patterns.dirs.get_mut(number).and_then(|pattern| pattern.forget_found(name));
    }

    /// Goes on where looks at the place of a pattern have ended late.
    pub(super) fn take_late_sockets(&mut self, number: PatternId, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        let (looked, found) = (pattern.take_looked(), pattern.take_found());
        if let Some(has_changed) = looked {
            self.check_pattern(number, ctx);
            if has_changed {
                self.check_pattern(number, ctx);
            }
        }
        for (name, has_changed) in found {
            let Some(pattern) = self.patterns.dirs.get(number) else { return };
            let port = pattern.ports.get(&name).copied();
            if let Some(port) = port.and_then(|port| self.roster.ports.get_mut(port)) {
                let held = is_held(&pattern.entry().pattern.path(&name));
                port.refusal.take_if(|refusal| *refusal == held);
            }
            match port {
                Some(port) if !has_changed => self.go_on_with_found(number, &name, port, ctx),
                _ => self.check_pattern_socket(number, &name, ctx),
            }
            self.forget_found(number, &name);
            if has_changed {
                self.check_pattern_socket(number, &name, ctx);
            }
        }
    }

    /// The socket of a port has been found late. It was looked for so that the port could be tried, or identified again, or
    /// because hostinfo-open had connected it.
    fn go_on_with_found(&mut self, number: PatternId, name: &str, port: PortId, ctx: &mut Ctx<'_>) {
        let Some(connection) =
            self.roster.ports.get_mut(port).and_then(|port| port.connection.as_mut())
        else {
            return self.try_connect(port, ctx);
        };
        if connection.is_early {
            return self.identify_again(port, ctx);
        }
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        let Some(Ok((socket, file))) = pattern.forget_found(name) else { return };
        if *connection.file.get_or_insert(file) != file {
            // Another socket has its place.
            pattern.put_back(name, Ok((socket, file)));
            self.check_pattern_socket(number, name, ctx);
        }
    }

    /// Tries a socket that is not connected, from the first try on.
    fn try_pattern_socket(&mut self, number: PatternId, name: &str, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get(number) else { return };
        let port = match pattern.ports.get(name) {
            Some(port) => *port,
            None => {
                let Some(whole) = Name::parse(&pattern.entry().whole(name)) else { return };
                match self.guest(&whole, ctx.now) {
                    Ok(guest) => self.add_pattern_port(number, name, guest, ctx),
                    Err(error) => return cannot_be_served(&whole, &error),
                }
            }
        };
        if let Some(tried) = self.roster.ports.get_mut(port) {
            tried.retry = Retry::default();
            tried.since = ctx.now;
            self.try_connect(port, ctx);
        }
    }

    fn add_pattern_port(
        &mut self,
        number: PatternId,
        name: &str,
        guest: GuestId,
        ctx: &Ctx<'_>,
    ) -> PortId {
        let port = Port::new(guest, Endpoint::Pattern(number), Dialect::Hostinfo, ctx.now);
        let port = self.roster.add_port(port);
        if let Some(pattern) = self.patterns.dirs.get_mut(number) {
            pattern.ports.insert(name.to_owned(), port);
        }
        port
    }

    /// Has nothing to do with a socket any more.
    pub(super) fn remove_pattern_socket(
        &mut self,
        number: PatternId,
        name: &str,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        let Some(port) = pattern.ports.remove(name) else { return };
        self.remove_port(port, ctx);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    use crate::guests::tests::guests;
    use crate::reactor::Reactor;
    use crate::sockets::looks::{at_last, spend};

    #[test]
    fn a_guest_that_is_disabled_while_its_socket_is_looked_for_is_not_served_when_it_is_found() {
        let folder = tempfile::tempdir().unwrap();
        let below = folder.path().join("vm");
        std::fs::create_dir(&below).unwrap();
        let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let settings = |names: &str| {
            let path = below.display();
            let text = format!(
                "[[sockets]]\npath = '{path}/{{name}}'\ndriver = 'ch'\nguests = [{names}]\n"
            );
            Sockets::parse(&text).unwrap()
        };
        let _sockets = ["db", "web"].map(|name| UnixListener::bind(below.join(name)).unwrap());
        guests.apply_sockets(&settings("'ch-none'"), ctx);
        for number in guests.patterns.dirs.ids(|_| true) {
            spend(guests.patterns.dirs.get_mut(number).unwrap().patience(), ctx.now);
        }
        guests.apply_sockets(&settings("'ch-db', 'ch-web'"), ctx);
        let number = guests.patterns.dirs.ids(|_| true)[0];
        let looks_for_both = |guests: &mut Guests| {
            let pattern = guests.patterns.dirs.get_mut(number).unwrap();
            pattern.is_looking_for("web").then_some(())
        };
        at_last(&mut guests, looks_for_both, |guests| guests.take_late_sockets(number, ctx));
        guests.apply_sockets(&settings("'ch-db'"), ctx);
        let is_served = |guests: &Guests, name: &str| {
            guests.patterns.dirs.get(number).unwrap().ports.contains_key(name)
        };
        let db_is_served = |guests: &mut Guests| is_served(guests, "db").then_some(());
        at_last(&mut guests, db_is_served, |guests| guests.take_late_looks(ctx));
        let all_is_found = |guests: &mut Guests| {
            let pattern = guests.patterns.dirs.get(number).unwrap();
            (!pattern.is_being_looked_at()).then_some(())
        };
        at_last(&mut guests, all_is_found, |guests| guests.take_late_looks(ctx));
        assert!(!is_served(&guests, "web"));
    }
}
