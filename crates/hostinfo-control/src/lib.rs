//! The control socket, at which the administrator's tools ask the daemon and give it orders.
//!
//! It speaks [Varlink](https://varlink.org), as do `varlinkctl` and libraries in many languages.
//! `org.hostinfo.Control.varlink` describes the interface in Varlink's own language. The types here
//! are the same in Rust, and a test keeps the two in step. They are also what `hostinfoctl --json`
//! prints. [`Client`] makes calls; the daemon reads them with [`front`] and writes its replies with
//! [`answer`].

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
mod upgraded;

pub use call::Call;
pub use client::{Client, Watch};
pub use error::Error;
pub use guests::{
    Counts, Decision, Event, Explanation, Guest, GuestState, LastQuery, Page, Port, PortKind,
    PortState, Preview,
};
pub use host::{
    Figure, FigureKind, Libvirt, LibvirtState, Metrics, Missing, Place, Rules, RulesState, Stats,
    Status, Watched, WhyWithout, Without,
};
pub use host_state::HostStateReply;
pub use hostinfo_notices::HostState;
pub use hostinfo_notices::Kind as NoticeKind;
pub use hostinfo_notices::limits::PER_GUEST as NOTICES_PER_GUEST;
pub use notices::{Cleared, Notice, Notices, SetNotice};
pub use refusal::Refusal;
pub use request::{Asked, Front, Request, answer, front};
pub use timestamp::timestamp;
pub use upgraded::Upgraded;

/// The interface's name.
pub const INTERFACE: &str = "org.hostinfo.Control";

/// The interface in Varlink's language.
pub const DESCRIPTION: &str = include_str!("org.hostinfo.Control.varlink");

/// Path of the socket, unless the settings name another.
pub const SOCKET: &str = "/run/hostinfo/control.sock";
