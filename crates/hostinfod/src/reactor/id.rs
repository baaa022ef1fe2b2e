//! Numbers of guests, ports and clients, each of a type of its own: none is taken for another's.

use std::marker::PhantomData;

use slab::Slab;

/// The number of something in its [`Table`]. It is given to another when that is gone.
pub(crate) trait Id: Copy {
    /// That of a place in the table.
    fn of(index: usize) -> Self;

    /// The place.
    fn index(self) -> usize;
}

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub(crate) struct $name(usize);

        impl Id for $name {
            fn of(index: usize) -> Self {
                Self(index)
            }

            fn index(self) -> usize {
                self.0
            }
        }
    )*};
}

ids! {
    /// A guest of the roster.
    GuestId;
    /// A port of the roster.
    PortId;
    /// A `[[listen]]` of the settings.
    SectionId;
    /// Somebody who has connected by AF_VSOCK and is no guest yet.
    StrangerId;
    /// A client of the control socket.
    ClientId;
    /// One who reads the metrics over HTTP.
    ScraperId;
}

/// Things by their numbers.
#[derive(Debug)]
pub(crate) struct Table<I, T> {
    slots: Slab<T>,
    ids: PhantomData<I>,
}

impl<I, T> Default for Table<I, T> {
    fn default() -> Self {
        Self { slots: Slab::new(), ids: PhantomData }
    }
}

impl<I: Id, T> Table<I, T> {
    /// Adds one, and says which number it has.
    pub(crate) fn insert(&mut self, one: T) -> I {
        I::of(self.slots.insert(one))
    }

    /// Takes one away.
    pub(crate) fn remove(&mut self, id: I) -> Option<T> {
        self.slots.try_remove(id.index())
    }

    /// Keeps those for which `keep` holds.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(I, &mut T) -> bool) {
        self.slots.retain(|index, one| keep(I::of(index), one));
    }

    /// One of them.
    pub(crate) fn get(&self, id: I) -> Option<&T> {
        self.slots.get(id.index())
    }

    /// One of them.
    pub(crate) fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.slots.get_mut(id.index())
    }

    /// All, in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.slots.iter().map(|(index, one)| (I::of(index), one))
    }

    /// All, in the order of their numbers.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.slots.iter_mut().map(|(index, one)| (I::of(index), one))
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is one of that number.
    pub(crate) fn contains(&self, id: I) -> bool {
        self.slots.contains(id.index())
    }
}
