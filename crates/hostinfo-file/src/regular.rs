//! Files that a person writes, such as settings: read whole, within a bound, and never waited for.
//!
//! A pipe in the place of such a file would be waited for without end, a terminal or another device
//! may do anything when it is read, and a file of gigabytes would stay in memory. So each file is
//! opened without blocking, and only a regular one is read, up to the bound that its reader names.
//! What the kernel makes up in `/proc` and `/sys` is not read here.

use std::fs::{self, DirBuilder, File, Metadata, OpenOptions};
use std::io::{self, ErrorKind, Read as _};
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::OFlags;
use rustix::io::Errno;

/// Flags with which open(2) waits for nothing, and no terminal becomes the process's controlling terminal.
pub const FLAGS: OFlags = OFlags::NONBLOCK.union(OFlags::NOCTTY).union(OFlags::CLOEXEC);

/// The longest hostinfod.toml that is read: the documented one has 6 KiB, and 900 labels with the longest
/// texts take 1 MiB.
pub const SETTINGS_MAX: u64 = 1024 * 1024;

/// Why a file is not read.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The path leads to something that is not a regular file. Says what it is, such as `a pipe`.
    #[error("is {0}, not a regular file: put a regular file in its place")]
    NotAFile(&'static str),
    /// The file has more bytes than this, the bound that its reader gave.
    #[error("has over {0} bytes, more than any file of its kind needs")]
    TooLong(u64),
    /// A system call failed.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl From<Error> for io::Error {
    fn from(error: Error) -> Self {
        match error {
            Error::Failed(error) => error,
            other => Self::other(other),
        }
    }
}

/// The bytes of a file, at most `max`. `None` if there is no such file, or a symbolic link leads nowhere.
///
/// # Errors
/// [`Error`].
pub fn read(path: &Path, max: u64) -> Result<Option<Vec<u8>>, Error> {
    match open(path, OpenOptions::new().read(true)) {
        Err(Error::Failed(error)) if error.kind() == ErrorKind::NotFound => Ok(None),
        opened => read_from(&opened?, max).map(Some),
    }
}

/// Opens a regular file with `options` and, in addition, [`FLAGS`].
///
/// # Errors
/// [`Error`].
pub fn open(path: &Path, options: &mut OpenOptions) -> Result<File, Error> {
    let opened = options.custom_flags(FLAGS.bits().cast_signed()).open(path);
    let file = opened.map_err(|error| match Errno::from_io_error(&error) {
        // A pipe that nobody reads, a device that has no driver, and every socket.
        Some(Errno::NXIO) => Error::NotAFile("a pipe, a socket or a device"),
        Some(Errno::ISDIR) => Error::NotAFile(DIRECTORY),
        _ => error.into(),
    })?;
    check(&file.metadata()?)?;
    Ok(file)
}

/// Whether to try again soon: descriptors (EMFILE, ENFILE) or memory (ENOMEM) ran out, and nothing reports when there
/// are some again.
pub fn is_passing(error: &io::Error) -> bool {
    let errno = Errno::from_io_error(error);
    matches!(errno, Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM))
}

