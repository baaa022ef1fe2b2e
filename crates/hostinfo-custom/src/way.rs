//! The way to a statistic's file. The thread that opens it has the rights of a user, so nobody else who may make symbolic
//! links on the way must be able to show guests what only that user may read, such as another guest's incidents.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use hostinfo_file::Error;
use rustix::fs::{CWD, Mode, OFlags, PROC_SUPER_MAGIC, fstatfs, openat, readlinkat};
use rustix::io::Errno;

/// As many as Linux follows: path_resolution(7).
const LINKS_MAX: usize = 40;

/// Nothing is opened but looked at, and a link is not followed.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Opens the file at the end of an absolute path, to be read with this thread's rights. Links are followed if they are root's
/// or of one of these `users`, or if whoever made them owns the file as well.
///
/// # Errors
/// There is another link, what it leads to is not a regular file, or a system call failed.
pub(crate) fn open(path: &Path, users: &[u32]) -> Result<File, Error> {
    let (found, owners) = follow(path)?;
    let own = found.metadata()?.uid();
    let is_trusted = |owner: &u32| [0, own].contains(owner) || users.contains(owner);
    if let Some(owner) = owners.iter().find(|owner| !is_trusted(owner)) {
        return Err(Error::Failed(io::Error::other(format!(
            "user {owner} has made a symbolic link on its path, and it is another's: name the file without that link"
        ))));
    }
    // The file that was found, whatever is at its path by now.
    let found = format!("/proc/self/fd/{}", found.as_raw_fd());
    hostinfo_file::open(Path::new(&found), OpenOptions::new().read(true))
}

/// What is at the end of the way, and the owners of the links on it. One step at a time, so that no link is passed unseen
/// that somebody puts there meanwhile. Of links such as `/proc/self/cwd` the text is followed: the kernel would pass the
/// directories above, which this thread may have no right to.
///
/// # Errors
/// There is nothing; or a link leads into a proc file system. A process can keep its files there, such as its command line,
/// from being read, and the daemon would wait for it.
fn follow(path: &Path) -> io::Result<(File, BTreeSet<u32>)> {
    let steps = |path: &Path| -> Vec<OsString> {
        path.components().rev().map(|step| step.as_os_str().to_owned()).collect()
    };
    let mut here = File::from(openat(CWD, "/", LOOK, Mode::empty())?);
    let (mut rest, mut links, mut owners) = (steps(path), 0, BTreeSet::new());
    let mut by_link = false;
    while let Some(step) = rest.pop() {
        let found = look(&here, &step, !rest.is_empty())?;
        let metadata = found.metadata()?;
        if by_link && is_in_proc(&found)? {
            return Err(io::Error::other(
                "a symbolic link leads into /proc: name the file that is there",
            ));
        }
        if !metadata.is_symlink() {
            here = found;
            continue;
        }
        links += 1;
        if links > LINKS_MAX {
            return Err(Errno::LOOP.into());
        }
        by_link = by_link || !is_in_proc(&found)?;
        owners.insert(metadata.uid());
        let target = OsString::from_vec(readlinkat(&found, "", Vec::new())?.into_bytes());
        rest.extend(steps(Path::new(&target)));
    }
    Ok((here, owners))
}

fn is_in_proc(file: &File) -> io::Result<bool> {
    Ok(fstatfs(file)?.f_type == PROC_SUPER_MAGIC)
}

/// What is in a directory under that name. A file system that is mounted when it is first needed is, if more is to follow:
/// openat(2) does so only where it expects a directory.
fn look(directory: &File, name: &OsString, more_follows: bool) -> io::Result<File> {
    if more_follows {
        match openat(directory, name, LOOK | OFlags::DIRECTORY, Mode::empty()) {
            Err(Errno::NOTDIR) => {}
            found => return Ok(found?.into()),
        }
    }
    Ok(openat(directory, name, LOOK, Mode::empty())?.into())
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
            ("circle", "circle", 0),
        ] {
            symlink(target, at(link)).unwrap();
            lchown(at(link), Some(owner), None).unwrap();
        }
        let open = |name: &str| super::open(&at(name), &[DAEMON, USER]);
        for name in
            ["secret", "note", "to-note", "by-root", "by-daemon/roots", "by-user", "folder/../note"]
        {
            open(name).unwrap();
        }
        for name in ["to-secret", "to-link", "way/roots"] {
            let why = open(name).unwrap_err().to_string();
            assert!(why.starts_with("user 4323 has made a symbolic link on its"), "{name}: {why}");
        }
        let Error::Failed(why) = open("circle").unwrap_err() else { panic!("it is an error") };
        assert_eq!(Errno::from_io_error(&why), Some(Errno::LOOP));
        assert!(open("none").is_err() && open("note/more").is_err());
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
