//! Bytes to and from the host, over whatever device or socket leads to it.

use std::io;
#[cfg(unix)]
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

use hostinfo_file::in_words;

use crate::blame::{in_use, perhaps_brokers};
use crate::others::{Holder, Others};

/// Sends and receives bytes, with a clock.
pub(crate) trait Port {
    /// Reads what is available, or waits for it.
    ///
    /// # Errors
    /// `TimedOut` if nothing came by `until`; `NotConnected` if the other end is closed now.
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As [`Port::read`]. Some of the bytes may have been written.
    fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<()>;

    /// Whether other programs may write to it as well, and whether its other end may come back once it was closed.
    fn is_shared(&self) -> bool {
        true
    }

    /// Which other programs have the port open, as far as this program may see.
    fn others(&mut self) -> Others {
        Others::default()
    }

    /// Keeps others from opening it until it is closed, as far as the system permits this program
    /// to.
    fn hold(&mut self) {}

    /// A copy of its descriptor, by which others notice that its other end was closed. As long as it is open, so is the
    /// port.
    #[cfg(unix)]
    fn descriptor(&self) -> Option<OwnedFd> {
        None
    }

    /// Waits.
    fn sleep(&mut self, time: Duration) {
        std::thread::sleep(time);
    }

    /// The clock.
    fn now(&self) -> Instant {
        Instant::now()
    }
}

/// Why there is no port.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OpenError {
    #[error("no such device")]
    Missing,
    #[error("this guest has no such serial port, only its name")]
    NoHardware,
    #[error("this is not a serial port, a channel or a socket")]
    NotAPort,
    #[error("this is the terminal that hostinfo was started from")]
    OwnTerminal,
    #[error(
        "the shell that started hostinfo has opened this port, which made it its terminal: run setsid hostinfo"
    )]
    ShellsTerminal,
    #[error("nobody listens there")]
    NobodyListens,
    #[error("no such socket")]
    NoSocket,
    #[error("{}", in_use(.0))]
    Busy(Others),
    #[error("{}", perhaps_brokers(.0))]
    PerhapsBrokers(Holder),
    #[error("permission denied: {0}")]
    Denied(String),
    #[error("{}", in_words(.0))]
    Io(#[from] io::Error),
}

impl Port for Box<dyn Port> {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        (**self).read(buffer, until)
    }

    fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<()> {
        (**self).write(bytes, until)
    }

    fn is_shared(&self) -> bool {
        (**self).is_shared()
    }

    fn others(&mut self) -> Others {
        (**self).others()
    }

    fn hold(&mut self) {
        (**self).hold();
    }

    #[cfg(unix)]
    fn descriptor(&self) -> Option<OwnedFd> {
        (**self).descriptor()
    }

    fn sleep(&mut self, time: Duration) {
        (**self).sleep(time);
    }

    fn now(&self) -> Instant {
        (**self).now()
    }
}
