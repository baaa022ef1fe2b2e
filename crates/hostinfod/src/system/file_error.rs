//! What went wrong with a file, and how to mend it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

/// How long to wait before what failed for a [passing](FileError::is_passing) reason is tried again.
pub(crate) const TRY_AGAIN: Duration = Duration::from_secs(1);

/// An error of the system about one file or directory.
#[derive(Debug)]
pub(crate) struct FileError {
    path: PathBuf,
    error: io::Error,
    is_of_confinement: bool,
}

impl std::error::Error for FileError {}

impl FileError {
    /// For `map_err`.
    pub(crate) fn of<E: Into<io::Error>>(path: &Path) -> impl Fn(E) -> Self {
        let path = path.to_owned();
        move |error| Self { path: path.clone(), error: error.into(), is_of_confinement: false }
    }

    /// The same of what could not be written in one of the daemon's own directories. Looks there at once why: elsewhere, others
    /// could keep it from that.
    pub(crate) fn of_writing<E: Into<io::Error>>(path: &Path) -> impl Fn(E) -> Self {
        let path = path.to_owned();
        move |error| {
            let error = error.into();
            let is_of_confinement = is_of_confinement(&path, &error);
            Self { path: path.clone(), error, is_of_confinement }
        }
    }

    /// Whether the error [is passing](hostinfo_file::is_passing): then the file is to be tried again after [`TRY_AGAIN`].
    pub(crate) fn is_passing(&self) -> bool {
        hostinfo_file::is_passing(&self.error)
    }
}

/// Whether it was denied although permissions allow to write there. access(2) tells of these, and Landlock does not bound it.
fn is_of_confinement(path: &Path, error: &io::Error) -> bool {
    let last = path.ancestors().find_map(|path| Some((path, path.metadata().ok()?)));
    let Some((last, metadata)) = last else { return false };
    let search = if metadata.is_dir() { Access::EXEC_OK } else { Access::empty() };
    Errno::from_io_error(error) == Some(Errno::ACCESS)
        && accessat(CWD, last, Access::WRITE_OK | search, AtFlags::EACCESS).is_ok()
}

impl fmt::Display for FileError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = hostinfo_file::in_words(&self.error);
        write!(out, "{}: ", self.path.display())?;
        match self.error.kind() {
            io::ErrorKind::UnexpectedEof => out.write_str("is cut short: remove it"),
            io::ErrorKind::PermissionDenied if self.is_of_confinement => write!(
                out,
                "{text}, although its permissions let hostinfod write there. It is refused by hostinfod's confinement, \
                 which knows the directories that were there at its start, or by a policy: systemctl restart hostinfo"
            ),
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
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_file_is_named_and_the_number_of_the_error_is_not() {
        let error = FileError::of(Path::new("/tmp"))(Errno::ACCESS);
        assert_eq!(
            error.to_string(),
            "/tmp: Permission denied: give access to the user that hostinfod runs as"
        );
    }

    #[test]
    fn what_is_refused_although_its_permissions_allow_it_wants_a_restart_and_nothing_else_does() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let wants_restart = |path: &Path, errno: Errno| {
            let said = FileError::of_writing(path)(errno).to_string();
            said.ends_with(": systemctl restart hostinfo")
        };
        for path in [folder.path(), &file, &folder.path().join("new"), &folder.path().join("a/b")] {
            assert!(wants_restart(path, Errno::ACCESS), "{}", path.display());
            assert!(!wants_restart(path, Errno::PERM), "{}", path.display());
        }
        let readable = std::fs::Permissions::from_mode(0o555);
        std::fs::set_permissions(folder.path(), readable).unwrap();
        std::thread::scope(|scope| {
            scope.spawn(|| {
                nix::unistd::setfsuid(65_534.into());
                assert!(!wants_restart(&folder.path().join("new"), Errno::ACCESS));
            });
        });
    }

    #[test]
    fn only_a_lack_that_may_be_over_in_a_moment_is_passing() {
        let is_passing = |errno: Errno| FileError::of::<Errno>(Path::new("/a"))(errno).is_passing();
        assert!([Errno::MFILE, Errno::NFILE, Errno::NOMEM].into_iter().all(is_passing));
        assert!(![Errno::NOENT, Errno::ACCESS, Errno::IO, Errno::LOOP].into_iter().any(is_passing));
    }
}
