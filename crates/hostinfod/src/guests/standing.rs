//! Guests of all transports: looking them up or adding them, and their standing.

use std::io;
use std::time::Instant;

use hostinfo_answer::{Name, Observed, Requester, Standing};
use hostinfo_rules::Grant;

use super::Guests;
use super::tags::{read_tags, take_tags, take_tags_anew};
use crate::guest::{Guest, begin_session};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

/// Logs why a guest cannot be served.
pub(super) fn cannot_be_served(name: &Name, error: &io::Error) {
    let name = name.whole();
    tracing::error!(guest = name, "guest {name} cannot be served: {error}");
}

impl Guests {
    /// The guest with that name, which is added if it is not known.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn guest(&mut self, name: &Name, now: Instant) -> io::Result<GuestId> {
        if let Some(known) = self.roster.named(name.whole()) {
            return Ok(known);
        }
        let guest = self.make_guest(name)?;
        let engine = self.responder.engine_mut();
        Ok(self.roster.add(guest, now, |name| engine.forget(name.whole(), now)))
    }

    /// A new guest with that name, as it would be if it connected now.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn make_guest(&mut self, name: &Name) -> io::Result<Guest> {
        let (rules, libvirt) = (self.rules.rules(), self.responder.libvirt());
        let tags = read_tags(rules, libvirt, name.whole(), None, None);
        let host_id = self.identity.host_id(name.whole());
        let time_shift = self.identity.time_shift(name.whole());
        let mut observed = Observed::default();
        let (closed, session) = (Grant::closed().into(), begin_session()?);
        let mut who = Requester::new(name.clone(), closed, host_id, time_shift, session);
        who.apply_decision(rules.decide_tagged(name.whole(), &tags), &mut observed);
        let standing = libvirt.standing(name.whole(), None, None);
        who.set_standing(standing.unwrap_or_else(|| libvirt.unknown(name.whole())));
        let mut guest = Guest::new(who);
        guest.tags = tags;
        Ok(guest)
    }

    /// Updates the standing and the tags of all guests from what libvirt now says.
    pub(super) fn update_standings(&mut self, ctx: &mut Ctx<'_>) {
        self.forget_processes_of_others(ctx);
        let (rules, libvirt) = (self.rules.rules(), self.responder.libvirt());
        let (mut changed, mut is_unwatched) = (Vec::new(), false);
        let mut is_other = Vec::new();
        for (number, guest) in self.roster.guests.iter_mut() {
            let (name, marks) = (guest.who.name().whole(), guest.marks.as_deref());
            let Some(standing) = libvirt.standing(name, marks, guest.by_cid()) else { break };
            let had_disk = guest.who.grant().vhostmd_disk();
            let was_watched = guest.who.may_be_watched();
            // Without a process, nothing else tells whether it is the run whose tags were read last.
            let may_be_another = guest.who.peer().is_none() && *guest.who.standing() != standing;
            let has_other_tags = match may_be_another {
                true => take_tags_anew(guest, rules, libvirt, ctx.now),
                false => take_tags(guest, rules, libvirt, ctx.now),
            };
            is_unwatched |= was_watched && !guest.who.may_be_watched();
            if !guest.set_standing(standing, ctx.now) && !has_other_tags {
                continue;
            }
            is_other.push(number);
            if had_disk || guest.who.grant().vhostmd_disk() {
                ctx.reactor.set_alarm(Alarm::Disk(number), Some(ctx.now));
            }
            if was_watched || guest.who.grant().watch() {
                changed.push(number);
            }
        }
        changed.into_iter().for_each(|number| self.plan_watch(number, ctx));
        let has_patterns = self.patterns.dirs().next().is_some();
        is_other.retain(|number| has_patterns || self.is_domain(*number));
        is_other.into_iter().for_each(|number| self.reconsider(number, ctx));
        if is_unwatched {
            self.drop_incidents();
        }
    }

    /// Forgets the processes that have had the names of domains which have come since.
    fn forget_processes_of_others(&mut self, ctx: &mut Ctx<'_>) {
        let libvirt = self.responder.libvirt();
        let guests = self.roster.guests.iter();
        let come =
            guests.filter(|(_, guest)| !matches!(guest.who.standing(), Standing::Domain(..)));
        let come = come.filter_map(|(number, guest)| {
            let (name, marks) = (guest.who.name().whole(), guest.marks.as_deref());
            match libvirt.standing(name, marks, guest.by_cid())? {
                Standing::Domain(uuid, _) => Some((number, uuid)),
                Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => None,
            }
        });
        let come: Vec<_> = come.collect();
        come.into_iter()
            .for_each(|(number, uuid)| self.forget_process_of_another(number, uuid, ctx));
    }

    /// Logs the number of lines left out about a guest, now or when it is due.
    pub(crate) fn log_left_out(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.log_left_out(ctx.now);
        ctx.reactor.set_alarm(Alarm::LeftOut(number), guest.quotas.due(ctx.now));
    }
}
