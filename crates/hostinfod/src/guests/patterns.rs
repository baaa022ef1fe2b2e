//! Guests whose sockets are outside the socket directory: `[[sockets]]` of hostinfod.toml.

use std::path::PathBuf;

use hostinfo_answer::{Dialect, Name};
use hostinfo_file::aside::Late;
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
use crate::sockets::opener::Opener;
use crate::sockets::pace::PlaceChange;
use crate::sockets::pattern_dir::{PatternDir, Seen};
use crate::sockets::{ConnectError, Found};

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
        for change in changes {
            match change {
                PlaceChange::Everything => self.check_pattern(number, ctx),
                PlaceChange::Guest(name) => self.check_pattern_socket(number, &name, ctx),
            }
        }
        self.plan_check_of_pattern(number, ctx);
    }

    fn plan_check_of_pattern(&self, number: PatternId, ctx: &mut Ctx<'_>) {
        let next = self.patterns.dirs.get(number).and_then(PatternDir::next_check);
        ctx.reactor.set_alarm(Alarm::Pattern(number), next);
    }

    /// Looks at all of a pattern's sockets.
    fn check_pattern(&mut self, number: PatternId, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        let names = pattern.look_at_all(ctx.now);
        names.iter().for_each(|name| self.check_pattern_socket(number, name, ctx));
        self.plan_check_of_pattern(number, ctx);
    }

    /// Looks at the socket of a guest. One that is not enabled any more, which it may have been when something happened to
    /// the socket or a look began, is not served.
    fn check_pattern_socket(&mut self, number: PatternId, name: &str, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        if !pattern.entry().allows(name) {
            let port = pattern.remove(name);
            return port.into_iter().for_each(|port| self.remove_port(port, ctx));
        }
        if let Some(found) = pattern.watch_and_find(name, ctx.now) {
            self.take_pattern_socket(number, name, found, ctx);
        }
    }

    /// Goes on with what was found at the socket of a guest.
    fn take_pattern_socket(
        &mut self,
        number: PatternId,
        name: &str,
        found: Found,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(pattern) = self.patterns.dirs.get(number) else { return };
        let port = pattern.ports.get(name).and_then(|port| self.roster.ports.get_mut(*port));
        if let Some(port) = port {
            let is_contested = self.contested.contains_key(&port.guest);
            if let (Some(connection), Ok((_, file))) = (&mut port.connection, &found) {
                // hostinfo-open does not say which file it has connected to.
                if *connection.file.get_or_insert(*file) == *file {
                    return;
                }
            }
            match (&port.connection, &found) {
                // The file went before its guest does.
                (Some(_), Err(ConnectError::Gone | ConnectError::Denied)) => return,
                (None, Ok(_) | Err(ConnectError::Denied)) if !is_contested => {}
                (_, Ok(_) | Err(_)) => self.remove_pattern_socket(number, name, ctx),
            }
        }
        if !matches!(found, Err(ConnectError::Gone)) {
            self.try_pattern_socket(number, name, found, ctx);
        }
    }

    /// Goes on where looks at the place of a pattern have ended late: at most so many.
    pub(super) fn take_late_sockets(&mut self, number: PatternId, most: usize, ctx: &mut Ctx<'_>) {
        let Some(pattern) = self.patterns.dirs.get_mut(number) else { return };
        let (late, names) = pattern.take_late(most, ctx.now);
        for Late { of: name, found: seen, has_changed } in late {
            self.take_late_pattern_socket(number, &name, seen, has_changed, ctx);
            if has_changed {
                self.check_pattern_socket(number, &name, ctx);
            }
        }
        names.iter().for_each(|name| self.check_pattern_socket(number, name, ctx));
        self.plan_check_of_pattern(number, ctx);
    }

    fn take_late_pattern_socket(
        &mut self,
        number: PatternId,
        name: &str,
        Seen { found, is_of_change }: Seen,
        has_changed: bool,
        ctx: &mut Ctx<'_>,
    ) {
        let Some(pattern) = self.patterns.dirs.get(number) else { return };
        match pattern.ports.get(name).copied() {
            Some(port) => {
                let path = pattern.entry().pattern.path(name);
                self.forget_held(port, &path);
                let connection =
                    self.roster.ports.get(port).and_then(|port| port.connection.as_ref());
                let has_it =
                    |file| connection.is_some_and(|it| it.file.is_none_or(|it| it == file));
                let is_another = !found.as_ref().is_ok_and(|(_, file)| has_it(*file));
                // A connection is compared with nothing that may be old.
                let is_old = has_changed && connection.is_some();
                let found = match is_of_change && is_another {
                    true => Some(found),
                    false => self.take_late_socket(port, found, ctx),
                };
                if let Some(found) = found.filter(|_| !is_old) {
                    self.take_pattern_socket(number, name, found, ctx);
                }
            }
            None if pattern.entry().allows(name) => {
                self.take_pattern_socket(number, name, found, ctx);
            }
            None => {}
        }
    }

    /// Tries a socket that is not connected, from the first try on.
    fn try_pattern_socket(
        &mut self,
        number: PatternId,
        name: &str,
        found: Found,
        ctx: &mut Ctx<'_>,
    ) {
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
            self.try_connect_to(port, Some(found), ctx);
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
