//! The process at the other end of a Unix socket.

use std::os::fd::AsFd;

use hostinfo_open::unix::has_ended;
use nix::errno::Errno;
use nix::sys::socket::getsockopt;
use nix::sys::socket::sockopt::{PeerCredentials, PeerPidfd};
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
        // The kernel answers for sockets of other families, too, with user -1, which is nobody's.
        let uid = Some(found.uid()).filter(|uid| *uid != u32::MAX)?;
        let pid = Some(found.pid()).filter(|pid| *pid > 0);
        Some(Self { pid, uid: Uid::from_raw(uid) })
    }
}

/// Whether the process of the [`Credentials`] is still there, by SO_PEERPIDFD of Linux 6.5, which knows it
/// apart from a later one with its number. `None` where the kernel is older.
pub(crate) fn is_still_there(socket: &impl AsFd) -> Option<bool> {
    match getsockopt(socket, PeerPidfd) {
        Ok(pidfd) => Some(!has_ended(&pidfd)),
        Err(Errno::ENOPROTOOPT) => None,
        // It is gone, or there is no descriptor left to look at it.
        Err(_) => Some(false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::net::{TcpListener, TcpStream};

    #[test]
    fn a_socket_that_is_no_unix_socket_has_no_credentials() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        assert!(Credentials::of(&stream).is_none());
    }
}
