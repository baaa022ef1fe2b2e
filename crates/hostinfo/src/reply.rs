//! The host's answer.

use hostinfo_wire::Code;

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
