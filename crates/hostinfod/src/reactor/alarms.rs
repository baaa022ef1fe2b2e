//! Who wants to be woken when. Nobody: the daemon sleeps for good.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

use super::id::{ClientId, GuestId, PortId, ScraperId, StrangerId};

/// Who is to be woken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alarm {
    /// The rules file has settled.
    Rules,
    /// The service manager wants a sign of life.
    Watchdog,
    /// A command of the administrator's is past its deadline. Comes before those who wait for it.
    Custom,
    /// A port is to be tried, or its guest may go on, or has not read for too long.
    Port(PortId),
    /// A guest that is watched is due for a sample, or to have figures asked for.
    Watch(GuestId),
    /// A port that was connected to while libvirt had its socket is to be looked at again.
    LookAgain(PortId),
    /// Guests are let in over AF_VSOCK again.
    Vsock,
    /// Who has connected by AF_VSOCK is to be looked up, or to go.
    Stranger(StrangerId),
    /// Incidents are to be written.
    Incidents,
    /// What was left out of the log about a guest is to be said.
    LeftOut(GuestId),
    /// A guest's metrics disk is to be written.
    Disk(GuestId),
    /// libvirt's helper is to be started, or did not answer in time.
    Libvirt,
    /// A client of the control socket may go on, or has not read for too long.
    Client(ClientId),
    /// People are let in at the control socket again.
    Door,
    /// Whoever was not let in has had the time to read why.
    Refused,
    /// The time of one who reads the metrics over HTTP is over.
    Scraper(ScraperId),
    /// Others who do are let in again.
    Scrape,
}

/// At most one time for each `K`.
#[derive(Debug)]
pub(crate) struct Alarms<K> {
    in_order: BTreeSet<(Instant, K)>,
    times: HashMap<K, Instant>,
}

impl<K: Copy + Ord + Hash> Alarms<K> {
    /// No alarms.
    pub(crate) fn new() -> Self {
        Self { in_order: BTreeSet::new(), times: HashMap::new() }
    }

    /// Sets, moves or takes away the alarm of `who`.
    pub(crate) fn set(&mut self, who: K, at: Option<Instant>) {
        // As every turn of the loop sets some alarms anew.
        if self.times.get(&who).copied() == at {
            return;
        }
        let before = match at {
            Some(at) => self.times.insert(who, at),
            None => self.times.remove(&who),
        };
        if let Some(before) = before {
            self.in_order.remove(&(before, who));
        }
        if let Some(at) = at {
            self.in_order.insert((at, who));
        }
    }

    /// The time of the first one.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Takes off the first one that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<K> {
        let (at, who) = *self.in_order.first()?;
        (at <= now).then(|| {
            self.set(who, None);
            who
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn alarms_go_off_in_order_once_and_not_before_their_time() {
        let (mut alarms, now) = (Alarms::new(), Instant::now());
        let at = |millis| now + Duration::from_millis(millis);
        alarms.set('b', Some(at(20)));
        alarms.set('a', Some(at(10)));
        alarms.set('c', Some(at(5)));
        alarms.set('c', None);
        alarms.set('b', Some(at(30)));
        assert_eq!(alarms.next(), Some(at(10)));
        assert_eq!(alarms.due(at(9)), None);
        assert_eq!(
            [alarms.due(at(40)), alarms.due(at(40)), alarms.due(at(40))],
            [Some('a'), Some('b'), None]
        );
        assert_eq!(alarms.next(), None);
    }
}
