//! A pseudo-terminal instead of a guest's port, for experiments.

use std::io;
use std::os::fd::{AsFd as _, BorrowedFd, OwnedFd};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{QueueSelector, tcflush};

/// The guest as which it is served.
pub(crate) const GUEST: &str = "pty-local";

/// The end of a pseudo-terminal that users open.
#[derive(Debug)]
pub(crate) struct Pty {
    /// Its path, for users.
    pub(crate) path: String,
    /// Held open, so that the daemon's end is not hung up while nobody has this end open.
    slave: OwnedFd,
}

impl Pty {
    /// Opens one, in the system's default mode: it echoes, like a guest's tty. The descriptor is
    /// the daemon's end.
    ///
    /// # Errors
    /// The system has none left, or `/dev/pts` does not exist.
    pub(crate) fn open() -> io::Result<(OwnedFd, Self)> {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
        grantpt(&master)?;
        unlockpt(&master)?;
        let path = ptsname(&master, Vec::new())?.to_string_lossy().into_owned();
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC;
        let slave = rustix::fs::open(&*path, flags, Mode::empty())?;
        rustix::io::ioctl_fionbio(&master, true)?;
        Ok((master, Self { path, slave }))
    }

    /// The one whose other end was handed over: its path, and the end that is held open.
    pub(crate) fn taken_over(path: String, slave: OwnedFd) -> Self {
        Self { path, slave }
    }

    /// The end that is held open.
    pub(crate) fn slave(&self) -> BorrowedFd<'_> {
        self.slave.as_fd()
    }

    /// Discards unread data.
    pub(crate) fn flush(&self) {
        // Fails only if the terminal is gone, and its data with it.
        let _ = tcflush(&self.slave, QueueSelector::IOFlush);
    }
}
