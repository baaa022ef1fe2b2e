//! The hostinfo line protocol, version 1: converts bytes to values and back.
//!
//! Nothing here reads, writes, waits or knows a statistic. The daemon and the guest's tool share
//! it, so that each understands what the other sends. `docs/protocol.md` is the specification in
//! words. Their HTTP answers are in [`http`], and the two text formats of metrics in [`prometheus`].

pub mod duration;
pub mod frame;
pub mod http;
pub mod limits;
pub mod name;
pub mod nearest;
pub mod prometheus;
pub mod reply;
pub mod request;
pub mod text;
pub mod value;

pub use frame::{Frame, Framer, PartialLine};
pub use reply::{Code, Refusal, Reply};
pub use request::{Malformed, Request};
pub use value::Value;

/// The answer to `version`: the protocol's name and version.
pub const VERSION: &str = "hostinfo/1";
