//! Sockets: the broker's, and vsock(7). They lose no data, and no other program can interfere.

use std::io;
use std::os::fd::{AsFd as _, OwnedFd};
use std::path::Path;
use std::time::{Duration, Instant};

use nix::sys::socket::{SockFlag, SockType, VsockAddr};
use rustix::event::PollFlags;
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use crate::port::{OpenError, Port};
use crate::system::linux::fd;

/// How long to wait for a connection: a listener accepts it within a millisecond.
const CONNECT_MAX: Duration = Duration::from_millis(200);

/// The time between two tries while the listener's queue is full.
const FULL_PAUSE: Duration = Duration::from_millis(10);

/// A connected socket.
pub(super) struct Socket(OwnedFd);

/// Connects to a Unix socket.
///
/// # Errors
/// [`OpenError`].
pub(super) fn unix(path: &Path) -> Result<Socket, OpenError> {
    let address = SocketAddrUnix::new(path)?;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connected(socket, |socket| rustix::net::connect(socket, &address))
}

/// Connects to a port of vsock(7).
///
/// # Errors
/// [`OpenError`].
pub(super) fn vsock(cid: u32, port: u32) -> Result<Socket, OpenError> {
    let flags = SockFlag::SOCK_CLOEXEC | SockFlag::SOCK_NONBLOCK;
    let family = nix::sys::socket::AddressFamily::Vsock;
    let socket = nix::sys::socket::socket(family, SockType::Stream, flags, None).map_err(errno)?;
    let address = VsockAddr::new(cid, port);
    connected(socket, |socket| {
        use std::os::fd::AsRawFd as _;
        nix::sys::socket::connect(socket.as_raw_fd(), &address).map_err(errno)
    })
}

fn errno(error: nix::errno::Errno) -> Errno {
    Errno::from_raw_os_error(error as i32)
}

/// Waits for the connection that `connect` starts.
fn connected(
    socket: OwnedFd,
    connect: impl Fn(&OwnedFd) -> Result<(), Errno>,
) -> Result<Socket, OpenError> {
    let until = Instant::now() + CONNECT_MAX;
    loop {
        match connect(&socket) {
            Ok(()) => return Ok(Socket(socket)),
            Err(Errno::INPROGRESS) => break,
            // The listener's queue is full: unix(7).
            Err(Errno::AGAIN) if Instant::now() < until => std::thread::sleep(FULL_PAUSE),
            Err(Errno::INTR) => {}
            Err(error) => return Err(failed(error)),
        }
    }
    // It may have failed; only the error shows that.
    if fd::wait(socket.as_fd(), PollFlags::OUT, until).is_err_and(|error| is_time(&error)) {
        return Err(OpenError::NobodyListens);
    }
    match rustix::net::sockopt::socket_error(&socket)? {
        Ok(()) => Ok(Socket(socket)),
        Err(error) => Err(failed(error)),
    }
}

fn is_time(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::TimedOut
}

fn failed(error: Errno) -> OpenError {
    match error {
        Errno::NOENT | Errno::NOTDIR => OpenError::NoSocket,
        Errno::NOTSOCK | Errno::PROTOTYPE => OpenError::NotAPort,
        Errno::ACCESS | Errno::PERM => OpenError::Denied("use sudo".to_owned()),
        // vsock(7) without a listener, without a host that supports it, or without any transport.
        Errno::CONNREFUSED
        | Errno::CONNRESET
        | Errno::NETUNREACH
        | Errno::NODEV
        | Errno::ADDRNOTAVAIL
        | Errno::TIMEDOUT
        | Errno::AGAIN => OpenError::NobodyListens,
        other => other.into(),
    }
}

impl Port for Socket {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        fd::read(&self.0, buffer, until)
    }

    fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<()> {
        fd::write(&self.0, bytes, until)
    }

    fn is_shared(&self) -> bool {
        false
    }

    fn descriptor(&self) -> Option<OwnedFd> {
        self.0.try_clone().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixListener;

    #[test]
    fn a_socket_that_nobody_listens_at_is_told_from_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        assert!(matches!(unix(&path), Err(OpenError::NoSocket)));
        drop(UnixListener::bind(&path).unwrap());
        assert!(matches!(unix(&path), Err(OpenError::NobodyListens)));
        std::fs::write(folder.path().join("file"), "").unwrap();
        assert!(unix(&folder.path().join("file")).is_err());
        assert!(unix(Path::new(&"x".repeat(200))).is_err());
    }

    #[test]
    fn a_listener_that_takes_nobody_is_waited_for_and_then_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _listener = UnixListener::bind(&path).unwrap();
        let mut taken = Vec::new();
        let start = Instant::now();
        loop {
            match unix(&path) {
                Ok(socket) => taken.push(socket),
                Err(error) => break assert!(matches!(error, OpenError::NobodyListens), "{error}"),
            }
            assert!(taken.len() < 10_000);
        }
        assert!(start.elapsed() >= CONNECT_MAX);
    }

    #[test]
    fn a_socket_that_was_closed_is_not_connected() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let listener = UnixListener::bind(&path).unwrap();
        let mut socket = unix(&path).unwrap();
        drop(listener.accept().unwrap());
        let until = Instant::now() + Duration::from_secs(60);
        let error = socket.read(&mut [0; 8], until).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::NotConnected);
    }

    #[test]
    fn vsock_without_a_listener_or_without_vsock_is_absent() {
        // The local address, where nothing listens; the machine need not support it.
        const LOCAL: u32 = 1;
        match vsock(LOCAL, 4678) {
            Err(OpenError::NobodyListens) => {}
            Err(OpenError::Io(error))
                if Errno::from_io_error(&error) == Some(Errno::AFNOSUPPORT) => {}
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("somebody listens"),
        }
    }
}
