//! Descriptors that take long to close, and pipes that take long to read, for tests.

use std::fs::{self, OpenOptions};
use std::io::{self, IoSlice, Write as _};
use std::mem::MaybeUninit;
use std::net::{TcpListener, TcpStream};
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType,
    sendmsg, socketpair, sockopt,
};
use rustix::pipe::{SpliceFlags, splice};
use rustix::thread::gettid;

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

/// A pipe that nobody can read or close until this is dropped: splice(2) waits for a full socket, with the pipe's lock.
#[derive(Debug)]
pub struct HeldPipe {
    _far_end: UnixStream,
}

impl HeldPipe {
    /// Holds the pipe that has this end.
    ///
    /// # Errors
    /// It is no pipe, or the system's.
    pub fn hold(end: &impl AsFd) -> io::Result<Self> {
        let path = format!("/proc/self/fd/{}", end.as_fd().as_raw_fd());
        let mut pipe = OpenOptions::new().read(true).write(true).open(path)?;
        let (mut near, far_end) = UnixStream::pair()?;
        near.set_nonblocking(true)?;
        while near.write(&[0; 4096]).is_ok() || near.write(&[0]).is_ok() {}
        near.set_nonblocking(false)?;
        pipe.write_all(b"x")?;
        let (tell, told) = channel();
        thread::spawn(move || {
            // It fails only where nobody waits any more.
            let _ = tell.send(gettid());
            splice(&pipe, None, &near, None, 1, SpliceFlags::empty())
        });
        let thread = told.recv().map_err(io::Error::other)?;
        let stat = format!("/proc/self/task/{}/stat", thread.as_raw_pid());
        while !fs::read_to_string(&stat)?.contains(") S ") {
            thread::sleep(Duration::from_millis(1));
        }
        Ok(Self { _far_end: far_end })
    }
}
