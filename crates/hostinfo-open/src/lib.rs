//! Sockets outside the socket directory: `[[sockets]]` of hostinfod.toml, and the messages between hostinfod
//! and the opener.
//!
//! The opener is the program `hostinfo-open`. It connects to sockets that hostinfod's own user may not
//! open, and passes the connection on. It reads the settings itself and trusts nothing else: hostinfod
//! names a pattern, its driver and a guest, never a path.

mod enabled;
pub mod message;
pub mod pattern;
pub mod sockets;
pub mod unix;

pub use enabled::Enabled;
pub use message::{Answer, Request};
pub use pattern::SocketPattern;
pub use sockets::{Entry, Sockets};

/// The path of the opener's socket.
pub const SOCKET: &str = "/run/hostinfo-open.sock";

/// How long hostinfod waits for the opener's answer. It takes some milliseconds, or some tenths of a second if
/// systemd has to start the opener first.
pub const ANSWER_WITHIN: std::time::Duration = std::time::Duration::from_secs(5);
