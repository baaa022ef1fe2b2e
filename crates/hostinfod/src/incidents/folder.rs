//! The folder of incidents in the state directory.
//!
//! A file is replaced by writing a temporary file and renaming it, so that it is the old or the new
//! one if the daemon is killed. It is not synced to the disk. After a power failure it may be the
//! old one, or damaged, and is then set aside.

use std::fs::{self, DirEntry};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use hostinfo_verdict::{DAMAGED, Damaged, FILE_MAX, FOLDER, Incidents, UNFINISHED};

use crate::system::file_error::FileError;

/// How long a file is kept that could not be parsed.
const DAMAGED_KEPT: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// Most files that are read: as many as libvirt has domains. Reading them takes half a second.
const FILES_MAX: usize = hostinfo_domains::limits::DOMAINS_MAX;

/// The folder.
pub(super) struct Folder {
    state: PathBuf,
}

/// Why a file has no incidents.
#[derive(Debug, thiserror::Error)]
enum Unread {
    #[error(transparent)]
    File(#[from] hostinfo_file::Error),
    #[error(transparent)]
    Damaged(#[from] Damaged),
}

impl Folder {
    /// The folder of a state directory.
    pub(super) fn in_state(state: &Path) -> Self {
        Self { state: state.to_owned() }
    }

    /// The names of all files. Files that were set aside long ago are deleted.
    pub(super) fn files(&self) -> impl Iterator<Item = String> + use<> {
        let entries = fs::read_dir(self.state.join(FOLDER)).into_iter().flatten().flatten();
        entries.take(FILES_MAX).filter_map(|entry| {
            let file = entry.file_name().into_string().ok()?;
            if file.strip_suffix(DAMAGED).is_some_and(|damaged| damaged.ends_with('.')) {
                if is_old(&entry) {
                    let _ = fs::remove_file(entry.path());
                }
                return None;
            }
            entry.file_type().is_ok_and(|kind| kind.is_file()).then_some(file)
        })
    }

    /// The guest's name and the incidents in a file. `None` if the file is gone, or cannot be read;
    /// it is then set aside, and the log says so.
    pub(super) fn read(&self, file: &str) -> Option<(String, Incidents)> {
        let path = self.path(file);
        let why = match read(&path) {
            Ok(read) => return Some(read),
            Err(why) => why,
        };
        let aside = self.path(&format!("{file}.{DAMAGED}"));
        match fs::rename(&path, &aside) {
            Ok(()) => tracing::error!(
                "{}: {why}: the incidents of this guest are lost; the file was renamed to {}",
                path.display(),
                aside.display()
            ),
            Err(error) => {
                tracing::error!("{}: {why}; {}", path.display(), FileError::of(&aside)(error));
            }
        }
        None
    }

    /// Writes a file.
    ///
    /// # Errors
    /// The directory does not exist or belongs to another user, or the disk is full.
    pub(super) fn write(&self, file: &str, bytes: &[u8]) -> Result<(), FileError> {
        let path = self.path(file);
        write(&self.state, &path, bytes).map_err(FileError::of_writing(&path))
    }

    /// Deletes a file if it exists.
    pub(super) fn delete(&self, file: &str) {
        let path = self.path(file);
        match fs::remove_file(&path) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                tracing::error!("cannot delete incidents: {}", FileError::of(&path)(error));
            }
            _ => {}
        }
    }

    fn path(&self, file: &str) -> PathBuf {
        self.state.join(FOLDER).join(file)
    }
}

fn read(path: &Path) -> Result<(String, Incidents), Unread> {
    let bytes = hostinfo_file::read(path, FILE_MAX as u64)?;
    Ok(bytes.map(|bytes| Incidents::parse(&bytes)).transpose()?.unwrap_or_default())
}

fn write(state: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    hostinfo_file::make_directory(&state.join(FOLDER), 0o700)?;
    // In the same folder: to move a file into another takes a lock of the whole file system, which whoever may write anywhere
    // on it can hold.
    let aside = path.with_file_name(UNFINISHED);
    let mut file = hostinfo_file::make_aside(&aside)?;
    file.write_all(bytes)?;
    fs::rename(&aside, path)
}

fn is_old(entry: &DirEntry) -> bool {
    let changed = entry.metadata().and_then(|metadata| metadata.modified());
    let age = changed.ok().and_then(|at| SystemTime::now().duration_since(at).ok());
    age.is_some_and(|age| age > DAMAGED_KEPT)
}
