//! Which file a socket is: what tells it from every other that had its name, or will have it.

use std::ffi::OsStr;
use std::os::fd::{AsFd, OwnedFd};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Statx, StatxFlags};
use rustix::io::Errno;

use crate::sockets::Refused;

/// A socket's file. File systems give an inode's number away again as soon as it is free, so that
/// its time of birth goes with it. The kernel has that to a tick, 1 to 10 ms: where two sockets of
/// one name are made within a tick, a connection to the first may last until its process ends it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct SocketFile {
    device: (u32, u32),
    inode: u64,
    /// In seconds and nanoseconds; `None` where the file system keeps none.
    born: Option<(i64, u32)>,
}

/// What is at `name` in `directory` now, where that is a socket.
///
/// # Errors
/// [`Refused`].
pub(crate) fn find(directory: impl AsFd, name: &OsStr) -> Result<(OwnedFd, SocketFile), Refused> {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::BTIME;
    let found = rustix::fs::statx(&file, "", AtFlags::EMPTY_PATH, wanted)?;
    match FileType::from_raw_mode(found.stx_mode.into()) {
        FileType::Socket => Ok((file, SocketFile::of(&found))),
        FileType::Symlink => Err(Refused::Link),
        FileType::Directory => Err(Refused::Directory),
        _ => Err(Refused::NoSocket),
    }
}

impl SocketFile {
    fn of(found: &Statx) -> Self {
        let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        Self {
            device: (found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            born: has_birth.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec)),
        }
    }
}

impl From<Errno> for Refused {
    fn from(error: Errno) -> Self {
        match error {
            Errno::NOENT => Self::Gone,
            Errno::CONNREFUSED => Self::NobodyListens,
            Errno::AGAIN => Self::Full,
            Errno::ACCESS | Errno::PERM => Self::Denied,
            other => Self::Failed(other.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    #[test]
    fn a_socket_is_known_again_and_told_from_the_next_one_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qemu-a");
        let look = || find(File::open(folder.path()).unwrap(), OsStr::new("qemu-a")).unwrap().1;
        let mut before = None;
        for _ in 0..5 {
            let listener = UnixListener::bind(&path).unwrap();
            let now = look();
            assert_ne!(Some(now), before);
            // As libvirt does, which gives it to QEMU's user.
            fs::set_permissions(&path, Permissions::from_mode(0o775)).unwrap();
            assert_eq!(look(), now);
            drop(listener);
            fs::remove_file(&path).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            before = Some(now);
        }
    }
}
