//! Times at which something is due. Without any, the daemon sleeps until a descriptor is ready.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

use hostinfo_answer::Dialect;

use super::id::{ClientId, GuestId, PatternId, PortId, ScraperId, SectionId, UnidentifiedId};

/// What is due. Alarms with the same time go off in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Alarm {
    /// The rules file has settled and is to be read.
    Rules,
    /// The service manager expects a sign of life.
    Watchdog,
    /// The program that is to take the daemon's place takes too long.
    Check,
    /// A command of the administrator is past its deadline. Before the ports that wait for it.
    Custom,
    /// A port is to be tried, its guest may continue, or its guest has not read for too long.
    Port(PortId),
    /// More is to be read of what changes in watched directories.
    Watches,
    /// More that has changed in a socket directory is to be checked.
    Sockets(Dialect),
    /// More that has changed in the place of a `[[sockets]]` is to be checked, or what could not be for a passing reason.
    Pattern(PatternId),
    /// The same of a `[[listen]]`.
    Section(SectionId),
    /// A look at a place of sockets takes long.
    Looks,
    /// A watched guest is due for a sample, or for the request of figures ahead of it.
    Watch(GuestId),
    /// A port is to be looked at again that was connected while libvirt had its socket.
    LookAgain(PortId),
    /// The command line of a guest's VMM, which could not be read soon, is to be read again.
    CommandLine(GuestId),
    /// hostinfo-open has not answered in time.
    Opener,
    /// The directory of the administrator's own statistics is to be read again, since it could not be for a passing reason.
    Definitions,
    /// Guests can connect over AF_VSOCK again.
    Vsock,
    /// A connection over AF_VSOCK is to be identified, or closed.
    Unidentified(UnidentifiedId),
    /// The number of log lines left out about such connections is to be logged.
    UnidentifiedLeftOut,
    /// The same of those where VMMs connect.
    RefusedPeersLeftOut,
    /// Incidents are to be written.
    Incidents,
    /// The number of log lines left out about a guest is to be logged.
    LeftOut(GuestId),
    /// A socket directory is to be tried again that could not be opened for a passing reason.
    Directories,
    /// A guest's metrics disk is to be written.
    Disk(GuestId),
    /// Metrics disks that are not written for long are to be logged.
    HeldDisks,
    /// libvirt's helper is to be started, or did not answer in time.
    Libvirt,
    /// It is listened to again after a pause.
    HelperPause,
    /// The number of log lines left out that it has written is to be logged.
    HelperLeftOut,
    /// A client of the control socket may continue, or has not read for too long.
    Client(ClientId),
    /// The control socket accepts clients again after a pause.
    Control,
    /// The connection of a refused client is to be closed.
    Refused,
    /// The time of a connection that reads the metrics over HTTP is over.
    Scraper(ScraperId),
    /// The metrics' HTTP socket accepts clients again after a pause.
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

    /// Sets, moves or cancels the alarm of `who`.
    pub(crate) fn set(&mut self, who: K, at: Option<Instant>) {
        // Common: every turn of the loop sets some alarms to the time they already have.
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

    /// The time of the first alarm.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Removes and returns the first alarm that is due.
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
