//! Notices as a file of the state directory, so that they outlive the daemon.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use hostinfo_notices::{Damaged, Notices, limits};

use crate::file_error::FileError;

/// The file in the state directory.
const FILE: &str = "notices.json";

/// What a file that was not understood is called from then on.
const DAMAGED_FILE: &str = "notices.json.damaged";

/// The notices that hold, and the file that keeps them.
pub(crate) struct NoticesFile {
    #[allow(dead_code)]
    path: PathBuf,
    notices: Notices,
}

/// Why there are no notices in a file.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error("{0}")]
    File(#[from] io::Error),
    #[error("{0}")]
    Damaged(#[from] Damaged),
}

impl NoticesFile {
    /// Reads the file. One that cannot be read is set aside, and the log says so: guests are served
    /// without notices rather than not at all.
    pub(crate) fn open(state: &Path) -> Self {
        let path = state.join(FILE);
        let notices = read(&path).unwrap_or_else(|why| {
            let aside = state.join(DAMAGED_FILE);
            match fs::rename(&path, &aside) {
                Ok(()) => tracing::error!(
                    "{}: {why}: there are no notices now; the file is {} now, set them anew",
                    path.display(),
                    aside.display()
                ),
                Err(error) => tracing::error!(
                    "{}: {why}: there are no notices now; {}",
                    path.display(),
                    FileError::of(&aside)(error)
                ),
            }
            Notices::default()
        });
        Self { path, notices }
    }

    /// Those that hold.
    pub(crate) fn notices(&self) -> &Notices {
        &self.notices
    }

    // Until the control socket asks for it.
    #[allow(dead_code)]
    /// Changes them, here and in the file.
    ///
    /// # Errors
    /// That of `change`, or that the file cannot be written. Nothing is changed then.
    pub(crate) fn change<T, E: From<FileError>>(
        &mut self,
        change: impl FnOnce(&mut Notices) -> Result<T, E>,
    ) -> Result<T, E> {
        let mut notices = self.notices.clone();
        let changed = change(&mut notices)?;
        if notices != self.notices {
            write(&self.path, &notices.to_bytes()).map_err(FileError::of(&self.path))?;
            self.notices = notices;
        }
        Ok(changed)
    }
}

fn read(path: &Path) -> Result<Notices, Unread> {
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Notices::default()),
        other => other?,
    };
    let mut bytes = Vec::new();
    file.take(limits::FILE_MAX as u64 + 1).read_to_end(&mut bytes)?;
    Ok(Notices::parse(&bytes)?)
}

#[allow(dead_code)]
/// Written aside and moved into place, so that whenever the power fails the file is the old one
/// or the new one.
fn write(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file =
        OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&aside)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&aside, path)?;
    path.parent().map_or(Ok(()), |state| File::open(state)?.sync_all())
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_notices::{Draft, Kind};
    use jiff::Timestamp;

    fn set(file: &mut NoticesFile, text: &str) -> anyhow::Result<u64> {
        file.change(|notices| {
            let now = Timestamp::UNIX_EPOCH;
            let (pattern, text) = ("*".to_owned(), text.to_owned());
            let draft = Draft { pattern, kind: Kind::Info, at: now, until: None, text };
            Ok(notices.set(draft, now)?.id)
        })
    }

    #[test]
    fn notices_outlive_the_daemon() {
        let state = tempfile::tempdir().unwrap();
        let mut file = NoticesFile::open(state.path());
        assert_eq!(file.notices(), &Notices::default());
        assert_eq!(set(&mut file, "x").unwrap(), 1);
        assert_eq!(NoticesFile::open(state.path()).notices(), file.notices());
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 1, "nothing is left aside");
    }

    #[test]
    fn what_cannot_be_kept_is_not_set() {
        let state = tempfile::tempdir().unwrap();
        let mut file = NoticesFile::open(&state.path().join("gone"));
        let error = set(&mut file, "x").unwrap_err().to_string();
        assert!(error.contains("notices.json"), "{error}");
        assert_eq!(file.notices(), &Notices::default());
        let mut file = NoticesFile::open(state.path());
        assert!(set(&mut file, "a\nb").is_err());
        assert_eq!(fs::read_dir(state.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_damaged_file_is_set_aside_and_nothing_of_it_is_lost() {
        let state = tempfile::tempdir().unwrap();
        let path = state.path().join(FILE);
        let long = vec![b' '; limits::FILE_MAX + 1];
        for damaged in [&b"{\"next\":"[..], b"", b"\xff\0", &long] {
            fs::write(&path, damaged).unwrap();
            let mut file = NoticesFile::open(state.path());
            assert_eq!(file.notices(), &Notices::default());
            assert!(!path.exists());
            assert_eq!(fs::read(state.path().join(DAMAGED_FILE)).unwrap(), damaged);
            assert!(set(&mut file, "x").is_ok());
        }
    }
}
