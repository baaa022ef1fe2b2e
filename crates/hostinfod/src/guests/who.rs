//! Guests of all transports: looking them up or adding them, and their standing.

use std::io;
use std::time::Instant;

use hostinfo_answer::{Name, Who};

use super::Guests;
use crate::guest::{Guest, begin_session};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

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
        let engine = self.desk.engine_mut();
        Ok(self.roster.add(guest, now, |name| engine.forget(name.whole())))
    }

    /// A new guest with that name, as it would be if it connected now.
    ///
    /// # Errors
    /// The system has no random bytes.
    pub(super) fn make_guest(&mut self, name: &Name) -> io::Result<Guest> {
        let grant = self.rules.rules().decide(name.whole());
        let host_id = self.identity.host_id(name.whole());
        let phase = self.identity.phase(name.whole());
        let mut who = Who::new(name.clone(), grant, host_id, phase, begin_session()?);
        let libvirt = self.desk.libvirt();
        who.set_standing(libvirt.standing(name.whole(), None).unwrap_or_else(|| libvirt.unknown()));
        Ok(Guest::new(who))
    }

    /// Updates the standing of all guests from what libvirt now says about their sockets.
    pub(super) fn find_out_who_is_who(&mut self, ctx: &mut Ctx<'_>) {
        let libvirt = self.desk.libvirt();
        let (mut changed, mut is_other) = (Vec::new(), Vec::new());
        for (number, guest) in self.roster.guests.iter_mut() {
            let standing = libvirt.standing(guest.who.name().whole(), guest.by_cid);
            let Some(standing) = standing else { break };
            if !guest.set_standing(standing, ctx.now) {
                continue;
            }
            is_other.push(number);
            if guest.who.grant().vhostmd_disk() {
                ctx.reactor.set_alarm(Alarm::Disk(number), Some(ctx.now));
            }
            if guest.who.grant().watch() {
                changed.push(number);
            }
        }
        changed.into_iter().for_each(|number| self.plan_watch(number, ctx));
        if self.elsewhere.patterns().next().is_some() {
            is_other.into_iter().for_each(|number| self.reconsider(number, ctx));
        }
    }

    /// Logs the number of lines left out about a guest, now or when it is due.
    pub(crate) fn log_left_out(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.log_left_out(ctx.now);
        ctx.reactor.set_alarm(Alarm::LeftOut(number), guest.quotas.due(ctx.now));
    }
}
