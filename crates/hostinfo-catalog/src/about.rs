//! What a statistic is of which the table does not know.

use crate::metric::Metric;
use crate::stat::{Kind, Unit};

/// One of the administrator's own statistics. The table has one row for all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// What kind of figure it is.
    pub kind: Kind,
    /// Its base unit; none of an info.
    pub unit: Unit,
    /// One line for the guest's owner.
    pub help: String,
    /// What OpenMetrics calls it. `None` where that would be another's name.
    pub metric: Option<Metric>,
}
