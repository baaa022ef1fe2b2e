//! Connections over AF_VSOCK whose guest is not known yet, or that belong to no guest.

use std::collections::{HashMap, HashSet};
use std::os::fd::{AsFd as _, OwnedFd};
use std::time::{Duration, Instant};

use hostinfo_wire::Code;
use hostinfo_wire::reply::{ASK_AGAIN, BLOCKED};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::reactor::id::{Table, UnidentifiedId};

/// How many there are of all addresses together. Each costs a descriptor and at most 128 bytes, so they take 256 descriptors and 32 KiB. A
/// guest's second one waits up to [`LOOK_UP_INTERVAL`], so guests that connect again and again hold [`EACH_MAX`] places each
/// all the time; and guests whose timers are alike connect at the same moment. What is asked of libvirt for all of them is
/// bounded by [`LOOK_UPS_MAX`].
const ALL_MAX: usize = 256;

/// How many there are of one address.
const EACH_MAX: usize = 2;

/// The time between two look-ups of one address.
const LOOK_UP_INTERVAL: Duration = Duration::from_secs(1);

/// Look-ups of all addresses in that time: whoever may open /dev/vhost-vsock can connect as any address that is free,
/// one after the other, and must not keep libvirt busy. The answer to one look-up is one for all that wait.
const LOOK_UPS_MAX: usize = 8;

/// A connection.
#[derive(Debug)]
pub(super) struct Unidentified {
    /// `None` once it was refused and has hung up: it keeps its place as long as if it had not.
    pub(super) fd: Option<OwnedFd>,
    pub(super) cid: u32,
    /// When it was accepted: what libvirt said before does not count.
    pub(super) since: Instant,
    pub(super) stage: Stage,
}

/// How far it has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// It is not known whose it is.
    Awaiting,
    /// Nobody answers it, for this reason.
    Refused(Refused),
    /// It has asked, and was told so.
    Told,
}

/// Why nobody answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Refused {
    /// It belongs to nobody who may ask.
    MayNotAsk,
    /// libvirt has not said whose it is: the next connection may be answered.
    Unknown,
}

impl Refused {
    /// The one line that it gets.
    pub(super) fn line(self) -> String {
        let (code, text) = match self {
            Self::MayNotAsk => (Code::NotPermitted, BLOCKED),
            Self::Unknown => (Code::Unavailable, ASK_AGAIN),
        };
        format!("{code} {text}\n")
    }
}

impl Unidentified {
    /// Whether nobody answers it.
    pub(super) fn is_refused(&self) -> bool {
        self.stage != Stage::Awaiting
    }

    /// Whether the other end is gone, as it is when the domain has stopped whose it was: the kernel resets its connections
    /// before anybody else can have its address. One that will send no more is still there.
    pub(super) fn is_over(&self) -> bool {
        let Some(fd) = &self.fd else { return true };
        let mut polled = [PollFd::from_borrowed_fd(fd.as_fd(), PollFlags::empty())];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&now)).is_ok_and(|count| count > 0)
    }
}

/// All of them, and when they were looked up.
#[derive(Debug, Default)]
pub(crate) struct UnidentifiedPeers {
    all: Table<UnidentifiedId, Unidentified>,
    looked_up: HashMap<u32, Instant>,
}

impl UnidentifiedPeers {
    /// Takes one in; `None` where there are too many. One that was refused gives way: guests that may not ask keep
    /// nobody out who may. Otherwise, one of two of the same address gives way to another address's first, so it takes as
    /// many addresses as there are places to keep one out. Of the same address, one that has given up waiting gives way:
    /// while libvirt does not answer, a guest that asks again finds a place.
    pub(super) fn add(&mut self, fd: OwnedFd, cid: u32, now: Instant) -> Option<UnidentifiedId> {
        let of_same = self.all.iter().filter(|(_, peer)| peer.cid == cid).count();
        if of_same >= EACH_MAX {
            let gone = self
                .all
                .iter()
                .find(|(_, peer)| peer.cid == cid && !peer.is_refused() && peer.is_over());
            let (gone, _) = gone?;
            self.all.remove(gone);
        }
        if self.all.len() >= ALL_MAX {
            let second = || self.second_of_one().filter(|_| of_same == 0);
            let gives_way = self.oldest_refused().or_else(second)?;
            self.all.remove(gives_way);
        }
        let stage = Stage::Awaiting;
        Some(self.all.insert(Unidentified { fd: Some(fd), cid, since: now, stage }))
    }

    fn oldest_refused(&self) -> Option<UnidentifiedId> {
        let refused = self.all.iter().filter(|(_, peer)| peer.is_refused());
        refused.min_by_key(|(_, peer)| peer.since).map(|(id, _)| id)
    }

    /// The second connection of an address that has two.
    fn second_of_one(&self) -> Option<UnidentifiedId> {
        let mut addresses = HashSet::new();
        self.all.iter().find(|(_, peer)| !addresses.insert(peer.cid)).map(|(id, _)| id)
    }

    /// Begins to look an address up; if that is too soon, when.
    pub(super) fn begin_look_up(&mut self, cid: u32, now: Instant) -> Result<(), Instant> {
        self.looked_up.retain(|_, looked| now.duration_since(*looked) < LOOK_UP_INTERVAL);
        let first =
            || self.looked_up.values().min().filter(|_| self.looked_up.len() >= LOOK_UPS_MAX);
        match self.looked_up.get(&cid).or_else(first) {
            Some(looked) => Err(*looked + LOOK_UP_INTERVAL),
            None => {
                self.looked_up.insert(cid, now);
                Ok(())
            }
        }
    }

