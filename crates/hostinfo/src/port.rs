//! Bytes to and from the host, over whatever device or socket leads to it.

mod device;
mod fd;
mod socket;

use std::io;
use std::time::{Duration, Instant};

use rustix::io::Errno;

use crate::blame::in_use;
use crate::others::Others;
use crate::way::Way;

pub(crate) use device::others_on;

/// Bytes to and from the host, by a clock.
pub(crate) trait Port {
    /// Reads what is there, or waits for it.
    ///
    /// # Errors
    /// `TimedOut` when there was nothing by `until`; `NotConnected` where nobody is at the
    /// other end now.
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize>;

    /// Writes all of `bytes`.
    ///
    /// # Errors
    /// As [`Port::read`]. Some of the bytes may have been written.
    fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<()>;

    /// Who else has the port open, as far as this program may see.
    fn others(&mut self) -> Others;

    /// Keeps others from opening it, as far as the system lets this program, until it is closed.
    fn hold(&mut self) {}

    /// Lets time pass.
    fn sleep(&mut self, time: Duration);

    /// The clock.
    fn now(&self) -> Instant;
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
    #[error("nobody listens there")]
    NobodyListens,
    #[error("{}", in_use(.0))]
    Busy(Others),
    #[error("permission denied: {0}")]
    Denied(String),
    #[error("{0}")]
    Io(#[from] Errno),
}

/// Opens a way that no other program has open. Tries again for `timeout` where one has.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn open(way: &Way, timeout: Duration) -> Result<Box<dyn Port>, OpenError> {
    Ok(match way {
        Way::Device(path) => Box::new(device::Device::open(path, timeout)?),
        Way::Unix(path) => Box::new(socket::unix(path)?),
        Way::Vsock { cid, port } => Box::new(socket::vsock(*cid, *port)?),
    })
}

impl Port for Box<dyn Port> {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        (**self).read(buffer, until)
    }

    fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<()> {
        (**self).write(bytes, until)
    }

    fn others(&mut self) -> Others {
        (**self).others()
    }

    fn hold(&mut self) {
        (**self).hold();
    }

    fn sleep(&mut self, time: Duration) {
        (**self).sleep(time);
    }

    fn now(&self) -> Instant {
        (**self).now()
    }
}
