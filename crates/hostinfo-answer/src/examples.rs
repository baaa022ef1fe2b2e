//! What tests give an engine: custom statistics and labels, and a libvirt whose answers never
//! change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use hostinfo_domains::{Domain, Figures, Snapshot, Uuid};
use hostinfo_notices::Notices;
use hostinfo_sample::Absent;

use crate::{AdminValues, Libvirt};

/// UUID of most tests' guest.
pub(crate) const UUID: Uuid = Uuid::from_u128(7);

/// A libvirt with fixed answers. The default is a host without libvirt.
#[derive(Default)]
pub(crate) struct FakeLibvirt {
    snapshot: Option<Arc<Snapshot>>,
    /// Whether it will answer at another time.
    is_silent: bool,
    /// How often newer figures were requested.
    pub(crate) refreshed: usize,
}

impl FakeLibvirt {
    /// Knows this domain, and figures of it that are new.
    pub(crate) fn with_figures(domain: Domain, figures: Figures) -> Self {
        Self { snapshot: Some(snapshot([(domain, Some(figures))])), ..Self::default() }
    }

    /// Knows this domain, and nothing else yet.
    pub(crate) fn without_figures(domain: Domain) -> Self {
        Self { snapshot: Some(snapshot([(domain, None)])), ..Self::default() }
    }

    /// Does not answer.
    pub(crate) fn silent() -> Self {
        Self { is_silent: true, ..Self::default() }
    }
}

impl Libvirt for FakeLibvirt {
    fn snapshot(&self) -> Result<&Arc<Snapshot>, Absent> {
        let why = match self.is_silent {
            true => "libvirt does not answer on this host",
            false => "this host does not ask libvirt",
        };
        self.snapshot.as_ref().ok_or(Absent::plain(why))
    }

    fn refresh(&mut self, _: Uuid, _: Instant) {
        self.refreshed += 1;
    }
}

/// A snapshot of these domains.
pub(crate) fn snapshot(
    domains: impl IntoIterator<Item = (Domain, Option<Figures>)>,
) -> Arc<Snapshot> {
    Arc::new(Snapshot::of(domains, Instant::now()))
}

/// What an administrator provides: these definitions, and a label.
pub(crate) fn admin_values(definitions: &str) -> AdminValues {
    let labels = BTreeMap::from([("Rack".to_owned(), "b 7".to_owned())]);
    let labels = labels.try_into().unwrap();
    let customs = hostinfo_custom::examples::custom(definitions);
    AdminValues { labels, customs, notices: Notices::default(), declared: None }
}
