//! The control socket: what the administrator's tools ask the daemon, and tell it.
//!
//! It speaks [Varlink](https://varlink.org), which `varlinkctl` and libraries in many languages
//! speak too. `org.hostinfo.Control.varlink` is the interface in Varlink's own words; the types
//! here are the same for Rust, and a test holds the two together. They are also what
//! `hostinfoctl --json` prints. [`Client`] asks; [`front`] and [`answer`] are
//! how the daemon reads and writes what goes over the socket.

mod call;
mod client;
mod error;
mod guests;
mod host;
mod host_state;
pub mod limits;
mod notices;
mod refusal;
mod request;
mod timestamp;

pub use call::Call;
pub use client::{Client, Watch};
pub use error::Error;
pub use guests::{
    Counts, Decision, Event, Explanation, Guest, GuestState, LastQuery, Page, Port, PortKind,
    PortState, Preview,
};
pub use host::{
    Figure, Libvirt, LibvirtState, Metrics, Missing, Place, Rules, RulesState, Stats, Status,
    Watched, WhyWithout, Without,
};
pub use host_state::HostStateSaid;
pub use hostinfo_notices::HostState;
pub use hostinfo_notices::Kind as NoticeKind;
pub use hostinfo_notices::limits::PER_GUEST as NOTICES_PER_GUEST;
pub use notices::{Cleared, Notice, Notices, SetNotice};
pub use refusal::Refusal;
pub use request::{Asked, Front, Request, answer, front};
pub use timestamp::timestamp;

/// The interface's name.
pub const INTERFACE: &str = "org.hostinfo.Control";

/// The interface in Varlink's words.
pub const DESCRIPTION: &str = include_str!("org.hostinfo.Control.varlink");

/// Where the socket is, unless the settings say otherwise.
pub const SOCKET: &str = "/run/hostinfo/control.sock";
