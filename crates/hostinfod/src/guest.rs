//! One guest, however many connections it has: what it may, what it did, who it is.

pub(crate) mod history;
pub(crate) mod identity;
pub(crate) mod peer;
pub(crate) mod roster;
pub(crate) mod standing;

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use hostinfo_rules::Grant;
use hostinfo_sample::Vmm;
use hostinfo_verdict::Watch;

use crate::answer::sources::Pending;
use crate::audit::Quotas;
use crate::flow::Bucket;
use crate::metrics::tally::Record;
use history::History;
use peer::Peer;
use standing::Standing;

/// A socket's name taken apart: `$driver-$name`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Name {
    whole: Box<str>,
    driver_len: usize,
}

impl Name {
    /// The first `-` parts the two; neither may be empty, and what no file name has and control
    /// characters may not be in them: `None` where that does not hold.
    pub(crate) fn parse(whole: &str) -> Option<Self> {
        let (driver, name) = whole.split_once('-')?;
        let is_file_name = !whole.chars().any(|c| c.is_control() || c == '/');
        let holds = !driver.is_empty() && !name.is_empty() && is_file_name;
        holds.then(|| Self { whole: whole.into(), driver_len: driver.len() })
    }

    /// As the rules match it.
    pub(crate) fn whole(&self) -> &str {
        &self.whole
    }

    /// The driver, such as `qemu`.
    pub(crate) fn driver(&self) -> &str {
        self.whole.split_at_checked(self.driver_len).map_or("", |(driver, _)| driver)
    }

    /// The guest's own name.
    pub(crate) fn guest(&self) -> &str {
        self.whole.get(self.driver_len + 1..).unwrap_or_default()
    }
}

/// The time in which a guest's counters do not fall.
#[derive(Debug, Clone)]
pub(crate) struct Session {
    /// Random, so that it tells nothing.
    pub(crate) id: String,
    /// When it began.
    pub(crate) start: SystemTime,
}

/// What is observed of a guest from outside.
#[derive(Clone, Default)]
pub(crate) struct Observed {
    /// The process that runs it, as far as it is known.
    pub(crate) vmm: Option<Box<Vmm>>,
    /// The samples that verdicts are made of, while it asks for verdicts.
    pub(crate) watch: Option<Watch>,
    /// What libvirt told of it so far.
    pub(crate) history: History,
}

/// A guest.
pub(crate) struct Guest {
    /// Whose socket it is.
    pub(crate) name: Name,
    /// What its rule grants: found when the guest came or the rules changed.
    pub(crate) grant: Arc<Grant>,
    /// The host's name for this guest alone.
    pub(crate) host_id: String,
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
    last_answered: Option<Instant>,
}

impl Guest {
    /// A guest that has asked nothing yet.
    pub(crate) fn new(name: Name, grant: Arc<Grant>, host_id: String, session: Session) -> Self {
        Self {
            name,
            grant,
            host_id,
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
            last_answered: None,
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
        let is_known = self.peer.is_some_and(|before| before.is_some() && before == peer);
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

    /// Whether it was ever connected to.
    pub(crate) fn has_come(&self) -> bool {
        self.peer.is_some()
    }

    /// Somebody who gets what it would get, whatever it asked before, and in whose name nothing
    /// is counted, noted or begun.
    pub(crate) fn double(&self) -> Self {
        let (name, grant) = (self.name.clone(), Arc::clone(&self.grant));
        let mut double = Self::new(name, grant, self.host_id.clone(), self.session.clone());
        double.standing = self.standing.clone();
        double.observed = self.observed.clone();
        double
    }

    /// Puts it under another rule. Nothing that was made under the one before is given out.
    pub(crate) fn come_under(&mut self, grant: Arc<Grant>, now: Instant) {
        if self.grant == grant {
            return;
        }
        self.document = None;
        let is_turned = self.grant.enabled() != grant.enabled();
        self.grant = grant;
        if is_turned && self.standing.may_ask() {
            self.log_access(now);
        }
    }

    /// Whether it may ask at all.
    pub(crate) fn may_ask(&self) -> bool {
        self.grant.enabled() && self.standing.may_ask()
    }

    /// How long until it may have a query answered; nothing where it may now.
    pub(crate) fn wait(&self, now: Instant) -> Duration {
        self.last_answered.map_or(Duration::ZERO, |last| {
            self.grant.interval().saturating_sub(now.saturating_duration_since(last))
        })
    }

    /// Counts a query against its interval.
    pub(crate) fn answered(&mut self, now: Instant) {
        self.last_answered = Some(now);
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
mod tests {
    use super::*;
    use hostinfo_rules::Rules;

    fn guest() -> Guest {
        let name = Name::parse("qemu-a").unwrap();
        let grant = Rules::builtin().decide(name.whole());
        Guest::new(name, grant, "h".to_owned(), session("first"))
    }

    fn session(id: &str) -> Session {
        Session { id: id.to_owned(), start: SystemTime::UNIX_EPOCH }
    }

    #[test]
    fn the_first_hyphen_parts_driver_and_name() {
        let name = Name::parse("qemu-my-guest").unwrap();
        assert_eq!((name.driver(), name.guest()), ("qemu", "my-guest"));
        for none in ["", "-", "qemu", "qemu-", "-a", "qemu-a\n", "qemu-\u{85}", "qemu-a/b"] {
            assert_eq!(Name::parse(none), None, "{none:?}");
        }
    }

    #[test]
    fn one_query_an_interval_is_answered_wherever_it_comes_from() {
        let (mut guest, now) = (guest(), Instant::now());
        assert_eq!(guest.wait(now), Duration::ZERO);
        guest.answered(now);
        guest.connected(None, || Ok(session("second"))).unwrap();
        assert_eq!(guest.wait(now + Duration::from_millis(400)), Duration::from_millis(600));
        assert_eq!(guest.wait(now + Duration::from_secs(1)), Duration::ZERO);
    }

    #[test]
    fn another_process_at_the_other_end_begins_a_session_and_the_same_one_does_not() {
        let mut guest = guest();
        let peer = |pid| Some(Peer { pid, start: Some(7) });
        for (peer, id) in
            [(peer(1), "first"), (peer(1), "first"), (peer(2), "new"), (peer(2), "new")]
        {
            guest.connected(peer, || Ok(session("new"))).unwrap();
            assert_eq!(guest.session.id, id);
        }
        guest.connected(None, || Ok(session("unknown"))).unwrap();
        guest.connected(None, || Ok(session("unknown again"))).unwrap();
        assert_eq!(guest.session.id, "unknown again");
    }

    #[test]
    fn a_guest_is_forgotten_only_when_that_gives_it_nothing() {
        let (mut guest, now) = (guest(), Instant::now());
        guest.answered(now);
        assert!(!guest.is_forgettable(now));
        assert!(guest.is_forgettable(now + Duration::from_secs(1)));
    }
}
