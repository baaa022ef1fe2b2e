//! Guests that are watched, for good or because they ask: when samples of them are due, what libvirt
//! is asked for them ahead, and what is kept of their incidents.

use std::time::{Duration, Instant};

use hostinfo_answer::{Held, Key, Standing};
use hostinfo_domains::Uuid;
use hostinfo_verdict::Watch;
use jiff::Timestamp;

use super::Guests;
use crate::guest::watched::Place;
use crate::guest::{AskedAhead, Guest};
use crate::incidents::may_be_watched;
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::{GuestId, Id as _};

/// The time between two samples of a guest that is watched for good, over which those of different
/// guests are spread.
const SPREAD_MILLIS: usize = 10_000;

/// How far the first samples of two guests are apart that come one after the other: the golden
/// section of [`SPREAD_MILLIS`], which leaves no gap however many there are.
const STEP_MILLIS: usize = 6_180;

/// How long before a sample figures are asked for: libvirt takes some milliseconds for a domain, and
/// the sample is taken when they have come.
const AHEAD: Duration = Duration::from_millis(200);

/// Guests whose samples are due within that time have their figures asked for in one request.
const TOGETHER: Duration = Duration::from_millis(500);

/// How long a sample waits for figures; then it is taken without them.
const LATE: Duration = Duration::from_millis(500);

