//! A statistic's file, read in a thread: whoever may write to it, or list a directory on the way, can keep others from it.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;
use std::thread;

use hostinfo_file::Error;
use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
use rustix::process::geteuid;
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

use crate::account::Account;
use crate::failure::Failure;
use crate::limits::OUTPUT_MAX;
use crate::way;

/// For a thread that opens a file.
const STACK: usize = 64 * 1024;

/// A file's bytes, up to one more than [`OUTPUT_MAX`]; of an `account`, as far as it may read it. Others can keep the caller
/// waiting: it is to be one of the threads of [`hostinfo_file::aside`].
///
/// # Errors
/// If it cannot be read, is not a regular file, or `account` may not read it.
pub(crate) fn read(path: &str, account: Option<Account>) -> Result<Vec<u8>, Failure> {
    let unread = |error: Error| match (error, account) {
        (Error::NotAFile(_), _) => Failure::NoFile(path.to_owned()),
        (Error::Failed(error), Some(Account { uid, .. }))
            if error.kind() == io::ErrorKind::PermissionDenied =>
        {
            Failure::Withheld { path: path.to_owned(), uid }
        }
        (error, _) => Failure::Unread(path.to_owned(), error.into()),
    };
    let opened = match account {
        Some(account) => open_as(path, account),
        None => way::open(Path::new(path), &[geteuid().as_raw()]),
    };
    let mut bytes = Vec::new();
    // Its reported length is no use: for the kernel's files that is a page, whatever their
    // contents.
    let read =
        opened.and_then(|file| Ok(file.take(OUTPUT_MAX as u64 + 1).read_to_end(&mut bytes)?));
    read.map_err(unread)?;
    Ok(bytes)
}

/// Lets the kernel decide what a user may open, including every directory and ACL on the way.
/// Otherwise, whoever owns one of the directories could show any file of the host to a guest. The
/// user's rights belong to a thread that does nothing else: one that it started would have them as well.
fn open_as(path: &str, account: Account) -> Result<File, Error> {
    let path = path.to_owned();
    let opened = thread::Builder::new().stack_size(STACK).spawn(move || {
        become_for_files(account)?;
        way::open(Path::new(&path), &[geteuid().as_raw(), account.uid])
    })?;
    opened
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the thread that opens it failed").into()))
}

