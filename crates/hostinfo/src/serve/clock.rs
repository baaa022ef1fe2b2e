//! The clock of the broker.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time since the guest booted, including time in which it was suspended: the host's values get
/// old meanwhile.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
