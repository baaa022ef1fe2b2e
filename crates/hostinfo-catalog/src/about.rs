//! Describes statistics that are not in the table.

use crate::metric::Metric;
use crate::stat::{Kind, Unit};

/// One of the administrator's own statistics. The table has a single row for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What kind of figure it is.
    pub kind: Kind,
    /// Its base unit; none for an info.
    pub unit: Unit,
    /// One line for the guest's owner.
    pub help: String,
    /// Its OpenMetrics name. `None` if that would clash with another name.
    pub metric: Option<Metric>,
}
