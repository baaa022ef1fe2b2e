//! What a host's administrator tells its guests: notices, such as that it will be shut down, and
//! whether the host is as it should be ([`HostState`]).
//!
//! A [`Draft`] is what an administrator wants to tell; [`Notices::set`] makes a [`Notice`] of it or
//! says why it is none. Guests read theirs as `notice.N`, which [`Notices::of`] has in order.
//! Nothing here reads a file or a clock, waits or logs.

mod host_state;
mod kind;
pub mod limits;
mod notice;
mod notices;

pub use host_state::{BadRemark, DamagedState, Declared, HostState};
pub use kind::Kind;
pub use notice::{Draft, Invalid, Notice};
pub use notices::{Damaged, Notices, Refused};
