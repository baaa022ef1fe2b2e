//! A reply while it is written.

use std::fmt;
use std::io::Write as _;

use super::{CODE_DIGITS, Code, REPLY_TOO_LONG, Refusal};
use crate::limits::REPLY_MAX;
use crate::value::Value;

/// A reply under construction: lines in one buffer, each as `CODE-TEXT` until [`Reply::end`] turns
/// the last one into `CODE TEXT`.
#[derive(Debug, Default)]
pub struct Reply {
    bytes: Vec<u8>,
    last_line: usize,
    /// Whether a line had a code other than 400 and 404.
    makes_sense: bool,
    /// Whether a line had the code 200.
    granted: bool,
    /// The number of 403 results.
    denied: u32,
    last: Option<Code>,
}

impl Clone for Reply {
    fn clone(&self) -> Self {
        let mut clone = Self::new();
        clone.clone_from(self);
        clone
    }

    /// Copies the lines into the existing buffer.
    fn clone_from(&mut self, source: &Self) {
        let Self { bytes, last_line, makes_sense, granted, denied, last } = source;
        self.bytes.clone_from(bytes);
        self.last_line = *last_line;
        self.makes_sense = *makes_sense;
        self.granted = *granted;
        self.denied = *denied;
        self.last = *last;
    }
}

impl Reply {
    /// An empty reply, whose buffer is reused.
    pub fn new() -> Self {
        Self::default()
    }

    /// Removes the lines but keeps the buffer.
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.last_line = 0;
        self.makes_sense = false;
        self.granted = false;
        self.denied = 0;
        self.last = None;
    }

    /// Adds one line. `text` must have no control characters: names, values and reasons are cleaned
    /// when they are received.
    pub fn line(&mut self, code: Code, text: impl fmt::Display) {
        self.begin(code);
        // Writing to a vector does not fail.
        let _ = writeln!(self.bytes, "{text}");
    }

    /// Adds the line for a name with a value.
    pub fn value(&mut self, name: &str, value: &Value<'_>) {
        self.begin(Code::Done);
        self.bytes.extend_from_slice(name.as_bytes());
        self.bytes.push(b'=');
        let _ = value.write_to(&mut Text(&mut self.bytes));
        self.bytes.push(b'\n');
    }

    fn begin(&mut self, code: Code) {
        self.count(code);
        self.granted |= code == Code::Done;
        self.last = Some(code);
        self.last_line = self.bytes.len();
        self.bytes.extend_from_slice(itoa::Buffer::new().format(code as u16).as_bytes());
        self.bytes.push(b'-');
    }

    /// Counts a result that has no line of its own.
    pub fn count(&mut self, code: Code) {
        self.makes_sense |= !code.is_nonsense();
        self.denied += u32::from(code == Code::NotPermitted);
    }

    /// Adds the line for a name without a value.
    pub fn refuse(&mut self, name: &str, refusal: &Refusal) {
        self.line(refusal.code(), format_args!("{name}: {refusal}"));
    }

    /// Adds bytes that are not lines of the protocol and have no codes.
    pub fn raw(&mut self, bytes: &[u8]) {
        self.makes_sense = true;
        self.granted = true;
        self.bytes.extend_from_slice(bytes);
        self.last_line = self.bytes.len();
    }

    /// How many bytes were added.
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether nothing was added.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Whether it is too long already: [`Reply::end`] keeps none of it, whatever is added.
    pub fn is_too_long(&self) -> bool {
        self.bytes.len() > REPLY_MAX
    }

    /// Whether every result is a 400 or a 404.
    pub fn is_nonsense(&self) -> bool {
        !self.makes_sense && !self.is_empty()
    }

    /// How many results are 403, as far as [`Reply::end`] kept them.
    pub fn denied(&self) -> u32 {
        self.denied
    }

    /// The result of the whole request: 200 if it got anything, otherwise the code of the last
    /// line. `None`: nothing was added.
    pub fn result(&self) -> Option<Code> {
        if self.granted { Some(Code::Done) } else { self.last }
    }

    /// The reply's bytes, with the last line marked as such. If it is longer than [`REPLY_MAX`], a
    /// single line that says so replaces it.
    pub fn end(&mut self) -> &[u8] {
        if self.is_too_long() {
            self.clear();
            self.line(Code::Unavailable, REPLY_TOO_LONG);
            self.bytes.shrink_to(REPLY_MAX);
        }
        if let Some(mark) = self.bytes.get_mut(self.last_line + CODE_DIGITS) {
            *mark = b' ';
        }
        &self.bytes
    }
}

