//! What all measurements have in common: the daemon, how many guests, and how long.

use std::path::PathBuf;
use std::time::Duration;

use clap::ValueEnum;

/// What is measured, and how long.
pub(crate) struct Plan {
    /// The daemon's program.
    pub(crate) daemon: PathBuf,
    /// Guests of each server.
    pub(crate) guests: u16,
    /// How often each comparison is made.
    pub(crate) rounds: u16,
    /// How long each server is asked in a round.
    pub(crate) time: Duration,
    /// The time for which idle guests are watched.
    pub(crate) idle: Duration,
    /// Guests of each server where there are many.
    pub(crate) crowd: u16,
}

/// After this time a server has finished all that it does once, such as starting, connecting, and sending its last answer.
pub(crate) const SETTLED: Duration = Duration::from_secs(1);

/// What can be measured by itself.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// A thousand guests, idle and asking
    Thousand,
    /// A guest beside others that send nonsense
    Flood,
    /// Ten thousand guests
    Crowd,
    /// Guests with VMMs that can be looked at
    Vmms,
    /// Guests with many vCPUs
    Vcpus,
    /// Daemons that are confined by Landlock, by seccomp, by both and by neither
    Confinement,
    /// Instructions of a query, by valgrind's callgrind
    Instructions,
}

impl Part {
    /// Those that have targets, in their order: idle first, while nothing else has run yet.
    pub(crate) const WITH_TARGETS: [Self; 5] =
        [Self::Thousand, Self::Flood, Self::Crowd, Self::Vmms, Self::Vcpus];
}
