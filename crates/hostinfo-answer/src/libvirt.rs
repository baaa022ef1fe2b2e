//! libvirt as answers need it: its latest values, and a way to request newer ones.

use std::sync::Arc;
use std::time::Instant;

use hostinfo_domains::{Snapshot, Uuid};
use hostinfo_sample::Absent;

/// Whoever asks libvirt. Neither of these may wait for it.
pub trait Libvirt {
    /// Everything that is known.
    ///
    /// # Errors
    /// Why nothing is.
    fn tells(&self) -> Result<&Arc<Snapshot>, Absent>;

    /// Has newer figures of a domain asked for.
    fn refresh(&mut self, domain: Uuid, now: Instant);
}
