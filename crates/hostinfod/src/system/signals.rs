//! Signals as bytes on sockets, so that the loop can wait for them like for anything else.

use std::io::{self, Read as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use nix::sys::signal::{SigSet, Signal};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGUSR1};
use signal_hook::low_level::pipe;

/// Readable once a signal has come.
#[derive(Debug)]
pub(crate) struct Signals {
    /// SIGHUP: read everything again.
    pub(crate) reload: UnixStream,
    /// SIGTERM, SIGINT: end.
    pub(crate) stop: UnixStream,
    /// SIGUSR1: execute the program anew.
    pub(crate) upgrade: UnixStream,
}

impl Signals {
    /// Catches the signals from now on, also those that the program before this one left waiting.
    ///
    /// # Errors
    /// The system has no sockets or handlers left.
    pub(crate) fn catch() -> io::Result<Self> {
        let (reload, stop) = (caught(&[SIGHUP])?, caught(&[SIGTERM, SIGINT])?);
        let signals = Self { reload, stop, upgrade: caught(&[SIGUSR1])? };
        unblock()?;
        Ok(signals)
    }

    /// Reads the bytes that SIGHUP has left.
    pub(crate) fn clear_reload(&self) {
        clear(&self.reload);
    }

    /// Reads the bytes that SIGUSR1 has left.
    pub(crate) fn clear_upgrade(&self) {
        clear(&self.upgrade);
    }

    /// Whether the daemon was told to end.
    pub(crate) fn is_ended(&self) -> bool {
        let mut polled = [PollFd::from_borrowed_fd(self.stop.as_fd(), PollFlags::IN)];
        let now = Timespec { tv_sec: 0, tv_nsec: 0 };
        poll(&mut polled, Some(&now)).is_ok_and(|ready| ready > 0)
    }
}

/// Lets signals wait while a program takes this one's place: until it catches them, they would end it.
///
/// # Errors
/// Those of sigprocmask(2).
pub(crate) fn block() -> io::Result<()> {
    Ok(caught_ones().thread_block()?)
}

/// Lets them come again.
///
/// # Errors
/// Those of sigprocmask(2).
pub(crate) fn unblock() -> io::Result<()> {
    Ok(caught_ones().thread_unblock()?)
}

fn caught_ones() -> SigSet {
    SigSet::from_iter([Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT, Signal::SIGUSR1])
}

fn clear(mut stream: &UnixStream) {
    let mut bytes = [0; 64];
    while matches!(stream.read(&mut bytes), Ok(count) if count > 0) {}
}

fn caught(signals: &[i32]) -> io::Result<UnixStream> {
    let (ours, handlers) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    for signal in signals {
        pipe::register(*signal, handlers.try_clone()?)?;
    }
    Ok(ours)
}
