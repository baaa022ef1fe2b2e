//! Guests that are watched, for good or because they ask: when samples of them are due, what libvirt
//! is asked for them ahead, and what is kept of their incidents.

use std::time::{Duration, Instant};

use hostinfo_domains::Uuid;
use hostinfo_verdict::Watch;
use jiff::Timestamp;

use super::{Alarm, Server};
use crate::answer::sources::libvirt::AHEAD;
use crate::guest::Guest;
use crate::guest::key::{Held, Key};
use crate::guest::standing::Standing;
use crate::guest::watched::Place;

/// The time between two samples of a guest that is watched for good, over which those of different
/// guests are spread.
const SPREAD_MILLIS: usize = 10_000;

/// How far the first samples of two guests are apart that come one after the other: the golden
/// section of [`SPREAD_MILLIS`], which leaves no gap however many there are.
const STEP_MILLIS: usize = 6_180;

/// Guests whose samples are due within this time have their figures asked for in one request.
const TOGETHER: Duration = Duration::from_millis(500);

/// How long a first sample waits for figures, which nobody could ask for ahead of it.
const FIRST_FIGURES: Duration = Duration::from_secs(1);

/// How often it is looked whether they have come.
const FIRST_LOOK: Duration = Duration::from_millis(50);

/// How long after it was connected to while it was libvirt's a socket is looked at again: QEMU has it
/// some tenths of a second later, or after the next such time.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

