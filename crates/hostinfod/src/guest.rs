//! One guest, however many connections it has: what it may, what it did, who it is.

pub(crate) mod allowance;
mod audit;
pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod key;
pub(crate) mod name;
pub(crate) mod peer;
mod random;
pub(crate) mod roster;
pub(crate) mod session;
pub(crate) mod standing;
pub(crate) mod watched;

use std::borrow::Cow;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_catalog::StatId;
use hostinfo_rules::{Grant, Why};
use hostinfo_sample::{Absent, Vmm};
use hostinfo_verdict::Watch;

use crate::audit::quota::Quotas;
use crate::bucket::Bucket;
use crate::metrics::tally::Record;
use crate::pending::Pending;
use allowance::Allowance;
use history::History;
use identity::HostId;
use key::{Held, Key};
use name::Name;
use peer::Peer;
use session::Session;
use standing::Standing;

/// A guest that nobody has connected to, or whose socket was libvirt's still: only when it speaks
/// does its VMM surely listen. A metrics disk may be written before that.
pub(crate) const NOT_MET: Absent =
    Absent::plain("hostinfod knows this guest's VMM only when the guest has spoken on its port");

/// What is observed of a guest from outside.
#[derive(Clone)]
pub(crate) struct Observed {
    /// The process that runs it, or why it is not known.
    pub(crate) vmm: Result<Box<Vmm>, Absent>,
    /// The samples that verdicts are made of, while it is watched.
    pub(crate) watch: Option<Watch>,
    /// libvirt's figures were asked for, for the sample of that time.
    pub(crate) asked_ahead: Option<AskedAhead>,
    /// What its verdicts were over time.
    pub(crate) held: Held,
    /// What libvirt told of it so far.
    pub(crate) history: History,
}

impl Default for Observed {
    fn default() -> Self {
        Self {
            vmm: Err(NOT_MET),
            watch: None,
            asked_ahead: None,
            held: Held::default(),
            history: History::default(),
        }
    }
}

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
    /// Whose socket it is.
    pub(crate) name: Name,
    /// What its rule grants: found when the guest came or the rules changed.
    pub(crate) grant: Arc<Grant>,
    /// The host's names for this guest alone.
    pub(crate) host_id: HostId,
    /// By how much the times of its incidents are moved: its own secret, lest exact times prove
    /// that two guests share a host.
    pub(crate) phase: Duration,
    /// Its session.
    pub(crate) session: Session,
    /// Bytes read from it.
    pub(crate) bytes: Bucket,
    /// Lines answered to it.
    pub(crate) lines: Bucket,
    /// What is observed of it.
    pub(crate) observed: Observed,
    /// What became of its lines.
    pub(crate) record: Record,
    /// What libvirt says of its socket.
    pub(crate) standing: Standing,
    /// What may be logged about it.
    pub(crate) quotas: Quotas,
    /// The process at the other end, once there was one; `None` in it where it is not known.
    peer: Option<Option<Peer>>,
    /// Its metrics disk is kept up to date.
    pub(crate) has_disk: bool,
    /// What its metrics disk waits for.
    pub(crate) disk_pending: Option<Pending>,
    /// What vhostmd's client got last, for when it asks too soon: it knows no 429.
    pub(crate) document: Option<Box<str>>,
    /// What it has of its interval.
    pub(crate) allowance: Allowance,
}

impl Guest {
    /// A guest that has asked nothing yet.
    pub(crate) fn new(name: Name, grant: Arc<Grant>, host_id: HostId, session: Session) -> Self {
        Self {
            name,
            grant,
            host_id,
            phase: Duration::ZERO,
            session,
            bytes: Bucket::default(),
            lines: Bucket::default(),
            peer: None,
            observed: Observed::default(),
            record: Record::default(),
            standing: Standing::default(),
            quotas: Quotas::default(),
            has_disk: false,
            disk_pending: None,
            document: None,
            allowance: Allowance::default(),
        }
    }

    /// Notes which process is at the other end, and begins the session that `fresh` makes where
    /// it is not known to be the one of before. True where it is not.
    ///
    /// # Errors
    /// That of `fresh`.
    pub(crate) fn connected(
        &mut self,
        peer: Option<Peer>,
        fresh: impl FnOnce() -> io::Result<Session>,
    ) -> io::Result<bool> {
        let is_known = self.peer.flatten().zip(peer).is_some_and(|(before, now)| before.is(now));
        if self.peer.is_some() && !is_known {
            self.session = fresh()?;
        }
        self.peer = Some(peer);
        Ok(!is_known)
    }

