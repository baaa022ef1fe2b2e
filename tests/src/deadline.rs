//! Waiting with a deadline.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// Only something that hangs takes this long: on two cores without KVM that others use too, it may
/// take half of it.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// How long to sleep between two checks.
const STEP: Duration = Duration::from_millis(2);

/// Calls `look` repeatedly until it finds something.
///
/// # Errors
/// Any error of `look`, or that `what` did not happen `within` the time.
pub fn wait_for<T>(
    what: &str,
    within: Duration,
    mut look: impl FnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(found) = look()? {
            return Ok(found);
        }
        if start.elapsed() > within {
            bail!("waited {within:?} for {what}");
        }
        std::thread::sleep(STEP);
    }
}

/// [`wait_for`] a condition.
///
/// # Errors
/// As [`wait_for`].
pub fn wait_until(
    what: &str,
    within: Duration,
    mut is_so: impl FnMut() -> Result<bool>,
) -> Result<()> {
    wait_for(what, within, || Ok(is_so()?.then_some(())))
}
