//! Guests: whether they can ask, what they ask, what they may.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The reply to `List`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// In the order of their names.
    pub guests: Vec<Guest>,
    /// There are no more behind them.
    pub complete: bool,
}

/// A guest as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    /// `$driver-$name`.
    pub id: String,
    /// Such as `qemu`.
    pub driver: String,
    /// The guest's own name.
    pub name: String,
    /// Whether it can ask.
    pub state: GuestState,
    /// Why it cannot, with the remedy.
    pub problem: Option<String>,
    /// The ways to it.
    pub ports: Vec<Port>,
    /// libvirt's, where libvirt says whose the socket is.
    pub uuid: Option<String>,
    /// The rule that it is under, as its pattern is written. `None`: the built-in default.
    pub pattern: Option<String>,
    /// The rule's line in the rules file, from 1.
    pub line: Option<u64>,
    /// The least time between two of its queries, in seconds.
    pub interval: f64,
    /// What became of its lines.
    pub counts: Counts,
    /// What it asked last.
    pub last: Option<LastQuery>,
}

/// Whether a guest can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestState {
    /// It can.
    Connected,
    /// Its socket is there, and nobody is at the other end.
    Waiting,
    /// Its socket cannot be connected to.
    Failed,
    /// libvirt says that the socket is another's, or does not answer where it has to.
    Refused,
    /// Its rule says `enabled = 0`.
    Disabled,
    /// It has no socket, but had one, or has a metrics disk.
    Absent,
}

/// A way to a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// What it is for.
    pub kind: PortKind,
    /// Whether it leads there.
    pub state: PortState,
    /// Why it failed, with the remedy.
    pub problem: Option<String>,
}

/// What a port is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortKind {
    /// The guest's serial port or channel.
    Hostinfo,
    /// Its channel for vhostmd's clients.
    Vhostmd,
    /// The daemon's own pseudo-terminal.
    Pty,
    /// The place where its VMM connects, and each connection that was made there.
    Vsock,
}

/// Whether a port leads to its guest; the better one is less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// It does.
    Connected,
    /// Nobody is at the other end.
    Waiting,
    /// It cannot be connected to.
    Failed,
}

/// What became of lines since the daemon started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// They got at least some of what they asked for.
    pub answered: u64,
    /// They got nothing else than 400; this one and the next by the last line of the reply.
    pub malformed: u64,
    /// 403.
    pub not_permitted: u64,
    /// 404.
    pub no_such_statistic: u64,
    /// 429.
    pub too_soon: u64,
    /// 503.
    pub unavailable: u64,
    /// Nonsense in a row that gets no reply any more.
    pub dropped: u64,
}

/// What a guest asked last.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastQuery {
    /// When.
    pub at: Timestamp,
    /// The line, cut at [`LAST_MAX`](crate::limits::LAST_MAX) bytes, safe to print.
    pub asked: String,
    /// The code of its reply: 200 where it got anything.
    pub code: u16,
}

/// A reply to `Watch`: a line, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When.
    pub at: Timestamp,
    /// The guest's whole name.
    pub guest: String,
    /// The line, safe to print.
    pub asked: String,
    /// 200 where it got anything, else the code of the reply's last line.
    pub code: u16,
    /// The reply's beginning, cut at
    /// [`WATCHED_REPLY_MAX`](crate::limits::WATCHED_REPLY_MAX) bytes.
    pub reply: String,
    /// The length of the whole reply.
    pub bytes: u64,
    /// How long it took to make.
    pub seconds: f64,
    /// Events before this one that were left out, since the client did not keep up.
    pub left_out: u64,
}

/// The reply to `Explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The whole name.
    pub guest: String,
    /// Whether it can ask.
    pub state: GuestState,
    /// Why it cannot, with the remedy.
    pub problem: Option<String>,
    /// The rules file.
    pub path: String,
    /// The rule that it is under, as its pattern is written. `None`: the built-in default.
    pub pattern: Option<String>,
    /// The rule's line in the rules file, from 1.
    pub line: Option<u64>,
    /// Whether it may ask at all. Where not, `problem` says why, and no statistic is permitted.
    pub may_ask: bool,
    /// The least time between two of its queries, in seconds.
    pub interval: f64,
    /// Whether its rule has it watched while it does not ask.
    pub watch: bool,
    /// Whether it has a metrics disk.
    pub vhostmd_disk: bool,
    /// What it may ask and what it may not.
    pub statistics: Vec<Decision>,
}

/// Whether a guest may see a statistic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// `DEV`, `NUMBER` or `NAME` in it stands for any device, number or name.
    pub name: String,
    /// Whether the guest may see it.
    pub permitted: bool,
    /// The line in the rules file that decides, from 1. `None`: the built-in default does, or the
    /// problem for which it may not ask at all.
    pub line: Option<u64>,
}

/// The reply to `Preview`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// To the byte. Empty where the guest would get none.
    pub reply: String,
}
