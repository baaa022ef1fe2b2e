//! libvirt as answers need it: its latest values, and a way to request newer ones.

use std::sync::Arc;
use std::time::Instant;

use hostinfo_domains::{Snapshot, Uuid};
use hostinfo_sample::Absent;

/// Whatever asks libvirt. Neither method may wait for it.
pub trait Libvirt {
    /// Everything that is known.
    ///
    /// # Errors
    /// Why nothing is known.
    fn snapshot(&self) -> Result<&Arc<Snapshot>, Absent>;

    /// Requests newer figures of a domain.
    fn refresh(&mut self, domain: Uuid, now: Instant);
}
