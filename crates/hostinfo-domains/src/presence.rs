//! Notices when libvirt appears, while it is not there.

use std::ffi::OsStr;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};

/// The suffix of libvirt's read-only sockets: `libvirt-sock-ro`, `virtqemud-sock-ro`.
const SOCKET: &[u8] = b"-sock-ro";

/// Whether libvirt has a socket in its `directory`.
pub(crate) fn is_there(directory: &Path) -> bool {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name()).any(|name| name.as_bytes().ends_with(SOCKET))
}

/// A watch on libvirt's socket directory or, if that does not exist, on its parent.
#[derive(Debug)]
pub(crate) struct Presence(OwnedFd);

impl Presence {
    /// `None` if it cannot be watched, for example because neither directory exists. libvirt is
    /// then noticed when somebody asks.
    pub(crate) fn watch(directory: &Path) -> Option<Self> {
        let fd = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).ok()?;
        let what = WatchFlags::CREATE | WatchFlags::MOVED_TO | WatchFlags::ONLYDIR;
        inotify::add_watch(&fd, directory, what)
            .or_else(|error| inotify::add_watch(&fd, directory.parent().ok_or(error)?, what))
            .ok()?;
        Some(Self(fd))
    }

    /// Whether a socket, or the `directory` for them, has appeared since the last call, or may
    /// have.
    pub(crate) fn has_come(&self, directory: &Path) -> bool {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut reader = inotify::Reader::new(&self.0, &mut buffer);
        let mut has_come = false;
        while let Ok(event) = reader.next() {
            let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
            // The directory may also have been removed and created again.
            has_come |= event.events().intersects(ReadFlags::QUEUE_OVERFLOW | ReadFlags::IGNORED)
                || name.is_some_and(|name| {
                    name.as_bytes().ends_with(SOCKET) || Some(name) == directory.file_name()
                });
        }
        has_come
    }
}

impl AsFd for Presence {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_socket_is_seen_and_so_is_the_directory_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("libvirt");
        let presence = Presence::watch(&directory).unwrap();
        fs::write(folder.path().join("other"), "").unwrap();
        assert!(!presence.has_come(&directory));
        fs::create_dir(&directory).unwrap();
        assert!(presence.has_come(&directory));

        let presence = Presence::watch(&directory).unwrap();
        fs::write(directory.join("qemu"), "").unwrap();
        assert!(!presence.has_come(&directory));
        assert!(!is_there(&directory));
        fs::write(directory.join("libvirt-sock-ro"), "").unwrap();
        assert!(is_there(&directory));
        assert!(presence.has_come(&directory));
        assert!(!presence.has_come(&directory));
        fs::remove_dir_all(&directory).unwrap();
        assert!(presence.has_come(&directory));
    }
}
