//! The daemon and what it needs: its state, its rules, its own figures.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The reply to `Status`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// The daemon's version.
    pub version: String,
    /// Its process.
    pub pid: u32,
    /// When it started.
    pub since: Timestamp,
    /// The daemon's settings. Their problem is why what the file says now is not in force: a start
    /// would fail.
    pub settings: Place,
    /// Where the guests' sockets are.
    pub socket_dir: Place,
    /// Guests that have a socket.
    pub guests: u64,
    /// Those of them that are connected.
    pub connected: u64,
    /// The rules file.
    pub rules: RulesState,
    /// Guests whose rule says `watch = 1`.
    pub watched: Watched,
    /// Who tells of the guests.
    pub libvirt: Libvirt,
    /// What this host does not tell, and could.
    pub missing: Vec<Missing>,
    /// What it is without, with nothing wrong.
    pub without: Vec<Without>,
}

/// A file or a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Where it is.
    pub path: String,
    /// What is wrong with it, with the remedy.
    pub problem: Option<String>,
}

/// The rules file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RulesState {
    /// Where it is.
    pub path: String,
    /// How many rules are in force. 0: the built-in default is.
    pub rules: u64,
    /// Since when.
    pub since: Timestamp,
    /// Why what the file says now is not in force: `FILE:LINE:COL: WORDS`, a line each.
    pub problem: Option<String>,
}

/// Guests whose rule says `watch = 1`, as far as they are there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watched {
    /// Those that are watched.
    pub guests: u64,
    /// Those that are not, since there are more than `limit`.
    pub left_out: u64,
    /// `[watch] guests` of hostinfod.toml.
    pub limit: u64,
}

/// Who tells of the guests.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libvirt {
    /// Whether it answers.
    pub state: LibvirtState,
    /// Which libvirt.
    pub uri: String,
    /// Name and version of who runs the guests, where libvirt answers.
    pub hypervisor: Option<String>,
    /// Domains that are live, where libvirt answers.
    pub domains: Option<u64>,
    /// Why it does not answer, or which running domains' XML cannot be read, with the remedy.
    pub problem: Option<String>,
}

/// Whether libvirt answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LibvirtState {
    /// The settings do not want it asked.
    Off,
    /// This host has none, or the helper that asks it is not installed.
    Missing,
    /// It answers.
    Up,
    /// It does not.
    Down,
}

impl LibvirtState {
    /// Whether it answers; `None` where it is not asked.
    pub fn is_up(self) -> Option<bool> {
        match self {
            Self::Off | Self::Missing => None,
            Self::Up => Some(true),
            Self::Down => Some(false),
        }
    }
}

/// What this host does not tell, and could: a fault. Each once, however many CPUs or files lack it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Missing {
    /// What it is read from.
    pub source: String,
    /// Why it is not there, with the remedy.
    pub why: String,
    /// How many CPUs, nodes or zones lack it; 1 of what a host has once.
    pub count: u64,
}

/// What this host is without, with nothing wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Without {
    /// What it would be read from.
    pub source: String,
    /// What guests are told of it, and what would turn it on where the host could have it.
    pub what: String,
    /// Why nothing is wrong.
    pub why: WhyWithout,
    /// As in [`Missing`].
    pub count: u64,
}

/// Why nothing is wrong with a host that is without something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum WhyWithout {
    /// The machine, its firmware or its kernel has none.
    Unsupported,
    /// Its owner or its distribution does without.
    Chosen,
}

/// The reply to `Stats`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stats {
    /// When the daemon started to count.
    pub since: Timestamp,
    /// What it counted.
    pub figures: Vec<Figure>,
}

/// One of the daemon's own figures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Figure {
    /// As in OpenMetrics.
    pub name: String,
    /// By what several of one name differ.
    pub labels: BTreeMap<String, String>,
    /// In `unit`.
    pub value: f64,
    /// `seconds` or `bytes`; empty for a plain number.
    pub unit: String,
    /// What it is.
    pub help: String,
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
    /// What is in force.
    pub state: RulesState,
    /// The file's text as it was when it came into force. `None`: there was no file, or it is
    /// over [`RULES_TEXT_MAX`](crate::limits::RULES_TEXT_MAX).
    pub text: Option<String>,
}
