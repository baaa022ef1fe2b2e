//! Rows by number.

use crate::stat::Stat;
use crate::table::{LEN, STATS};

/// A row of the table by its number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StatId(pub(crate) u16);

impl StatId {
    /// Every row, in the table's order.
    pub fn all() -> impl DoubleEndedIterator<Item = Self> {
        (0..LEN).map(Self)
    }

    /// How many rows there are.
    pub const COUNT: usize = STATS.len();

    /// The row of that name, for constants only: an unknown name does not compile.
    /// [`resolve`](crate::resolve()) is for names from outside.
    // It is meant to panic in the compiler.
    #[allow(clippy::indexing_slicing, clippy::panic)]
    pub const fn named(name: &str) -> Self {
        let mut at = 0;
        while at < LEN {
            if same(STATS[at as usize].name.as_bytes(), name.as_bytes()) {
                return Self(at);
            }
            at += 1;
        }
        panic!("no such statistic")
    }

    /// The row's number: below [`StatId::COUNT`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The row.
    // Only this crate creates the number, from the table's own length.
    #[allow(clippy::indexing_slicing)]
    pub fn stat(self) -> &'static Stat {
        &STATS[self.index()]
    }
}

/// Equality of strings that works at compile time.
#[allow(clippy::indexing_slicing)]
const fn same(one: &[u8], other: &[u8]) -> bool {
    let mut at = 0;
    while at < one.len() && at < other.len() && one[at] == other[at] {
        at += 1;
    }
    at == one.len() && at == other.len()
}
