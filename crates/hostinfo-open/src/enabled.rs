//! `guests` of a section of the settings: who may ask over a way that is not the socket directory.

use hostinfo_rules::{BadPattern, Pattern};
use serde::Deserialize;

/// Guests that the administrator has enabled, by patterns of their whole names; nobody by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Enabled(Vec<Pattern>);

impl Enabled {
    /// Whether a guest is among them.
    pub fn has(&self, guest: &str) -> bool {
        self.0.iter().any(|pattern| pattern.matches(guest))
    }

    /// Whether nobody can be.
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
