//! What the host's administrator gives to guests beside the host's own figures: labels, notices,
//! what is said of the host, and own statistics. See `docs/custom.md`.

use std::sync::Arc;

use hostinfo_catalog::{About, Instances, Source};
use hostinfo_custom::Custom;
use hostinfo_notices::{Declared, HostState, Notices};

use crate::labels::Labels;

/// Labels, notices, the host's state, and statistics of the administrator's own.
pub struct Given {
    /// What the host is called.
    pub labels: Labels,
    /// Statistics of the administrator's own.
    pub customs: Custom,
    /// Those that hold.
    pub notices: Notices,
    /// What was said of the host last. `None`: nothing.
    pub declared: Option<Declared>,
}

impl Given {
    /// The names of instances that begin like that, in order; none of others than labels and the
    /// administrator's own statistics.
    pub(crate) fn names<'g>(
        &'g self,
        instances: Instances,
        beginning: &'g str,
    ) -> impl Iterator<Item = &'g str> {
        let labels = (instances == Instances::Labels).then(|| self.labels.names(beginning));
        let customs = (instances == Instances::Customs).then(|| self.customs.names(beginning));
        labels.into_iter().flatten().chain(customs.into_iter().flatten())
    }

    /// Whether there is a label, or one of the administrator's own statistics, of that name.
    pub(crate) fn has(&self, instances: Instances, name: &str) -> bool {
        match instances {
            Instances::Labels => self.labels.get(name).is_some(),
            Instances::Customs => self.customs.find(name).is_some(),
            Instances::None
            | Instances::Vcpus
            | Instances::Disks
            | Instances::Nets
            | Instances::Notices
            | Instances::Incidents => false,
        }
    }

    /// What the administrator says of a statistic, where the table does not.
    pub(crate) fn about(&self, source: Source, name: &str) -> Option<Arc<About>> {
        let definition = (source == Source::Custom).then(|| self.customs.find(name))?;
        definition.map(|definition| Arc::clone(&definition.about))
    }

    /// What guests read of the host's state.
    pub(crate) fn host_state(&self) -> HostState {
        self.declared.as_ref().map(|declared| declared.state).unwrap_or_default()
    }
}
