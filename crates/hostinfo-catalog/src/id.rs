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

    /// The row's number: below [`StatId::COUNT`].
    pub fn index(self) -> usize {
        usize::from(self.0)
    }

    /// The row.
    // The number was made from the table's own length, in this crate alone.
    #[allow(clippy::indexing_slicing)]
    pub fn stat(self) -> &'static Stat {
        &STATS[self.index()]
    }
}
