//! Samples of guests that are watched, for good or because they ask: when they are due, and what libvirt is asked
//! for them ahead.

use std::time::{Duration, Instant};

use hostinfo_answer::{Held, Standing};
use hostinfo_domains::Uuid;

use super::Guests;
use crate::guest::{AskedAhead, Guest};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

/// How long before a sample figures are asked for: libvirt takes some milliseconds for a domain, and
/// the sample is taken when they have come.
const AHEAD: Duration = Duration::from_millis(200);

/// Guests whose samples are due within that time have their figures asked for in one request.
const TOGETHER: Duration = Duration::from_millis(500);

/// How long a sample waits for figures; then it is taken without them.
const LATE: Duration = Duration::from_millis(500);

impl Guests {
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
    pub(super) fn set_watch_alarm(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
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
                guest.asked_ahead = Some(AskedAhead { of: next, at: ctx.now }.into());
                self.watched.awaiting.insert(number);
                domains.push(uuid);
                self.set_watch_alarm(number, ctx);
            }
        }
        self.desk.libvirt().refresh_each(domains, ctx.now);
    }

    /// Figures may have come that samples wait for.
    pub(super) fn figures_have_come(&mut self, ctx: &mut Ctx<'_>) {
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
        let asked = guest.asked_ahead.as_ref().filter(|asked| asked.of == sample);
        let (Some(asked), Some(uuid)) = (asked, domain(guest)) else { return false };
        let known = self.desk.libvirt().known();
        let figures = known.and_then(|known| known.guest(uuid)?.figures.as_ref());
        figures.is_some_and(|(_, told)| *told >= asked.at)
    }
}

fn is_asked_ahead(guest: &Guest, sample: Instant) -> bool {
    guest.asked_ahead.as_ref().is_some_and(|asked| asked.of == sample)
}

fn next_sample(guest: &Guest) -> Option<Instant> {
    guest.observed.watch.as_ref().and_then(|watch| watch.next_sample())
}

fn domain(guest: &Guest) -> Option<Uuid> {
    match guest.who.standing() {
        Standing::Domain(uuid, _) => Some(*uuid),
        Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => None,
    }
}
