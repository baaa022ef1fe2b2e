//! A pseudo-terminal in place of a guest's port, for trying things out.

use std::io;
use std::os::fd::OwnedFd;

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{QueueSelector, tcflush};

/// The guest that it is served as.
pub(crate) const GUEST: &str = "pty-local";

/// The end of a pseudo-terminal that is not served.
#[derive(Debug)]
pub(crate) struct Pty {
    /// Its path, for whoever asks.
    pub(crate) path: String,
    /// Held open, so that the served end is not hung up while nobody else has it open.
    slave: OwnedFd,
}

impl Pty {
    /// Makes one, in the mode that the system gives it: it echoes, as a guest's tty does. The
    /// descriptor is that of the end to serve.
    ///
    /// # Errors
    /// Where the system has none left, or `/dev/pts` is not there.
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

    /// Throws away what nobody has read.
    pub(crate) fn flush(&self) {
        // A terminal that is gone has nothing to throw away.
        let _ = tcflush(&self.slave, QueueSelector::IOFlush);
    }
}
