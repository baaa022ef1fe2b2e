//! Commands that show something and change nothing.

use std::path::PathBuf;

use clap::ValueEnum;

use super::{STATE_DIR, name};

pub(super) const DOCTOR: &str = "\
Examples:
  hostinfoctl doctor         what is wrong on this host, and the command that mends it
  hostinfoctl doctor web     the same, and of all guests only web
  hostinfoctl doctor --json  the same for programs
  found=$(hostinfoctl doctor) || echo \"$found\" | mail -s hostinfo root

Exit status of doctor:
  0  nothing has to be done
  1  something is wrong: each problem is shown with its remedy
  6  nothing wrong was found, but this user cannot see everything";

pub(super) const INCIDENTS: &str = "\
Examples:
  hostinfoctl incidents                  all that were recorded, the newest first
  hostinfoctl incidents --since 24h web  of one guest, in the last day

hostinfod records the incidents of guests whose rule says watch = 1, and keeps them for 30 days.";

pub(super) const LIST: &str = "\
Examples:
  hostinfoctl list                        all guests, in 80 columns
  hostinfoctl list --wide 'web-*'         with devices, rules, and counts of queries
  hostinfoctl list --state error          guests with something wrong
  hostinfoctl list --tag role=db --json   guests with that tag";

pub(super) const DIFF: &str = "\
Examples:
  hostinfoctl diff ./hostinfo.conf              what the file would change
  hostinfoctl diff --exit-code ./hostinfo.conf  for scripts: 1 if it would change anything";

pub(super) const STATS: &str = "\
Examples:
  hostinfoctl stats                       a table, without the buckets of the histogram
  hostinfoctl stats --format openmetrics  what the daemon serves over HTTP with [metrics] listen
  hostinfoctl stats --format prometheus --output /var/lib/prometheus/node-exporter/hostinfod.prom
                                          for node_exporter; hostinfo-textfile.timer does that every 30 s";

#[derive(Debug, clap::Args)]
pub(crate) struct List {
    /// Which guests [default: all]
    #[arg(value_name = "GUEST", value_parser = name)]
    pub(crate) guests: Vec<String>,
    /// Only guests in this state; can be given several times
    #[arg(long, value_enum, value_name = "STATE")]
    pub(crate) state: Vec<State>,
    /// Only guests with this tag; VALUE may be a pattern. If given several times, all have to match
    #[arg(long, value_name = "KEY=VALUE")]
    pub(crate) tag: Vec<String>,
    /// Show everything, however wide
    #[arg(long)]
    pub(crate) wide: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Incidents {
    /// Which guests [default: all]
    #[arg(value_name = "GUEST", value_parser = name)]
    pub(crate) guests: Vec<String>,
    /// Only those that were seen in that time, such as 90m or 24h
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<String>,
    /// The daemon's state directory
    #[arg(long, value_name = "DIR", default_value = STATE_DIR)]
    pub(crate) state_dir: PathBuf,
}

/// Whether a guest can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum State {
    /// It has no port
    Disabled,
    /// It gets its port at its next start
    NextStart,
    /// It has its port; without hostinfod no more is known
    Enabled,
    /// It has its port until it ends
    UntilItEnds,
    /// hostinfod waits for its QEMU
    Waiting,
    /// It can ask
    Connected,
    /// Its rule says enabled = 0
    Closed,
    /// Something is wrong
    Error,
    /// There is a socket, but no domain
    NoDomain,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The file, or - for the standard input [default: the one named by --rules]
    #[arg(value_name = "FILE")]
    pub(crate) file: Option<PathBuf>,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Diff {
    /// The new file
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Which guests [default: all]
    #[arg(value_name = "GUEST", value_parser = name)]
    pub(crate) guests: Vec<String>,
    /// Exit with 1 if anything would change, as diff does
    #[arg(long)]
    pub(crate) exit_code: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Stats {
    /// Output format [default: text]
    #[arg(long, value_enum, conflicts_with = "json")]
    pub(crate) format: Option<Format>,
    /// Write to FILE, atomically; if the daemon does not answer, FILE stays unchanged
    #[arg(long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

/// How metrics are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// A table
    Text,
    /// The same as --json
    Json,
    /// OpenMetrics 1.0
    Openmetrics,
    /// The classic text format, which node_exporter's textfile collector reads
    Prometheus,
}
