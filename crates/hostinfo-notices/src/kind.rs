//! The kinds of notices.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

/// What a notice is about.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// Work on the host.
    Maintenance,
    /// The guest will be moved to another host.
    Migration,
    /// Anything else.
    #[default]
    Info,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Maintenance, Self::Migration, Self::Info];

    /// The kind's word, which begins the notice.
    pub fn word(self) -> &'static str {
        match self {
            Self::Maintenance => "maintenance",
            Self::Migration => "migration",
            Self::Info => "info",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// A word that is not a kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown kind {0:?}: expected maintenance, migration or info")]
pub struct NoSuchKind(String);

impl FromStr for Kind {
    type Err = NoSuchKind;

    fn from_str(word: &str) -> Result<Self, NoSuchKind> {
        let kind = Self::ALL.into_iter().find(|kind| kind.word() == word);
        kind.ok_or_else(|| NoSuchKind(word.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_word_is_the_same_everywhere() {
        for kind in Kind::ALL {
            assert_eq!(kind.word().parse(), Ok(kind));
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
        let error = "Info".parse::<Kind>().unwrap_err().to_string();
        assert!(Kind::ALL.iter().all(|kind| error.contains(kind.word())), "{error}");
    }
}
