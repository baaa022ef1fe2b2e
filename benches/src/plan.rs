//! What all measurements have in common: the daemon, how many guests, and how long.

use std::path::PathBuf;
use std::time::Duration;

/// What is measured, and how long.
pub(crate) struct Plan {
    /// The daemon's program.
    pub(crate) daemon: PathBuf,
    /// Guests of each server.
    pub(crate) guests: u16,
    /// How often each comparison is made.
    pub(crate) rounds: u16,
    /// How long each round takes.
    pub(crate) time: Duration,
    /// The time for which idle guests are watched.
    pub(crate) idle: Duration,
    /// Guests of each server where there are many.
    pub(crate) crowd: u16,
}

/// After this time a server has finished all that it does once, such as starting, connecting, and sending its last answer.
pub(crate) const SETTLED: Duration = Duration::from_secs(1);
