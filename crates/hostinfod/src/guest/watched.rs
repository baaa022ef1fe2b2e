//! Which guests are watched permanently because of their rules, and which of them are too many.

use std::collections::BTreeSet;

use crate::reactor::id::GuestId;

/// The guests, by their numbers in the roster.
pub(crate) struct Watched {
    /// Most guests that are watched.
    pub(crate) max: usize,
    guests: BTreeSet<GuestId>,
    /// Guests that should be watched, but for which there is no room.
    left_out: BTreeSet<GuestId>,
    /// Guests whose samples wait for figures, including guests that are watched because they ask.
    /// Each is in here once for a sample, and no longer than that takes.
    pub(crate) awaiting: BTreeSet<GuestId>,
}

/// The outcome for a guest that should be watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is watched.
    Watched,
    /// It is not, since there are enough already; `true` if that is new.
    LeftOut(bool),
}

impl Watched {
    /// No guest is watched yet.
    pub(crate) fn new(max: usize) -> Self {
        Self { max, guests: BTreeSet::new(), left_out: BTreeSet::new(), awaiting: BTreeSet::new() }
    }

    /// Adds a guest that should be watched.
    pub(crate) fn add(&mut self, guest: GuestId) -> Added {
        if self.guests.contains(&guest) || self.guests.len() < self.max {
            self.left_out.remove(&guest);
            self.guests.insert(guest);
            return Added::Watched;
        }
        Added::LeftOut(self.left_out.insert(guest))
    }

    /// Removes a guest that should no longer be watched. Returns whether it was.
    pub(crate) fn remove(&mut self, guest: GuestId) -> bool {
        self.left_out.remove(&guest);
        self.guests.remove(&guest)
    }

    /// The guests that are watched.
    pub(crate) fn guests(&self) -> impl Iterator<Item = GuestId> {
        self.guests.iter().copied()
    }

    /// A guest that should be watched, and for which there is room now.
    pub(crate) fn next(&self) -> Option<GuestId> {
        self.left_out.first().copied().filter(|_| self.guests.len() < self.max)
    }

    /// A watched guest for which there is no room any more.
    pub(crate) fn surplus(&self) -> Option<GuestId> {
        self.guests.last().copied().filter(|_| self.guests.len() > self.max)
    }

    /// How many guests are watched, and how many should be but are not.
    pub(crate) fn count(&self) -> (u64, u64) {
        (self.guests.len() as u64, self.left_out.len() as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reactor::id::Id as _;

    #[test]
    fn a_guest_beyond_the_bound_is_left_out_until_another_one_goes() {
        let mut watched = Watched::new(2);
        assert_eq!(
            [watched.add(GuestId::of(7)), watched.add(GuestId::of(8)), watched.add(GuestId::of(7))],
            [Added::Watched; 3]
        );
        assert_eq!(watched.add(GuestId::of(9)), Added::LeftOut(true));
        assert_eq!(watched.add(GuestId::of(9)), Added::LeftOut(false));
        assert_eq!((watched.count(), watched.next()), ((2, 1), None));
        assert!(watched.remove(GuestId::of(7)) && !watched.remove(GuestId::of(7)));
        assert_eq!(watched.next(), Some(GuestId::of(9)));
        assert_eq!(watched.add(GuestId::of(9)), Added::Watched);
        assert_eq!((watched.count(), watched.next()), ((2, 0), None));
        assert!(!watched.remove(GuestId::of(6)));
    }

    #[test]
    fn a_lower_bound_has_a_surplus() {
        let mut watched = Watched::new(2);
        watched.add(GuestId::of(1));
        watched.add(GuestId::of(2));
        assert_eq!(watched.surplus(), None);
        watched.max = 1;
        assert_eq!(watched.surplus(), Some(GuestId::of(2)));
    }
}
