//! A line on a terminal while there is something to wait for, gone when there is no more.

use std::io::{self, IsTerminal as _, Write as _};
use std::time::Duration;

use crate::units;

/// A wait that is worth a word.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// Waits, and says on a terminal what for.
pub(crate) fn wait(time: Duration, what: &str) {
    let line = (time >= LONG_WAIT && io::stderr().is_terminal())
        .then(|| format!("hostinfo: {what}: {}", units::duration(time)));
    // Where stderr takes nothing there is nobody to tell.
    if let Some(line) = &line {
        let _ = write!(io::stderr(), "{line}");
    }
    std::thread::sleep(time);
    if let Some(line) = &line {
        let _ = write!(io::stderr(), "\r{:1$}\r", "", line.len());
    }
}
