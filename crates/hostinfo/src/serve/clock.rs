//! The clock of the broker.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// The time since the guest was booted, in which it was suspended included: what the host told grows
/// old meanwhile.
pub(crate) fn now() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or_default();
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or_default())
}
