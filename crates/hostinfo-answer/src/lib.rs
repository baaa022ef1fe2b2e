//! From a guest's line to its reply: what it asks for, whether it may, and what the answer is.
//!
//! An [`Engine`] has the sources of values: the host's files, libvirt, and the administrator's
//! [`AdminValues`]. It answers a line of a guest ([`Requester`]), using what was [`Observed`] of the guest,
//! either at once or later ([`Pending`]). A [`Conversation`] holds the unanswered input of one
//! connection and processes it in turns of bounded work. Whatever is refused is refused before
//! anything is read.
//!
//! This crate knows no sockets: its callers move bytes, ask libvirt behind a [`Libvirt`], and pass
//! the time as an argument.

mod admin_values;
mod allowance;
mod backend;
mod bucket;
mod conversation;
mod dialect;
mod engine;
#[cfg(test)]
mod examples;
mod gather;
mod handover;
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
mod requester;
mod select;
mod session;
mod shared;
mod sources;
mod standing;
mod step_cache;
mod vhostmd;

pub use admin_values::AdminValues;
pub use bucket::{Bound, Bucket, Flow, Meter};
pub use conversation::{Conversation, Guest, Outcome, Turn};
pub use dialect::Dialect;
pub use engine::Engine;
pub use handover::{ConversationState, ObservedState, RequesterState};
pub use host_id::HostId;
pub use key::{GuestIncidents, GuestKey};
pub use labels::Labels;
pub use libvirt::Libvirt;
pub use name::Name;
pub use observed::{Observed, Process, VMM_UNKNOWN};
pub use peer::Peer;
pub use pending::{Pending, When};
pub use requester::{Change, Requester};
pub use session::Session;
pub use standing::Standing;
pub use vhostmd::os_name;
