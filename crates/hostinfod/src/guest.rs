//! One guest, however many connections it has: who it is, what is observed of it, what it did.

mod audit;
pub(crate) mod cmdline;
pub(crate) mod identity;
pub(crate) mod peer;
mod random;
pub(crate) mod roster;
pub(crate) mod watched;

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_answer::{Change, Meter, Observed, Pending, Standing, Who};
use hostinfo_domains::Uuid;
use hostinfo_rules::Grant;

use crate::audit::quota::{Quotas, Seldom};
use crate::metrics::tally::Record;

pub(crate) use random::begin_session;

/// Figures that a sample waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AskedAhead {
    /// When the sample is due.
    pub(crate) of: Instant,
    /// When they were asked for.
    pub(crate) at: Instant,
}

/// A guest.
pub(crate) struct Guest {
    /// Who it is to whatever answers it.
    pub(crate) who: Who,
    /// What is observed of it.
    pub(crate) observed: Observed,
    /// libvirt's figures were asked for, for the sample of that time.
    pub(crate) asked_ahead: Option<Box<AskedAhead>>,
    /// What it has of its flow.
    pub(crate) meter: Meter,
    /// What became of its lines.
    pub(crate) record: Record,
    /// What may be logged about it.
    pub(crate) quotas: Quotas,
    /// Its metrics disk is kept up to date.
    pub(crate) has_disk: bool,
    /// What its metrics disk waits for.
    pub(crate) disk_pending: Option<Box<Pending>>,
    /// Its VMM's address on vsock, by its command line.
    pub(crate) cid: Option<u32>,
    /// The domain whose address on vsock it has connected from.
    pub(crate) by_cid: Option<Uuid>,
    /// Connections that were closed at once, in the log.
    pub(crate) no_room: Seldom,
    /// The round in which it had its last turn.
    last_turn: Round,
}

/// Events that are handled one after another, or alarms, before new ones are looked for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Round(u64);

impl Round {
    /// The next one.
    pub(crate) fn next(self) -> Self {
        Self(self.0.wrapping_add(1))
    }
}

impl Guest {
    /// A guest of whom nothing is observed and that has done nothing yet.
    pub(crate) fn new(who: Who) -> Self {
        Self {
            who,
            observed: Observed::default(),
            asked_ahead: None,
            meter: Meter::default(),
            record: Record::default(),
            quotas: Quotas::default(),
            has_disk: false,
            disk_pending: None,
            cid: None,
            by_cid: None,
            no_room: Seldom::default(),
            last_turn: Round::default(),
        }
    }

    /// Takes the guest's turn in a round. False where another of its connections has had it: others wait for
    /// the guest, not for each of its connections.
    pub(crate) fn take_turn(&mut self, round: Round) -> bool {
        std::mem::replace(&mut self.last_turn, round) != round
    }

    /// As one who speaks.
    pub(crate) fn asker(&mut self) -> hostinfo_answer::Guest<'_> {
        let Self { who, observed, meter, .. } = self;
        hostinfo_answer::Guest { who, observed, meter }
    }

    /// Puts it under a rule.
    pub(crate) fn apply_grant(&mut self, grant: Arc<Grant>, now: Instant) {
        let was_enabled = self.who.grant().enabled();
        self.who.apply_grant(grant, &mut self.observed);
        if self.who.grant().enabled() != was_enabled && self.who.standing().may_ask() {
            self.log_access(now);
        }
    }

    /// Takes over what libvirt says of its socket. True where that is another thing than before.
    pub(crate) fn set_standing(&mut self, standing: Standing, now: Instant) -> bool {
        let refusal = self.who.refusal().map(Cow::into_owned);
        match self.who.set_standing(standing) {
            Change::Same => return false,
            Change::Other => {}
            Change::AnotherRun => match begin_session() {
                Ok(session) => self.who.begin_session(session, &mut self.observed),
                Err(error) => {
                    tracing::error!(guest = self.who.name().whole(), "no new session: {error}");
                }
            },
        }
        // Of who is still to come it is logged when that comes; with a disk nothing need come.
        let is_here = self.who.has_come() || self.who.grant().vhostmd_disk();
        if is_here && self.who.refusal().as_deref() != refusal.as_deref() {
            self.log_access(now);
        }
        true
    }

    /// Whether nothing would change if it were forgotten and came anew.
    pub(crate) fn is_forgettable(&self, now: Instant) -> bool {
        self.who.wait(now).is_zero()
            && self.observed.watch.is_none()
            && !self.has_disk
            && self.quotas.are_full(now)
            && self.meter.is_full(now)
    }
}

#[cfg(test)]
pub(crate) mod tests;
