//! What a host answered.

use hostinfo_wire::Code;

/// One line of a reply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Line {
    /// What became of it.
    pub(crate) code: Code,
    /// What stands behind the code; without control characters.
    pub(crate) text: String,
}

impl Line {
    /// The name that the line of a `get` is about: `loadavg.1=0.42`, `host.name: not permitted`.
    /// `None` where it is about none, as the single line of a guest that may not ask.
    pub(crate) fn subject(&self) -> Option<&str> {
        let end = if self.code == Code::Done { "=" } else { ": " };
        self.text.split_once(end).map(|(name, _)| name)
    }
}
