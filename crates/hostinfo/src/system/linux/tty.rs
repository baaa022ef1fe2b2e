//! The terminal: in raw mode and on its alternate screen while this program controls it, and restored in every
//! other case: at the end, after a signal, and after a panic.

use std::io::{self, Write as _};
use std::os::fd::AsFd as _;
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};

use crate::exit::Failure;
use crate::system::linux::{raw, signal};
use crate::top::{ENTER, Key, LEAVE};

/// The terminal on standard input and output, under the control of this program.
pub(crate) struct RawTty {
    before: Arc<Before>,
    /// The signal that was received.
    signal: Arc<AtomicUsize>,
}

/// The terminal's original settings.
struct Before {
    termios: Termios,
    is_changed: AtomicBool,
}

impl RawTty {
    /// Takes control of the terminal.
    ///
    /// # Errors
    /// [`Failure`]: there is no terminal.
    pub(crate) fn enter() -> Result<Self, Failure> {
        let why = "top needs a terminal; plain hostinfo and hostinfo record do not";
        let no_terminal = |_| Failure::Usage(why.to_owned());
        tcgetattr(io::stdout()).map_err(no_terminal)?;
        let termios = tcgetattr(io::stdin()).map_err(no_terminal)?;
        signal::leave_to_caller();
        let before = Arc::new(Before { termios, is_changed: AtomicBool::new(false) });
        let signal = Arc::new(AtomicUsize::new(0));
        for number in [SIGHUP, SIGINT, SIGTERM] {
            let known = usize::try_from(number).unwrap_or_default();
            signal_hook::flag::register_usize(number, Arc::clone(&signal), known)?;
        }
        let tty = Self { before: Arc::clone(&before), signal };
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            before.restore();
            hook(info);
        }));
        tty.before.is_changed.store(true, Ordering::Relaxed);
        let mut raw = tty.before.termios.clone();
        raw.make_raw();
        tcsetattr(io::stdin(), OptionalActions::Now, &raw).map_err(io::Error::from)?;
        write_all(ENTER)?;
        Ok(tty)
    }

    /// Waits for a key, at most for that time.
    ///
    /// # Errors
    /// The terminal cannot be read.
    pub(crate) fn key(&self, time: Duration) -> io::Result<Option<Key>> {
        let stdin = io::stdin();
        let time = Timespec::try_from(time).map_err(io::Error::other)?;
        match poll(&mut [PollFd::from_borrowed_fd(stdin.as_fd(), PollFlags::IN)], Some(&time)) {
            Ok(0) => {}
            Ok(_) => {
                let mut typed = [0; 64];
                return match rustix::io::read(&stdin, &mut typed) {
                    Ok(0) => Ok(Some(Key::Quit)),
                    Ok(length) => Ok(Some(key(typed.get(..length).unwrap_or_default()))),
                    Err(Errno::INTR | Errno::AGAIN) => Ok(None),
                    Err(error) => Err(error.into()),
                };
            }
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        Ok((self.signal.load(Ordering::Relaxed) != 0).then_some(Key::Quit))
    }
}

impl Drop for RawTty {
    fn drop(&mut self) {
        self.before.restore();
        // The thread that takes samples may have left the port raw.
        raw::restore_for_good();
        // The sender of a signal should see that it ended this program.
        let signal = self.signal.load(Ordering::Relaxed);
        if let Some(signal) = i32::try_from(signal).ok().filter(|signal| *signal != 0) {
            let _ = signal_hook::low_level::emulate_default_handler(signal);
        }
    }
}

impl Before {
    fn restore(&self) {
        if self.is_changed.swap(false, Ordering::Relaxed) {
            // If the terminal is gone, nothing needs restoring.
            let _ = write_all(LEAVE);
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.termios);
        }
    }
}

/// Interprets typed bytes: `q`, Ctrl-C, Ctrl-D or Escape quit. A longer sequence that begins with Escape is
/// another key.
fn key(typed: &[u8]) -> Key {
    const CTRL_C: u8 = 3;
    const CTRL_D: u8 = 4;
    const CTRL_L: u8 = 12;
    const ESCAPE: u8 = 27;
    match typed {
        [ESCAPE] => Key::Quit,
        [ESCAPE, ..] => Key::Other,
        typed if typed.iter().any(|byte| matches!(byte, b'q' | b'Q' | &CTRL_C | &CTRL_D)) => {
            Key::Quit
        }
        typed if typed.contains(&CTRL_L) => Key::Redraw,
        _ => Key::Other,
    }
}

fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(bytes)?;
    stdout.flush()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_keys_end_it_and_arrows_do_not() {
        for quit in [&b"q"[..], b"\x03", b"\x1b", b"aq", b"\x04"] {
            assert_eq!(key(quit), Key::Quit, "{quit:?}");
        }
        assert_eq!(key(b"\x0c"), Key::Redraw);
        for other in [&b"\x1b[A"[..], b"x", b"\x1bOq"] {
            assert_eq!(key(other), Key::Other, "{other:?}");
        }
    }
}
