//! The way to a statistic's file. The daemon reads it with its own rights, so nobody who may make symbolic links on the
//! way must be able to show guests what only the daemon may read, such as another guest's incidents.

use std::fs::{self, File};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hostinfo_file::way;
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

/// Checks the way by which a file was opened, which is absolute. A link on it counts if it is root's or `own`, or if
/// whoever made it owns the file as well.
///
/// # Errors
/// There is another link, or the way leads elsewhere by now.
pub(crate) fn check(path: &Path, opened: &File, own: u32) -> io::Result<()> {
    if is_at(opened, path) {
        return Ok(());
    }
    let opened = opened.metadata()?;
    let is_trusted = |owner: u32| [0, own, opened.uid()].contains(&owner);
    let found = way::follow(path, |link| match link.metadata()?.uid() {
        owner if is_trusted(owner) => Ok(()),
        owner => Err(io::Error::other(format!(
            "user {owner} has made a symbolic link to it, and it is another's: name the file that it leads to, or have user \
             {owner} own it"
        ))),
    })?;
    let found = found.metadata()?;
    if (found.dev(), found.ino()) != (opened.dev(), opened.ino()) {
        return Err(io::Error::other("it has just been replaced"));
    }
    Ok(())
}

/// Checks that no link leads to a file of a process: the kernel reads some of these, such as its command line, only when the
/// process lets it, and the daemon would wait for that.
///
/// # Errors
/// One does, or the file system does not say what it is.
pub(crate) fn check_end(path: &Path, opened: &File) -> io::Result<()> {
    let is_named = path.starts_with("/proc") || is_at(opened, path);
    if is_named || fstatfs(opened)?.f_type != PROC_SUPER_MAGIC {
        return Ok(());
    }
    Err(io::Error::other("a symbolic link leads into /proc: name the file that is there"))
}

/// Whether a file was opened by that path, with no link on it.
fn is_at(opened: &File, path: &Path) -> bool {
    let place = fs::read_link(format!("/proc/self/fd/{}", opened.as_raw_fd()));
    place.is_ok_and(|place| place == path)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{chown, lchown, symlink};

    use rustix::process::geteuid;

    #[test]
    fn a_link_shows_only_what_belongs_to_whoever_made_it_unless_that_is_root_or_the_daemon() {
        assert!(geteuid().is_root(), "needs root");
        const DAEMON: u32 = 4321;
        const OTHER: u32 = 4322;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        for (name, owner) in [("secret", DAEMON), ("note", OTHER), ("folder/roots", 0)] {
            fs::write(at(name), "x").unwrap();
            chown(at(name), Some(owner), None).unwrap();
        }
        for (link, target, owner) in [
            ("to-secret", "secret", OTHER),
            ("to-link", "to-secret", 0),
            ("way", "folder", OTHER),
            ("to-note", "note", OTHER),
            ("by-root", "./folder/../secret", 0),
            ("by-daemon", "folder", DAEMON),
        ] {
            symlink(target, at(link)).unwrap();
            lchown(at(link), Some(owner), None).unwrap();
        }
        let check = |name: &str| check(&at(name), &File::open(at(name)).unwrap(), DAEMON);
        for name in ["secret", "note", "to-note", "by-root", "by-daemon/roots", "folder/../note"] {
            check(name).unwrap();
        }
        for name in ["to-secret", "to-link", "way/roots"] {
            let why = check(name).unwrap_err().to_string();
            assert!(why.starts_with("user 4322 has made a symbolic link to it"), "{name}: {why}");
        }
        let other = File::open(at("note")).unwrap();
        let why = super::check(&at("by-root"), &other, DAEMON).unwrap_err().to_string();
        assert!(why.ends_with("replaced"), "{why}");
        let own = File::open("/proc/self/stat").unwrap();
        super::check(Path::new("/proc/self/stat"), &own, DAEMON).unwrap();
    }

    #[test]
    fn no_link_leads_to_a_file_of_a_process_which_it_could_keep_from_being_read() {
        let folder = tempfile::tempdir().unwrap();
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        let stat = format!("/proc/{}/stat", std::process::id());
        fs::write(&file, "x").unwrap();
        symlink(&stat, &link).unwrap();
        let check = |path: &Path| check_end(path, &File::open(path).unwrap());
        for named in [&file, Path::new(&stat), Path::new("/proc/self/stat")] {
            check(named).unwrap();
        }
        assert!(check(&link).unwrap_err().to_string().contains("leads into /proc"));
    }
}
