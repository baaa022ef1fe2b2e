//! Replies: codes, their texts, and reply lines.

use std::fmt;
use std::io::Write as _;
use std::time::Duration;

use crate::limits::REPLY_MAX;

/// The result of a request, or of one name in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Code {
    /// Done.
    Done = 200,
    /// Malformed request.
    NotARequest = 400,
    /// Not permitted to this guest.
    NotPermitted = 403,
    /// No such statistic.
    NoSuchStatistic = 404,
    /// Sooner than the guest's interval allows.
    TooSoon = 429,
    /// Permitted, but not available now or on this host.
    Unavailable = 503,
}

impl Code {
    /// Every code.
    pub const ALL: [Self; 6] = [
        Self::Done,
        Self::NotARequest,
        Self::NotPermitted,
        Self::NoSuchStatistic,
        Self::TooSoon,
        Self::Unavailable,
    ];

    /// The code of that number.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u16 == number)
    }

    /// As it appears at the beginning of a line.
    fn digits(self) -> &'static str {
        match self {
            Self::Done => "200",
            Self::NotARequest => "400",
            Self::NotPermitted => "403",
            Self::NoSuchStatistic => "404",
            Self::TooSoon => "429",
            Self::Unavailable => "503",
        }
    }

    /// Whether a request line that got only such codes is nonsense: see the protocol's quiet rule.
    pub fn is_nonsense(self) -> bool {
        matches!(self, Self::NotARequest | Self::NoSuchStatistic)
    }
}

const CODE_DIGITS: usize = 3;

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.digits())
    }
}

/// Why a name got no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// 403.
    NotPermitted,
    /// 404.
    NoSuchStatistic,
    /// 503, with the reason.
    Unavailable(std::borrow::Cow<'static, str>),
}

impl Refusal {
    /// The code of the refused name's line.
    pub fn code(&self) -> Code {
        match self {
            Self::NotPermitted => Code::NotPermitted,
            Self::NoSuchStatistic => Code::NoSuchStatistic,
            Self::Unavailable(_) => Code::Unavailable,
        }
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotPermitted => out.write_str("not permitted"),
            Self::NoSuchStatistic => out.write_str("no such statistic"),
            Self::Unavailable(reason) => out.write_str(reason),
        }
    }
}

/// The only reply line for a guest whose rule says `enabled = 0`.
pub const BLOCKED: &str = "this guest may not ask";

/// The only reply line for a guest while its tags, which decide what it may see, cannot be read. It
/// is also the reason for a name whose value takes until then.
pub const ASK_AGAIN: &str = "ask again in 1 s";

/// The single line that replaces a reply over [`REPLY_MAX`].
pub const REPLY_TOO_LONG: &str = "reply too long, ask for a group";

/// The text after 429, rounded up to the millisecond, so that waiting this long is enough.
pub fn retry_after(wait: Duration) -> String {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    format!("{RETRY_AFTER}{}.{:03} s", millis / 1000, millis % 1000)
}

/// The wait in the text after a 429.
pub fn parse_retry_after(text: &str) -> Option<Duration> {
    let seconds = text.strip_prefix(RETRY_AFTER)?.strip_suffix(" s")?.parse().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

const RETRY_AFTER: &str = "retry after ";

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
        self.count(code);
        self.granted |= code == Code::Done;
        self.last = Some(code);
        self.last_line = self.bytes.len();
        self.bytes.extend_from_slice(code.digits().as_bytes());
        // Writing to a vector does not fail.
        let _ = writeln!(self.bytes, "-{text}");
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
        if self.bytes.len() > REPLY_MAX {
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

/// A line of a reply as its reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyLine<'a> {
    /// The line's own result.
    pub code: Code,
    /// No more lines follow.
    pub last: bool,
    /// The text after the code.
    pub text: &'a str,
}

impl<'a> ReplyLine<'a> {
    /// Parses a line without its line end. `None` if it is not a line of a reply: noise from
    /// something else, or half of an old answer.
    pub fn parse(line: &'a [u8]) -> Option<Self> {
        let line = std::str::from_utf8(line).ok()?;
        let line = line.strip_suffix('\r').unwrap_or(line);
        let (code, rest) = line.split_at_checked(CODE_DIGITS)?;
        let code = Code::from_number(code.parse().ok()?)?;
        let (last, text) = match rest.strip_prefix(' ') {
            Some(text) => (true, text),
            None => (false, rest.strip_prefix('-')?),
        };
        Some(Self { code, last, text })
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
    fn the_digits_of_a_code_are_its_number() {
        for code in Code::ALL {
            assert_eq!(code.digits(), (code as u16).to_string());
            assert_eq!(code.digits().len(), CODE_DIGITS);
        }
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
    fn what_is_not_permitted_is_counted_also_without_a_line_of_its_own() {
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

    #[test]
    fn a_wait_is_rounded_up_to_the_millisecond_and_read_back() {
        for (nanos, text) in [
            (0, "retry after 0.000 s"),
            (1, "retry after 0.001 s"),
            (59_999_000_001, "retry after 60.000 s"),
        ] {
            let wait = Duration::from_nanos(nanos);
            assert_eq!(retry_after(wait), text);
            assert!(parse_retry_after(text).unwrap() >= wait);
        }
        assert_eq!(parse_retry_after("retry after -1 s"), None);
        assert_eq!(parse_retry_after("come back later"), None);
    }

    #[test]
    fn a_reader_knows_a_reply_line_from_noise() {
        assert_eq!(
            ReplyLine::parse(b"200-a=b c\r"),
            Some(ReplyLine { code: Code::Done, last: false, text: "a=b c" })
        );
        assert!(ReplyLine::parse(b"503 x: none").unwrap().last);
        for noise in [&b"debian login:"[..], b"", b"20", b"299 x", b"200", b"200_x", b"\xFF200 x"] {
            assert_eq!(ReplyLine::parse(noise), None);
        }
    }
}
