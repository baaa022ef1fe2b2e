//! Replaces a file as a whole: what a collector of metrics reads is never half of it.

use std::ffi::OsString;
#[cfg(unix)]
use std::fs::Permissions;
use std::fs::{self, File, Metadata};
use std::io::{self, ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// Replaces a file with one of that content, or makes it, so that a reader sees either the old or the new one and never a
/// part, also after a power failure. The new one has the owner and the mode of the old one, without setuid and setgid; a
/// symbolic link stays one, and what it leads to is replaced. The folder has to permit a second file beside it.
///
/// # Errors
/// `file` is not a regular file, belongs to somebody who could have it lead elsewhere (see `target`), or cannot be
/// written. It is left unchanged then.
pub fn replace(file: &Path, content: &[u8]) -> io::Result<()> {
    let (file, before) = target(file)?;
    let partial = beside(&file)?;
    // One that was left there, or that somebody else has put there, is not written to.
    let _ = fs::remove_file(&partial);
    let written = File::create_new(&partial).and_then(|mut file| {
        before.iter().try_for_each(|before| take_after(&file, before))?;
        file.write_all(content)?;
        file.sync_data()
    });
    let replaced = written.and_then(|()| fs::rename(&partial, &file));
    if replaced.is_err() {
        let _ = fs::remove_file(&partial);
    }
    replaced
}

#[cfg(unix)]
fn target(file: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    crate::target::target(file, rustix::process::geteuid().as_raw())
}

/// The file itself, and what is there: other systems have few links, and no files that must not be opened.
///
/// # Errors
/// What is there is not a file.
#[cfg(not(unix))]
fn target(file: &Path) -> io::Result<(PathBuf, Option<Metadata>)> {
    match fs::metadata(file) {
        Ok(before) if !before.is_file() => Err(io::Error::other("it is not a file: name another")),
        before => Ok((file.to_owned(), before.ok())),
    }
}

/// Gives a file the owner and the mode of the one whose place it takes. Only root may give files away: for others it
/// stays theirs. Content that somebody else wrote is not run as its owner.
///
/// # Errors
/// Those of fchmod(2).
#[cfg(unix)]
fn take_after(file: &File, before: &Metadata) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, fchown};
    let _ = fchown(file, Some(before.uid()), Some(before.gid()))
        .or_else(|_| fchown(file, None, Some(before.gid())));
    // After fchown(2), which takes some bits away.
    file.set_permissions(Permissions::from_mode(before.mode() & 0o777))
}

/// Nothing: a new file has the access rights of its folder, and a file that is read-only is not replaced.
///
/// # Errors
/// Never.
#[cfg(not(unix))]
fn take_after(_: &File, _: &Metadata) -> io::Result<()> {
    Ok(())
}

/// A name in the same folder that no collector of metrics reads, and no other process uses.
fn beside(file: &Path) -> io::Result<PathBuf> {
    let name = file.file_name().ok_or(ErrorKind::InvalidInput)?;
    let mut hidden = OsString::from(".");
    hidden.push(name);
    hidden.push(format!(".{}", std::process::id()));
    Ok(file.with_file_name(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    /// The names in a folder.
    fn names(folder: &Path) -> Vec<String> {
        let names = fs::read_dir(folder).unwrap();
        let mut names: Vec<_> =
            names.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn mode(file: &Path) -> u32 {
        fs::symlink_metadata(file).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_nothing_is_left_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.prom");
        let link = folder.path().join("before");
        replace(&file, b"a 1\n").unwrap();
        fs::hard_link(&file, &link).unwrap();
        replace(&file, b"b 2\n").unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"b 2\n");
        assert_eq!(fs::read(&link).unwrap(), b"a 1\n", "it was not written into");
        assert_eq!(names(folder.path()), ["before", "host.prom"]);
    }

    #[test]
    fn a_file_keeps_its_mode_and_a_link_to_it_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::write(path("file"), "before").unwrap();
        for (before, then) in [(0o600, 0o600), (0o664, 0o664), (0o4755, 0o755), (0o2755, 0o755)] {
            fs::set_permissions(path("file"), Permissions::from_mode(before)).unwrap();
            replace(&path("file"), b"then").unwrap();
            assert_eq!(mode(&path("file")), then, "{before:o}");
        }
        fs::create_dir(path("below")).unwrap();
        symlink("../file", path("below/link")).unwrap();
        symlink("below/link", path("link")).unwrap();
        symlink("new", path("leads-nowhere")).unwrap();
        for (link, target) in [("link", "file"), ("leads-nowhere", "new")] {
            replace(&path(link), b"through a link").unwrap();
            assert!(fs::symlink_metadata(path(link)).unwrap().is_symlink());
            assert_eq!(fs::read_to_string(path(target)).unwrap(), "through a link");
        }
        symlink("circle", path("circle")).unwrap();
        assert!(replace(&path("circle"), b"x").is_err());
        assert_eq!(names(folder.path()).len(), 6, "nothing is left beside them");
    }

    #[test]
    fn a_file_that_cannot_be_replaced_stays_as_it_was() {
        let folder = tempfile::tempdir().unwrap();
        let failed = |file: &Path| replace(file, b"x").unwrap_err().to_string();
        for (path, what) in [(Path::new("/dev/full"), "a device"), (folder.path(), "a directory")] {
            assert_eq!(failed(path), format!("it is {what}, not a regular file: name another"));
        }
        assert!(failed(&folder.path().join("none/host.prom")).contains("No such file"));
        assert!(names(folder.path()).is_empty());
    }

    #[test]
    fn a_link_where_the_temporary_file_goes_is_not_written_through() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("host.prom");
        fs::write(folder.path().join("aim"), "mine").unwrap();
        symlink("aim", beside(&file).unwrap()).unwrap();
        replace(&file, b"x").unwrap();
        assert_eq!(fs::read(folder.path().join("aim")).unwrap(), b"mine");
        assert_eq!(names(folder.path()), ["aim", "host.prom"]);
    }
}
