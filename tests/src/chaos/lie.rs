//! How a fake helper lies to the daemon.

use std::path::Path;
use std::{fs, io};

use anyhow::Result;

/// A lie, told in answer to each request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// A line that is no message.
    Garbage,
    /// It speaks another version, from its start on.
    OtherVersion,
    /// A line of 4 MiB.
    TooLong,
    /// A message now and then, and never the last one.
    WithoutEnd,
    /// The end of answers that nobody has asked for.
    UnaskedAnswers,
    /// All domains are gone.
    NobodyIsThere,
    /// The second domain has the first one's socket.
    TwoHaveOneSocket,
    /// Figures of a domain that does not exist.
    FiguresOfNobody,
}

impl Lie {
    const ALL: [Self; 8] = [
        Self::Garbage,
        Self::OtherVersion,
        Self::TooLong,
        Self::WithoutEnd,
        Self::UnaskedAnswers,
        Self::NobodyIsThere,
        Self::TwoHaveOneSocket,
        Self::FiguresOfNobody,
    ];

    /// The lie that the helper in that folder is to tell; `None` while it is to be honest.
    pub fn told_in(folder: &Path) -> Option<Self> {
        let word = fs::read_to_string(folder.join("lie")).ok()?;
        Self::ALL.into_iter().find(|lie| format!("{lie:?}") == word)
    }

    /// Has the helper in that folder tell a lie, or be honest.
    ///
    /// # Errors
    /// Its file cannot be written.
    pub fn tell(lie: Option<Self>, folder: &Path) -> Result<()> {
        let path = folder.join("lie");
        let Some(lie) = lie else {
            return match fs::remove_file(path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
                _ => Ok(()),
            };
        };
        // A helper that reads half a word would be honest for a moment.
        let new = folder.join("lie.new");
        fs::write(&new, format!("{lie:?}"))?;
        Ok(fs::rename(new, path)?)
    }
}
