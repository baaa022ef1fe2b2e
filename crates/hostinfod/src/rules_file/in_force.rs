//! The content of a rules file, used completely or not at all.

use std::hash::{DefaultHasher, Hasher as _};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hostinfo_control::limits::RULES_TEXT_MAX;
use hostinfo_rules::{FILE_MAX, Problem, Rules};

use crate::system::file_error::FileError;

/// Rules, and where they come from.
pub(crate) struct InForce {
    /// The rules.
    pub(crate) rules: Rules,
    /// Since when they have been in force.
    pub(crate) since: SystemTime,
    /// The text they were parsed from, unless it is longer than [`RULES_TEXT_MAX`].
    pub(crate) text: Option<String>,
    /// Recognizes the same text again, even if it is not kept. `None` for the built-in default.
    pub(super) digest: Option<u64>,
}

/// Why a file's rules are not in force.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It could not be read.
    #[error(transparent)]
    Unreadable(FileError),
    /// It has errors.
    #[error("{}", show(.problems, .path))]
    Malformed {
        /// The file.
        path: PathBuf,
        /// All of them.
        problems: Vec<Problem>,
    },
    /// The file is gone or has no rules, although rules were in force.
    #[error("{path}: {what}; to have no rules, write `*:`", path = .path.display())]
    Empty {
        /// The file.
        path: PathBuf,
        /// Which of the two.
        what: &'static str,
    },
}

impl InForce {
    /// The built-in default.
    pub(super) fn builtin() -> Self {
        Self { rules: Rules::builtin(), since: SystemTime::now(), text: None, digest: None }
    }

    /// Reads the file: its rules, and warnings about them; `None` if it does not exist.
    ///
    /// # Errors
    /// The file cannot be read, or has errors.
    pub(super) fn read(path: &Path) -> Result<Option<(Self, Vec<Problem>)>, Error> {
        let text = hostinfo_file::read(path, FILE_MAX);
        let text = text.map_err(FileError::of(path)).map_err(Error::Unreadable)?;
        let Some(text) = text else { return Ok(None) };
        let parsed = hostinfo_rules::parse(&text)
            .map_err(|problems| Error::Malformed { path: path.to_owned(), problems })?;
        let digest = Some(digest(&text));
        let text = Some(text).filter(|text| text.len() <= RULES_TEXT_MAX);
        let text = text.and_then(|text| String::from_utf8(text).ok());
        let rules = Self { rules: parsed.rules, since: SystemTime::now(), text, digest };
        Ok(Some((rules, parsed.warnings)))
    }
}

/// Need not be cryptographic: whoever writes the file gains nothing from a collision.
fn digest(text: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(text);
    hasher.finish()
}

fn show(problems: &[Problem], path: &Path) -> String {
    let shown: Vec<String> =
        problems.iter().map(|problem| problem.show(path).to_string()).collect();
    shown.join("\n")
}
