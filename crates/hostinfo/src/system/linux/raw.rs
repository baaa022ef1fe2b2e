//! The serial port while it is in raw mode, and its settings from before: whatever ends this program, it is left as it
//! was found. By mistake, it may be the terminal that somebody is using.

use std::io;
use std::os::fd::OwnedFd;
use std::sync::{Mutex, MutexGuard, PoisonError};

use rustix::termios::{self, ControlModes, OptionalActions, QueueSelector, Termios};

/// The one port that is in raw mode: a program talks to one host at a time.
static CHANGED: Mutex<Option<Found>> = Mutex::new(None);

/// A port, and its original settings.
struct Found {
    device: OwnedFd,
    settings: Termios,
}

/// Puts a port in raw mode.
///
/// # Errors
/// The system refuses.
pub(super) fn make_raw(device: &OwnedFd, settings: Termios) -> io::Result<()> {
    let mut raw = settings.clone();
    // A read returns as soon as there is one byte (VMIN), and there is no carrier to lose.
    raw.make_raw();
    raw.control_modes |= ControlModes::CLOCAL | ControlModes::CREAD;
    let device = device.try_clone()?;
    let mut changed = changed();
    let found = changed.insert(Found { device, settings });
    Ok(termios::tcsetattr(&found.device, OptionalActions::Now, &raw)?)
}

/// Restores the port, if there is one.
pub(super) fn restore() {
    changed().take().into_iter().for_each(Found::restore);
}

/// The same where the program ends: no thread puts a port in raw mode after this.
pub(super) fn restore_for_good() {
    let mut changed = changed();
    changed.take().into_iter().for_each(Found::restore);
    std::mem::forget(changed);
}

fn changed() -> MutexGuard<'static, Option<Found>> {
    CHANGED.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Found {
    fn restore(self) {
        let _ = termios::ioctl_tiocnxcl(&self.device);
        // Bytes that a dead host has not read would delay the close for 30 s (closing_wait).
        let _ = termios::tcflush(&self.device, QueueSelector::OFlush);
        let _ = termios::tcsetattr(&self.device, OptionalActions::Now, &self.settings);
    }
}
