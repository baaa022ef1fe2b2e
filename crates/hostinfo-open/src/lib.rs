//! Sockets outside the socket directory: `[[sockets]]` of hostinfod.toml, and what hostinfod and the
//! opener say to each other.
//!
//! The opener is the program `hostinfo-open`. It connects to sockets that hostinfod's own user may not
//! open, and passes the connection on. It reads the settings itself and believes nothing else: hostinfod
//! names a pattern, its driver and a name, never a path.

mod enabled;
pub mod message;
pub mod pattern;
pub mod sockets;
pub mod unix;

pub use enabled::Enabled;
pub use message::{Answer, Request};
pub use pattern::SocketPattern;
pub use sockets::{Entry, Sockets};

/// Where the opener listens.
pub const SOCKET: &str = "/run/hostinfo-open.sock";

/// How long hostinfod waits for an answer of the opener. That takes some milliseconds, and some tenths
/// of a second where systemd has to start the opener first.
pub const ANSWER_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);
