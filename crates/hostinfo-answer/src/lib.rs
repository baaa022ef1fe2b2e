//! A guest's line to its reply: what is asked, whether it may be, and what the answer is.
//!
//! An [`Engine`] has what values come from: the host's files, libvirt, and what the administrator has
//! [`Given`]. It answers a line for somebody ([`Who`]) of whom something was [`Observed`], at once or
//! not yet ([`Pending`]). A [`Conversation`] has what one connection said and was not answered, and is
//! gone on with in turns of bounded work. Everything refused is refused before anything is read.
//!
//! No socket is known here: bytes come and go elsewhere, libvirt is asked behind a [`Libvirt`], and how
//! much time has passed is an argument.

mod allowance;
mod bucket;
mod conversation;
mod dialect;
mod engine;
#[cfg(test)]
mod examples;
mod gather;
mod given;
mod history;
mod host_id;
mod key;
mod labels;
mod libvirt;
mod list;
mod name;
mod observed;
mod peer;
mod pending;
mod select;
mod session;
mod shared;
mod sources;
mod standing;
mod step;
mod vhostmd;
mod who;

pub use bucket::{Bound, Bucket, Flow, Meter};
pub use conversation::{Conversation, Guest, Outcome, Turn};
pub use dialect::Dialect;
pub use engine::Engine;
pub use given::Given;
pub use host_id::HostId;
pub use key::{Held, Key};
pub use labels::Labels;
pub use libvirt::Libvirt;
pub use name::Name;
pub use observed::{NOT_MET, Observed, Process};
pub use peer::Peer;
pub use pending::{Pending, When};
pub use session::Session;
pub use standing::Standing;
pub use vhostmd::os_name;
pub use who::{Change, Who};
