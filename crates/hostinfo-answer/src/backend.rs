//! What all values are read from, for all guests.

use std::time::Instant;

use hostinfo_sample::{Host, Moment};

use crate::admin_values::AdminValues;

/// The host's files, libvirt, and what the administrator provides. `L` asks libvirt.
pub(crate) struct Backend<L> {
    pub(crate) host: Host,
    pub(crate) libvirt: L,
    pub(crate) admin_values: AdminValues,
    /// When the samples' grid begins.
    pub(crate) start: Instant,
    /// Units of work done since they were last taken: see
    /// [`TURN_WORK`](hostinfo_wire::limits::TURN_WORK).
    pub(crate) work: u32,
}

impl<L> Backend<L> {
    /// That time on the samples' grid.
    pub(crate) fn moment(&self, now: Instant) -> Moment {
        Moment::new(now.saturating_duration_since(self.start))
    }

    /// Counts units of work.
    pub(crate) fn add_work(&mut self, units: u32) {
        self.work = self.work.saturating_add(units);
    }
}
