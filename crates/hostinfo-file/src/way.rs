//! Follows a path one step at a time, so that no symbolic link is passed unseen that somebody puts there meanwhile.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd};
use std::os::unix::ffi::OsStringExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

/// As many symbolic links as Linux follows: path_resolution(7).
pub const LINKS_MAX: usize = 40;

/// Directories and links on the way, at most. Without this, each link could lead through the 2,000 directories that fit into
/// its text. So many permit that all links lead through five directories each, and the path itself through 16.
pub const STEPS_MAX: usize = LINKS_MAX * (1 + 5) + 16;

/// The way has more than [`STEPS_MAX`].
#[must_use]
pub fn is_too_long() -> io::Error {
    io::Error::other(format!(
        "it leads through more than {STEPS_MAX} directories and symbolic links: choose a shorter path"
    ))
}

/// Nothing is opened but looked at, and a link is not followed.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// A symbolic link on the way.
pub struct Link<'w> {
    directory: &'w File,
    itself: &'w File,
}

impl Link<'_> {
    /// The directory that it is in.
    ///
    /// # Errors
    /// Those of statx(2).
    pub fn directory(&self) -> io::Result<Metadata> {
        self.directory.metadata()
    }

    /// The link, not what it leads to.
    ///
    /// # Errors
    /// Those of statx(2).
    pub fn metadata(&self) -> io::Result<Metadata> {
        self.itself.metadata()
    }

    /// Where it is, for messages.
    #[must_use]
    pub fn path(&self) -> PathBuf {
        fs::read_link(format!("/proc/self/fd/{}", self.itself.as_raw_fd())).unwrap_or_default()
    }
}

/// The link itself, to look at.
impl AsFd for Link<'_> {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.itself.as_fd()
    }
}

/// What is at the end of an absolute path, to look at but not to read. Each link is followed if `check` permits it. Of links
/// such as `/proc/self/cwd` the text is followed: the kernel would pass the directories above, which this thread may have no
/// right to.
///
/// # Errors
/// Nothing is there, or a link is not permitted.
pub fn follow(path: &Path, mut check: impl FnMut(&Link<'_>) -> io::Result<()>) -> io::Result<File> {
    let steps = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|step| step.as_os_str().to_owned()).collect()
    };
    let mut here = File::from(openat(CWD, "/", LOOK, Mode::empty())?);
    let (mut rest, mut links, mut passed) = (steps(path), 0, 0);
    while let Some(step) = rest.pop() {
        passed += 1;
        if passed > STEPS_MAX {
            return Err(is_too_long());
        }
        // O_DIRECTORY mounts what is mounted on demand, which O_PATH alone does not: open(2).
        let found = match openat(&here, &step, LOOK | OFlags::DIRECTORY, Mode::empty()) {
            Err(Errno::NOTDIR) => File::from(openat(&here, &step, LOOK, Mode::empty())?),
            directory => {
                here = directory?.into();
                continue;
            }
        };
        if !found.metadata()?.is_symlink() {
            here = found;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP.into());
        }
        check(&Link { directory: &here, itself: &found })?;
        let target = OsString::from_vec(readlinkat(&found, "", Vec::new())?.into_bytes());
        rest.extend(steps(Path::new(&target)));
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::os::unix::fs::{MetadataExt as _, symlink};

    #[test]
    fn each_link_is_shown_with_its_directory_before_it_is_followed_and_so_is_one_at_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let root = fs::canonicalize(folder.path()).unwrap();
        let at = |name: &str| root.join(name);
        fs::create_dir_all(at("a/b")).unwrap();
        fs::write(at("a/file"), "").unwrap();
        symlink("../a/./b", at("a/up")).unwrap();
        symlink(at("a/up/../up"), at("absolute")).unwrap();
        symlink("a/file", at("last")).unwrap();
        let seen = RefCell::new(Vec::new());
        let note = |link: &Link<'_>| {
            let directory = fs::metadata(link.path().parent().unwrap()).unwrap();
            assert_eq!(link.directory().unwrap().ino(), directory.ino());
            assert!(link.metadata().unwrap().is_symlink());
            seen.borrow_mut().push(link.path());
            Ok(())
        };
        for (path, end, links) in [
            ("a/b", "a/b", &[][..]),
            ("a/b/../file", "a/file", &[]),
            ("absolute/", "a/b", &["absolute", "a/up", "a/up"]),
            ("last", "a/file", &["last"]),
        ] {
            let found = follow(&at(path), note).unwrap().metadata().unwrap();
            assert_eq!(found.ino(), fs::metadata(at(end)).unwrap().ino(), "{path}");
            assert_eq!(seen.take(), links.iter().map(|link| at(link)).collect::<Vec<_>>());
        }
        let refused = follow(&at("absolute"), |_| Err(io::Error::other("no"))).unwrap_err();
        assert_eq!(refused.to_string(), "no");
    }

    #[test]
    fn a_circle_of_links_a_missing_name_and_one_below_a_file_lead_nowhere() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        symlink("circle", at("circle")).unwrap();
        fs::write(at("file"), "").unwrap();
        for (path, error) in
            [("circle", Errno::LOOP), ("none/x", Errno::NOENT), ("file/x", Errno::NOTDIR)]
        {
            let found = follow(&at(path), |_| Ok(())).unwrap_err();
            assert_eq!(Errno::from_io_error(&found), Some(error), "{path}");
        }
    }

    #[test]
    fn a_way_through_too_many_directories_is_refused_without_going_to_its_end() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("d/".repeat(STEPS_MAX));
        fs::create_dir_all(&deep).unwrap();
        symlink(&deep, folder.path().join("link")).unwrap();
        for path in [deep, folder.path().join("link")] {
            let why = follow(&path, |_| Ok(())).unwrap_err().to_string();
            assert_eq!(why, is_too_long().to_string());
        }
    }
}
