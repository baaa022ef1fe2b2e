//! The way to a statistic's file. The thread that opens it has the rights of a user, so nobody else who may make symbolic
//! links on the way must be able to show guests what only that user may read, such as another guest's incidents.

use std::collections::BTreeSet;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hostinfo_file::{Error, way};
use rustix::fs::{PROC_SUPER_MAGIC, fstatfs};

/// Opens the file at the end of an absolute path, to be read with this thread's rights. Links are followed if whoever made
/// them, and the owner of their directory, who can have moved them there, is root or one of these `users`, or owns the file
/// as well. No link leads into a proc file system: a process
/// can keep its files there, such as its command line, from being read, and the daemon would wait for it.
///
/// # Errors
/// There is another link, what it leads to is not a regular file, or a system call failed.
pub(crate) fn open(path: &Path, users: &[u32]) -> Result<File, Error> {
    let (mut owners, mut is_led) = (BTreeSet::new(), false);
    let found = way::follow(path, |link| {
        owners.extend([link.metadata()?.uid(), link.directory()?.uid()]);
        let is_in_proc = is_in_proc(link)?;
        if is_led && is_in_proc {
            return Err(into_proc());
        }
        is_led |= !is_in_proc;
        Ok(())
    })?;
    if is_led && is_in_proc(&found)? {
        return Err(into_proc().into());
    }
    let own = found.metadata()?.uid();
    let is_trusted = |owner: &u32| [0, own].contains(owner) || users.contains(owner);
    if let Some(owner) = owners.iter().find(|owner| !is_trusted(owner)) {
        return Err(Error::Failed(io::Error::other(format!(
            "user {owner} can have put a symbolic link on its path, and it is another's: name the file without that link"
        ))));
    }
    // The file that was found, whatever is at its path by now.
    let found = format!("/proc/self/fd/{}", found.as_raw_fd());
    hostinfo_file::open(Path::new(&found), OpenOptions::new().read(true))
}

fn is_in_proc(file: impl AsFd) -> io::Result<bool> {
    Ok(fstatfs(file)?.f_type == PROC_SUPER_MAGIC)
}

fn into_proc() -> io::Error {
    io::Error::other("a symbolic link leads into /proc: name the file that is there")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{chown, lchown, symlink};

    use rustix::process::geteuid;

    #[test]
    fn a_link_shows_only_what_belongs_to_whoever_made_it_unless_that_is_root_or_a_user_in_question()
    {
        assert!(geteuid().is_root(), "needs root");
        const DAEMON: u32 = 4321;
        const USER: u32 = 4322;
        const OTHER: u32 = 4323;
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::create_dir(at("folder")).unwrap();
        fs::create_dir(at("others")).unwrap();
        chown(at("others"), Some(OTHER), None).unwrap();
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
            ("by-user", "by-daemon/../secret", USER),
            // Its owner may have moved it there.
            ("others/moved", "../secret", 0),
            ("others/own", "../note", 0),
        ] {
            symlink(target, at(link)).unwrap();
            lchown(at(link), Some(owner), None).unwrap();
        }
        let open = |name: &str| super::open(&at(name), &[DAEMON, USER]);
        for name in [
            "secret",
            "note",
            "to-note",
            "by-root",
            "by-daemon/roots",
            "by-user",
            "folder/../note",
            "others/own",
        ] {
            open(name).unwrap();
        }
        for name in ["to-secret", "to-link", "way/roots", "others/moved"] {
            let why = open(name).unwrap_err().to_string();
            assert!(why.starts_with("user 4323 can have put a symbolic link on"), "{name}: {why}");
        }
    }

    #[test]
    fn no_link_leads_into_proc_where_a_process_keeps_its_files_and_ways_past_directories() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("file"), "x").unwrap();
        let here = File::open(folder.path()).unwrap();
        let stat = format!("/proc/{}/stat", std::process::id());
        let (open, own) = (|path: &Path| super::open(path, &[]), here.metadata().unwrap().uid());
        for named in [&*stat, "/proc/self/stat", "/proc/mounts", at("file").to_str().unwrap()] {
            open(Path::new(named)).unwrap();
        }
        let by_descriptor = format!("/proc/self/fd/{}/file", here.as_raw_fd());
        for target in [&*stat, "/proc/self/cwd/Cargo.toml", &by_descriptor, "/dev/fd/0"] {
            let _ = fs::remove_file(at("link"));
            symlink(target, at("link")).unwrap();
            let why = super::open(&at("link"), &[own]).unwrap_err().to_string();
            assert!(why.contains("leads into /proc"), "{target}: {why}");
        }
    }
}
