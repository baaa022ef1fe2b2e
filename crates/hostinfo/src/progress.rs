//! Shows a line on a terminal during a wait, and removes it afterwards.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crate::units;

/// The shortest wait that is worth mentioning.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// Waits, and shows on a terminal what for.
pub(crate) fn wait(time: Duration, what: &str) {
    let _shown = Progress::show(time, what);
    std::thread::sleep(time);
}

/// A line that is visible as long as this value lives.
pub(crate) struct Progress {
    /// Its length, if it is visible.
    length: Option<usize>,
}

impl Progress {
    /// Shows on a terminal what is being waited for, and for how long, if the wait is worth
    /// mentioning.
    pub(crate) fn show(time: Duration, what: &str) -> Self {
        let is_shown = time >= LONG_WAIT && io::stderr().is_terminal();
        let line = format!("hostinfo: {what}: {}", units::duration(time));
        // If stderr cannot be written, there is nobody to tell.
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
