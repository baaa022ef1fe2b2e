//! The identity of a file, which distinguishes it from every earlier or later file with the same
//! name.

use std::os::fd::AsFd;

use rustix::fs::{AtFlags, FileType, StatxFlags};
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

/// A file. File systems reuse an inode's number as soon as it is free, so the file's birth time is
/// included. The kernel records that to a tick, 1 to 10 ms: two files with one name that are
/// created within a tick may be taken for the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct FileId {
    device: (u32, u32),
    inode: u64,
    /// In seconds and nanoseconds; `None` if the file system does not record it.
    born: Option<(i64, u32)>,
}

impl FileId {
    /// The identity of an open file, and its type.
    ///
    /// # Errors
    /// Those of statx(2).
    pub(crate) fn of(file: impl AsFd) -> Result<(Self, FileType), Errno> {
        let wanted = StatxFlags::TYPE | StatxFlags::INO | StatxFlags::BTIME;
        let found = rustix::fs::statx(file, "", AtFlags::EMPTY_PATH, wanted)?;
        let has_birth = found.stx_mask & StatxFlags::BTIME.bits() != 0;
        let id = Self {
            device: (found.stx_dev_major, found.stx_dev_minor),
            inode: found.stx_ino,
            born: has_birth.then_some((found.stx_btime.tv_sec, found.stx_btime.tv_nsec)),
        };
        Ok((id, FileType::from_raw_mode(found.stx_mode.into())))
    }

    /// In one word.
    pub(crate) fn word(self) -> String {
        let Self { device: (major, minor), inode, born } = self;
        let (seconds, nanoseconds) = born.unwrap_or_default();
        format!("{major}.{minor}.{inode}.{seconds}.{nanoseconds}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, Permissions};
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;
    use std::time::Duration;

    use rustix::fs::{CWD, Mode, OFlags};

    #[test]
    fn a_socket_is_recognized_and_distinguished_from_the_next_one_of_its_name() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("qemu-a");
        let look = || {
            let file = rustix::fs::openat(CWD, &path, OFlags::PATH, Mode::empty()).unwrap();
            let (id, kind) = FileId::of(file).unwrap();
            assert_eq!(kind, FileType::Socket);
            id
        };
        let mut before = None;
        for _ in 0..5 {
            let listener = UnixListener::bind(&path).unwrap();
            let now = look();
            assert_ne!(Some(now), before);
            // Like libvirt, which gives the file to QEMU's user.
            fs::set_permissions(&path, Permissions::from_mode(0o775)).unwrap();
            assert_eq!(look(), now);
            drop(listener);
            fs::remove_file(&path).unwrap();
            std::thread::sleep(Duration::from_millis(20));
            before = Some(now);
        }
    }
}
