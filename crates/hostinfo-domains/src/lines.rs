//! Splits bytes from the helper into lines.

use crate::limits::LINE_MAX;

/// What has arrived of the next lines: at most [`LINE_MAX`] bytes plus what was last added.
#[derive(Debug, Default)]
pub(crate) struct Lines {
    held: Vec<u8>,
    taken: usize,
}

/// A line over [`LINE_MAX`] bytes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct TooLong;

impl Lines {
    /// Adds what has arrived.
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.held.drain(..self.taken);
        self.taken = 0;
        self.held.extend_from_slice(bytes);
    }

    /// The next whole line, without its end.
    ///
    /// # Errors
    /// [`TooLong`].
    pub(crate) fn next(&mut self) -> Result<Option<&[u8]>, TooLong> {
        let rest = self.held.get(self.taken..).unwrap_or_default();
        match memchr::memchr(b'\n', rest) {
            Some(end) if end < LINE_MAX => {
                self.taken += end + 1;
                Ok(rest.get(..end))
            }
            None if rest.len() < LINE_MAX => Ok(None),
            _ => Err(TooLong),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_come_out_whole_however_they_came_in() {
        let mut lines = Lines::default();
        let mut found = Vec::new();
        for chunk in [&b"ab"[..], b"c\n\nd", b"e", b"\n"] {
            lines.add(chunk);
            while let Some(line) = lines.next().unwrap() {
                found.push(line.to_vec());
            }
        }
        assert_eq!(found, [b"abc".to_vec(), b"".to_vec(), b"de".to_vec()]);
    }

    #[test]
    fn a_line_without_end_is_an_error_and_not_held_on_to() {
        let mut lines = Lines::default();
        lines.add(&vec![b'x'; LINE_MAX - 1]);
        assert_eq!(lines.next(), Ok(None));
        lines.add(b"x");
        assert_eq!(lines.next(), Err(TooLong));
    }
}
