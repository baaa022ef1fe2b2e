//! A request, and whether a reply can be the answer to it.
//!
//! Other programs may write to a serial port as well, and the host answers each of them: even
//! between two tokens, a reply is somebody else's if its names are.

use std::fmt;

use hostinfo_wire::Code;
use hostinfo_wire::name::is_name;
use hostinfo_wire::reply::{ASK_AGAIN, BLOCKED, REPLY_TOO_LONG, parse_retry_after};
use serde_json::Value;

use crate::reply::Line;

/// A request to the host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Question {
    verb: Verb,
    /// Statistics, groups or `*`: see [`is_name`].
    names: Vec<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, strum::IntoStaticStr)]
#[strum(serialize_all = "lowercase")]
enum Verb {
    Get,
    Json,
    List,
    Ping,
    Version,
}

impl Question {
    /// Statistics, one per line.
    pub(crate) fn get(names: &[impl AsRef<str>]) -> Self {
        Self::of(Verb::Get, names)
    }

    /// Statistics as one object.
    pub(crate) fn json(names: &[impl AsRef<str>]) -> Self {
        Self::of(Verb::Json, names)
    }

    /// Which of those may be asked for; without names, which of all.
    pub(crate) fn list(names: &[impl AsRef<str>]) -> Self {
        Self::of(Verb::List, names)
    }

    /// Everything that may be asked for.
    pub(crate) fn list_all() -> Self {
        Self { verb: Verb::List, names: Vec::new() }
    }

    /// Whether a host is there.
    pub(crate) fn ping() -> Self {
        Self { verb: Verb::Ping, names: Vec::new() }
    }

    /// Which protocol the host speaks.
    pub(crate) fn version() -> Self {
        Self { verb: Verb::Version, names: Vec::new() }
    }

    fn of(verb: Verb, names: &[impl AsRef<str>]) -> Self {
        Self { verb, names: names.iter().map(|name| name.as_ref().to_owned()).collect() }
    }

    /// Whether a reply is complete and fits the request. It may be a refusal.
    pub(crate) fn is_answered_by(&self, lines: &[Line]) -> bool {
        let Some((last, before)) = lines.split_last() else { return false };
        if before.is_empty() && self.is_refused_by(last) {
            return true;
        }
        match self.verb {
            Verb::Get => self.names_all(lines),
            Verb::Json => before.is_empty() && self.is_object(last),
            Verb::List => lines.iter().all(|line| self.is_listed(line)),
            Verb::Ping => before.is_empty() && last.code == Code::Done && last.text == "pong",
            Verb::Version => {
                before.is_empty() && last.code == Code::Done && last.text.starts_with("hostinfo/")
            }
        }
    }

    /// Whether that line, on its own, refuses the request as a whole.
    fn is_refused_by(&self, line: &Line) -> bool {
        let is_query = matches!(self.verb, Verb::Get | Verb::Json);
        match line.code {
            Code::TooSoon => is_query && parse_retry_after(&line.text).is_some(),
            Code::NotPermitted if self.verb == Verb::List => line.subject() == Some("list"),
            Code::NotPermitted => is_query && line.text == BLOCKED,
            Code::Unavailable => [ASK_AGAIN, REPLY_TOO_LONG].contains(&&*line.text),
            Code::Done | Code::NotARequest | Code::NoSuchStatistic => false,
        }
    }

    /// Whether each line is about a requested name, and each requested name has its line.
    fn names_all(&self, lines: &[Line]) -> bool {
        let subjects: Option<Vec<&str>> = lines.iter().map(Line::subject).collect();
        subjects.is_some_and(|subjects| self.asked_for_exactly(&subjects))
    }

    fn asked_for_exactly(&self, subjects: &[&str]) -> bool {
        subjects.iter().all(|subject| self.asked_for(subject))
            && self.names.iter().all(|name| subjects.iter().any(|subject| covers(name, subject)))
    }

    fn asked_for(&self, subject: &str) -> bool {
        self.names.iter().any(|name| covers(name, subject))
    }

    /// Whether that is the object of `json`, or the first refusal if there is nothing else.
    fn is_object(&self, line: &Line) -> bool {
        if line.code != Code::Done {
            return line.subject().is_some_and(|subject| self.asked_for(subject));
        }
        let Ok(Value::Object(object)) = serde_json::from_str(&line.text) else { return false };
        let errors = object.get("errors").and_then(Value::as_object);
        let refused = errors.into_iter().flat_map(|errors| errors.keys());
        let valued = object.keys().filter(|name| *name != "errors");
        let subjects: Vec<&str> = valued.chain(refused).map(String::as_str).collect();
        self.asked_for_exactly(&subjects)
    }

    /// Whether that is a line of `list`, or the refusal of a name to be listed.
    fn is_listed(&self, line: &Line) -> bool {
        let is_any = self.names.is_empty();
        if line.code != Code::Done {
            return line.subject().is_some_and(|subject| is_any || self.asked_for(subject));
        }
        let Some((row, _)) = line.text.split_once(' ') else { return false };
        is_name(row) && (is_any || self.names.iter().any(|name| lists(name, row)))
    }
}

impl fmt::Display for Question {
    /// In the form the host reads, without a line end.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.verb.into())?;
        self.names.iter().try_for_each(|name| write!(out, " {name}"))
    }
}

/// Whether an answer about `subject` may belong to a request for `name`: for itself, for its group,
/// or for everything.
pub(crate) fn covers(name: &str, subject: &str) -> bool {
    is_above(name, subject, str::eq_ignore_ascii_case)
}

/// The same for a row of `list`, in which a segment in capitals stands for any instance.
fn lists(name: &str, row: &str) -> bool {
    let is_placeholder = |word: &str| word.bytes().all(|byte| byte.is_ascii_uppercase());
    is_above(name, row, |word, segment| word.eq_ignore_ascii_case(segment) || is_placeholder(word))
}

fn is_above(name: &str, subject: &str, is_same: impl Fn(&str, &str) -> bool) -> bool {
    // A key of an object could have any character, even one that controls a terminal.
    if !is_name(subject.strip_suffix(".*").unwrap_or(subject)) {
        return name == "*" && subject == "*";
    }
    if name == "*" {
        return true;
    }
    let mut words = subject.split('.');
    for segment in name.strip_suffix(".*").unwrap_or(name).split('.') {
        match words.next() {
            // One or more segments.
            Some("NAME") if is_same("NAME", segment) => return true,
            Some(word) if is_same(word, segment) => {}
            _ => return false,
        }
    }
    true
}

#[cfg(test)]
mod tests;