impl Server {
    /// Begins or ends to watch a guest for good, as its rule says and as it is there.
    pub(crate) fn plan_watch(&mut self, number: usize, now: Instant) {
        if !self.is_to_be_watched(number) {
            self.plan_to_look_again(number, now);
            return self.unwatch(number, now);
        }
        self.settle_incidents(number);
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        match self.watched.add(number) {
            Place::Watched => {
                let spread = u64::try_from(number * STEP_MILLIS % SPREAD_MILLIS).unwrap_or(0);
                let first = now + Duration::from_millis(spread);
                guest.observed.watch.get_or_insert_with(|| Watch::keep(first)).set_kept(true);
                self.set_watch_alarm(number);
            }
            Place::LeftOut(false) => {}
            Place::LeftOut(true) => {
                if let Some(leave) = guest.quotas.own.ask(now) {
                    let (guest, max) = (guest.name.whole(), self.watched.max);
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
    fn is_to_be_watched(&self, number: usize) -> bool {
        self.roster.guests.get(number).is_some_and(|guest| {
            guest.grant.watch() && guest.may_ask() && guest.observed.vmm.is_ok()
        }) && self.roster.is_connected(number)
    }

    /// A guest that is to be watched need not say anything, so whoever has its socket by now has to
    /// be seen without that.
    fn plan_to_look_again(&mut self, number: usize, now: Instant) {
        let Some(guest) = self.roster.guests.get(number) else { return };
        if !guest.grant.watch() || guest.observed.vmm.is_ok() {
            return;
        }
        let ports = self.roster.ports.iter();
        for (port, _) in ports.filter(|(_, port)| port.guest == number && port.is_early) {
            self.alarms.set(Alarm::LookAgain(port), Some(now + LOOK_AGAIN));
        }
    }

    /// Plans it for all whom it may concern: their rules have changed, or how many may be watched.
    pub(crate) fn plan_all_watches(&mut self, now: Instant) {
        let concerned = self.roster.guests.iter().filter(|(_, guest)| guest.grant.watch());
        let mut concerned: Vec<usize> = concerned.map(|(number, _)| number).collect();
        concerned.extend(self.watched.guests());
        while let Some(number) = self.watched.surplus() {
            self.unwatch(number, now);
        }
        for number in concerned {
            self.plan_watch(number, now);
        }
    }

    /// Watches a guest no more but for what it asks, and another in its place.
    fn unwatch(&mut self, number: usize, now: Instant) {
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
            self.set_watch_alarm(number);
        }
        if let Some(next) = self.watched.next() {
            self.plan_watch(next, now);
        }
    }

    /// Finds what was kept of a guest that has come, or that is found to be a domain.
    fn settle_incidents(&mut self, number: usize) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let Some(key) = guest.key().filter(|key| guest.observed.held.key() != Some(*key)) else {
            return;
        };
        let stored = self.incidents.settle(key, guest.name.whole());
        let before = std::mem::replace(&mut guest.observed.held, Held::new(key, stored));
        // Before libvirt said which domain it is, it was the process that it still is.
        if let (Some(process), Key::Domain(_)) = (guest.process(), key)
            && before.key() == Some(process)
        {
            guest.observed.held.merge(before);
            self.incidents.forget(process);
        }
    }

    /// Has a guest's incidents written, where its rule has them kept and something of them is new.
    fn keep_incidents(&mut self, number: usize) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        let Some(key) = guest.key().filter(|_| guest.grant.watch()) else { return };
        let name = guest.name.whole();
        if let Some(bytes) = guest.observed.held.store(key, name, Timestamp::now()) {
            self.incidents.keep(key, name, bytes);
        }
    }

    /// The rules have changed: deletes what was recorded of guests that are not watched for good any
    /// more, whether they are there or not.
    pub(crate) fn drop_incidents(&mut self) {
        let rules = self.rules.rules();
        self.incidents.retain(|guest| rules.decide(guest).watch());
    }

    /// Something is to be written, or was kept for long.
    pub(crate) fn write_incidents(&mut self, now: Instant) {
        let rules = self.rules.rules();
        self.incidents.turn(|guest| rules.decide(guest).watch(), now);
    }

    /// A watched guest's time has come: for its sample, or to have figures asked for ahead of it.
    pub(crate) fn watch(&mut self, number: usize, now: Instant) {
        let next = self.roster.guests.get(number).and_then(next_sample);
        match next {
            None => self.forget_watch(number),
            Some(next) if next > now => self.ask_ahead(number, now + AHEAD),
            Some(next) if self.waits_for_figures(number, next, now) => {
                self.ask_ahead(number, next);
                return self.alarms.set(Alarm::Watch(number), Some(now + FIRST_LOOK));
            }
            Some(_) => {
                if let Some(guest) = self.roster.guests.get_mut(number) {
                    self.desk.watch(guest, now);
                }
                self.keep_incidents(number);
            }
        }
        self.set_watch_alarm(number);
    }

    /// A guest that asked for verdicts has not done so for long. What was recorded of it goes with
    /// that, unless its rule has it kept.
    fn forget_watch(&mut self, number: usize) {
        let Some(guest) = self.roster.guests.get_mut(number) else { return };
        guest.observed.watch = None;
        guest.observed.held.end();
        if !guest.grant.watch() {
            guest.observed.held = Held::default();
        }
        self.keep_incidents(number);
    }

    /// Sets the alarm for a guest's next sample, or for what comes ahead of it.
    pub(crate) fn set_watch_alarm(&mut self, number: usize) {
        let guest = self.roster.guests.get(number);
        let at = guest.and_then(|guest| {
            let next = next_sample(guest).or_else(|| guest.observed.watch.as_ref()?.ends())?;
            let is_ahead = domain(guest).is_some() && guest.observed.asked_ahead_of != Some(next);
            Some(if is_ahead { next.checked_sub(AHEAD).unwrap_or(next) } else { next })
        });
        self.alarms.set(Alarm::Watch(number), at);
    }

    /// Has the figures asked for of a guest whose sample is due by then, and with it of all that are
    /// watched for good and whose samples are due a little later at the most.
    fn ask_ahead(&mut self, number: usize, by: Instant) {
        let mut domains: Vec<Uuid> = Vec::new();
        for number in self.watched.guests().chain([number]) {
            let Some(guest) = self.roster.guests.get_mut(number) else { continue };
            let next = next_sample(guest).filter(|next| *next <= by + TOGETHER);
            if let (Some(next), Some(uuid)) = (next, domain(guest))
                && guest.observed.asked_ahead_of != Some(next)
            {
                guest.observed.asked_ahead_of = Some(next);
                self.alarms.set(Alarm::Watch(number), Some(next));
                domains.push(uuid);
            }
        }
        if !domains.is_empty() {
            self.desk.libvirt().refresh(domains, Instant::now());
        }
    }

    /// Whether a guest's first sample is to wait for figures that are on their way.
    fn waits_for_figures(&mut self, number: usize, due: Instant, now: Instant) -> bool {
        let Some(guest) = self.roster.guests.get(number) else { return false };
        let is_new = guest.observed.watch.as_ref().is_some_and(Watch::is_new);
        let Some(uuid) = domain(guest).filter(|_| is_new && now < due + FIRST_FIGURES) else {
            return false;
        };
        let known = self.desk.libvirt().known().and_then(|known| known.guest(uuid).cloned());
        known.is_some_and(|known| known.figures.as_ref().is_none_or(|(_, at)| *at < due))
    }
}

fn next_sample(guest: &Guest) -> Option<Instant> {
    guest.observed.watch.as_ref().and_then(Watch::next_sample)
}

fn domain(guest: &Guest) -> Option<Uuid> {
    match guest.standing {
        Standing::Domain(uuid, _) => Some(uuid),
        Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => None,
    }
}
