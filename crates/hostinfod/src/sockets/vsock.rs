//! AF_VSOCK, vsock(7): the one listener, and who connects to it.

use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};

use nix::sys::socket::{
    AddressFamily, Backlog, SockFlag, SockType, VsockAddr, bind, getpeername, getsockname, listen,
    socket,
};
use rustix::io::Errno;
use rustix::net::sockopt;

/// VMADDR_CID_ANY: at every address that this host has.
const ANY: u32 = u32::MAX;

/// VMADDR_CID_HOST: this host, as its own guests call it. As a guest of another host it has another address, where
/// its siblings connect and that host itself, whose addresses mean nothing here.
const HOST: u32 = 2;

/// Connections that wait to be accepted.
const BACKLOG: i32 = 64;

/// The listener.
#[derive(Debug)]
pub(crate) struct VsockListener(OwnedFd);

impl VsockListener {
    /// Listens at a port; with the service manager's socket, where it has handed one over.
    ///
    /// # Errors
    /// Where the kernel has no AF_VSOCK or the unit does not allow it (EAFNOSUPPORT), or the port is taken.
    pub(crate) fn open(port: u32, handed_over: Vec<OwnedFd>) -> io::Result<Self> {
        let mut ours = handed_over.into_iter().filter(|fd| is_at(fd, port));
        if let Some(fd) = ours.next() {
            rustix::io::ioctl_fionbio(&fd, true)?;
            return Ok(Self(fd));
        }
        let flags = SockFlag::SOCK_NONBLOCK | SockFlag::SOCK_CLOEXEC;
        let fd = socket(AddressFamily::Vsock, SockType::Stream, flags, None)?;
        bind(fd.as_raw_fd(), &VsockAddr::new(ANY, port))?;
        listen(&fd, Backlog::new(BACKLOG)?)?;
        Ok(Self(fd))
    }
}

impl AsFd for VsockListener {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

/// What to do where the listener cannot be opened.
pub(crate) fn remedy(error: &io::Error) -> &'static str {
    match Errno::from_io_error(error) {
        // The unit forbids it, or the kernel has none.
        Some(Errno::AFNOSUPPORT) => {
            "run `modprobe vsock`, enable hostinfo-vsock.socket, whose ListenStream= has the port, and restart hostinfo \
             (docs/vsock.md)"
        }
        _ => "end the program that has the port (ss --vsock -l), then send SIGHUP",
    }
}

/// Whether a descriptor is a socket of AF_VSOCK.
pub(crate) fn is_vsock(fd: &OwnedFd) -> bool {
    sockopt::socket_domain(fd).is_ok_and(|domain| domain == rustix::net::AddressFamily::VSOCK)
}

/// Whether a descriptor listens at that port.
fn is_at(fd: &OwnedFd, port: u32) -> bool {
    is_vsock(fd)
        && sockopt::socket_acceptconn(fd).is_ok_and(|listens| listens)
        && getsockname::<VsockAddr>(fd.as_raw_fd()).is_ok_and(|address| address.port() == port)
}

/// The address of the guest at the other end of a connection, if it is one that a guest of this host may have.
pub(crate) fn guest_at_other_end(fd: &OwnedFd) -> Option<u32> {
    let (local, peer) = (getsockname(fd.as_raw_fd()), getpeername(fd.as_raw_fd()));
    local.ok().zip(peer.ok()).and_then(|(local, peer)| guest_cid(local, peer))
}

/// The address of a guest of this host; `None` for whoever is none.
fn guest_cid(local: VsockAddr, peer: VsockAddr) -> Option<u32> {
    (local.cid() == HOST && peer.cid() > HOST && peer.cid() != ANY).then(|| peer.cid())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_comes_to_the_hosts_own_address_comes_from_its_guests() {
        let cid = |local, peer| guest_cid(VsockAddr::new(local, 4678), VsockAddr::new(peer, 1024));
        assert_eq!(cid(2, 3), Some(3));
        assert_eq!(cid(2, 4_294_967_294), Some(4_294_967_294));
        for (local, peer) in [(57, 3), (1, 3), (2, 0), (2, 1), (2, 2), (2, ANY), (57, 2)] {
            assert_eq!(cid(local, peer), None, "{local} {peer}");
        }
    }

    #[test]
    fn a_descriptor_that_is_no_vsock_is_not_taken_over() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        assert!(!is_at(&one.into(), 4678));
        assert!(!is_at(&std::fs::File::open("/dev/null").unwrap().into(), 4678));
    }
}
