//! What the host's administrator provides in addition to the host's figures: labels, notices, the
//! host state, and custom statistics. See `docs/custom.md`.

use std::sync::Arc;

use hostinfo_catalog::{About, Instances, Source};
use hostinfo_custom::Custom;
use hostinfo_notices::{Declared, HostState, Notices};

use crate::labels::Labels;

/// Labels, notices, the host's state, and statistics of the administrator's own.
pub struct AdminValues {
    /// The host's labels.
    pub labels: Labels,
    /// Custom statistics.
    pub customs: Custom,
    /// The current notices.
    pub notices: Notices,
    /// The host state that was last set. `None`: it was never set.
    pub declared: Option<Declared>,
}

impl AdminValues {
    /// The sorted names of instances with that prefix. Only labels and custom statistics have any
    /// here.
    pub(crate) fn names<'g>(
        &'g self,
        instances: Instances,
        prefix: &'g str,
    ) -> impl Iterator<Item = &'g str> {
        let labels = (instances == Instances::Labels).then(|| self.labels.names(prefix));
        let customs = (instances == Instances::Customs).then(|| self.customs.names(prefix));
        labels.into_iter().flatten().chain(customs.into_iter().flatten())
    }

    /// Whether there is a label or a custom statistic with that name.
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

    /// The administrator's description of a statistic, if the catalog's table has none.
    pub(crate) fn about(&self, source: Source, name: &str) -> Option<Arc<About>> {
        let definition = (source == Source::Custom).then(|| self.customs.find(name))?;
        definition.map(|definition| Arc::clone(&definition.about))
    }

    /// The host state that guests read.
    pub(crate) fn host_state(&self) -> HostState {
        self.declared.as_ref().map(|declared| declared.state).unwrap_or_default()
    }
}
