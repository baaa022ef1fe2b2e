//! Guests whose VMM connects: where the daemon listens for them, as `[[listen]]` of the settings says.

mod accepting;
mod listener;
mod users;

use hostinfo_file::aside::Late;

use super::Guests;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::SectionId;
use crate::reactor::poll::Interest;
use crate::reactor::token::Token;
use crate::settings::hybrid::{Hybrid, Hybrids};
use crate::sockets::hybrid::{Done, GuestDir, Section};
use crate::sockets::pace::PlaceChange;

pub(super) use accepting::RefusedPeers;

impl Guests {
    /// Listens where the settings say, and nowhere else any more.
    pub(crate) fn listen_at(&mut self, wanted: Hybrids, ctx: &mut Ctx<'_>) {
        let mut wanted: Vec<Hybrid> = wanted.into_iter().collect();
        for id in self.sections.ids(|_| true) {
            let Some(section) = self.sections.get_mut(id) else { continue };
            match wanted.iter().position(|wanted| section.is_place_of(wanted)) {
                // Others may be enabled now, and what had to be mended may have been.
                Some(index) => {
                    section.place.set_entry(wanted.remove(index).entry);
                    self.check_section(id, ctx);
                }
                None => self.remove_section(id, ctx),
            }
        }
        wanted.into_iter().for_each(|settings| self.add_section(settings, ctx));
    }

    fn add_section(&mut self, settings: Hybrid, ctx: &mut Ctx<'_>) {
        let path = settings.entry.pattern.text().to_owned();
        if settings.entry.guests.is_empty() {
            tracing::warn!(
                "[[listen]] {path}: `guests` is empty, so nobody is served there: write guests = \
                 [\"{}-*\"] for all, or name them",
                settings.entry.driver
            );
        }
        if settings.user.is_shared() {
            tracing::warn!(
                "[[listen]] {path}: one user runs the VMMs of all these guests, so whoever takes over a VMM, \
                 or may write to one guest's directory, can have that guest ask as each of the others; \
                 give each VMM a user of its own, and write {{name}} in `user`"
            );
        }
        let failed = |error: std::io::Error| {
            tracing::error!("[[listen]] {path}: {error}; until SIGHUP, no guests are served there");
        };
        let section = match Section::new(settings, &self.looks_ended) {
            Ok(section) => section,
            Err(error) => return failed(error),
        };
        let id = self.sections.insert(section);
        let Some(section) = self.sections.get(id) else { return };
        if let Err(error) =
            ctx.reactor.add(section.place.watcher(), Token::Section(id), Interest::Read)
        {
            self.sections.remove(id);
            return failed(error);
        }
        self.check_section(id, ctx);
    }

    fn remove_section(&mut self, id: SectionId, ctx: &mut Ctx<'_>) {
        self.wait_for_changes(Token::Section(id), Interest::None, ctx);
        let Some(section) = self.sections.remove(id) else { return };
        ctx.reactor.set_alarm(Alarm::Section(id), None);
        section.place.ports.into_values().for_each(|port| self.remove_listener(port, ctx));
    }

    /// Looks at what has changed in the directories of a `[[listen]]`, as far as it is time to.
    pub(crate) fn take_section_changes(&mut self, id: SectionId, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        for change in section.place.changes(ctx.now) {
            match change {
                PlaceChange::Everything => self.check_section(id, ctx),
                PlaceChange::Guest(name) => self.check_guest_dir(id, &name, ctx),
            }
        }
        self.plan_check_of_section(id, ctx);
    }

    fn plan_check_of_section(&self, id: SectionId, ctx: &mut Ctx<'_>) {
        let next = self.sections.get(id).and_then(|section| section.place.next_check());
        ctx.reactor.set_alarm(Alarm::Section(id), next);
    }

    fn check_section(&mut self, id: SectionId, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        let names = section.place.look_at_all(ctx.now);
        names.iter().for_each(|name| self.check_guest_dir(id, name, ctx));
        self.plan_check_of_section(id, ctx);
    }

    /// Looks at what may be a guest's directory.
    fn check_guest_dir(&mut self, id: SectionId, name: &str, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        if let Some(port) = section.place.ports.get(name).copied() {
            return self.check_listener(port, ctx);
        }
        if section.place.entry().allows(name)
            && let Some(done) = section.find(name, None, ctx.now)
        {
            self.take_guest_dir(id, name, done, ctx);
        }
    }

    /// Goes on with what was done in a guest's directory.
    fn take_guest_dir(&mut self, id: SectionId, name: &str, done: Done, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        match (section.place.ports.get(name).copied(), done) {
            (_, Done::Closed) => self.check_guest_dir(id, name, ctx),
            (Some(port), done) => self.listen(port, done, ctx),
            (None, Done::Found(Ok(GuestDir::Missing), _)) => {}
            (None, done @ Done::Found(..)) => {
                if let Some(port) = self.add_listener(id, name, ctx) {
                    self.listen(port, done, ctx);
                }
            }
            // The guest was not enabled any more while its socket was made.
            (None, Done::Opened(opened)) => {
                if opened.map_or(true, |socket| section.close(name, socket, ctx.now)) {
                    self.check_guest_dir(id, name, ctx);
                }
            }
        }
    }

    /// Goes on where looks at the directories of a `[[listen]]` have ended late: at most so many.
    pub(super) fn take_late_listeners(&mut self, id: SectionId, most: usize, ctx: &mut Ctx<'_>) {
        let Some(section) = self.sections.get_mut(id) else { return };
        let (late, names) = section.place.take_late(most, ctx.now);
        for Late { of: name, found: done, has_changed } in late {
            self.take_guest_dir(id, &name, done, ctx);
            if has_changed {
                self.check_guest_dir(id, &name, ctx);
            }
        }
        names.iter().for_each(|name| self.check_guest_dir(id, name, ctx));
        self.plan_check_of_section(id, ctx);
    }

    /// Gives up the sockets of an earlier run that nobody has taken, once all directories have been looked at.
    pub(super) fn give_up_earlier_sockets(&self) {
        if !self.sections.iter().any(|(_, section)| section.place.is_being_looked_at()) {
            self.earlier_sockets.give_up();
        }
    }
}

#[cfg(test)]
mod tests;
