//! What is wrong with a file of definitions, and where.

use std::fmt;
use std::path::{Path, PathBuf};

/// One reason why the statistics of a file, or of the whole directory, are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The file or directory.
    pub path: PathBuf,
    /// The line, from 1, if the problem is in one line.
    pub line: Option<usize>,
    /// What is wrong, and how to mend it.
    pub message: String,
}

impl Problem {
    pub(crate) fn of(path: &Path, message: impl Into<String>) -> Self {
        Self { path: path.into(), line: None, message: message.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}", self.path.display())?;
        if let Some(line) = self.line {
            write!(out, ":{line}")?;
        }
        write!(out, ": {}", self.message)
    }
}
