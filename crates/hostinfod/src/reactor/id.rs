//! Numbers of guests, ports and clients. Each kind is a type of its own, so that they cannot be
//! mixed up.

use std::marker::PhantomData;

use slab::Slab;

/// The number of an element of its [`Table`]. It is reused when the element is gone.
pub(crate) trait Id: Copy {
    /// The number of that index in the table.
    fn of(index: usize) -> Self;

    /// Its index in the table.
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
    /// A `[[sockets]]` of the settings.
    PatternId;
    /// A `[[listen]]` of the settings.
    SectionId;
    /// A connection over AF_VSOCK that no guest is known for yet.
    UnidentifiedId;
    /// A client of the control socket.
    ClientId;
    /// A client that reads the metrics over HTTP.
    ScraperId;
}

/// Elements by their numbers.
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
    /// Adds an element and returns its number.
    pub(crate) fn insert(&mut self, one: T) -> I {
        I::of(self.slots.insert(one))
    }

    /// Removes an element.
    pub(crate) fn remove(&mut self, id: I) -> Option<T> {
        self.slots.try_remove(id.index())
    }

    /// Keeps the elements for which `keep` returns true.
    pub(crate) fn retain(&mut self, mut keep: impl FnMut(I, &mut T) -> bool) {
        self.slots.retain(|index, one| keep(I::of(index), one));
    }

    pub(crate) fn get(&self, id: I) -> Option<&T> {
        self.slots.get(id.index())
    }

    pub(crate) fn get_mut(&mut self, id: I) -> Option<&mut T> {
        self.slots.get_mut(id.index())
    }

    /// All elements in the order of their numbers.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (I, &T)> {
        self.slots.iter().map(|(index, one)| (I::of(index), one))
    }

    /// The numbers of those that `are_meant`: for changes to each while the table changes.
    pub(crate) fn ids(&self, mut are_meant: impl FnMut(&T) -> bool) -> Vec<I> {
        self.iter().filter(|(_, one)| are_meant(one)).map(|(id, _)| id).collect()
    }

    /// All elements in the order of their numbers.
    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = (I, &mut T)> {
        self.slots.iter_mut().map(|(index, one)| (I::of(index), one))
    }

    /// The number of elements.
    pub(crate) fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is an element with that number.
    pub(crate) fn contains(&self, id: I) -> bool {
        self.slots.contains(id.index())
    }
}
