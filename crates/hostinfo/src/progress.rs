//! Shows a line on a terminal during a wait, and removes it afterwards; elsewhere, a line that stays.

use std::io::{self, Write as _};
use std::time::{Duration, Instant};

use unicode_width::{UnicodeWidthChar as _, UnicodeWidthStr as _};

use crate::exit::complain;
use crate::output::stderr_columns;
use crate::units;

/// The shortest wait that is worth mentioning.
const LONG_WAIT: Duration = Duration::from_secs(2);

/// How often the line is drawn anew.
const TICK: Duration = Duration::from_secs(1);

/// Waits, and shows on a terminal what for and for how long.
pub(crate) fn wait(time: Duration, what: &str) {
    let end = Instant::now() + time;
    let mut progress = Progress::new(time, what);
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        progress.show(left);
        std::thread::sleep(left.min(TICK));
    }
}

/// Says once what takes so long where stderr is no terminal, on which a line could change: whoever runs this through
/// ssh, or reads its log, would see nothing. Returns whether it did.
pub(crate) fn announce(time: Duration, what: &str) -> bool {
    let is_said = time >= LONG_WAIT && stderr_columns().is_none();
    if is_said {
        complain(format_args!("{what} for {}", units::duration(time)));
    }
    is_said
}

/// A line that is visible as long as this value lives.
pub(crate) struct Progress {
    /// What is being waited for; `None` if nobody would see it, or the wait is not worth mentioning.
    what: Option<String>,
    /// The columns that the line takes now.
    width: usize,
}

impl Progress {
    /// For a wait of that length.
    pub(crate) fn new(time: Duration, what: &str) -> Self {
        let is_shown = time >= LONG_WAIT && stderr_columns().is_some();
        Self { what: is_shown.then(|| what.to_owned()), width: 0 }
    }

    /// Shows how much of it is left.
    pub(crate) fn show(&mut self, left: Duration) {
        let Some((what, columns)) = self.what.as_ref().zip(stderr_columns()) else { return };
        let line = line(what, left, columns);
        let before = std::mem::replace(&mut self.width, line.width());
        let behind = before.saturating_sub(self.width);
        // If stderr cannot be written, there is nobody to tell.
        let _ = write!(io::stderr(), "\r{line}{:behind$}", "");
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.width > 0 {
            let _ = write!(io::stderr(), "\r{:1$}\r", "", self.width);
        }
    }
}

/// `hostinfo: waiting for the host's verdict, 5 s left`, as far as it fits into a line of that many columns: what
/// goes on in a second one could not be removed.
fn line(what: &str, left: Duration, columns: usize) -> String {
    let left = units::left(left);
    let (whole, short) = (format!("hostinfo: {what}, {left} left"), format!("{left} left"));
    // A line that fills the last column as well makes some consoles begin another one.
    let room = columns.saturating_sub(1);
    let text = if whole.width() <= room { whole } else { short };
    let mut used = 0;
    let fits = |sign: &char| {
        used += sign.width().unwrap_or(0);
        used <= room
    };
    text.chars().take_while(fits).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_says_what_is_waited_for_and_how_long_and_never_takes_a_second_one() {
        let what = "waiting for the host's verdict";
        let line = |millis, columns| line(what, Duration::from_millis(millis), columns);
        assert_eq!(line(4200, 80), "hostinfo: waiting for the host's verdict, 5 s left");
        assert_eq!(line(75_000, 80), "hostinfo: waiting for the host's verdict, 1 min 15 s left");
        assert_eq!(line(5000, 51), "hostinfo: waiting for the host's verdict, 5 s left");
        assert_eq!(line(5000, 50), "5 s left");
        assert_eq!(line(5000, 20), "5 s left");
        for columns in 0..60 {
            assert!(line(75_000, columns).len() < columns.max(1), "{columns}");
        }
    }
}
