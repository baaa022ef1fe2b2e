//! Commands that tell guests something: notices, and the state of the host.

use clap::{Subcommand, ValueEnum};

const TIMES: &str = "\
TIME is 22:00 (the next time it is 22:00) or '2026-11-22 22:00', both in this host's time zone, \
+90m or +2h (from now), or RFC 3339 (2026-11-22T22:00:00Z). With --until, 23:00 and +1h count from \
--at.";

#[derive(Debug, Subcommand)]
pub(crate) enum Notice {
    /// Set a notice; it outlives a restart of the daemon
    #[command(after_help = TIMES)]
    Set {
        /// Which guests: a pattern of $driver-$name as in hostinfo.conf ('qemu-web*')
        #[arg(value_name = "PATTERN")]
        pattern: String,
        /// The text that guests read
        #[arg(value_name = "TEXT")]
        text: String,
        /// What the notice is about
        #[arg(long, value_enum, default_value_t = Kind::Info)]
        kind: Kind,
        /// When the event begins [default: now]
        #[arg(long, value_name = "TIME")]
        at: Option<String>,
        /// When the notice ends
        #[arg(long, value_name = "TIME")]
        until: Option<String>,
    },
    /// Show all notices
    List,
    /// Remove notices
    Clear {
        /// Their numbers, as list shows them
        #[arg(required_unless_present = "all", value_name = "NUMBER")]
        numbers: Vec<u64>,
        /// Remove all notices
        #[arg(long, conflicts_with = "numbers")]
        all: bool,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum HostState {
    /// Set the state; it outlives a restart of the daemon
    Set {
        /// What guests read
        #[arg(value_enum, value_name = "STATE")]
        state: StateToSet,
        /// Why: shown only to the host's administrators
        #[arg(value_name = "TEXT")]
        text: Option<String>,
    },
}

/// A state of the host that guests can read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum StateToSet {
    /// The host is as it should be
    Normal,
    /// Its guests are being moved away or shut down
    Draining,
    /// Something is broken, and the host runs with less
    Degraded,
}

/// What a notice is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Kind {
    /// Work on the host is planned
    Maintenance,
    /// The guest will be moved to another host
    Migration,
    /// Anything else
    Info,
}
