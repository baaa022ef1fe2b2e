//! What a host's administrator announces to its guests: notices, for instance of a shutdown, and the
//! state of the host ([`HostState`]).
//!
//! A [`Draft`] is what an administrator wants to announce; [`Notices::set`] turns it into a
//! [`Notice`] or says why it is invalid. Guests read theirs as `notice.N`, in the order of
//! [`Notices::of`]. Nothing here reads a file or a clock, waits or logs.

mod host_state;
mod kind;
pub mod limits;
mod notice;
mod notices;

pub use host_state::{BadRemark, DamagedState, Declared, HostState};
pub use kind::Kind;
pub use notice::{Draft, Invalid, Notice};
pub use notices::{Damaged, Notices, Refused};
