//! A line on a terminal while there is something to wait for, gone when there is no more.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crate::units;

/// A wait that is worth a word.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// Waits, and says on a terminal what for.
pub(crate) fn wait(time: Duration, what: &str) {
    let _shown = Progress::show(time, what);
    std::thread::sleep(time);
}

/// A line that is shown as long as this lives.
pub(crate) struct Progress {
    /// How long it is, where it is shown.
    length: Option<usize>,
}

impl Progress {
    /// Says on a terminal what is waited for, and how long, where that is worth a word.
    pub(crate) fn show(time: Duration, what: &str) -> Self {
        let is_shown = time >= LONG_WAIT && io::stderr().is_terminal();
        let line = format!("hostinfo: {what}: {}", units::duration(time));
        // Where stderr takes nothing there is nobody to tell.
        let is_shown = is_shown && write!(io::stderr(), "{line}").is_ok();
        Self { length: is_shown.then_some(line.chars().count()) }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(length) = self.length {
            let _ = write!(io::stderr(), "\r{:length$}\r", "");
        }
    }
}
