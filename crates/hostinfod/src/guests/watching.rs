//! Guests that are watched permanently because of their rules: which ones are, and which wait for
//! room. When their samples are due is in `samples`, what is stored of their incidents in
//! `incidents`.

use std::time::{Duration, Instant};

use hostinfo_verdict::Watch;

use super::Guests;
use crate::guest::watched::Added;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

/// The time between two samples of a permanently watched guest. The samples of different guests are
/// spread over it.
const SPREAD: Duration = Duration::from_secs(10);

/// If a socket was still libvirt's when it was connected to, it is looked at again after this time,
/// and again until it is QEMU's, which takes some tenths of a second as a rule.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Guests {
    /// Starts or stops watching a guest permanently, depending on its rule and on whether it is
    /// there.
    pub(super) fn plan_watch(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        if !self.is_to_be_watched(number) {
            self.plan_to_look_again(number, ctx);
            return self.unwatch(number, ctx);
        }
        self.load_incidents(number);
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        match self.watched.add(number) {
            Added::Watched => {
                let phase = || self.identity.sample_phase(SPREAD, guest.who.name().whole());
                let first = match guest.rare.as_ref().and_then(|rare| rare.left_at) {
                    Some(due) => next_in_step(due, ctx.now),
                    None => ctx.now + phase(),
                };
                guest
                    .observed
                    .watch
                    .get_or_insert_with(|| Watch::keep(first).into())
                    .set_kept(true);
                self.set_watch_alarm(number, ctx);
            }
            Added::LeftOut(false) => {}
            Added::LeftOut(true) => {
                if let Some(permit) = guest.quotas.own.ask(ctx.now) {
                    let (guest, max) = (guest.who.name().whole(), self.watched.max);
                    tracing::warn!(
                        guest,
                        left_out = permit.left_out,
                        "guest {guest} is not watched, although its rule says watch = 1: {max} \
                         others are, and hostinfod.toml says [watch] guests = {max}"
                    );
                }
            }
        }
    }

    /// Whether a guest's rule says it is watched, it is connected, and the process that runs it is
    /// known.
    fn is_to_be_watched(&self, number: GuestId) -> bool {
        self.roster.guests.get(number).is_some_and(|guest| {
            guest.who.grant().watch() && guest.who.may_ask() && guest.observed.process.is_ok()
        }) && self.roster.is_connected(number)
    }

    /// If the peer of a guest that should be watched is unknown, schedules another look at its
    /// sockets: the guest itself may never send anything.
    fn plan_to_look_again(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let Some(guest) = self.roster.guests.get(number) else { return };
        if !guest.who.grant().watch() || guest.observed.process.is_ok() {
            return;
        }
        for (port, _) in self.roster.ports_of(number).filter(|(_, port)| port.is_early()) {
            ctx.reactor.set_alarm(Alarm::LookAgain(port), Some(ctx.now + LOOK_AGAIN));
        }
    }

    /// Starts or stops watching for all guests that may be concerned, after a change of the rules
    /// or of the number of watched guests.
    pub(super) fn plan_all_watches(&mut self, ctx: &mut Ctx<'_>) {
        let mut concerned = self.roster.guests.ids(|guest| guest.who.grant().watch());
        concerned.extend(self.watched.guests());
        while let Some(number) = self.watched.surplus() {
            self.unwatch(number, ctx);
        }
        for number in concerned {
            self.plan_watch(number, ctx);
        }
    }

    /// Stops watching a guest permanently, and watches another in its place.
    fn unwatch(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        if !self.watched.remove(number) {
            return;
        }
        if let Some(guest) = self.roster.guests.get_mut(number) {
            let watch = &mut guest.observed.watch;
            if let Some(watch) = watch {
                guest.rare.get_or_insert_default().left_at = watch.next_sample();
                watch.set_kept(false);
            }
            watch.take_if(|watch| watch.next_sample().is_none());
            if guest.observed.watch.is_none() {
                guest.observed.incidents.end();
                self.keep_incidents(number);
            }
            self.set_watch_alarm(number, ctx);
        }
        if let Some(next) = self.watched.next() {
            self.plan_watch(next, ctx);
        }
    }
}

/// The first time from now on at which a sample is due, in the step of one that is or was due.
fn next_in_step(due: Instant, now: Instant) -> Instant {
    let late = now.saturating_duration_since(due).as_nanos();
    let steps = late.div_ceil(SPREAD.as_nanos());
    due + SPREAD.saturating_mul(u32::try_from(steps).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_next_sample_keeps_the_step_of_one_that_is_or_was_due() {
        let due = Instant::now();
        let [second, minute] = [1, 60].map(Duration::from_secs);
        for (now, next) in [(due - second, due), (due, due), (due + second, due + 10 * second)] {
            assert_eq!(next_in_step(due, now), next);
            assert_eq!(next_in_step(due, now + minute), next + minute);
        }
    }
}
