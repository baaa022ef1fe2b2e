//! Samples of watched guests, whether they are watched permanently or because they ask: when they
//! are due, and which figures are requested from libvirt ahead of them.

use std::time::{Duration, Instant};

use hostinfo_answer::{GuestIncidents, Standing};
use hostinfo_domains::Uuid;

use super::Guests;
use crate::guest::{AskedAhead, Guest};
use crate::reactor::Ctx;
use crate::reactor::alarms::Alarm;
use crate::reactor::id::GuestId;

/// How long before a sample its figures are requested. libvirt needs some milliseconds for a
/// domain, and the sample is taken when they have arrived.
const AHEAD: Duration = Duration::from_millis(200);

/// If other guests' samples are due within this time, their figures are included in the same
/// request.
const TOGETHER: Duration = Duration::from_millis(500);

/// How long a sample waits for its figures. Then it is taken without them.
const LATE: Duration = Duration::from_millis(500);

impl Guests {
    /// A watched guest is due: requests the figures for its next sample, or takes the sample if the
    /// figures are there or overdue.
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
            if self.responder.watch(guest, ctx.now).is_err() {
                // The rest of the sample comes after guests that have waited longer.
                return ctx.reactor.set_alarm(Alarm::Watch(number), Some(ctx.now));
            }
            self.keep_incidents(number);
        }
        self.set_watch_alarm(number, ctx);
    }

    /// The guest has not asked for verdicts for a long time. Its incidents are dropped too, unless
    /// its rule keeps them.
    fn forget_watch(&mut self, number: GuestId) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.observed.watch = None;
        guest.observed.incidents.end();
        if !guest.who.grant().watch() {
            guest.observed.incidents = GuestIncidents::default();
        }
        self.keep_incidents(number);
    }

    /// Sets the alarm for a guest's next sample, or for the request ahead of it.
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
        let is_asked = asked_ahead(guest, next).is_some();
        let is_due = !is_asked || self.has_figures(number, next);
        if is_due { next.checked_sub(AHEAD) } else { Some(next + LATE) }
    }

    /// Requests the figures of a guest whose sample is due soon. Includes all guests that are
    /// watched permanently and whose samples are due at most a little later.
    fn ask_ahead(&mut self, number: GuestId, ctx: &mut Ctx<'_>) {
        let due = |guest: &Guest, by: Instant| {
            let next = next_sample(guest).filter(|next| *next <= by)?;
            domain(guest).filter(|_| asked_ahead(guest, next).is_none()).map(|uuid| (next, uuid))
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
                guest.rare_mut().asked_ahead = Some(AskedAhead { of: next, at: ctx.now });
                self.watched.awaiting.insert(number);
                domains.push(uuid);
                self.set_watch_alarm(number, ctx);
            }
        }
        self.responder.libvirt().refresh_each(domains, ctx.now);
    }

    /// Figures that samples wait for may have arrived.
    pub(super) fn figures_have_come(&mut self, ctx: &mut Ctx<'_>) {
        for number in std::mem::take(&mut self.watched.awaiting) {
            let guest = self.roster.guests.get(number);
            let next = guest.and_then(|guest| Some((guest, next_sample(guest)?)));
            let Some((_, next)) = next.filter(|(guest, next)| asked_ahead(guest, *next).is_some())
            else {
                continue;
            };
            if self.has_figures(number, next) {
                ctx.reactor.set_alarm(Alarm::Watch(number), Some(ctx.now));
            } else {
                self.watched.awaiting.insert(number);
            }
        }
    }

    /// Whether the figures requested for that sample of a guest have arrived.
    fn has_figures(&mut self, number: GuestId, sample: Instant) -> bool {
        let Some(guest) = self.roster.guests.get(number) else { return false };
        let asked = asked_ahead(guest, sample);
        let (Some(asked), Some(uuid)) = (asked, domain(guest)) else { return false };
        let known = self.responder.libvirt().known();
        let figures = known.and_then(|known| known.guest(uuid)?.figures.as_ref());
        figures.is_some_and(|(_, told)| *told >= asked.at)
    }
}

/// The figures that were requested for that sample of a guest.
fn asked_ahead(guest: &Guest, sample: Instant) -> Option<AskedAhead> {
    guest.rare.as_ref()?.asked_ahead.filter(|asked| asked.of == sample)
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
