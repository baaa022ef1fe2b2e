//! Finds the file to replace at the end of a path. Root may replace one in another user's directory, and that user must
//! not be able to have it replace a file that only root may write.

use std::ffi::OsString;
use std::fs::{self, File, Metadata};
use std::io;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, Mode, OFlags, openat, readlinkat};
use rustix::io::Errno;

use crate::regular::{Error, check};
use crate::way::LINKS_MAX;

/// Files that only their owner and root can remove (S_ISVTX), and a directory that others than its owner can write to:
/// inode(7).
const STICKY: u32 = 0o1000;
const OTHERS_WRITE: u32 = 0o022;

/// The path behind symbolic links, where a shell would write to with `>`, and the regular file that is there, if any. What
/// is there is not opened, so neither a pipe is waited for nor a device started.
///
/// # Errors
/// Something else is there; a link belongs neither to root nor to `own`, the user who replaces it; or the file does not, and
/// is where anybody can put one, such as in /tmp (as with fs.protected_regular in proc_sys_fs(5)).
pub(crate) fn target(path: &Path, own: u32) -> io::Result<(PathBuf, Option<Metadata>)> {
    let mut path = path.to_owned();
    for _ in 0..=LINKS_MAX {
        let found =
            openat(CWD, &path, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty());
        let found = match found {
            Err(Errno::NOENT) => return Ok((path, None)),
            found => File::from(found?),
        };
        let metadata = found.metadata()?;
        let owner = metadata.uid();
        let is_trusted = [0, own].contains(&owner);
        if metadata.is_symlink() {
            if !is_trusted {
                return Err(io::Error::other(format!(
                    "it is a symbolic link of another user ({owner}): name the file that it leads to"
                )));
            }
            let target = readlinkat(&found, "", Vec::new())?;
            path = directory(&path).join(OsString::from_vec(target.into_bytes()));
            continue;
        }
        if let Err(Error::NotAFile(what)) = check(&metadata) {
            let why = format!("it is {what}, not a regular file: name another");
            return Err(io::Error::other(why));
        }
        if !is_trusted && anybody_puts_files_into(directory(&path))? {
            return Err(io::Error::other(format!(
                "it belongs to another user ({owner}), in a directory that anybody can write to: remove it, or name another"
            )));
        }
        return Ok((path, Some(metadata)));
    }
    Err(Errno::LOOP.into())
}

fn directory(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

fn anybody_puts_files_into(directory: &Path) -> io::Result<bool> {
    let mode = fs::metadata(Path::new(".").join(directory))?.mode();
    Ok(mode & STICKY != 0 && mode & OTHERS_WRITE != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::Permissions;
    use std::os::unix::fs::{PermissionsExt as _, lchown, symlink};

    use rustix::fs::mkfifoat;
    use rustix::process::geteuid;

    /// Whoever runs the test, or somebody else if that is root, whose files all users trust.
    const SOMEBODY: u32 = 4321;

    fn owned(path: &Path) -> u32 {
        if geteuid().is_root() {
            lchown(path, Some(SOMEBODY), None).unwrap();
        }
        fs::symlink_metadata(path).unwrap().uid()
    }

    #[test]
    fn a_link_is_followed_only_if_it_is_roots_or_ones_own() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        fs::write(&file, "x").unwrap();
        symlink("file", &link).unwrap();
        let owner = owned(&link);
        assert_eq!(target(&link, owner).unwrap().0, file);
        let why = target(&link, owner + 1).unwrap_err().to_string();
        assert!(why.starts_with("it is a symbolic link of another user"), "{why}");
        // Root's, behind links of others: /proc/mounts leads to self/mounts, and /proc/self to the process.
        assert!(target(Path::new("/proc/mounts"), owner + 1).is_ok());
    }

    #[test]
    fn a_file_of_another_user_is_replaced_but_not_where_anybody_could_have_put_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "x").unwrap();
        let owner = owned(&file);
        for (mode, is_refused) in
            [(0o755, false), (0o777, false), (0o1755, false), (0o1775, true), (0o1777, true)]
        {
            fs::set_permissions(folder.path(), Permissions::from_mode(mode)).unwrap();
            assert!(target(&file, owner).is_ok());
            let found = target(&file, owner + 1);
            assert_eq!(found.is_err(), is_refused, "{mode:o}");
            let Err(why) = found else { continue };
            assert!(why.to_string().contains("remove it, or name another"), "{why}");
        }
    }

    #[test]
    fn a_link_to_anything_but_a_file_is_an_error_that_names_it_and_opens_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        mkfifoat(CWD, at("pipe"), Mode::RWXU).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for (aim, what) in [
            ("pipe", "a pipe"),
            ("socket", "a socket"),
            ("/dev/full", "a device"),
            (".", "a directory"),
        ] {
            let link = at("link");
            let _ = fs::remove_file(&link);
            symlink(aim, &link).unwrap();
            let why = target(&link, geteuid().as_raw()).unwrap_err().to_string();
            assert_eq!(why, format!("it is {what}, not a regular file: name another"));
        }
    }
}
