//! The console: on its alternate screen while this program controls it, and restored at the end, after Ctrl-C and
//! after a panic. Its modes stay as they are: keys are read as events, which it does not echo.

use std::io::{self, IsTerminal as _, Write as _};
use std::panic;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use anstyle_query::windows::enable_ansi_colors;
use console::Term;
use signal_hook::consts::SIGINT;

use crate::exit::Failure;
use crate::top::{ENTER, Key, LEAVE};

/// The console on standard input and output, under the control of this program.
pub(crate) struct RawTty {
    keys: Receiver<io::Result<Key>>,
    /// Whether Ctrl-C was pressed.
    is_interrupted: Arc<AtomicBool>,
}

impl RawTty {
    /// Takes control of the console.
    ///
    /// # Errors
    /// [`Failure`]: there is no console, or it is older than Windows 10.
    pub(crate) fn enter() -> Result<Self, Failure> {
        if !io::stdin().is_terminal() || !io::stdout().is_terminal() {
            let why = "top needs a terminal; plain hostinfo and hostinfo record do not";
            return Err(Failure::Usage(why.to_owned()));
        }
        // It also wants stderr to be a console, which may be a file.
        if enable_ansi_colors() != Some(true) && io::stderr().is_terminal() {
            let why = "top needs the console of Windows 10 or later; plain hostinfo does not";
            return Err(Failure::Usage(why.to_owned()));
        }
        let is_interrupted = Arc::new(AtomicBool::new(false));
        signal_hook::flag::register(SIGINT, Arc::clone(&is_interrupted))?;
        let hook = panic::take_hook();
        panic::set_hook(Box::new(move |info| {
            let _ = write_all(LEAVE);
            hook(info);
        }));
        write_all(ENTER)?;
        Ok(Self { keys: read_keys(), is_interrupted })
    }

    /// Waits for a key, at most for that time.
    ///
    /// # Errors
    /// The console cannot be read.
    pub(crate) fn key(&self, time: Duration) -> io::Result<Option<Key>> {
        match self.keys.recv_timeout(time) {
            Ok(key) => key.map(Some),
            Err(RecvTimeoutError::Disconnected) => Ok(Some(Key::Quit)),
            Err(RecvTimeoutError::Timeout) => {
                Ok(self.is_interrupted.load(Ordering::Relaxed).then_some(Key::Quit))
            }
        }
    }
}

impl Drop for RawTty {
    fn drop(&mut self) {
        // If the console is gone, nothing needs restoring.
        let _ = write_all(LEAVE);
    }
}

/// Reads keys in a thread of its own, since the console has no timeouts. The thread ends with this program.
fn read_keys() -> Receiver<io::Result<Key>> {
    let (pressed, keys) = channel();
    thread::spawn(move || {
        let console = Term::stdout();
        loop {
            let key = console.read_key().map(key);
            let is_last = key.is_err();
            if pressed.send(key).is_err() || is_last {
                return;
            }
        }
    });
    keys
}

/// Interprets a key: `q`, Ctrl-C, Ctrl-D and Escape quit.
fn key(key: console::Key) -> Key {
    const CTRL_D: char = '\u{4}';
    const CTRL_L: char = '\u{c}';
    match key {
        console::Key::Escape | console::Key::CtrlC => Key::Quit,
        console::Key::Char('q' | 'Q' | CTRL_D) => Key::Quit,
        console::Key::Char(CTRL_L) => Key::Redraw,
        _ => Key::Other,
    }
}

fn write_all(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout();
    stdout.write_all(bytes)?;
    stdout.flush()
}