/// Text is added to the bytes.
struct Text<'a>(&'a mut Vec<u8>);

impl fmt::Write for Text<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_last_line_has_a_blank_behind_its_code() {
        let mut reply = Reply::new();
        reply.line(Code::Done, "a=1");
        reply.refuse("b", &Refusal::NotPermitted);
        assert_eq!(reply.end(), b"200-a=1\n403 b: not permitted\n");
    }

    #[test]
    fn raw_bytes_are_left_as_they_are() {
        let mut reply = Reply::new();
        reply.raw(b"<metrics>\n</metrics>\n\n");
        assert_eq!(reply.end(), b"<metrics>\n</metrics>\n\n");
        assert!(!reply.is_nonsense());
    }

    #[test]
    fn a_reply_over_256_kib_becomes_one_line_that_says_so() {
        let mut reply = Reply::new();
        for _ in 0..=REPLY_MAX / 100 {
            reply.line(Code::Done, "x".repeat(95));
        }
        assert_eq!(reply.end(), b"503 reply too long, ask for a group\n");
        assert!(!reply.is_nonsense() && reply.result() == Some(Code::Unavailable));
    }

    #[test]
    fn a_name_that_is_not_permitted_is_counted_even_without_a_line_of_its_own() {
        let mut reply = Reply::new();
        reply.refuse("a", &Refusal::NotPermitted);
        reply.count(Code::NotPermitted);
        reply.count(Code::NoSuchStatistic);
        assert_eq!(reply.denied(), 2);
        reply.clear();
        assert_eq!(reply.denied(), 0);
    }

    #[test]
    fn a_clone_is_the_whole_reply_and_forgets_what_was_there_before() {
        let mut reply = Reply::new();
        reply.line(Code::Done, "a=1");
        reply.refuse("b", &Refusal::NotPermitted);
        let mut other = Reply::new();
        other.refuse("much longer than the other one", &Refusal::NoSuchStatistic);
        other.clone_from(&reply);
        assert_eq!((other.denied(), other.result()), (1, Some(Code::Done)));
        assert!(!other.is_nonsense() && other.len() == reply.len());
        assert_eq!(other.end(), reply.end());
    }

    #[test]
    fn a_line_is_nonsense_when_all_its_results_are_400_or_404() {
        let mut reply = Reply::new();
        assert!(!reply.is_nonsense());
        reply.refuse("a", &Refusal::NoSuchStatistic);
        assert!(reply.is_nonsense());
        reply.line(Code::NotARequest, "x");
        assert!(reply.is_nonsense());
        reply.refuse("b", &Refusal::NotPermitted);
        assert!(!reply.is_nonsense());
    }

    #[test]
    fn a_reply_as_a_whole_is_200_where_anything_is_and_else_as_its_last_line() {
        let mut reply = Reply::new();
        assert_eq!(reply.result(), None);
        reply.refuse("a", &Refusal::NotPermitted);
        reply.refuse("b", &Refusal::NoSuchStatistic);
        assert_eq!(reply.result(), Some(Code::NoSuchStatistic));
        reply.line(Code::Done, "c=1");
        reply.refuse("d", &Refusal::NotPermitted);
        assert_eq!(reply.result(), Some(Code::Done));
        reply.clear();
        reply.raw(b"<metrics/>");
        assert_eq!(reply.result(), Some(Code::Done));
    }
}
