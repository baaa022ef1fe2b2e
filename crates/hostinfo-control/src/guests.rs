//! Guests: whether they can ask, what they asked, and what they may ask.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// The reply to `List`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Page {
    /// Sorted by name.
    pub guests: Vec<Guest>,
    /// Whether these are the last ones.
    pub complete: bool,
}

/// A guest as the daemon sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guest {
    /// `$driver-$name`.
    pub guest: String,
    /// The driver, such as `qemu`.
    pub driver: String,
    /// The guest's own name.
    pub name: String,
    /// Whether it can ask.
    pub state: GuestState,
    /// Why it cannot ask, with the remedy.
    pub problem: Option<String>,
    /// The ports between the daemon and the guest.
    pub ports: Vec<Port>,
    /// libvirt's UUID of the guest, if libvirt confirms that the socket is the guest's.
    pub uuid: Option<String>,
    /// The rule that applies to the guest: its pattern and conditions, as written. `None`: the built-in default.
    pub pattern: Option<String>,
    /// The rule's line in the rules file, from 1.
    pub line: Option<u64>,
    /// Shortest time between two of its queries, in seconds.
    pub interval: f64,
    /// How many of its lines had which outcome.
    pub counts: Counts,
    /// The last of its lines that got a reply.
    pub last: Option<LastQuery>,
}

/// Whether a guest can ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GuestState {
    /// It can ask.
    Connected,
    /// Its socket exists, but nobody is connected at the other end.
    Waiting,
    /// Its socket cannot be connected to.
    Failed,
    /// libvirt says that the socket is another guest's; libvirt is required, and does not answer or knows no domain with
    /// that socket; or the tags that decide which rule applies cannot be read.
    Refused,
    /// Its rule says `enabled = 0`.
    Disabled,
    /// It has no socket. Among the guests of `List`, it had one earlier or has a metrics disk.
    Absent,
}

/// One way between the daemon and a guest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Port {
    /// What the port is for.
    pub kind: PortKind,
    /// Whether the port is connected.
    pub state: PortState,
    /// Its socket, where that is in the place of a `[[sockets]]`.
    pub path: Option<String>,
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

/// Whether a port is connected. A better state compares as less.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PortState {
    /// It is connected.
    Connected,
    /// Nobody is connected at the other end.
    Waiting,
    /// It cannot be connected to.
    Failed,
}

/// Number of lines since the daemon started, by outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Lines that got at least some of what they asked for.
    pub answered: u64,
    /// Lines whose reply had only error codes. Each counts by the code of the reply's last line,
    /// here 400.
    pub malformed: u64,
    /// Last code 403.
    pub not_permitted: u64,
    /// Last code 404.
    pub no_such_statistic: u64,
    /// Last code 429.
    pub too_soon: u64,
    /// Last code 503.
    pub unavailable: u64,
    /// Nonsense lines in a row, which no longer get a reply.
    pub dropped: u64,
}

/// The last line of a guest that got a reply.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastQuery {
    /// When it came.
    pub at: Timestamp,
    /// The line, truncated to [`LAST_MAX`](crate::limits::LAST_MAX) bytes and safe to print.
    pub asked: String,
    /// The code of its reply: 200 if it got anything.
    pub code: u16,
}

/// A reply to `Watch`: a line that a guest sent, and its outcome.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// When the line came.
    pub at: Timestamp,
    /// The guest's whole name.
    pub guest: String,
    /// The line, safe to print.
    pub asked: String,
    /// 200 if it got anything, else the code of the reply's last line.
    pub code: u16,
    /// The beginning of the reply, truncated to
    /// [`WATCHED_REPLY_MAX`](crate::limits::WATCHED_REPLY_MAX) bytes.
    pub reply: String,
    /// The length of the whole reply.
    pub bytes: u64,
    /// Time it took to make the reply, in seconds.
    pub seconds: f64,
    /// Number of events left out before this one because the client did not keep up.
    pub left_out: u64,
}

/// The reply to `Explain`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Explanation {
    /// The guest's whole name.
    pub guest: String,
    /// Whether it can ask.
    pub state: GuestState,
    /// Why it cannot ask, with the remedy.
    pub problem: Option<String>,
    /// Path of the rules file.
    pub path: String,
    /// The rule that applies to the guest: its pattern and conditions, as written. `None`: the built-in default.
    pub pattern: Option<String>,
    /// The rule's line in the rules file, from 1.
    pub line: Option<u64>,
    /// Whether it may ask at all. If not, `problem` says why, and no statistic is permitted.
    pub may_ask: bool,
    /// Shortest time between two of its queries, in seconds.
    pub interval: f64,
    /// Whether its rule says `watch = 1`: it is also watched while it does not ask.
    pub watch: bool,
    /// Whether it has a metrics disk.
    pub vhostmd_disk: bool,
    /// Which statistics it may ask for, and which not.
    pub statistics: Vec<Decision>,
}

/// Whether a guest may see a statistic.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decision {
    /// The statistic's name. `DEV`, `N` or `NAME` in it stands for any device, number or name.
    pub name: String,
    /// Whether the guest may see it.
    pub permitted: bool,
    /// The line in the rules file that decides, from 1. `None`: the built-in default decides, or
    /// the guest may not ask at all.
    pub line: Option<u64>,
}

/// The reply to `Preview`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Preview {
    /// The exact bytes. Empty if the guest would get no reply.
    pub reply: String,
}
