//! Which statistic a value is of, and what there is to say of it.

use std::borrow::Cow;
use std::sync::Arc;

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::{About, Kind, StatId, Unit};

/// One statistic, of one instance where its row has them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its row.
    pub stat: StatId,
    /// Which one, where the row has instances.
    pub instance: Option<String>,
    /// What it is, where the table does not know: one of the administrator's own.
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

    /// What OpenMetrics calls it, where it has a name of its own.
    pub(crate) fn metric(&self) -> Option<&Metric> {
        match &self.about {
            Some(about) => about.metric.as_ref(),
            None => Metric::of(self.stat),
        }
    }
}