    pub(super) fn get(&mut self, id: UnidentifiedId) -> Option<&mut Unidentified> {
        self.all.get_mut(id)
    }

    pub(super) fn remove(&mut self, id: UnidentifiedId) -> Option<Unidentified> {
        self.all.remove(id)
    }

    /// All of them.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Unidentified> {
        self.all.iter().map(|(_, peer)| peer)
    }

    /// Those whose it is not known yet.
    pub(super) fn awaiting(&self) -> Vec<UnidentifiedId> {
        let awaiting = self.all.iter().filter(|(_, peer)| !peer.is_refused());
        awaiting.map(|(id, _)| id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fd() -> OwnedFd {
        std::fs::File::open("/dev/null").unwrap().into()
    }

    #[test]
    fn no_more_peers_than_the_bound_are_unidentified_and_two_of_one_address() {
        let (mut unidentified, now) = (UnidentifiedPeers::default(), Instant::now());
        let first = unidentified.add(fd(), 3, now).unwrap();
        assert!(
            unidentified.add(fd(), 3, now).is_some() && unidentified.add(fd(), 3, now).is_none()
        );
        let others = (4..).map(|cid| unidentified.add(fd(), cid, now)).take(ALL_MAX - 2);
        assert_eq!(others.flatten().count(), ALL_MAX - 2);
        assert!(unidentified.add(fd(), 4, now).is_none(), "a second one");
        unidentified.get(first).unwrap().stage = Stage::Refused(Refused::MayNotAsk);
        assert_eq!(unidentified.awaiting().len(), ALL_MAX - 1);
        unidentified.remove(first);
        assert!(unidentified.add(fd(), 3, now).is_some());
    }

    #[test]
    fn a_peer_that_gave_up_waiting_gives_way_to_another_of_its_address_and_one_that_was_refused_does_not()
     {
        let (mut unidentified, now) = (UnidentifiedPeers::default(), Instant::now());
        let peer = || std::os::unix::net::UnixStream::pair().unwrap();
        let (one, one_end) = peer();
        let (two, two_end) = peer();
        let one = unidentified.add(one.into(), 3, now).unwrap();
        unidentified.add(two.into(), 3, now).unwrap();
        assert!(unidentified.add(fd(), 3, now).is_none());
        drop(one_end);
        unidentified.get(one).unwrap().stage = Stage::Refused(Refused::Unknown);
        assert!(unidentified.add(fd(), 3, now).is_none());
        drop(two_end);
        assert!(unidentified.add(fd(), 3, now).is_some());
        assert_eq!(unidentified.iter().filter(|peer| peer.cid == 3).count(), EACH_MAX);
    }

    #[test]
    fn a_peer_that_is_alone_at_its_address_gives_way_to_a_new_one_only_if_it_was_refused() {
        let (mut unidentified, now) = (UnidentifiedPeers::default(), Instant::now());
        let all: Vec<_> = (3..).map_while(|cid| unidentified.add(fd(), cid, now)).collect();
        assert!(unidentified.add(fd(), 99, now).is_none());
        unidentified.get(all[5]).unwrap().stage = Stage::Refused(Refused::Unknown);
        unidentified.add(fd(), 99, now).unwrap();
        assert_eq!(unidentified.awaiting().len(), ALL_MAX);
        assert!(unidentified.add(fd(), 98, now).is_none());
    }

    #[test]
    fn guests_that_hold_two_places_each_keep_no_other_guest_out() {
        let (mut unidentified, now) = (UnidentifiedPeers::default(), Instant::now());
        let half = u32::try_from(ALL_MAX / EACH_MAX).unwrap();
        for cid in (0..half).chain(0..half) {
            unidentified.add(fd(), cid, now).unwrap();
        }
        let others: Vec<_> = (half..).map_while(|cid| unidentified.add(fd(), cid, now)).collect();
        assert_eq!(others.len(), ALL_MAX / EACH_MAX);
        let addresses: HashSet<u32> = unidentified.iter().map(|peer| peer.cid).collect();
        assert_eq!(addresses.len(), ALL_MAX, "each address has kept one");
    }

    #[test]
    fn guests_that_connect_at_the_same_moment_all_find_a_place() {
        let (mut unidentified, now) = (UnidentifiedPeers::default(), Instant::now());
        assert!((3..103).all(|cid| unidentified.add(fd(), cid, now).is_some()));
    }

    #[test]
    fn eight_addresses_are_looked_up_in_a_second_and_the_ninth_when_the_first_was_a_second_ago() {
        let (mut unidentified, now) = (UnidentifiedPeers::default(), Instant::now());
        for cid in 0..8 {
            let later = now + Duration::from_millis(cid.into());
            assert_eq!(unidentified.begin_look_up(cid, later), Ok(()));
        }
        let later = now + Duration::from_millis(9);
        assert_eq!(unidentified.begin_look_up(8, later), Err(now + LOOK_UP_INTERVAL));
        assert_eq!(unidentified.begin_look_up(8, now + LOOK_UP_INTERVAL), Ok(()));
    }

    #[test]
    fn an_address_is_looked_up_once_a_second() {
        let (mut unidentified, now) = (UnidentifiedPeers::default(), Instant::now());
        assert_eq!(
            [unidentified.begin_look_up(3, now), unidentified.begin_look_up(4, now)],
            [Ok(()), Ok(())]
        );
        let later = now + Duration::from_millis(300);
        assert_eq!(unidentified.begin_look_up(3, later), Err(now + LOOK_UP_INTERVAL));
        assert_eq!(unidentified.begin_look_up(3, now + LOOK_UP_INTERVAL), Ok(()));
        assert_eq!(unidentified.looked_up.len(), 1);
    }
}
