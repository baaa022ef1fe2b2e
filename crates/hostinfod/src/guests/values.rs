//! Values of custom statistics in the loop: whoever waits for a value has a turn when it arrives.

use std::time::Instant;

use hostinfo_answer::Pending;

use super::Guests;
use crate::guest::Guest;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::system::file_error::TRY_AGAIN;

impl Guests {
    /// Gives a turn to whoever waits for values that have arrived. Returns true if any have.
    pub(crate) fn take_values(&mut self, ctx: &mut Ctx<'_>) -> bool {
        let new_values = self.responder.admin_values().customs.turn(ctx.now);
        if !new_values.is_empty() {
            self.wake(|pending, guest| new_values.has(&pending.on, guest), ctx);
        }
        !new_values.is_empty()
    }

    /// Before another program takes this one's place: ends runs of commands, which begin again there, or here if this program
    /// goes on after all.
    pub(crate) fn end_runs(&mut self, now: Instant) {
        self.responder.admin_values().customs.end_runs(now);
    }

    /// Reads the directory of definitions again.
    pub(crate) fn reload_customs(&mut self, ctx: &mut Ctx<'_>) {
        let customs = &mut self.responder.admin_values().customs;
        let was_unread = customs.is_unread();
        let problems = customs.reload(ctx.now);
        // It is logged once that the directory cannot be read.
        if !(was_unread && customs.is_unread()) {
            self.admin_files.custom_dir.note(customs, &problems);
        }
        self.plan_reading_of_customs(ctx);
        // A guest that waits for a removed statistic gets its reply now.
        self.wake(|_, _| true, ctx);
    }

    /// Has the definitions read again soon that could not be read.
    pub(super) fn plan_reading_of_customs(&mut self, ctx: &mut Ctx<'_>) {
        let is_unread = self.responder.admin_values().customs.is_unread();
        ctx.reactor.set_alarm(Alarm::Definitions, is_unread.then(|| ctx.now + TRY_AGAIN));
    }

    /// Gives a turn to whoever waits for a value that `is_meant`. Looks at every guest and port.
    fn wake(&mut self, is_meant: impl Fn(&Pending, &str) -> bool, ctx: &mut Ctx<'_>) {
        let guests = &self.roster.guests;
        let is_meant = |pending: Option<&Pending>, guest: &Guest| {
            pending.is_some_and(|pending| is_meant(pending, guest.who.name().whole()))
        };
        for (number, port) in self.roster.ports.iter() {
            let pending = port.connection.as_ref().and_then(|one| one.conversation.pending());
            if guests.get(port.guest).is_some_and(|guest| is_meant(pending, guest)) {
                ctx.reactor.set_alarm(Alarm::Port(number), Some(ctx.now));
            }
        }
        for (number, guest) in guests.iter() {
            if is_meant(guest.rare.as_ref().and_then(|rare| rare.disk.pending.as_ref()), guest) {
                ctx.reactor.set_alarm(Alarm::Disk(number), Some(ctx.now));
            }
        }
    }
}
