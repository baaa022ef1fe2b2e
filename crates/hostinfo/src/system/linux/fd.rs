//! Reads and writes a non-blocking descriptor, with a deadline.

use std::io::{self, ErrorKind};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::io::Errno;

/// A pause for when another program took the available bytes in the same moment.
const TAKEN_PAUSE: Duration = Duration::from_millis(1);

/// Waits for one of `events`.
///
/// # Errors
/// `TimedOut` at `until`; `NotConnected` if the other end is closed.
pub(super) fn wait(fd: BorrowedFd<'_>, events: PollFlags, until: Instant) -> io::Result<()> {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        let left = Timespec::try_from(left).map_err(io::Error::other)?;
        let mut polled = [PollFd::new(&fd, events)];
        match rustix::event::poll(&mut polled, Some(&left)) {
            Ok(0) => return Err(ErrorKind::TimedOut.into()),
            Ok(_) if polled.iter().any(|fd| fd.revents().intersects(events)) => return Ok(()),
            Ok(_) => return Err(ErrorKind::NotConnected.into()),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// See [`Port::read`](super::Port::read).
///
/// # Errors
/// As there.
pub(super) fn read(fd: impl AsFd, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
    loop {
        wait(fd.as_fd(), PollFlags::IN, until)?;
        match rustix::io::read(&fd, &mut *buffer) {
            // A channel without a host; a tty that was hung up; a channel that was unplugged; a
            // socket that was closed.
            Ok(0) | Err(Errno::IO | Errno::NODEV | Errno::CONNRESET) => {
                return Err(ErrorKind::NotConnected.into());
            }
            Ok(length) => return Ok(length),
            Err(Errno::AGAIN) if Instant::now() >= until => return Err(ErrorKind::TimedOut.into()),
            Err(Errno::AGAIN) => std::thread::sleep(TAKEN_PAUSE),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

/// See [`Port::write`](super::Port::write).
///
/// # Errors
/// As there.
pub(super) fn write(fd: impl AsFd, mut bytes: &[u8], until: Instant) -> io::Result<()> {
    while !bytes.is_empty() {
        match rustix::io::write(&fd, bytes) {
            Ok(length) => bytes = bytes.get(length..).unwrap_or_default(),
            Err(Errno::AGAIN) => wait(fd.as_fd(), PollFlags::OUT, until)?,
            Err(Errno::INTR) => {}
            Err(Errno::IO | Errno::NODEV | Errno::PIPE | Errno::CONNRESET) => {
                return Err(ErrorKind::NotConnected.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}
