//! What went wrong with a file, and how to mend it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// How long to wait before what failed for a [passing](FileError::is_passing) reason is tried again.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(1);

/// An error of the system about one file or directory.
#[derive(Debug)]
pub(crate) struct FileError {
    path: PathBuf,
    error: io::Error,
}

impl std::error::Error for FileError {}

impl FileError {
    /// For `map_err`.
    pub(crate) fn of<E: Into<io::Error>>(path: &Path) -> impl Fn(E) -> Self {
        let path = path.to_owned();
        move |error| Self { path: path.clone(), error: error.into() }
    }

    /// Whether the error [is passing](hostinfo_file::is_passing): then the file is to be tried again after [`TRY_AGAIN`].
    pub(crate) fn is_passing(&self) -> bool {
        hostinfo_file::is_passing(&self.error)
    }
}

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = hostinfo_file::in_words(&self.error);
        write!(out, "{}: ", self.path.display())?;
        match self.error.kind() {
            io::ErrorKind::UnexpectedEof => out.write_str("is cut short: remove it"),
            io::ErrorKind::PermissionDenied => {
                write!(out, "{text}: give access to the user that hostinfod runs as")
            }
            io::ErrorKind::StorageFull => write!(out, "{text}: make room on that file system"),
            _ => out.write_str(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::io::Errno;

    #[test]
    fn the_file_is_named_and_the_number_of_the_error_is_not() {
        let error = FileError::of::<io::Error>(Path::new("/a"))(io::Error::from_raw_os_error(13));
        assert_eq!(
            error.to_string(),
            "/a: Permission denied: give access to the user that hostinfod runs as"
        );
    }

    #[test]
    fn only_a_lack_that_may_be_over_in_a_moment_is_passing() {
        let is_passing = |errno: Errno| FileError::of::<Errno>(Path::new("/a"))(errno).is_passing();
        assert!([Errno::MFILE, Errno::NFILE, Errno::NOMEM].into_iter().all(is_passing));
        assert!(![Errno::NOENT, Errno::ACCESS, Errno::IO, Errno::LOOP].into_iter().any(is_passing));
    }
}
