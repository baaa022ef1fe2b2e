//! What `record` writes and `report` reads: lines of text, so that a recording can be appended to, can be read
//! by anybody, and survives if the program is killed at any byte of it.
//!
//! ```text
//! #hostinfo-recording 1
//! #columns waited throttled ...
//! g 1795852941 "web1" (9f0c3a52-...) .
//! h 1795852941 df1a367e, kvm .
//! v 1795852941 cpu contended your vCPUs waited 34% of the last 60 s for a host CPU .
//! s 1795852941 coo- 340 0 ... .
//! i 1795852951 cpu contended from 2026-11-28T10:02Z to now: 34% waited .
//! ```
//!
//! The time follows the letter, in seconds since 1970. Each line ends with a dot of its own: a line without one
//! was cut off, and is ignored. Columns are identified by name, so that a recording from a newer version can be
//! read.

mod sample;

pub(crate) use sample::{Field, Heard, Sample};

use crate::verdict::State;

/// The first line of every recording: its prefix, and the number of the format.
pub(crate) const HEAD: &str = "#hostinfo-recording 1\n";
const HEAD_PREFIX: &str = "#hostinfo-recording ";

/// The prefix of the line with the columns' names.
const COLUMNS: &str = "#columns ";

/// The most bytes of a text that are recorded. Reasons of verdicts have up to some 290.
const TEXT_MAX: usize = 300;

/// The longest line: one with a text, or a sample, whose numbers have at most ten digits.
pub(crate) const LINE_MAX: usize = 512;

/// The end of the year 9999: a later time means that the line is damaged.
const LATEST: i64 = 253_402_300_799;

/// A line of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Entry {
    Sample(Sample),
    /// A verdict and its reason; without a state, the reason why there is none.
    Verdict {
        time: i64,
        resource: String,
        state: Option<State>,
        reason: String,
    },
    /// The guest as its host knows it, from that time on.
    Guest {
        time: i64,
        guest: String,
    },
    /// The host from that time on.
    Host {
        time: i64,
        host: String,
    },
    /// An incident that the host reported.
    Incident {
        time: i64,
        incident: String,
    },
    /// Why the host does not answer.
    Silence {
        time: i64,
        why: String,
    },
}

impl Entry {
    /// The line for the recording, with its line end. Texts are single lines.
    pub(crate) fn line(&self) -> String {
        match self {
            Self::Sample(sample) => format!("s {sample} .\n"),
            Self::Verdict { time, resource, state, reason } => {
                let state = state.map_or("-", State::word);
                format!("v {time} {resource} {state} {} .\n", cut(reason))
            }
            Self::Guest { time, guest } => format!("g {time} {} .\n", cut(guest)),
            Self::Host { time, host } => format!("h {time} {} .\n", cut(host)),
            Self::Incident { time, incident } => format!("i {time} {} .\n", cut(incident)),
            Self::Silence { time, why } => format!("n {time} {} .\n", cut(why)),
        }
    }
}

/// The part of a text that is recorded.
fn cut(text: &str) -> &str {
    (0..=TEXT_MAX).rev().find_map(|end| text.get(..end)).unwrap_or_default()
}

/// The beginning of a recording, and of each part that another version may have appended.
pub(crate) fn head() -> String {
    format!("{HEAD}{COLUMNS}{}\n", Field::names().join(" "))
}

/// What a file is, by how it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Begin {
    /// A recording: its first line, or only a part of it, because it was cut off there.
    Recording,
    /// A recording in a format that this program does not know.
    Newer,
    /// Something else.
    Foreign,
}

impl Begin {
    pub(crate) fn of(begin: &[u8]) -> Self {
        let number = begin.strip_prefix(HEAD_PREFIX.as_bytes()).unwrap_or_default();
        let end = begin.strip_prefix(HEAD.trim_end().as_bytes());
        let is_whole = end.is_some_and(|end| end.starts_with(b"\n") || end.starts_with(b"\r"));
        if is_whole || HEAD.as_bytes().starts_with(begin) {
            Self::Recording
        } else if number.first().is_some_and(u8::is_ascii_digit) {
            Self::Newer
        } else {
            Self::Foreign
        }
    }
}

/// What to write at the end of a recording before anything is appended. `begin` is its first bytes, at least as
/// many as its first line has.
pub(crate) fn joint(begin: &[u8], ends_with_line: bool) -> String {
    match head().get(begin.len()..) {
        Some(rest) if begin.len() < HEAD.len() => rest.to_owned(),
        _ if ends_with_line => head(),
        _ => format!("\n{}", head()),
    }
}

/// Reads lines of a recording, one after the other.
#[derive(Debug, Default)]
pub(crate) struct Reader {
    /// Which field each column of the current part belongs to.
    columns: Vec<Option<Field>>,
    /// What the newest first line says; `None` before any.
    begin: Option<Begin>,
    /// The number of unintelligible lines.
    damaged: usize,
}

impl Reader {
    /// What the input is, as far as it was read.
    pub(crate) fn begin(&self) -> Begin {
        self.begin.unwrap_or(Begin::Recording)
    }

    /// The number of unintelligible lines so far.
    pub(crate) fn damaged(&self) -> usize {
        self.damaged
    }

    /// The entry in a line, if there is one. Without a line end, `line` is the last, and was cut off.
    pub(crate) fn read(&mut self, line: &str) -> Option<Entry> {
        // Later parts begin in the same way.
        if self.begin.is_none() || line.starts_with(HEAD_PREFIX) {
            let begin = Begin::of(line.as_bytes());
            if self.begin.is_none() || begin != Begin::Foreign {
                self.begin = Some(begin);
                return None;
            }
        }
        // Mail, and git on Windows, may have changed the line ends to CRLF.
        let line = line.strip_suffix('\n').unwrap_or(line);
        let line = line.strip_suffix('\r').unwrap_or(line);
        if let Some(names) = line.strip_prefix(COLUMNS) {
            self.columns = names.split(' ').take(LINE_MAX).map(Field::named).collect();
            return None;
        }
        // An empty line separates a line that was cut off from the next one.
        if line.is_empty() {
            return None;
        }
        let entry = line.strip_suffix(" .").and_then(|line| self.entry(line));
        self.damaged += usize::from(entry.is_none());
        entry
    }

    fn entry(&self, line: &str) -> Option<Entry> {
        let (kind, rest) = line.split_once(' ')?;
        let (time, rest) = rest.split_once(' ').unwrap_or((rest, ""));
        let time = time.parse().ok().filter(|time| (0..=LATEST).contains(time))?;
        match kind {
            "s" => Sample::read(time, rest, &self.columns).map(Entry::Sample),
            "v" => {
                let mut words = rest.splitn(3, ' ');
                let mut word = || words.next().unwrap_or_default();
                let (resource, state, reason) = (word().to_owned(), word(), word().to_owned());
                let state = match state {
                    "-" => None,
                    word => Some(word.parse().ok()?),
                };
                Some(Entry::Verdict { time, resource, state, reason })
            }
            "g" => Some(Entry::Guest { time, guest: rest.to_owned() }),
            "h" => Some(Entry::Host { time, host: rest.to_owned() }),
            "i" => Some(Entry::Incident { time, incident: rest.to_owned() }),
            "n" => Some(Entry::Silence { time, why: rest.to_owned() }),
            _ => None,
        }
    }
}

/// Whether two texts are about the same incident: while it lasts, the text after `to` changes.
pub(crate) fn is_same_incident(one: &str, other: &str) -> bool {
    let begin = |text: &str| text.split(" to ").next().map(str::to_owned);
    begin(one) == begin(other)
}

#[cfg(test)]
mod tests;
