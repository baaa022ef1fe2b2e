//! Of which domain a connection over vsock(7) is, and in which run of it.

use hostinfo_domains::{Domain, Snapshot, Uuid};
use serde::{Deserialize, Serialize};

/// A domain, as it had its address when somebody connected from that.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct VsockDomain {
    pub(crate) uuid: Uuid,
    pub(crate) cid: Option<u32>,
    id: Option<u32>,
}

impl VsockDomain {
    /// That one, as it is now.
    pub(crate) fn of(domain: &Domain) -> Self {
        Self { uuid: domain.uuid, cid: domain.cid, id: domain.id }
    }

    /// Whether it still runs, and has that address.
    pub(crate) fn still_runs(self, known: &Snapshot) -> bool {
        let domain = known.guest(self.uuid).map(|guest| &guest.domain);
        domain.is_some_and(|domain| domain.is_live() && Self::of(domain) == self)
    }
}
