//! Signals as bytes on sockets, so that the loop can wait for them like for anything else.

use std::io::{self, Read as _};
use std::os::unix::net::UnixStream;

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::low_level::pipe;

/// Readable once a signal has come.
#[derive(Debug)]
pub(crate) struct Signals {
    /// SIGHUP: read everything again.
    pub(crate) reload: UnixStream,
    /// SIGTERM, SIGINT: end.
    pub(crate) stop: UnixStream,
}

impl Signals {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// The system has no sockets or handlers left.
    pub(crate) fn catch() -> io::Result<Self> {
        Ok(Self { reload: caught(&[SIGHUP])?, stop: caught(&[SIGTERM, SIGINT])? })
    }

    /// Reads the bytes that SIGHUP has left.
    pub(crate) fn clear_reload(&self) {
        let mut bytes = [0; 64];
        while matches!((&self.reload).read(&mut bytes), Ok(count) if count > 0) {}
    }
}

fn caught(signals: &[i32]) -> io::Result<UnixStream> {
    let (ours, handlers) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    for signal in signals {
        pipe::register(*signal, handlers.try_clone()?)?;
    }
    Ok(ours)
}
