//! The daemon and what it needs: its state, its rules, its own metrics.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The reply to `Status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// The daemon's process ID.
    pub pid: u32,
    /// When it started.
    pub since: Timestamp,
    /// The daemon's settings file. `problem` says why its current text is not in force: the daemon
    /// would not start with it.
    pub settings: Place,
    /// The directory of the guests' sockets.
    pub socket_dir: Place,
    /// Each `[[sockets]]` and `[[listen]]` of hostinfod.toml, by its path.
    pub sockets: Vec<Place>,
    /// Where the administrator's own statistics are defined. `problem` also says if nothing runs their commands.
    pub custom_dir: Place,
    /// `[metrics] listen` of hostinfod.toml, with an address or a socket's path; `None` for nowhere.
    pub metrics: Option<Place>,
    /// Guests that have a socket.
    pub guests: u64,
    /// How many of them are connected.
    pub connected: u64,
    /// The rules file.
    pub rules: RulesState,
    /// Guests whose rule says `watch = 1`.
    pub watched: Watched,
    /// libvirt, which knows the guests.
    pub libvirt: Libvirt,
    /// Sources that this host lacks and could have.
    pub missing: Vec<Missing>,
    /// Sources that this host does without, with nothing wrong.
    pub without: Vec<Without>,
}

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Its path.
    pub path: String,
    /// What is wrong with it, with the remedy.
    pub problem: Option<String>,
}

/// The rules file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesState {
    /// Its path.
    pub path: String,
    /// Number of rules in force. 0: the built-in default is in force.
    pub rules: u64,
    /// Since when they have been in force.
    pub since: Timestamp,
    /// Why the file's current text is not in force: `FILE:LINE:COL: WORDS`, one line for each
    /// problem.
    pub problem: Option<String>,
}

/// The guests present whose rule says `watch = 1`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// How many are watched.
    pub guests: u64,
    /// How many are not, because there are more than `limit`.
    pub left_out: u64,
    /// `[watch] guests` of hostinfod.toml.
    pub limit: u64,
}

/// libvirt, which knows the guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libvirt {
    /// Whether it answers.
    pub state: LibvirtState,
    /// libvirt's URI.
    pub uri: String,
    /// Name and version of the hypervisor, if libvirt answers.
    pub hypervisor: Option<String>,
    /// Number of running domains, without paused ones; `None` if libvirt does not answer.
    pub domains: Option<u64>,
    /// Why libvirt does not answer, or which running domains' XML cannot be read, with the remedy. `None` if it is
    /// [`LibvirtState::Down`] only because the daemon has just started and awaits its first answer.
    pub problem: Option<String>,
}

/// Whether libvirt answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LibvirtState {
    /// The settings turn it off.
    Off,
    /// This host has no libvirt, or the helper that asks it is not installed.
    Missing,
    /// It answers.
    Up,
    /// It does not answer.
    Down,
}

impl LibvirtState {
    /// Whether it answers; `None` if it is not asked.
    pub fn is_up(self) -> Option<bool> {
        match self {
            Self::Off | Self::Missing => None,
            Self::Up => Some(true),
            Self::Down => Some(false),
        }
    }
}

/// A source that this host lacks and could have: a fault. Listed once, however many CPUs or files
/// lack it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What it is read from.
    pub source: String,
    /// Why it is missing, with the remedy.
    pub why: String,
    /// How many CPUs, nodes or zones lack it; 1 for something a host has once.
    pub count: u64,
}

/// A source that this host does without, with nothing wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Without {
    /// What it would be read from.
    pub source: String,
    /// What guests read about it and, if the host could have it, how to turn it on.
    pub what: String,
    /// Why nothing is wrong.
    pub why: WhyWithout,
    /// As in [`Missing`].
    pub count: u64,
}

/// Why nothing is wrong although a source is not there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyWithout {
    /// The machine, its firmware or its kernel does not have it.
    Unsupported,
    /// The host's owner or its distribution does without it.
    Chosen,
}

/// The reply to `Stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// Since when the daemon has counted.
    pub since: Timestamp,
    /// The metrics.
    pub figures: Vec<Figure>,
}

/// One of the daemon's own metrics.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// Its name in OpenMetrics.
    pub name: String,
    /// What kind of figure it is.
    pub kind: FigureKind,
    /// What distinguishes several metrics with one name.
    pub labels: BTreeMap<String, String>,
    /// The value, in `unit`.
    pub value: f64,
    /// `seconds` or `bytes`; empty for a plain number.
    pub unit: String,
    /// What it means.
    pub help: String,
}

/// The kinds of figures.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FigureKind {
    /// Never falls, except at a restart.
    Counter,
    /// Rises and falls.
    Gauge,
    /// How many took how long.
    Histogram,
    /// A point in time, in seconds since 1970: a gauge in OpenMetrics.
    Time,
}

/// The reply to `Metrics`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Metrics {
    /// OpenMetrics text.
    pub text: String,
}

/// The reply to `Rules`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rules {
    /// The rules that are in force.
    pub state: RulesState,
    /// The file's text when it came into force. `None`: there was no file, or it is longer than
    /// [`RULES_TEXT_MAX`](crate::limits::RULES_TEXT_MAX).
    pub text: Option<String>,
}
