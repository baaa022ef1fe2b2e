//! The host's state, as set by the administrator.

use std::fmt;

use hostinfo_wire::text::printable;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::limits::{REMARK_MAX, STATE_FILE_MAX};

/// The host's state as guests read it, in `host.state`.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize, Serialize,
)]
#[serde(rename_all = "lowercase")]
pub enum HostState {
    /// Everything is as it should be. This is also the state if nobody has set one.
    #[default]
    Normal,
    /// Its guests are being moved away or shut down.
    Draining,
    /// Something is broken, and the host continues with less.
    Degraded,
}

impl HostState {
    /// Every state.
    pub const ALL: [Self; 3] = [Self::Normal, Self::Draining, Self::Degraded];

    /// The state's word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Normal => "normal",
            Self::Draining => "draining",
            Self::Degraded => "degraded",
        }
    }
}

impl fmt::Display for HostState {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// The last state that the administrator set, and when.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Declared {
    /// What guests read.
    pub state: HostState,
    /// Why, for the administrators of the host alone: one line.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remark: Option<String>,
    /// When it was set.
    pub since: Timestamp,
}

/// Why a remark is invalid.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadRemark {
    /// It is not a single line.
    #[error("the text has to be one line, without control characters or blanks around it")]
    Text,
    /// It is over [`REMARK_MAX`].
    #[error("the text has {0} bytes, over the limit of {REMARK_MAX}")]
    Long(usize),
}

/// Why a file does not contain a state.
#[derive(Debug, thiserror::Error)]
pub enum DamagedState {
    /// It is over [`STATE_FILE_MAX`].
    #[error("has over {STATE_FILE_MAX} bytes")]
    Long,
    /// It is not JSON of that form.
    #[error("{0}")]
    Malformed(#[from] serde_json::Error),
    /// Its remark is invalid.
    #[error("{0}")]
    Remark(#[from] BadRemark),
}

impl Declared {
    /// A state that an administrator sets at `since`.
    ///
    /// # Errors
    /// [`BadRemark`].
    pub fn new(
        state: HostState,
        remark: Option<String>,
        since: Timestamp,
    ) -> Result<Self, BadRemark> {
        if let Some(remark) = &remark {
            if remark.is_empty() || printable((&**remark).into()) != *remark {
                return Err(BadRemark::Text);
            }
            if remark.len() > REMARK_MAX {
                return Err(BadRemark::Long(remark.len()));
            }
        }
        Ok(Self { state, remark, since })
    }

    /// Parses what [`Declared::to_bytes`] has written.
    ///
    /// # Errors
    /// [`DamagedState`].
    pub fn parse(bytes: &[u8]) -> Result<Self, DamagedState> {
        if bytes.len() > STATE_FILE_MAX {
            return Err(DamagedState::Long);
        }
        let Self { state, remark, since } = serde_json::from_slice(bytes)?;
        Ok(Self::new(state, remark, since)?)
    }

    /// The contents of its file, at most [`STATE_FILE_MAX`] bytes: JSON that a person can read.
    pub fn to_bytes(&self) -> Vec<u8> {
        // None of it can fail to serialize.
        let mut bytes = serde_json::to_vec_pretty(self).unwrap_or_default();
        bytes.push(b'\n');
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn declared(state: HostState, remark: Option<&str>) -> Result<Declared, BadRemark> {
        Declared::new(state, remark.map(str::to_owned), Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn the_word_is_the_same_everywhere() {
        for state in HostState::ALL {
            assert_eq!(serde_json::to_value(state).unwrap(), state.word());
        }
        assert_eq!(HostState::default().to_string(), "normal");
    }

    #[test]
    fn a_declared_state_is_read_as_it_was_written() {
        for remark in [None, Some("a fan has failed: rack 7, Übergabe an \"B\"")] {
            for state in HostState::ALL {
                let declared = declared(state, remark).unwrap();
                assert_eq!(Declared::parse(&declared.to_bytes()).unwrap(), declared);
            }
        }
    }

    #[test]
    fn a_remark_is_one_line_of_at_most_400_bytes() {
        for remark in ["", " x", "a\nb", "\u{1b}[31m"] {
            assert_eq!(declared(HostState::Normal, Some(remark)), Err(BadRemark::Text));
        }
        assert!(declared(HostState::Normal, Some(&"x".repeat(REMARK_MAX))).is_ok());
        let long = declared(HostState::Normal, Some(&"x".repeat(REMARK_MAX + 1)));
        assert_eq!(long, Err(BadRemark::Long(REMARK_MAX + 1)));
    }

    #[test]
    fn the_longest_remark_fits_into_the_file() {
        // A character that JSON escapes and that a line may contain takes two bytes.
        let longest = declared(HostState::Degraded, Some(&"\\".repeat(REMARK_MAX))).unwrap();
        assert!(longest.to_bytes().len() <= STATE_FILE_MAX);
    }

    #[test]
    fn a_damaged_file_is_an_error_and_declares_nothing() {
        let mut long = declared(HostState::Normal, None).unwrap().to_bytes();
        long.resize(STATE_FILE_MAX, b' ');
        assert!(Declared::parse(&long).is_ok());
        long.push(b' ');
        for damaged in [&b""[..], b"{", b"\"draining\"", b"{\"state\":\"down\"}", b"\xff", &long] {
            assert!(Declared::parse(damaged).is_err());
        }
        let remark = br#"{"state":"normal","remark":"a\nb","since":"2026-11-22T22:00:00Z"}"#;
        assert!(matches!(Declared::parse(remark), Err(DamagedState::Remark(_))));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>) {
            let _ = Declared::parse(&bytes);
        }
    }
}
