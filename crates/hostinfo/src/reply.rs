//! The host's answer.

use std::time::Duration;

use hostinfo_wire::Code;
use hostinfo_wire::limits::INTERVAL_MAX;

/// One line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// Its result.
    pub(crate) code: Code,
    /// The text after the code, without control characters.
    pub(crate) text: String,
}

impl Line {
    /// The name that a line of a reply to `get` is about: `loadavg.1=0.42`, `host.name: not
    /// permitted`. `None` if it has none, like the single line for a guest that may not ask.
    pub(crate) fn subject(&self) -> Option<&str> {
        let end = if self.code == Code::Done { "=" } else { ": " };
        self.text.split_once(end).map(|(name, _)| name)
    }
}

/// The time that must pass between two queries of this guest, from the value of `interval`. No host has a longer one
/// than [`INTERVAL_MAX`], and whatever else answers might say any.
pub(crate) fn interval(value: &str) -> Option<Duration> {
    let interval = Duration::try_from_secs_f64(value.parse().ok()?).ok()?;
    Some(interval.min(INTERVAL_MAX))
}
