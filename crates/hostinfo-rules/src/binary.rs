//! Detects a file that is not text: it gets a single error, rather than a thousand errors for its
//! lines.

use crate::lex::Line;
use crate::problem::{Problem, Severity, Text};

/// The error for a file that contains a NUL, which text never does: programs, archives, and text in
/// UTF-16, where every other byte of a line end is a NUL. Any other byte that is not UTF-8 is an
/// error of its own line, since it may be the only one.
pub(crate) fn not_text(file: &[u8]) -> Option<Problem> {
    let nul = file.iter().position(|byte| *byte == 0)?;
    let (before, behind) = file.split_at_checked(nul)?;
    let number = before.iter().filter(|byte| **byte == b'\n').count() + 1;
    let before = before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
    let behind = behind.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let before = String::from_utf8_lossy(before);
    let line = format!("{before}{}", String::from_utf8_lossy(behind));
    let is_utf16 = file.starts_with(b"\xFF\xFE") || file.starts_with(b"\xFE\xFF");
    let text = if is_utf16 {
        Text::new("this file is UTF-16", "expected UTF-8: save it as UTF-8 text")
    } else {
        Text::new("this file is not text", "expected UTF-8 text, in which there is no NUL byte")
    };
    Some(Problem::new(Severity::Error, Line { number, text: &line }, before.len(), text))
}