/// How long after it was connected to while it was libvirt's a socket is looked at again: QEMU has it
/// some tenths of a second later, or after the next such time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Guests {
    /// Begins or ends to watch a guest for good, as its rule says and as it is there.
    pub(crate) fn plan_watch(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        if !self.is_to_be_watched(number) {
            self.plan_to_look_again(number, ctx);
            return self.unwatch(number, ctx);
        }
        self.settle_incidents(number);
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        match self.watched.add(number) {
            Place::Watched => {
                let spread =
                    u64::try_from(number.index() * STEP_MILLIS % SPREAD_MILLIS).unwrap_or(0);
                let first = ctx.now + Duration::from_millis(spread);
                guest.observed.watch.get_or_insert_with(|| Watch::keep(first)).set_kept(true);
                self.set_watch_alarm(number, ctx);
            }
            Place::LeftOut(false) => {}
            Place::LeftOut(true) => {
                if let Some(leave) = guest.quotas.own.ask(ctx.now) {
                    let (guest, max) = (guest.who.name().whole(), self.watched.max);
                    tracing::warn!(
                        guest,
                        left_out = leave.left_out,
                        "guest {guest} is not watched, although its rule says watch = 1: {max} \
                         others are, and hostinfod.toml says [watch] guests = {max}"
                    );
                }
            }
        }
    }

    /// Whether a guest's rule wants it watched, it is there, and the process that runs it is known.
    fn is_to_be_watched(&self, number: GuestId) -> bool {
        self.roster.guests.get(number).is_some_and(|guest| {
            guest.who.grant().watch() && guest.who.may_ask() && guest.observed.vmm.is_ok()
        }) && self.roster.is_connected(number)
    }

    /// A guest that is to be watched need not say anything, so whoever has its socket by now has to
    /// be seen without that.
    fn plan_to_look_again(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let Some(guest) = self.roster.guests.get(number) else { return };
        if !guest.who.grant().watch() || guest.observed.vmm.is_ok() {
            return;
        }
        let ports = self.roster.ports.iter();
        for (port, _) in ports.filter(|(_, port)| port.guest == number && port.is_early()) {
            ctx.reactor.set_alarm(Alarm::LookAgain(port), Some(ctx.now + LOOK_AGAIN));
        }
    }

    /// Plans it for all whom it may concern: their rules have changed, or how many may be watched.
    pub(crate) fn plan_all_watches(&mut self, ctx: &mut Ctx<'_>) {
        let concerned = self.roster.guests.iter().filter(|(_, guest)| guest.who.grant().watch());
        let mut concerned: Vec<GuestId> = concerned.map(|(number, _)| number).collect();
        concerned.extend(self.watched.guests());
        while let Some(number) = self.watched.surplus() {
            self.unwatch(number, ctx);
        }
        for number in concerned {
            self.plan_watch(number, ctx);
        }
    }

    /// Watches a guest no more but for what it asks, and another in its place.
    fn unwatch(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        if !self.watched.remove(number) {
            return;
        }
        if let Some(guest) = self.roster.guests.get_mut(number) {
            let watch = &mut guest.observed.watch;
            if let Some(watch) = watch {
                watch.set_kept(false);
            }
            watch.take_if(|watch| watch.next_sample().is_none());
            if guest.observed.watch.is_none() {
                guest.observed.held.end();
                self.keep_incidents(number);
            }
            self.set_watch_alarm(number, ctx);
        }
        if let Some(next) = self.watched.next() {
            self.plan_watch(next, ctx);
        }
    }

    /// Finds what was kept of a guest that has come, or that is found to be a domain.
    fn settle_incidents(&mut self, number: GuestId) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let Some(key) = guest.who.key().filter(|key| guest.observed.held.key() != Some(*key))
        else {
            return;
        };
        let stored = self.incidents.settle(key, guest.who.name().whole());
        let before = std::mem::replace(&mut guest.observed.held, Held::new(key, stored));
        // Before libvirt said which domain it is, it was the process that it still is.
        if let (Some(process), Key::Domain(_)) = (guest.who.process(), key)
            && before.key() == Some(process)
        {
            guest.observed.held.merge(before);
            self.incidents.forget(process);
        }
    }

    /// Has a guest's incidents written, where its rule has them kept and something of them is new.
    fn keep_incidents(&mut self, number: GuestId) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let Some(key) = guest.who.key().filter(|_| guest.who.grant().watch()) else { return };
        let name = guest.who.name().whole();
        if let Some(bytes) = guest.observed.held.store(key, name, Timestamp::now()) {
            self.incidents.keep(key, name, bytes);
        }
    }

    /// The rules have changed: deletes what was recorded of guests that are not watched for good any
    /// more, whether they are there or not.
    pub(crate) fn drop_incidents(&mut self) {
        let (rules, roster) = (self.rules.rules(), &self.roster);
        self.incidents.retain(|name| {
            let guest = roster.named(name).and_then(|number| roster.guests.get(number));
            guest.map_or_else(|| may_be_watched(rules, name), |guest| guest.who.grant().watch())
        });
    }

    /// Something is to be written, or was kept for long.
    pub(crate) fn write_incidents(&mut self, now: Instant) {
        let rules = self.rules.rules();
        self.incidents.turn(|guest| may_be_watched(rules, guest), now);
    }

    /// A watched guest's time has come: its sample is due, or to have figures asked for ahead of it,
    /// or they are there.
    pub(crate) fn watch(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let Some(guest) = self.roster.guests.get(number) else { return };
        let Some(next) = next_sample(guest) else {
            self.forget_watch(number);
            return self.set_watch_alarm(number, ctx);
        };
        let latest = next + if domain(guest).is_some() { LATE } else { Duration::ZERO };
        if ctx.now < latest && !self.has_figures(number, next) {
            self.ask_ahead(number, ctx);
        } else if let Some(guest) = self.roster.guests.get_mut(number) {
            if self.desk.watch(guest, ctx.now).is_err() {
                // Behind whoever has been waiting for longer.
                return ctx.reactor.set_alarm(Alarm::Watch(number), Some(ctx.now));
            }
            self.keep_incidents(number);
        }
        self.set_watch_alarm(number, ctx);
    }

    /// A guest that asked for verdicts has not done so for long. What was recorded of it goes with
    /// that, unless its rule has it kept.
    fn forget_watch(&mut self, number: GuestId) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.observed.watch = None;
        guest.observed.held.end();
        if !guest.who.grant().watch() {
            guest.observed.held = Held::default();
        }
        self.keep_incidents(number);
    }

    /// Sets the alarm for a guest's next sample, or for what comes ahead of it.
    pub(crate) fn set_watch_alarm(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let at = self.next_watch(number);
        ctx.reactor.set_alarm(Alarm::Watch(number), at);
    }

    fn next_watch(&mut self, number: GuestId) -> Option<Instant> {
        let guest = self.roster.guests.get(number)?;
        let Some(next) = next_sample(guest) else { return guest.observed.watch.as_ref()?.ends() };
        if domain(guest).is_none() {
            return Some(next);
        }
        let is_asked = is_asked_ahead(guest, next);
        let is_due = !is_asked || self.has_figures(number, next);
        if is_due { next.checked_sub(AHEAD) } else { Some(next + LATE) }
    }

    /// Has the figures asked for of a guest whose sample is due soon, and with it of all that are watched
    /// for good and whose samples are due a little later at the most.
    fn ask_ahead(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let due = |guest: &Guest, by: Instant| {
            let next = next_sample(guest).filter(|next| *next <= by)?;
            domain(guest).filter(|_| !is_asked_ahead(guest, next)).map(|uuid| (next, uuid))
        };
        let guest = self.roster.guests.get(number);
        if guest.and_then(|guest| due(guest, ctx.now + AHEAD)).is_none() {
            return;
        }
        let mut domains: Vec<Uuid> = Vec::new();
        let mut together: Vec<GuestId> = self.watched.guests().collect();
        together.push(number);
        for number in together {
            let Some(guest) = self.roster.guests.get_mut(number) else { continue };
            if let Some((next, uuid)) = due(guest, ctx.now + AHEAD + TOGETHER) {
                guest.asked_ahead = Some(AskedAhead { of: next, at: ctx.now });
                self.watched.awaiting.insert(number);
                domains.push(uuid);
                self.set_watch_alarm(number, ctx);
            }
        }
        self.desk.libvirt().refresh_each(domains, ctx.now);
    }

    /// Figures may have come that samples wait for.
    pub(crate) fn figures_have_come(&mut self, ctx: &mut Ctx<'_>) {
        for number in std::mem::take(&mut self.watched.awaiting) {
            let guest = self.roster.guests.get(number);
            let next = guest.and_then(|guest| Some((guest, next_sample(guest)?)));
            let Some((_, next)) = next.filter(|(guest, next)| is_asked_ahead(guest, *next)) else {
                continue;
            };
            if self.has_figures(number, next) {
                ctx.reactor.set_alarm(Alarm::Watch(number), Some(ctx.now));
            } else {
                self.watched.awaiting.insert(number);
            }
        }
    }

    /// Whether the figures are there that were asked for ahead of a guest's sample.
    fn has_figures(&mut self, number: GuestId, sample: Instant) -> bool {
        let Some(guest) = self.roster.guests.get(number) else { return false };
        let asked = guest.asked_ahead.filter(|asked| asked.of == sample);
        let (Some(asked), Some(uuid)) = (asked, domain(guest)) else { return false };
        let known = self.desk.libvirt().known();
        let figures = known.and_then(|known| known.guest(uuid)?.figures.as_ref());
        figures.is_some_and(|(_, told)| *told >= asked.at)
    }
}

fn is_asked_ahead(guest: &Guest, sample: Instant) -> bool {
    guest.asked_ahead.is_some_and(|asked| asked.of == sample)
}

fn next_sample(guest: &Guest) -> Option<Instant> {
    guest.observed.watch.as_ref().and_then(Watch::next_sample)
}

fn domain(guest: &Guest) -> Option<Uuid> {
    match guest.who.standing() {
        Standing::Domain(uuid, _) => Some(*uuid),
        Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => None,
    }
}