/// Creates an empty file, which only its owner may read, to be written and then renamed over another one. Whatever
/// is there is removed first: a file left by a killed process, or something that would block or be written through.
///
/// # Errors
/// Those of open(2).
pub fn make_aside(path: &Path) -> io::Result<File> {
    // If this fails, so does the next step, with a better error.
    let _ = fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

/// Creates a directory, unless something has its path.
///
/// # Errors
/// Those of mkdir(2).
pub fn make_directory(path: &Path, mode: u32) -> io::Result<()> {
    match DirBuilder::new().mode(mode).create(path) {
        Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
        made => made,
    }
}

/// The bytes of a file that was opened with [`FLAGS`], at most `max`.
///
/// # Errors
/// [`Error`].
pub fn read_from(file: &File, max: u64) -> Result<Vec<u8>, Error> {
    let metadata = file.metadata()?;
    check(&metadata)?;
    if metadata.len() > max {
        return Err(Error::TooLong(max));
    }
    let mut bytes = Vec::new();
    // It may grow while it is read.
    if file.take(max.saturating_add(1)).read_to_end(&mut bytes)? as u64 > max {
        return Err(Error::TooLong(max));
    }
    Ok(bytes)
}

const DIRECTORY: &str = "a directory";

/// Whether it is a regular file.
///
/// # Errors
/// [`Error::NotAFile`].
pub(crate) fn check(metadata: &Metadata) -> Result<(), Error> {
    Err(Error::NotAFile(match metadata.file_type() {
        what if what.is_file() => return Ok(()),
        what if what.is_dir() => DIRECTORY,
        what if what.is_fifo() => "a pipe",
        what if what.is_socket() => "a socket",
        _ => "a device",
    }))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, Mode, mkfifoat};

    const MAX: u64 = 8;

    fn refusal(path: &Path) -> String {
        read(path, MAX).unwrap_err().to_string()
    }

    #[test]
    fn a_file_is_read_whole_up_to_its_bound_and_none_is_no_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        assert_eq!(read(&path, MAX).unwrap(), None);
        symlink("nowhere", &path).unwrap();
        assert_eq!(read(&path, MAX).unwrap(), None);
        fs::remove_file(&path).unwrap();
        for text in ["", "x", "12345678"] {
            fs::write(&path, text).unwrap();
            assert_eq!(read(&path, MAX).unwrap().unwrap(), text.as_bytes());
        }
    }

    #[test]
    fn a_longer_one_is_refused_before_it_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        let file = File::create(&path).unwrap();
        // Far more than this machine's memory.
        file.set_len(1 << 43).unwrap();
        assert!(matches!(read(&path, MAX), Err(Error::TooLong(MAX))));
        file.set_len(MAX + 1).unwrap();
        assert!(refusal(&path).starts_with("has over 8 bytes"));
    }

    #[test]
    fn a_file_that_does_not_tell_its_length_is_bounded_all_the_same() {
        let told = fs::metadata("/proc/self/maps").unwrap().len();
        assert_eq!(told, 0);
        assert!(matches!(read(Path::new("/proc/self/maps"), MAX), Err(Error::TooLong(MAX))));
    }

    #[test]
    fn a_pipe_socket_or_device_is_named_as_such_and_not_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mkfifoat(CWD, at("pipe"), Mode::RUSR).unwrap();
        let _listener = UnixListener::bind(at("socket")).unwrap();
        symlink("/dev/zero", at("link")).unwrap();
        for (path, what) in [
            (at("pipe"), "is a pipe"),
            (at("socket"), "is a pipe, a socket or a device"),
            (at("link"), "is a device"),
            (folder.path().to_owned(), "is a directory"),
        ] {
            let said = refusal(&path);
            assert!(said.starts_with(what) && said.contains("put a regular file"), "{said}");
        }
    }

    #[test]
    fn only_a_regular_file_is_opened_for_writing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let append = |path: &Path| open(path, OpenOptions::new().append(true).create(true));
        append(&at("file")).unwrap();
        mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
        for path in [&at("pipe"), folder.path(), Path::new("/dev/null")] {
            assert!(matches!(append(path), Err(Error::NotAFile(_))), "{}", path.display());
        }
    }

    #[test]
    fn whatever_stands_in_the_way_of_a_file_aside_is_replaced_and_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("aim"), "x").unwrap();
        symlink("aim", at("link")).unwrap();
        mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
        fs::write(at("left"), "what a kill has left").unwrap();
        for name in ["link", "pipe", "left", "none"] {
            make_aside(&at(name)).unwrap().write_all(b"new").unwrap();
            assert_eq!(fs::read(at(name)).unwrap(), b"new", "{name}");
            let mode = fs::symlink_metadata(at(name)).unwrap().permissions().mode();
            assert_eq!(mode & 0o7777, 0o600);
        }
        assert_eq!(fs::read(at("aim")).unwrap(), b"x");
    }

    #[test]
    fn a_symbolic_link_is_followed_and_one_that_leads_to_itself_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "x").unwrap();
        symlink("file", at("link")).unwrap();
        symlink("loop", at("loop")).unwrap();
        assert_eq!(read(&at("link"), MAX).unwrap().unwrap(), b"x");
        let error = read(&at("loop"), MAX).unwrap_err();
        let Error::Failed(error) = error else { panic!("{error}") };
        assert_eq!(Errno::from_io_error(&error), Some(Errno::LOOP));
    }
}
