//! What the helper and its libraries write to standard error: read a little at a time, as lines that can be logged.

use std::borrow::Cow;
use std::os::fd::{AsFd, BorrowedFd};

use hostinfo_peer::{PeerSocket, ReadError};
use hostinfo_wire::text::printable;
use rustix::io::Errno;

use crate::limits::{ERRORS_CHUNK, ERRORS_LINE_MAX};

/// The end of the socket that is read.
#[derive(Debug)]
pub(crate) struct Errors {
    socket: PeerSocket,
    line: ErrorLine,
}

impl Errors {
    pub(crate) fn new(socket: PeerSocket) -> Self {
        Self { socket, line: ErrorLine::default() }
    }

    /// Reads one chunk, and adds whole lines to `lines`.
    ///
    /// # Errors
    /// [`ReadError::Descriptors`] alone.
    pub(crate) fn read(&mut self, lines: &mut Vec<String>) -> Result<Found, ReadError> {
        let mut chunk = [0; ERRORS_CHUNK];
        match self.socket.read(&mut chunk) {
            Ok(length @ 1..) => {
                self.line.add(chunk.get(..length).unwrap_or_default(), lines);
                Ok(Found::Some)
            }
            Err(ReadError::System(Errno::AGAIN | Errno::INTR)) => Ok(Found::NothingYet),
            Ok(_) | Err(ReadError::System(_)) => Ok(Found::End),
            Err(error @ ReadError::Descriptors) => Err(error),
        }
    }

    /// Reads what was written last, also if its line has no end.
    pub(crate) fn read_last(&mut self, lines: &mut Vec<String>) {
        // Whatever it is, the helper is being ended.
        let _ = self.read(lines);
        self.line.end(lines);
    }
}

/// What there was to read.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Some,
    NothingYet,
    /// There will be no more. Whether the helper has ended shows at its socket.
    End,
}

impl AsFd for Errors {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// The beginning of a line.
#[derive(Debug, Default)]
struct ErrorLine(Vec<u8>);

impl ErrorLine {
    fn add(&mut self, bytes: &[u8], lines: &mut Vec<String>) {
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = ERRORS_LINE_MAX.saturating_sub(self.0.len());
            self.0.extend_from_slice(piece.get(..room).unwrap_or(piece));
            if piece.ends_with(b"\n") {
                self.end(lines);
            }
        }
    }

    /// Nothing in it can look like the end of a line, or like another one.
    fn end(&mut self, lines: &mut Vec<String>) {
        let text = String::from_utf8_lossy(&self.0);
        let text = printable(Cow::Borrowed(&*text));
        if !text.is_empty() {
            lines.push(text.into_owned());
        }
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_bounded_and_printable_however_they_came_in() {
        let (mut line, mut lines) = (ErrorLine::default(), Vec::new());
        for piece in [&b"one"[..], b" and more\n\n\ntwo\x1b[2K\rWARN forged\n\xff", b"\n"] {
            line.add(piece, &mut lines);
        }
        assert_eq!(lines, ["one and more", "two [2K WARN forged", "\u{fffd}"]);
        lines.clear();
        for _ in 0..1000 {
            line.add(&[b'x'; 1000], &mut lines);
        }
        assert_eq!((line.0.len(), lines.len()), (ERRORS_LINE_MAX, 0));
        line.add(b"y\nthe next", &mut lines);
        line.end(&mut lines);
        assert_eq!(lines, ["x".repeat(ERRORS_LINE_MAX), "the next".to_owned()]);
    }
}
