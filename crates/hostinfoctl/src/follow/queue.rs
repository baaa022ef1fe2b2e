//! Which domain is given its port next, and when. Pure: the time is an argument.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use hostinfo_domains::{Uuid, doubled};

use crate::follow::need::Need;

/// The wait after a domain's first failure; it doubles with each further one.
pub(crate) const RETRY_FIRST: Duration = Duration::from_secs(1);

/// The longest wait between two tries: a domain that fails for good then costs libvirt two calls in
/// five minutes.
pub(crate) const RETRY_LONGEST: Duration = Duration::from_secs(300);

/// The wait after that many failures in a row, from 1.
pub(crate) fn pause(failures: u32) -> Duration {
    doubled(failures.saturating_sub(1), RETRY_FIRST, RETRY_LONGEST)
}

/// A running domain that is followed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) uuid: Uuid,
    /// libvirt's number for its current run. Later runs have higher numbers.
    pub(crate) run: u32,
    pub(crate) name: String,
    pub(crate) need: Need,
}

/// Why a domain has no port yet, for the administrator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Trouble {
    pub(crate) name: String,
    pub(crate) why: String,
}

/// All running domains that are followed: as many as libvirt lists, 16,384. With the reason that was
/// told last, of some 1.5 KiB, they take 32 MiB if each of them fails.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    domains: BTreeMap<Uuid, Entry>,
}

#[derive(Debug)]
struct Entry {
    run: u32,
    state: State,
    /// Failures in a row.
    failures: u32,
    /// The reason that was told last.
    told: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum State {
    /// It is given its port at that time, or later.
    Due(Instant),
    /// A try failed at that time, unless the domain ended: the next report says so. The reason, if it
    /// is the domain's.
    Failed(Instant, Option<String>),
    /// It cannot be given a port as it is.
    Blocked,
    /// It has its port, or had it in this run: whoever took that away meant it.
    Settled,
}

impl Entry {
    /// The reason, if it differs from the one that was told last.
    fn news(&mut self, why: String) -> Option<String> {
        if self.told.as_ref() == Some(&why) {
            return None;
        }
        self.told = Some(why.clone());
        Some(why)
    }
}

impl Queue {
    /// Takes in a report on all domains that are followed, requested at `as_of`. Returns what the
    /// administrator does not know yet.
    pub(crate) fn report(
        &mut self,
        seen: impl IntoIterator<Item = Seen>,
        as_of: Option<Instant>,
        now: Instant,
    ) -> Vec<Trouble> {
        let mut before = std::mem::take(&mut self.domains);
        let mut troubles = Vec::new();
        for Seen { uuid, run, name, need } in seen {
            let new = Entry { run, state: State::Due(now), failures: 0, told: None };
            let known = before.remove(&uuid).filter(|known| known.run == run);
            let mut entry = known.unwrap_or(new);
            let (state, why) = match (entry.state, need) {
                (State::Settled, _) | (_, Need::Nothing) => (State::Settled, None),
                (_, Need::Blocked(why)) => (State::Blocked, Some(why)),
                (State::Failed(at, why), Need::Port) if as_of.is_some_and(|as_of| as_of >= at) => {
                    (State::Due(at + pause(entry.failures)), why)
                }
                (State::Blocked, Need::Port) => (State::Due(now), None),
                (state, Need::Port) => (state, None),
            };
            entry.state = state;
            let news = why.and_then(|why| entry.news(why));
            troubles.extend(news.map(|why| Trouble { name: name.clone(), why }));
            self.domains.insert(uuid, entry);
        }
        troubles
    }

    /// The domain that is next. Those that were not tried yet come first, in the order in which
    /// they started.
    pub(crate) fn next(&self, now: Instant) -> Option<Uuid> {
        let due = self.domains.iter().filter_map(|(uuid, entry)| match entry.state {
            State::Due(at) if at <= now => Some(((entry.failures > 0, at, entry.run), *uuid)),
            _ => None,
        });
        due.min().map(|(_, uuid)| uuid)
    }

    /// When the next domain is due.
    pub(crate) fn due(&self) -> Option<Instant> {
        let due = |entry: &Entry| match entry.state {
            State::Due(at) => Some(at),
            _ => None,
        };
        self.domains.values().filter_map(due).min()
    }

    /// The domain has its port.
    pub(crate) fn settled(&mut self, uuid: Uuid) {
        if let Some(entry) = self.domains.get_mut(&uuid) {
            (entry.state, entry.failures) = (State::Settled, 0);
        }
    }

    /// The domain could not be given its port; no reason if that is not its own fault. Ask libvirt
    /// then which domains there are: one that has ended is no failure.
    pub(crate) fn failed(&mut self, uuid: Uuid, why: Option<String>, now: Instant) {
        if let Some(entry) = self.domains.get_mut(&uuid) {
            entry.failures = entry.failures.saturating_add(1);
            entry.state = State::Failed(now, why);
        }
    }

    /// How many domains are followed, and how many of them wait for a port.
    pub(crate) fn counts(&self) -> (usize, usize) {
        let waits = |entry: &&Entry| matches!(entry.state, State::Due(_) | State::Failed(..));
        (self.domains.len(), self.domains.values().filter(waits).count())
    }
}

#[cfg(test)]
mod tests;