/// Gives this thread that user's rights for files, and no others. It is still the daemon's thread:
/// the user cannot send it a signal.
fn become_for_files(Account { uid, gid }: Account) -> io::Result<()> {
    // By the thread's own system call: the one in libc affects the whole process.
    rustix::thread::set_thread_groups(&[])?;
    setfsgid(Gid::from_raw(gid));
    setfsuid(Uid::from_raw(uid));
    // These calls fail silently, and return the previous value. No user has this number, so it
    // changes nothing.
    let is =
        (setfsuid(Uid::from_raw(u32::MAX)).as_raw(), setfsgid(Gid::from_raw(u32::MAX)).as_raw());
    if is != (uid, gid) {
        return Err(io::Error::other("hostinfod could not become its user: setfsuid(2) failed"));
    }
    // A user other than root would otherwise keep the capabilities that allow reading every file.
    let effective = CapabilitySet::empty();
    Ok(set_capabilities(None, CapabilitySets { effective, ..capabilities(None)? })?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rustix::fs::{CWD, Mode};
    use std::fs::{self, Permissions};
    use std::os::fd::AsRawFd as _;
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

    #[test]
    fn only_regular_files_are_read_and_nothing_is_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        fs::write(path("file"), "7\n").unwrap();
        rustix::fs::mknodat(CWD, path("pipe"), rustix::fs::FileType::Fifo, Mode::RWXU, 0).unwrap();
        assert_eq!(read(&path("file"), None).unwrap(), b"7\n");
        assert!(matches!(read(&path("pipe"), None), Err(Failure::NoFile(_))));
        assert!(matches!(read(&path(""), None), Err(Failure::NoFile(_))));
        assert!(matches!(read("/dev/zero", None), Err(Failure::NoFile(_))));
        assert!(matches!(read(&path("none"), None), Err(Failure::Unread(..))));
    }

    #[test]
    fn who_reads_as_another_user_keeps_its_own_rights() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file").to_str().unwrap().to_owned();
        fs::write(&path, "7\n").unwrap();
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        let own = || (setfsuid(Uid::from_raw(u32::MAX)), setfsgid(Gid::from_raw(u32::MAX)));
        let before = own();
        let _ = read(&path, Some(Account { uid: 65534, gid: 65534 }));
        assert_eq!(own(), before);
        assert_eq!(read(&path, None).unwrap(), b"7\n");
    }

    #[test]
    fn a_large_file_is_read_as_far_as_it_takes_to_see_that_it_is_large() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, vec![b'x'; 1 << 20]).unwrap();
        assert_eq!(read(path.to_str().unwrap(), None).unwrap().len(), OUTPUT_MAX + 1);
    }

    #[test]
    fn a_file_that_the_user_may_not_read_is_not_shown_whatever_leads_there() {
        assert!(rustix::process::geteuid().is_root(), "needs root");
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mode = |name: &str, mode| fs::set_permissions(path(name), Permissions::from_mode(mode));
        let user = Account { uid: 65533, gid: 65532 };
        mode("", 0o755).unwrap();
        for folder in ["closed", "own"] {
            fs::create_dir(path(folder)).unwrap();
        }
        for (name, owner, group, bits) in [
            ("all", 0, 0, 0o644),
            ("closed/all", 0, 0, 0o644),
            ("group", 0, user.gid, 0o640),
            ("own/file", user.uid, 0, 0o400),
            ("roots", 0, 0, 0o640),
            ("not-own", user.uid, user.gid, 0o044),
            ("acl", 0, 0, 0o640),
        ] {
            fs::write(path(name), "7").unwrap();
            mode(name, bits).unwrap();
            chown(path(name), Some(owner), Some(group)).unwrap();
        }
        mode("closed", 0o700).unwrap();
        chown(path("own"), Some(user.uid), None).unwrap();
        symlink(path("closed/all"), path("own/link")).unwrap();
        symlink(path("all"), path("own/fair")).unwrap();
        let found = rustix::fs::setxattr(
            path("acl"),
            "system.posix_acl_access",
            &acl(user.uid),
            rustix::fs::XattrFlags::empty(),
        );
        found.unwrap();
        for name in ["all", "group", "own/file", "own/fair", "acl"] {
            assert_eq!(read(&path(name), Some(user)).unwrap(), b"7", "{name}");
        }
        for name in ["closed/all", "roots", "not-own", "own/link", "/etc/shadow"] {
            let told = read(folder.path().join(name).to_str().unwrap(), Some(user));
            assert!(matches!(told, Err(Failure::Withheld { uid: 65533, .. })), "{name}: {told:?}");
        }
        assert_eq!(read(&path("closed/all"), None).unwrap(), b"7", "the daemon is as it was");
        lchown(path("own/link"), Some(user.uid), None).unwrap();
        assert!(matches!(read(&path("own/link"), None), Err(Failure::Unread(..))));
    }

    #[test]
    fn a_link_shows_nothing_past_the_directories_above_it_and_nothing_of_the_users_if_another_has_made_it()
     {
        assert!(rustix::process::geteuid().is_root(), "needs root");
        const OTHER: u32 = 65531;
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
        let mode = |name: &str, mode| fs::set_permissions(path(name), Permissions::from_mode(mode));
        let user = Account { uid: 65533, gid: 65532 };
        mode("", 0o755).unwrap();
        fs::create_dir(path("closed")).unwrap();
        fs::write(path("closed/secret"), "7").unwrap();
        mode("closed", 0o700).unwrap();
        // As the daemon has opened directories of its guests.
        let opened = File::open(path("closed")).unwrap();
        for (name, owner) in [("own", user.uid), ("others", OTHER), ("all", 0)] {
            fs::write(path(name), "7").unwrap();
            mode(name, if owner == user.uid { 0o400 } else { 0o444 }).unwrap();
            chown(path(name), Some(owner), None).unwrap();
        }
        let by_descriptor = format!("/proc/self/fd/{}/secret", opened.as_raw_fd());
        let through = |target: &str, owner| {
            let link = path("link");
            let _ = fs::remove_file(&link);
            symlink(target, &link).unwrap();
            lchown(&link, Some(owner), None).unwrap();
            read(&link, Some(user))
        };
        for (target, owner) in [("own", 0), ("own", user.uid), ("others", OTHER), ("all", user.uid)]
        {
            assert_eq!(through(target, owner).unwrap(), b"7", "{target} by {owner}");
        }
        for (target, owner) in
            [("own", OTHER), ("all", OTHER), (&*by_descriptor, user.uid), (&*by_descriptor, 0)]
        {
            let told = through(target, owner);
            assert!(matches!(told, Err(Failure::Unread(..))), "{target} by {owner}: {told:?}");
        }
    }

    /// An ACL that lets that user read: acl(5), in the format of `linux/posix_acl_xattr.h`.
    fn acl(user: u32) -> Vec<u8> {
        let nobody = u32::MAX;
        let entries =
            [(1u16, 6u16, nobody), (2, 4, user), (4, 0, nobody), (16, 4, nobody), (32, 0, nobody)];
        let mut bytes = 2u32.to_le_bytes().to_vec();
        for (tag, may, id) in entries {
            bytes.extend([tag.to_le_bytes(), may.to_le_bytes()].concat());
            bytes.extend(id.to_le_bytes());
        }
        bytes
    }
}
