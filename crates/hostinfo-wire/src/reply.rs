//! Replies: their codes and words, and a line as its reader sees it.

mod builder;

use std::fmt;
use std::time::Duration;

use crate::limits::INTERVAL_MAX;

pub use builder::Reply;

/// The result of a request, or of one name in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(u16)]
pub enum Code {
    /// The request was carried out, or the name has a value.
    Done = 200,
    /// The line is not a request.
    NotARequest = 400,
    /// The guest's rule does not permit it.
    NotPermitted = 403,
    /// No statistic or group has that name.
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

    /// The code with that number; `None` if there is none.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|code| *code as u16 == number)
    }

    /// Whether a request line that got only such codes is nonsense: see "Silence after nonsense" in
    /// `docs/protocol.md`.
    pub fn is_nonsense(self) -> bool {
        matches!(self, Self::NotARequest | Self::NoSuchStatistic)
    }
}

const CODE_DIGITS: usize = 3;

impl fmt::Display for Code {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        (*self as u16).fmt(out)
    }
}

/// Why a name got no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Refusal {
    /// [`Code::NotPermitted`].
    NotPermitted,
    /// [`Code::NoSuchStatistic`].
    NoSuchStatistic,
    /// [`Code::Unavailable`], with the reason.
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
/// is also the reason for a name whose value will be there by then.
pub const ASK_AGAIN: &str = "ask again in 1 s";

/// The single line that replaces a reply over [`REPLY_MAX`](crate::limits::REPLY_MAX).
pub const REPLY_TOO_LONG: &str = "reply too long, ask for a group";

/// The text after 429, rounded up to the millisecond, so that waiting this long is enough.
pub fn retry_after(wait: Duration) -> String {
    let millis = wait.as_nanos().div_ceil(1_000_000);
    format!("{RETRY_AFTER}{}.{:03} s", millis / 1000, millis % 1000)
}

/// The wait in the text after a 429, as [`retry_after`] writes it; `None` for any other text. No host has a longer one
/// than [`INTERVAL_MAX`], and whatever else answers might say any.
pub fn parse_retry_after(text: &str) -> Option<Duration> {
    let seconds = text.strip_prefix(RETRY_AFTER)?.strip_suffix(" s")?.parse().ok()?;
    Some(Duration::try_from_secs_f64(seconds).ok()?.min(INTERVAL_MAX))
}

const RETRY_AFTER: &str = "retry after ";

/// A line of a reply as its reader sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyLine<'a> {
    /// The line's own result.
    pub code: Code,
    /// Whether it ends the reply.
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
    fn a_code_has_three_digits() {
        for code in Code::ALL {
            assert_eq!(code.to_string().len(), CODE_DIGITS);
        }
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
        let endless = parse_retry_after("retry after 10000000000000000000.000 s");
        assert_eq!(endless, Some(INTERVAL_MAX), "no host has a longer one");
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
