//! What a name covers: rows of the table, with all their instances or some of them.

use std::ops::Range;

use crate::id::StatId;
use crate::table::LEN;

/// Adjacent rows, with all their instances or some of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scope {
    rows: Range<u16>,
    instances: Instances,
}

/// Which instances of its rows a scope covers. An instance is below another if it continues that
/// one's name after a dot: `rack.temperature` of `custom.NAME` is below `rack`.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Instances {
    All,
    /// One, and those below it.
    Of(String),
    /// Those below it.
    Below(String),
}

impl Scope {
    /// Every statistic.
    pub const ALL: Self = Self { rows: 0..LEN, instances: Instances::All };

    /// One statistic; if the row has instances, with all of them.
    pub fn of(StatId(row): StatId) -> Self {
        Self { rows: row..row + 1, instances: Instances::All }
    }

    pub(crate) fn of_rows(rows: Range<u16>, instance: Option<String>) -> Self {
        Self { rows, instances: instance.map_or(Instances::All, Instances::Of) }
    }

    /// The instances of one statistic whose names continue that of `instance`.
    pub fn below(StatId(row): StatId, instance: String) -> Self {
        Self { rows: row..row + 1, instances: Instances::Below(instance) }
    }

    /// The rows, in the table's order.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = StatId> + use<> {
        self.rows.clone().map(StatId)
    }

    /// The instance that it names, which it covers together with those below it.
    pub fn instance(&self) -> Option<&str> {
        match &self.instances {
            Instances::Of(instance) => Some(instance),
            Instances::All | Instances::Below(_) => None,
        }
    }

    /// How the names of all instances that it covers begin.
    pub fn beginning(&self) -> &str {
        match &self.instances {
            Instances::Of(instance) | Instances::Below(instance) => instance,
            Instances::All => "",
        }
    }

    /// Whether all instances of its rows are covered.
    pub fn is_of_all_instances(&self) -> bool {
        self.instances == Instances::All
    }

    /// Whether it covers `instance` of the row, or the row itself if that has no instances.
    pub fn covers(&self, row: StatId, instance: Option<&str>) -> bool {
        let behind = |mine: &str| instance.and_then(|other| other.strip_prefix(mine));
        self.rows.contains(&row.0)
            && match &self.instances {
                Instances::All => true,
                Instances::Of(mine) => {
                    behind(mine).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
                }
                Instances::Below(mine) => behind(mine).is_some_and(|rest| rest.starts_with('.')),
            }
    }
}
