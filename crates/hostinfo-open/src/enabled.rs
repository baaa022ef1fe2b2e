//! `guests` in a section of the settings: which guests may ask over sockets outside the socket directory.

use hostinfo_rules::{BadPattern, Pattern};
use serde::Deserialize;

/// Guests that the administrator has enabled, by patterns of their whole names; nobody by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Enabled(Vec<Pattern>);

impl Enabled {
    /// Whether the guest with that whole name is enabled.
    pub fn has(&self, guest: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(guest))
    }

    /// Whether no guest can be enabled.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl TryFrom<Vec<String>> for Enabled {
    type Error = BadPattern;

    fn try_from(written: Vec<String>) -> Result<Self, BadPattern> {
        Ok(Self(written.iter().map(|pattern| pattern.parse()).collect::<Result<_, _>>()?))
    }
}
