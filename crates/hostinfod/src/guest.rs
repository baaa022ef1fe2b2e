//! One guest over all its connections: who it is, what is observed of it, and what it did.

mod audit;
pub(crate) mod cmdline;
pub(crate) mod disk;
mod handover;
pub(crate) mod identity;
pub(crate) mod peer;
mod random;
pub(crate) mod roster;
pub(crate) mod watched;

use std::borrow::Cow;
use std::io;
use std::time::Instant;

use hostinfo_answer::{Change, Meter, Observed, Requester, Standing};
use hostinfo_domains::{Marks, Uuid};
use hostinfo_file::aside::Patience;
use hostinfo_peer::Unclosed;
use hostinfo_rules::{Rules, Tags};

use crate::audit::quota::{OncePerMinute, Quotas};
use crate::metrics::tally::Record;

use disk::MetricsDisk;
pub(crate) use random::begin_session;

/// Figures that were requested from libvirt for a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct AskedAhead {
    /// When the sample is due.
    pub(crate) of: Instant,
    /// When they were requested.
    pub(crate) at: Instant,
}

/// A guest.
pub(crate) struct Guest {
    /// Who it is, as the engine sees it.
    pub(crate) who: Requester,
    /// Its tags, as last read of the process that it is.
    pub(crate) tags: Tags,
    /// When its socket appeared: what libvirt said before that may be about another guest, and does not count.
    pub(crate) since: Option<Instant>,
    /// What is observed of it.
    pub(crate) observed: Observed,
    /// What libvirt has marked the process at the other end with, where libvirt is asked.
    pub(crate) marks: Option<Box<Marks>>,
    /// Whether that process's command line is missing there, since it could not be read soon.
    pub(crate) is_unread: bool,
    /// How much of its flow it has used.
    pub(crate) meter: Meter,
    /// Counts of its lines, and the last one.
    pub(crate) record: Record,
    /// Bounds what is logged about it.
    pub(crate) quotas: Quotas,
    /// Whether its metrics disk is kept up to date.
    pub(crate) has_disk: bool,
    /// What was waited for its VMM's command line, and for libvirt's channel of it.
    pub(crate) patience: Patience,
    /// What its connections have left to be closed. While there is something, it gets no other.
    pub(crate) unclosed: Unclosed,
    /// The round in which it had its last turn.
    last_turn: Round,
    /// What few guests have.
    pub(crate) rare: Option<Box<Rare>>,
}

/// What is known of guests that are watched, have a metrics disk or are reached over AF_VSOCK.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rare {
    /// libvirt's figures that were requested for its next sample.
    pub(crate) asked_ahead: Option<AskedAhead>,
    /// A sample that it was due for when it was no longer watched permanently: if it is again, its samples are taken in the
    /// same step, so hanging up and connecting again moves none of them.
    pub(crate) left_at: Option<Instant>,
    /// Its metrics disk.
    pub(crate) disk: MetricsDisk,
    /// Its VMM's address on vsock, by its command line.
    pub(crate) cid: Option<u32>,
    /// The domain whose address on vsock it has connected from.
    pub(crate) by_cid: Option<Uuid>,
    /// Connections that were closed at once, in the log.
    pub(crate) not_admitted: OncePerMinute,
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
    /// A guest that has not been observed and has done nothing yet.
    pub(crate) fn new(who: Requester) -> Self {
        Self {
            who,
            tags: Tags::Unreadable,
            since: None,
            observed: Observed::default(),
            marks: None,
            is_unread: false,
            meter: Meter::default(),
            record: Record::default(),
            quotas: Quotas::default(),
            has_disk: false,
            patience: Patience::default(),
            unclosed: Unclosed::default(),
            last_turn: Round::default(),
            rare: None,
        }
    }

    /// What only some guests have, made if it has nothing of the kind yet.
    pub(crate) fn rare_mut(&mut self) -> &mut Rare {
        self.rare.get_or_insert_default()
    }

    /// Its VMM's address on vsock, by its command line.
    pub(crate) fn cid(&self) -> Option<u32> {
        self.rare.as_ref()?.cid
    }

    /// The domain whose address on vsock it has connected from.
    pub(crate) fn by_cid(&self) -> Option<Uuid> {
        self.rare.as_ref()?.by_cid
    }

    /// Takes the guest's turn in a round. False if another of its connections has had it: guests take turns,
    /// not connections.
    pub(crate) fn take_turn(&mut self, round: Round) -> bool {
        std::mem::replace(&mut self.last_turn, round) != round
    }

    /// The guest as the answering crate takes it.
    pub(crate) fn asker(&mut self) -> hostinfo_answer::Guest<'_> {
        let Self { who, observed, meter, .. } = self;
        hostinfo_answer::Guest { who, observed, meter }
    }

    /// Applies the rules, by its tags.
    pub(crate) fn apply_rules(&mut self, rules: &Rules, now: Instant) {
        let (was_enabled, was_undecided) = (self.who.grant().enabled(), self.who.is_undecided());
        let decision = rules.decide_tagged(self.who.name().whole(), &self.tags);
        self.who.apply_decision(decision, &mut self.observed);
        let is_decided = self.who.is_undecided() != was_undecided && self.is_here();
        let is_other = self.who.grant().enabled() != was_enabled || is_decided;
        if is_other && self.who.standing().may_ask() {
            self.log_access(now);
        }
    }

    /// Sets what libvirt says about its socket. Returns true if that has changed.
    pub(crate) fn set_standing(&mut self, standing: Standing, now: Instant) -> bool {
        let refusal = self.who.refusal().map(Cow::into_owned);
        match self.who.set_standing(standing) {
            Change::Same => return false,
            Change::Other => {}
            Change::AnotherRun => match begin_session() {
                Ok(session) => self.who.begin_session(session, &mut self.observed),
                Err(error) => self.log_no_session(&error),
            },
        }
        if self.is_here() && self.who.refusal().as_deref() != refusal.as_deref() {
            self.log_access(now);
        }
        true
    }

    /// It goes on in the session that it had.
    pub(crate) fn log_no_session(&self, error: &io::Error) {
        let guest = self.who.name().whole();
        tracing::error!(guest, "guest {guest} has no new session: {error}");
    }

    /// Whether what happens to it is logged now. For a guest that never connected, that is done when
    /// it connects. A guest with a metrics disk may never connect.
    fn is_here(&self) -> bool {
        self.who.was_connected() || self.who.grant().vhostmd_disk()
    }

    /// Whether forgetting it and meeting it again would change nothing for it.
    pub(crate) fn is_forgettable(&self, now: Instant) -> bool {
        self.who.wait(now).is_zero()
            && self.observed.watch.is_none()
            && !self.has_disk
            && self.disk_due(now) <= now
            && self.quotas.are_full(now)
            && self.meter.is_full(now)
            && self.patience.is_repaid(now)
            && self.unclosed.count() == 0
    }
}

#[cfg(test)]
pub(crate) mod tests;
