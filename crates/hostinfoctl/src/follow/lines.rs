//! How many lines about failures are written. Pure: the time is an argument.

use std::time::{Duration, Instant};

/// The most lines in [`WINDOW`]: with a host's thousand guests failing, the log still shows what
/// else happens, and libvirt's users cannot fill it.
const LINES_MAX: u32 = 60;

/// The time in which lines are counted.
const WINDOW: Duration = Duration::from_secs(60);

/// Counts the lines of the current minute, and those that were left out.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    since: Option<Instant>,
    written: u32,
    left_out: u64,
}

impl Lines {
    /// Whether one more may be written. One that may not is counted.
    pub(crate) fn may_write(&mut self, now: Instant) -> bool {
        if self.since.is_none_or(|since| now >= since + WINDOW) && self.left_out == 0 {
            (self.since, self.written) = (Some(now), 0);
        }
        let may = self.written < LINES_MAX;
        match may {
            true => self.written = self.written.saturating_add(1),
            false => self.left_out = self.left_out.saturating_add(1),
        }
        may
    }

    /// When [`Self::left_out`] has something to say; `None` if nothing was left out.
    pub(crate) fn due(&self) -> Option<Instant> {
        self.since.filter(|_| self.left_out > 0).map(|since| since + WINDOW)
    }

    /// How many lines were left out, said once when their minute is over.
    pub(crate) fn left_out(&mut self, now: Instant) -> Option<u64> {
        self.due().filter(|due| *due <= now)?;
        (self.since, self.written) = (Some(now), 1);
        Some(std::mem::take(&mut self.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minute_has_sixty_lines_and_the_rest_is_counted_and_said_once() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        let written = |lines: &mut Lines, now| (0..100).filter(|_| lines.may_write(now)).count();
        assert_eq!(written(&mut lines, start), 60);
        assert_eq!((lines.due(), lines.left_out(start)), (Some(start + WINDOW), None));
        let later = start + WINDOW;
        assert_eq!(lines.left_out(later), Some(40));
        assert_eq!((lines.due(), lines.left_out(later)), (None, None));
        assert_eq!(written(&mut lines, later), 59, "that was a line too");
        assert_eq!(written(&mut lines, later + WINDOW), 0, "it is said first");
        assert_eq!(lines.left_out(later + WINDOW), Some(141));
    }

    #[test]
    fn few_lines_are_all_written() {
        let (mut lines, start) = (Lines::default(), Instant::now());
        for minute in 0..10 {
            assert!(lines.may_write(start + minute * WINDOW));
        }
        assert_eq!(lines.due(), None);
    }
}
