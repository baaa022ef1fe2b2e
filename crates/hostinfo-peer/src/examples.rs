//! Descriptors that take long to close, for tests.

use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair, sockopt,
};

use crate::closing::Unclosed;
use crate::descriptors::permit_descriptors;
use crate::socket::PeerSocket;

/// How long it takes to close a [`Slow`] one, unless its far end is dropped.
const LINGER: Duration = Duration::from_secs(600);

/// A sender, and a socket at which any kernel lets descriptors come, as those before 6.16 do.
///
/// # Errors
/// The system's.
pub fn pair(unclosed: &Unclosed) -> io::Result<(UnixStream, PeerSocket)> {
    let (sender, receiver) = UnixStream::pair()?;
    receiver.set_nonblocking(true)?;
    Ok((sender, permitting(receiver.into(), unclosed)))
}

/// The same of sockets of packets.
///
/// # Errors
/// The system's.
pub fn packets(unclosed: &Unclosed) -> io::Result<(OwnedFd, PeerSocket)> {
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let (sender, receiver) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
    Ok((sender, permitting(receiver, unclosed)))
}

fn permitting(receiver: OwnedFd, unclosed: &Unclosed) -> PeerSocket {
    let socket = PeerSocket::new(receiver, unclosed.clone());
    permit_descriptors(&socket);
    socket
}

/// A socket whose far end reads nothing.
#[derive(Debug)]
pub struct Slow {
    fd: OwnedFd,
    far_end: TcpStream,
}

impl Slow {
    /// Makes one.
    ///
    /// # Errors
    /// The system's.
    pub fn new() -> io::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut near = TcpStream::connect(listener.local_addr()?)?;
        let (far_end, _) = listener.accept()?;
        near.set_nonblocking(true)?;
        while near.write(&[0; 65_536]).is_ok() {}
        sockopt::set_socket_linger(&near, Some(LINGER))?;
        Ok(Self { fd: near.into(), far_end })
    }

    /// Sends it with a byte, and keeps no copy of it. Returns its far end.
    ///
    /// # Errors
    /// Those of sendmsg(2): EPERM where the kernel refuses descriptors.
    pub fn send(self, to: &impl AsFd, flags: SendFlags) -> Result<TcpStream, Errno> {
        let descriptors = [self.fd.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = SendAncillaryBuffer::new(&mut space);
        if !control.push(SendAncillaryMessage::ScmRights(&descriptors)) {
            return Err(Errno::NOBUFS);
        }
        let sent = sendmsg(to, &[IoSlice::new(b"x")], &mut control, flags | SendFlags::NOSIGNAL);
        if sent.is_err() {
            // It is closed here.
            sockopt::set_socket_linger(&self.fd, None)?;
        }
        sent.map(|_| self.far_end)
    }
}