    /// The process at the other end, where it is known.
    pub(crate) fn pid(&self) -> Option<i32> {
        self.peer.flatten().map(|peer| peer.pid)
    }

    /// What makes it the same guest as before a restart; `None` where that is not known.
    pub(crate) fn key(&self) -> Option<Key> {
        match self.standing {
            Standing::Domain(uuid, _) => Some(Key::Domain(uuid)),
            Standing::Unnamed => self.process(),
            Standing::Refused(_) | Standing::Awaited => None,
        }
    }

    /// The same without libvirt.
    pub(crate) fn process(&self) -> Option<Key> {
        let Peer { pid, start } = self.peer.flatten()?;
        Some(Key::Process { pid, start: start? })
    }

    /// Whether it was ever connected to.
    pub(crate) fn has_come(&self) -> bool {
        self.peer.is_some()
    }

    /// Somebody who gets what it would get, whatever it asked before, and in whose name nothing
    /// is counted, noted or begun.
    pub(crate) fn double(&self) -> Self {
        let (name, grant) = (self.name.clone(), Arc::clone(&self.grant));
        let mut double = Self::new(name, grant, self.host_id.clone(), self.session.clone());
        double.phase = self.phase;
        double.peer = self.peer;
        double.standing = self.standing.clone();
        double.observed = self.observed.clone();
        double
    }

    /// Puts it under a rule. Nothing that was made under another is given out where the guest may see
    /// other things now.
    pub(crate) fn come_under(&mut self, grant: Arc<Grant>, now: Instant) {
        if !self.grant.shows_the_same(&grant) {
            self.document = None;
        }
        if self.grant.watch() && !grant.watch() {
            self.observed.held = Held::default();
        }
        let is_turned = self.grant.enabled() != grant.enabled();
        self.grant = grant;
        if is_turned && self.standing.may_ask() {
            self.log_access(now);
        }
    }

    /// Takes over what was found. True where that is another thing than before.
    pub(crate) fn stand(&mut self, standing: Standing, now: Instant) -> bool {
        if self.standing == standing {
            return false;
        }
        let refusal = self.refusal().map(Cow::into_owned);
        let before = std::mem::replace(&mut self.standing, standing);
        if matches!((before, &self.standing), (Standing::Domain(..), Standing::Domain(..))) {
            self.begin_anew();
        }
        // Of who is still to come it is logged when that comes; with a disk nothing need come.
        let is_here = self.has_come() || self.grant.vhostmd_disk();
        if is_here && self.refusal().as_deref() != refusal.as_deref() {
            self.log_access(now);
        }
        // Nothing that was made before is given out.
        self.document = None;
        true
    }

    /// The process is the same, and what it runs is not: it was restored, or went back to a
    /// snapshot.
    fn begin_anew(&mut self) {
        match Session::begin() {
            Ok(session) => {
                self.session = session;
                self.observed.history = History::default();
            }
            Err(error) => tracing::error!(guest = self.name.whole(), "no new session: {error}"),
        }
    }

    /// Whether it may ask at all.
    pub(crate) fn may_ask(&self) -> bool {
        self.grant.enabled() && self.standing.may_ask()
    }

    /// Whether it may see a statistic, of that instance where it has them, and by which line of the
    /// rules file. No line stands for [`Guest::refusal`] where that is not its rule's.
    pub(crate) fn explain(&self, stat: StatId, instance: Option<&str>) -> Why {
        if self.may_ask() {
            return self.grant.explain(stat, instance);
        }
        let line = self.grant.disabled_by().filter(|_| self.standing.may_ask());
        Why { permitted: false, line }
    }

    /// Why it may not ask at all.
    pub(crate) fn refusal(&self) -> Option<Cow<'_, str>> {
        match &self.standing {
            Standing::Refused(why) => Some(Cow::Borrowed(why)),
            Standing::Awaited => Some(Cow::Borrowed(
                "libvirt does not answer, and hostinfod.toml says required = true",
            )),
            Standing::Unnamed | Standing::Domain(..) if self.grant.enabled() => None,
            Standing::Unnamed | Standing::Domain(..) => {
                Some(Cow::Borrowed("its rule says enabled = 0"))
            }
        }
    }

    /// How long until it may have a query answered; nothing where it may now.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.allowance.wait(self.grant.interval(), now)
    }

    /// Whether nothing would change if it were forgotten and came anew.
    pub(crate) fn is_forgettable(&self, now: Instant) -> bool {
        self.wait(now).is_zero()
            && self.observed.watch.is_none()
            && !self.has_disk
            && self.quotas.are_full(now)
            && [self.bytes, self.lines].iter().all(|bucket| bucket.is_full(now))
    }
}

#[cfg(test)]
mod tests;
