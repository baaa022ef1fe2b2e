//! `[watch]` of the settings.

use serde::Deserialize;

/// The default. Each guest is read six times a minute, so a thousand cause a hundred reads a second.
const GUESTS: usize = 1000;

/// How many guests are watched while they do not ask.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Watch {
    /// Most guests that are watched, of those whose rules say `watch = 1`.
    pub(crate) guests: usize,
}

impl Default for Watch {
    fn default() -> Self {
        Self { guests: GUESTS }
    }
}
