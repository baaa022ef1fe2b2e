//! `[security]` of the settings: how the daemon confines itself.

use serde::Deserialize;

/// Which parts of the kernel confine the daemon once it has opened what it needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Security {
    /// Landlock: where files are written and executed, and which network is reached.
    pub(crate) landlock: bool,
    /// seccomp: which system calls are possible.
    pub(crate) seccomp: bool,
}

impl Default for Security {
    fn default() -> Self {
        Self { landlock: true, seccomp: true }
    }
}
