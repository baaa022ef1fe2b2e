//! The process at the other end of a Unix socket.

use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::process::Uid;

/// The process that made a connection, or listens: SO_PEERCRED, unix(7).
pub(crate) struct Credentials {
    /// Its PID in the daemon's PID namespace; `None` if it is not in there.
    pub(crate) pid: Option<i32>,
    /// Its user at that time.
    pub(crate) uid: Uid,
}

impl Credentials {
    /// Of the process at the other end of `socket`. Uses nix, because rustix cannot represent the
    /// PID 0 that the kernel reports for another namespace. `None` if it is not a Unix socket.
    pub(crate) fn of(socket: &impl AsFd) -> Option<Self> {
        let found = getsockopt(socket, PeerCredentials).ok()?;
        let pid = Some(found.pid()).filter(|pid| *pid > 0);
        Some(Self { pid, uid: Uid::from_raw(found.uid()) })
    }
}
