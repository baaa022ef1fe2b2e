//! A file of the state directory whose content outlives the daemon.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use crate::system::file_error::FileError;

/// Its path.
pub(crate) struct StateFile(PathBuf);

impl StateFile {
    /// Reads the file of that name, of at most `bound` bytes. `None` if there is none. A file that
    /// cannot be read is set aside, and the log says what that means: guests are served without it
    /// rather than not at all.
    pub(crate) fn open<T, E: Display>(
        state: &Path,
        name: &str,
        bound: usize,
        parse: impl FnOnce(&[u8]) -> Result<T, E>,
        loss: &str,
    ) -> (Self, Option<T>) {
        let path = state.join(name);
        let why = match hostinfo_file::read(&path, bound as u64) {
            Ok(None) => return (Self(path), None),
            Ok(Some(bytes)) => match parse(&bytes) {
                Ok(kept) => return (Self(path), Some(kept)),
                Err(why) => why.to_string(),
            },
            Err(error) => error.to_string(),
        };
        let aside = state.join(format!("{name}.damaged"));
        match fs::rename(&path, &aside) {
            Ok(()) => tracing::error!(
                "{}: {why}: {loss}; the file was renamed to {}",
                path.display(),
                aside.display()
            ),
            Err(error) => tracing::error!(
                "{}: {why}: {loss}; {}",
                path.display(),
                FileError::of(&aside)(error)
            ),
        }
        (Self(path), None)
    }

    /// Writes a temporary file and renames it, so that after a power failure the file is either the
    /// old or the new one.
    ///
    /// # Errors
    /// The directory does not exist or belongs to another user, or the disk is full.
    pub(crate) fn write(&self, bytes: &[u8]) -> Result<(), FileError> {
        write(&self.0, bytes).map_err(FileError::of_writing(&self.0))
    }
}

fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = hostinfo_file::make_aside(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    path.parent().map_or(Ok(()), |state| File::open(state)?.sync_all())
}
