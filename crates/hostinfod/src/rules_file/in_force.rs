//! The content of a rules file, used completely or not at all.

use std::path::{Path, PathBuf};
use std::time::SystemTime;

use hostinfo_rules::{FILE_MAX, Problem, Rules};

use crate::system::file_error::FileError;

/// Rules, and where they come from.
pub(crate) struct InForce {
    /// The rules.
    pub(crate) rules: Rules,
    /// Since when they have been in force.
    pub(crate) since: SystemTime,
    /// The text they were parsed from, of at most [`FILE_MAX`]. `None` for the built-in default.
    pub(crate) text: Option<String>,
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
        Self { rules: Rules::builtin(), since: SystemTime::now(), text: None }
    }

    /// Reads the file: its rules, and warnings about them; `None` if it does not exist.
    ///
    /// # Errors
    /// The file cannot be read, or has errors.
    pub(super) fn read(path: &Path) -> Result<Option<(Self, Vec<Problem>)>, Error> {
        let text = hostinfo_file::read(path, FILE_MAX);
        let text = text.map_err(FileError::of(path)).map_err(Error::Unreadable)?;
        text.map(|text| Self::parse(&text, path)).transpose()
    }

    /// What the `text` of the file at `path` says: its rules, and warnings about them.
    ///
    /// # Errors
    /// It has errors.
    pub(super) fn parse(text: &[u8], path: &Path) -> Result<(Self, Vec<Problem>), Error> {
        let parsed = hostinfo_rules::parse(text)
            .map_err(|problems| Error::Malformed { path: path.to_owned(), problems })?;
        // What is not UTF-8 has errors.
        let text = Some(String::from_utf8_lossy(text).into_owned());
        let rules = Self { rules: parsed.rules, since: SystemTime::now(), text };
        Ok((rules, parsed.warnings))
    }
}

fn show(problems: &[Problem], path: &Path) -> String {
    let shown: Vec<String> =
        problems.iter().map(|problem| problem.show(path).to_string()).collect();
    shown.join("\n")
}
