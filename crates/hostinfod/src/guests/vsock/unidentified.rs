//! Connections over AF_VSOCK of which it is not known yet whose they are, or that are nobody's.

use std::collections::HashMap;
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use crate::reactor::id::{StrangerId, Table};

/// Of all addresses together.
const ALL_MAX: usize = 8;

/// Of one address.
const EACH_MAX: usize = 2;

/// The time between two look-ups of one address: whoever may open /dev/vhost-vsock can connect as any address that is
/// free, and keeps libvirt busy for 8 look-ups a second at the most.
const LOOKS: Duration = Duration::from_secs(1);

/// A connection.
#[derive(Debug)]
pub(super) struct Stranger {
    /// `None` once it has hung up: it keeps its place as long as if it had not.
    pub(super) fd: Option<OwnedFd>,
    pub(super) cid: u32,
    /// When it was accepted: what libvirt said before does not count.
    pub(super) since: Instant,
    /// It is nobody's who may ask.
    pub(super) is_refused: bool,
}

/// All of them, and when they were looked up.
#[derive(Debug, Default)]
pub(crate) struct Strangers {
    all: Table<StrangerId, Stranger>,
    looks: HashMap<u32, Instant>,
}

impl Strangers {
    /// Takes one in; `None` where there are too many.
    pub(super) fn add(&mut self, fd: OwnedFd, cid: u32, now: Instant) -> Option<StrangerId> {
        let of_same = self.all.iter().filter(|(_, stranger)| stranger.cid == cid).count();
        let has_room = self.all.len() < ALL_MAX && of_same < EACH_MAX;
        let fd = Some(fd);
        has_room.then(|| self.all.insert(Stranger { fd, cid, since: now, is_refused: false }))
    }

    /// Begins to look an address up, or hands out when to.
    pub(super) fn look(&mut self, cid: u32, now: Instant) -> Result<(), Instant> {
        self.looks.retain(|_, looked| now.duration_since(*looked) < LOOKS);
        match self.looks.get(&cid) {
            Some(looked) => Err(*looked + LOOKS),
            None => {
                self.looks.insert(cid, now);
                Ok(())
            }
        }
    }

    pub(super) fn get(&mut self, id: StrangerId) -> Option<&mut Stranger> {
        self.all.get_mut(id)
    }

    pub(super) fn remove(&mut self, id: StrangerId) -> Option<Stranger> {
        self.all.remove(id)
    }

    /// Those whose it is not known yet.
    pub(super) fn awaiting(&self) -> Vec<StrangerId> {
        let awaiting = self.all.iter().filter(|(_, stranger)| !stranger.is_refused);
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
    fn there_are_eight_at_the_most_and_two_of_one_address() {
        let (mut strangers, now) = (Strangers::default(), Instant::now());
        let first = strangers.add(fd(), 3, now).unwrap();
        assert!(strangers.add(fd(), 3, now).is_some() && strangers.add(fd(), 3, now).is_none());
        let others = (4..).map_while(|cid| strangers.add(fd(), cid, now)).count();
        assert_eq!(others, ALL_MAX - 2);
        strangers.get(first).unwrap().is_refused = true;
        assert_eq!(strangers.awaiting().len(), ALL_MAX - 1);
        strangers.remove(first);
        assert!(strangers.add(fd(), 3, now).is_some());
    }

    #[test]
    fn an_address_is_looked_up_once_a_second() {
        let (mut strangers, now) = (Strangers::default(), Instant::now());
        assert_eq!([strangers.look(3, now), strangers.look(4, now)], [Ok(()), Ok(())]);
        let later = now + Duration::from_millis(300);
        assert_eq!(strangers.look(3, later), Err(now + LOOKS));
        assert_eq!(strangers.look(3, now + LOOKS), Ok(()));
        assert_eq!(strangers.looks.len(), 1);
    }
}
