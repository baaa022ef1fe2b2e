//! The statistic that a value belongs to, and its description.

use std::borrow::Cow;
use std::sync::Arc;

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::{About, Kind, StatId, Unit};

/// One statistic; if its row has instances, one instance of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its row.
    pub stat: StatId,
    /// The instance, if the row has instances.
    pub instance: Option<String>,
    /// Its description if it is not in the table: one of the administrator's own.
    pub about: Option<Arc<About>>,
}

impl Row {
    /// Its whole name.
    pub fn name(&self) -> Cow<'static, str> {
        self.stat.stat().name_of(self.instance.as_deref())
    }

    /// What kind of figure it is.
    pub fn kind(&self) -> Kind {
        self.about.as_ref().map_or(self.stat.stat().kind, |about| about.kind)
    }

    /// Its base unit.
    pub fn unit(&self) -> Unit {
        self.about.as_ref().map_or(self.stat.stat().unit, |about| about.unit)
    }

    /// One line for the guest's owner.
    pub(crate) fn help(&self) -> &str {
        self.about.as_ref().map_or(self.stat.stat().help, |about| &about.help)
    }

    /// Its OpenMetrics names, if it has any of its own.
    pub(crate) fn metric(&self) -> Option<&Metric> {
        match &self.about {
            Some(about) => about.metric.as_ref(),
            None => Metric::of(self.stat),
        }
    }
}
