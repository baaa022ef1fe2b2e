//! What a broker says before it has an answer of the host's, and how its clients read that.

use std::fmt;
use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::INTERVAL_MAX;

use crate::reply::Line;

/// Why a broker has nothing to answer from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum NotYet {
    /// The host may not be asked for that time.
    TooSoon(Duration),
    /// The host was asked, and has not answered.
    Silent,
}

const TOO_SOON: &str = "too soon to ask the host: first answer in ";
const SILENT: &str = "the host has not answered";

impl fmt::Display for NotYet {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooSoon(wait) => write!(out, "{TOO_SOON}{} s", whole_seconds(*wait)),
            Self::Silent => out.write_str(SILENT),
        }
    }
}

/// In whole seconds, and not a moment too early.
pub(crate) fn whole_seconds(wait: Duration) -> u128 {
    wait.as_millis().div_ceil(1000).max(1)
}

impl NotYet {
    /// What a reply says, if every line of it says that.
    pub(crate) fn of(lines: &[Line]) -> Option<Self> {
        let mut told = lines.iter().map(Self::of_line);
        let first = told.next()??;
        told.all(|other| other == Some(first)).then_some(first)
    }

    /// `503 loadavg.1: too soon to ask the host: first answer in 34 s`
    fn of_line(line: &Line) -> Option<Self> {
        let (_, why) = line.text.split_once(": ").filter(|_| line.code == Code::Unavailable)?;
        if why == SILENT {
            return Some(Self::Silent);
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
    fn what_a_broker_says_is_read_as_it_was_meant() {
        for told in [NotYet::TooSoon(Duration::from_secs(34)), NotYet::Silent] {
            let line = format!("loadavg.1: {told}");
            assert_eq!(of(&[&line, &line]), Some(told));
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
