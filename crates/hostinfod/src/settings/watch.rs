//! `[watch]` of the settings.

use serde::Deserialize;

/// How many guests are watched while they do not ask: each has its figures read six times a minute,
/// so a thousand of them a hundred times a second.
const GUESTS: usize = 1000;

/// What is watched while nobody asks.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct Watch {
    /// Guests, of those whose rules say `watch = 1`, at the most.
    pub(crate) guests: usize,
}

impl Default for Watch {
    fn default() -> Self {
        Self { guests: GUESTS }
    }
}
