//! Verdicts from a host: a word, and a reason for people.

use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::INTERVAL_MAX;
use serde_json::Value;
use strum::{EnumString, IntoStaticStr};

use crate::reply::Line;

/// The subjects of verdicts, in the order in which they are shown.
pub(crate) const RESOURCES: [&str; 4] = ["cpu", "memory", "io", "net"];

/// Who is to blame, from the best state to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, EnumString, IntoStaticStr)]
#[strum(serialize_all = "kebab-case")]
pub(crate) enum State {
    /// Only the guest's own programs.
    Ok,
    /// It is not known, or the word is one that this program does not know.
    Unknown,
    /// The guest's own limits.
    SelfLimited,
    /// The host.
    Contended,
}

impl State {
    /// The state's word.
    pub(crate) fn word(self) -> &'static str {
        self.into()
    }
}

/// A host's verdict on one resource.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Verdict<'a> {
    pub(crate) state: State,
    /// One line for the guest's owner.
    pub(crate) reason: &'a str,
}

impl<'a> Verdict<'a> {
    /// `contended: your vCPUs waited 6% of the last 60 s for a host CPU`
    pub(crate) fn parse(value: &'a str) -> Self {
        let (word, reason) = value.split_once(": ").unwrap_or((value, ""));
        match word.parse() {
            Ok(state) => Self { state, reason },
            Err(_) => Self { state: State::Unknown, reason: value },
        }
    }

    /// How long until the host has a verdict, if it has only begun to work on it.
    pub(crate) fn again(&self) -> Option<Duration> {
        if self.state != State::Unknown {
            return None;
        }
        wait(self.reason)
    }

    /// Whether it is only known later, or never, so that it does not matter when it was told.
    pub(crate) fn is_of_no_time(&self) -> bool {
        self.state == State::Unknown && (self.again().is_some() || is_lasting(self.reason))
    }
}

/// Whether the reason of an `unknown` verdict is something that this host never measures. Hosts
/// begin only such reasons with these words.
pub(crate) fn is_lasting(reason: &str) -> bool {
    reason.starts_with("this host ")
}

/// `ask again in 5 s`
fn wait(reason: &str) -> Option<Duration> {
    let seconds: u64 = reason.strip_prefix("ask again in ")?.strip_suffix(" s")?.parse().ok()?;
    Some(Duration::from_secs(seconds)).filter(|wait| *wait <= INTERVAL_MAX)
}

/// How long until the host can give everything in a reply to `get` or `json` that it is still
/// working on: verdicts, and its own values that take a while. `None` if there is nothing to wait
/// for.
pub(crate) fn again(lines: &[Line]) -> Option<Duration> {
    lines.iter().filter_map(of_line).max()
}

fn of_line(line: &Line) -> Option<Duration> {
    if line.code == Code::Unavailable {
        return wait(line.text.split_once(": ")?.1);
    }
    if let Ok(Value::Object(object)) = serde_json::from_str(&line.text) {
        let verdicts = object.iter().filter(|(name, _)| is_verdict(name));
        return verdicts.filter_map(|(_, value)| Verdict::parse(value.as_str()?).again()).max();
    }
    let (name, value) = line.text.split_once('=')?;
    is_verdict(name).then(|| Verdict::parse(value).again()).flatten()
}

/// Whether that is the name of a verdict in words.
fn is_verdict(name: &str) -> bool {
    name.strip_prefix("verdict.").is_some_and(|resource| !resource.contains('.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_verdict_is_a_word_and_a_reason() {
        for (value, state, reason) in [
            ("ok: your vCPUs ran", State::Ok, "your vCPUs ran"),
            ("contended: a: b", State::Contended, "a: b"),
            ("self-limited: x", State::SelfLimited, "x"),
            ("unknown: no PSI", State::Unknown, "no PSI"),
            ("ok", State::Ok, ""),
            ("throttled: by the sun", State::Unknown, "throttled: by the sun"),
        ] {
            assert_eq!(Verdict::parse(value), Verdict { state, reason });
        }
    }

    #[test]
    fn a_host_that_has_only_begun_to_look_says_when_it_can_tell() {
        let again = |value| Verdict::parse(value).again().map(|wait| wait.as_secs());
        assert_eq!(again("unknown: ask again in 5 s"), Some(5));
        for value in [
            "unknown: this host has no PSI",
            "ok: ask again in 5 s",
            "unknown: ask again in 5.5 s",
            "unknown: ask again in 99999999999 s",
            "unknown: ask again in s",
        ] {
            assert_eq!(again(value), None, "{value}");
        }
    }

    #[test]
    fn a_verdict_that_a_host_never_has_is_told_from_one_that_is_unknown_now() {
        // All reasons that hosts give, each below its cause.
        let told = include_str!("../../hostinfo-verdict/fixtures/sentences.txt");
        let mut lasting = 0;
        for told in told.split("\n\n").skip(1) {
            let verdict = Verdict::parse(told.lines().last().unwrap());
            let is_known_never = told.starts_with("never known: ");
            assert_eq!(is_lasting(verdict.reason), is_known_never, "{told}");
            lasting += usize::from(is_known_never);
        }
        assert_eq!(lasting, 6);
        assert!(!is_lasting("ask again in 5 s"));
    }

    #[test]
    fn the_wait_is_for_the_last_of_several_verdicts() {
        let reply = |texts: &[&str]| -> Vec<Line> {
            texts.iter().map(|text| Line { code: Code::Done, text: (*text).to_owned() }).collect()
        };
        let seconds = |texts: &[&str]| again(&reply(texts)).map(|wait| wait.as_secs());
        let (five, seven) = ("unknown: ask again in 5 s", "unknown: ask again in 7 s");
        let lines = [format!("verdict.cpu={five}"), format!("verdict.io={seven}")];
        assert_eq!(seconds(&[&lines[0], &lines[1]]), Some(7));
        assert_eq!(seconds(&[&format!("{{\"verdict.cpu\":\"{five}\",\"x\":1}}")]), Some(5));
        for other in [format!("label.a={five}"), format!("verdict.incident.1={five}")] {
            assert_eq!(seconds(&[&other, "verdict.cpu.state=unknown"]), None, "{other}");
        }
    }

    #[test]
    fn a_value_that_is_not_there_yet_is_waited_for_too() {
        let refused = |text: &str| [Line { code: Code::Unavailable, text: text.to_owned() }];
        assert_eq!(again(&refused("cpu.busy: ask again in 1 s")), Some(Duration::from_secs(1)));
        assert_eq!(again(&refused("swap.free: this host has no swap")), None);
    }

    proptest! {
        #[test]
        fn any_text_is_a_verdict(text in "\\PC{0,40}|unknown: ask again in [0-9]{0,30} s") {
            let _ = Verdict::parse(&text).again();
        }
    }
}
