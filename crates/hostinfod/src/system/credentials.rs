//! Who is at the other end of a Unix socket.

use std::os::fd::AsFd;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::process::Uid;

/// A process that made a connection, or listens for some: SO_PEERCRED, unix(7).
pub(crate) struct Credentials {
    /// As the kernel numbers it in the daemon's PID namespace; `None` where it is not in there.
    pub(crate) pid: Option<i32>,
    /// Its user when it did so.
    pub(crate) uid: Uid,
}

impl Credentials {
    /// Those of the process at the other end of `socket`. By nix, since rustix has no room for
    /// the 0 that the kernel tells in place of a number of another namespace. `None` where it is no
    /// Unix socket.
    pub(crate) fn of(socket: &impl AsFd) -> Option<Self> {
        let found = getsockopt(socket, PeerCredentials).ok()?;
        let pid = Some(found.pid()).filter(|pid| *pid > 0);
        Some(Self { pid, uid: Uid::from_raw(found.uid()) })
    }
}
