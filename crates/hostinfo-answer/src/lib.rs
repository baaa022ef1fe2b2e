//! A guest's line to its reply: what is asked, whether it may be, and what the answer is.
//!
//! An [`Engine`] has what values come from: the host's files, libvirt, and what the administrator has
//! [`Given`]. It answers a line for somebody ([`Who`]) of whom something was [`Observed`], at once or
//! not yet ([`Pending`]). Everything refused is refused before anything is read. No socket, no clock
//! and no other process is known here: bytes come and go elsewhere, libvirt is asked behind a
//! [`Libvirt`], and the time is an argument.

mod allowance;
mod bucket;
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
mod sources;
mod standing;
mod vhostmd;
mod who;

pub use bucket::{Bound, Bucket};
pub use dialect::{Dialect, Protocol};
pub use engine::Engine;
pub use given::Given;
pub use host_id::HostId;
pub use key::{Held, Key};
pub use labels::Labels;
pub use libvirt::Libvirt;
pub use name::Name;
pub use observed::{NOT_MET, Observed};
pub use peer::Peer;
pub use pending::{Pending, When};
pub use session::Session;
pub use standing::Standing;
pub use vhostmd::os_name;
pub use who::{Turn, Who};
