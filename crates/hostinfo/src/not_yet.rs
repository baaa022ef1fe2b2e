//! What a broker says before it has an answer of the host's, and how its clients read that.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::INTERVAL_MAX;
use hostinfo_wire::text::printable;

use crate::reply::Line;
use crate::units;

/// Why a broker has nothing to answer from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum NotYet {
    /// The host may not be asked for that time.
    TooSoon(Duration),
    /// The host was asked, and has not answered.
    Silent,
    /// The host has answered, but does not any more: the broker's words for that.
    Gone(String),
}

const TOO_SOON: &str = "too soon to ask the host: first answer in ";
const SILENT: &str = "the host has not answered";
const GONE: &str = "the host last answered ";

/// The most characters of a cause, which take 400 bytes. A request of `LINE_MAX` has up to 512 names, each refused in a
/// line of its own: 512 x (400 + some 60 of the other words) is less than `REPLY_MAX`.
const CAUSE_MAX: usize = 100;

impl fmt::Display for NotYet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSoon(wait) => write!(out, "{TOO_SOON}{} s", whole_seconds(*wait)),
            Self::Silent => out.write_str(SILENT),
            Self::Gone(told) => out.write_str(told),
        }
    }
}

/// In whole seconds, and not a moment too early.
pub(crate) fn whole_seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000).max(1)
}

impl NotYet {
    /// The host answered so long ago, and not since, for that `cause` if there is one.
    pub(crate) fn gone(ago: Duration, cause: &str) -> Self {
        let ago = units::duration(Duration::from_secs(ago.as_secs()));
        let cause: String = printable(Cow::from(cause)).chars().take(CAUSE_MAX).collect();
        let then = if cause.is_empty() { String::new() } else { format!("; then: {cause}") };
        Self::Gone(format!("{GONE}{ago} ago{then}"))
    }

    /// What a reply says, if every line of it says that.
    pub(crate) fn of(lines: &[Line]) -> Option<Self> {
        let mut told = lines.iter().map(Self::of_line);
        let first = told.next()??;
        told.all(|other| other.as_ref() == Some(&first)).then_some(first)
    }

    /// `503 loadavg.1: too soon to ask the host: first answer in 34 s`
    fn of_line(line: &Line) -> Option<Self> {
        let (_, why) = line.text.split_once(": ").filter(|_| line.code == Code::Unavailable)?;
        if why == SILENT {
            return Some(Self::Silent);
        }
        if why.starts_with(GONE) {
            return Some(Self::Gone(why.to_owned()));
        }
        let seconds = why.strip_prefix(TOO_SOON)?.strip_suffix(" s")?.parse().ok()?;
        Some(Self::TooSoon(Duration::from_secs(seconds).min(INTERVAL_MAX)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Option<NotYet> {
        let line = |text: &&str| Line { code: Code::Unavailable, text: (*text).to_owned() };
        NotYet::of(&texts.iter().map(line).collect::<Vec<_>>())
    }

    #[test]
    fn a_cause_has_a_bound_and_is_one_line() {
        let told = NotYet::gone(Duration::ZERO, &"x\n\u{1b}".repeat(1000)).to_string();
        assert!(told.len() < 300 && !told.contains(char::is_control), "{told}");
    }

    #[test]
    fn what_a_broker_says_is_read_as_it_was_meant() {
        let gone = NotYet::gone(Duration::from_millis(14_900), "the port vanished");
        assert_eq!(gone.to_string(), "the host last answered 14 s ago; then: the port vanished");
        let asked_again = NotYet::gone(Duration::from_secs(61), "");
        assert_eq!(asked_again.to_string(), "the host last answered 1 min 1 s ago");
        for told in [NotYet::TooSoon(Duration::from_secs(34)), NotYet::Silent, gone, asked_again] {
            let line = format!("loadavg.1: {told}");
            assert_eq!(of(&[&line, &line]), Some(told.clone()));
            assert_eq!(of(&[&line, "swap.free: this host has no swap"]), None);
        }
        let told = NotYet::TooSoon(Duration::from_millis(33_100)).to_string();
        assert_eq!(told, "too soon to ask the host: first answer in 34 s");
        for other in [
            "a: ask again in 5 s",
            "a: too soon to ask the host: first answer in -1 s",
            "a: too soon to ask the host: first answer in 99999999999999999999 s",
            "a",
        ] {
            assert_eq!(of(&[other]), None, "{other}");
        }
        assert_eq!(of(&[]), None);
    }
}
