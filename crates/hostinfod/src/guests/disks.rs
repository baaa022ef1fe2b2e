//! Metrics disks in the loop: which guests have one, and when it is written.

use std::time::Instant;

use hostinfo_answer::{Name, Standing, When};
use hostinfo_domains::{Domain, Snapshot};
use hostinfo_rules::Decision;

use super::Guests;
use super::standing::cannot_be_served;
use crate::audit::quota::Permit;
use crate::disks::{Failure, Held};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

impl Guests {
    /// Creates and writes every disk that the rules want, now. That includes guests that do not
    /// exist yet, because the disk has to be there before its guest starts.
    pub(super) fn plan_disks(&mut self, ctx: &mut Ctx<'_>) {
        let named: Vec<String> = self.rules.rules().named_guests().collect();
        for name in named.iter().filter_map(|name| Name::parse(name)) {
            let decision = self.decide(name.whole());
            self.plan_disk(&name, &decision, true, ctx);
        }
        let concerned =
            self.roster.guests.ids(|guest| guest.has_disk || guest.who.grant().vhostmd_disk());
        for number in concerned {
            if let Some(guest) = self.roster.guests.get_mut(number) {
                guest.hurry_disk(ctx.now);
            }
            self.check_disk(number, ctx);
        }
        self.plan_disks_since(&Snapshot::default(), ctx);
    }

    /// Creates the disks of libvirt's domains that appeared or started since `before`, if their
    /// rules want disks.
    pub(super) fn plan_disks_since(&mut self, before: &Snapshot, ctx: &mut Ctx<'_>) {
        let Some(known) = self.responder.libvirt().known().cloned() else { return };
        for domain in known.guests().map(|guest| &guest.domain) {
            let was = before.guest(domain.uuid).map(|guest| &guest.domain);
            let is_old = |was: &Domain| {
                was.name == domain.name && was.id == domain.id && was.tags == domain.tags
            };
            if !was.is_some_and(is_old)
                && let Some(name) = Name::parse(&domain.socket_name())
            {
                let tags = self.responder.libvirt().tags_of(domain);
                let decision = self.rules.rules().decide_tagged(name.whole(), &tags);
                self.plan_disk(&name, &decision, domain.is_live(), ctx);
            }
        }
    }

    /// Creates a guest's disk if its rule wants one, or may, since without it the guest cannot start.
    /// Writes it if `may_be_read`: the guest may be running and read it.
    fn plan_disk(
        &mut self,
        name: &Name,
        decision: &Decision,
        may_be_read: bool,
        ctx: &mut Ctx<'_>,
    ) {
        let (Decision::Granted(grant) | Decision::Unreadable(grant)) = decision;
        if !grant.vhostmd_disk() {
            return;
        }
        self.disks.make(name);
        if !may_be_read || matches!(decision, Decision::Unreadable(_)) {
            return;
        }
        match self.guest(name, ctx.now) {
            Ok(guest) => self.check_disk(guest, ctx),
            Err(error) => cannot_be_served(name, &error),
        }
    }

    /// Sees to it that a guest has a disk if it is to have one, and that the disk shows nothing which is not for the guest, now
    /// and not only when the next document is due: that may wait for a command.
    pub(super) fn check_disk(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let may_be_read = self.may_be_read(number);
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        if !may_be_read && !guest.has_disk {
            return;
        }
        let had_disk = std::mem::replace(&mut guest.has_disk, may_be_read);
        if !had_disk {
            self.disks.make(guest.who.name());
        }
        if guest.withdraw_document() {
            self.disks.clear(guest.who.name());
        }
        let is_written = may_be_read && guest.who.may_ask();
        ctx.reactor.set_alarm(Alarm::Disk(number), is_written.then(|| guest.disk_due(ctx.now)));
    }

    /// Writes a guest's disk, and schedules the next time.
    pub(crate) fn write_disk(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        self.check_disk(number, ctx);
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        if !guest.has_disk || !guest.who.may_ask() {
            return;
        }
        let pending = guest.rare.as_mut().and_then(|rare| rare.disk.pending.take());
        match self.responder.document(guest, When::of(pending, ctx.now)) {
            Ok(document) => {
                guest.note_document(ctx.now);
                self.disks.write(guest.who.name(), document);
            }
            Err(pending) => guest.rare_mut().disk.pending = Some(pending),
        }
        ctx.reactor.set_alarm(Alarm::Disk(number), Some(guest.disk_due(ctx.now)));
    }

    /// Logs which disks could not be written.
    pub(crate) fn log_failed_disks(&mut self, now: Instant) {
        for Failure { guest: name, error, shows_too_much } in self.disks.take_failures() {
            if shows_too_much {
                tracing::warn!(
                    "{error}; the disk may still show what its guest may not see any more"
                );
            } else if let Some(Permit { left_out }) = self.ask_quota(&name, now) {
                tracing::warn!(
                    guest = &*name,
                    left_out,
                    "guest {name} has no metrics disk: {error}"
                );
            }
        }
    }

    /// Logs which disks a process keeps from being written.
    pub(crate) fn log_held_disks(&mut self, now: Instant) {
        for Held { guest: name, shows_too_much } in self.disks.take_held(now) {
            let Some(Permit { left_out }) = self.ask_quota(&name, now) else { continue };
            let shows = match shows_too_much {
                true => ", and it may show what the guest may not see any more",
                false => "",
            };
            tracing::warn!(
                guest = &*name,
                left_out,
                "guest {name} has an old metrics disk: a process that reads it keeps hostinfod from writing it{shows}"
            );
        }
    }

    /// Whether a line about a guest's disk may be logged. Whoever names domains chooses how many names have a disk that are
    /// no guests yet, so these share one quota.
    fn ask_quota(&mut self, name: &str, now: Instant) -> Option<Permit> {
        match self.roster.named(name).and_then(|guest| self.roster.guests.get_mut(guest)) {
            Some(guest) => guest.quotas.own.ask(now),
            None => self.others.ask(now),
        }
    }

    /// Whether a guest has a disk and may be running and read it: it is connected, libvirt knows
    /// its domain, or its rule names it literally.
    fn may_be_read(&self, number: GuestId) -> bool {
        let Some(guest) = self.roster.guests.get(number) else { return false };
        let is_named =
            || self.rules.rules().named_guests().any(|name| name == guest.who.name().whole());
        guest.who.grant().vhostmd_disk()
            && (matches!(guest.who.standing(), Standing::Domain(..))
                || self.roster.is_connected(number)
                || is_named())
    }
}

#[cfg(test)]
mod tests;
