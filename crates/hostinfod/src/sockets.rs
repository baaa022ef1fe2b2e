//! Guests' sockets: finding them, and connecting to them as QEMU's client.

pub(crate) mod below;
pub(crate) mod directories;
pub(crate) mod directory;
pub(crate) mod hybrid;
pub(crate) mod listening;
pub(crate) mod lock;
pub(crate) mod opener;
pub(crate) mod pace;
pub(crate) mod pattern_dir;
pub(crate) mod place;
pub(crate) mod vsock;
pub(crate) mod way;

use std::ffi::OsStr;
use std::fs;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{FileType, Mode, OFlags};
use rustix::io::Errno;

use crate::system::file_id::FileId;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectError {
    /// The file does not exist any more.
    #[error("it is gone")]
    Gone,
    /// A symbolic link, which could lead anywhere, even to another guest's socket.
    #[error("it is a symbolic link: the name of the socket itself has to say which guest it is")]
    Link,
    /// Something else in the place of a directory of the guest's own, or a symbolic link, which could lead to another
    /// guest's.
    #[error("{} is not a directory, or is a symbolic link, which is not followed: put a directory there", .0.display())]
    NoDirectory(PathBuf),
    /// Another file that is not a socket.
    #[error("it is not a socket")]
    NoSocket,
    /// A directory: one of ours (`vhostmd`, `disk`), or somebody else's.
    #[error("it is a directory")]
    Directory,
    /// Nobody listens, either not yet or not any more.
    #[error("nobody listens")]
    NobodyListens,
    /// Somebody listens, but has accepted nobody for a while: others are waiting already.
    #[error(
        "other programs already wait to connect to it, and its QEMU accepts none of them: end those programs, since QEMU serves one client, or find out why QEMU hangs"
    )]
    Full,
    /// The file's mode or ACL denies access.
    #[error(
        "permission denied: let the user that hostinfod runs as write to the socket: setfacl -m u:USER:rw SOCKET; for all later sockets: setfacl -d -m u:USER:rwx DIRECTORY, and umask 002 for a QEMU without libvirt"
    )]
    Denied,
    /// The same, of a socket that hostinfo-open opens if root alone can have put it there.
    #[error(
        "permission denied, and hostinfo-open does not run: if root alone may write to the directories above it, systemctl enable --now hostinfo-open.socket, then systemctl reload hostinfo; otherwise let the user that hostinfod runs as write to the socket: setfacl -m u:USER:rw SOCKET"
    )]
    NoOpener,
    /// hostinfo-open says why.
    #[error("permission denied, and hostinfo-open does not open it: {0}")]
    ByOpener(String),
    /// Any other error.
    #[error("{0}")]
    Failed(io::Error),
}

/// The file of a socket, and its identity; or why there is none to connect to.
pub(crate) type Found = Result<(OwnedFd, FileId), ConnectError>;

/// The socket that is now at `name` in `directory`.
///
/// It is connected to through the descriptor of the file itself. So names of any length fit (an address holds 107 bytes),
/// and the file that was checked is the one that is connected to.
///
/// # Errors
/// [`ConnectError`].
pub(crate) fn find(directory: impl AsFd, name: &OsStr) -> Found {
    let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let file = rustix::fs::openat(directory, name, flags, Mode::empty())?;
    let (id, kind) = FileId::of(&file)?;
    match kind {
        FileType::Socket => Ok((file, id)),
        FileType::Symlink => Err(ConnectError::Link),
        FileType::Directory => Err(ConnectError::Directory),
        _ => Err(ConnectError::NoSocket),
    }
}

/// The socket that is now at `path`. Above its name, links are followed.
///
/// # Errors
/// [`ConnectError`].
pub(crate) fn find_at(path: &Path) -> Found {
    let (Some(directory), Some(name)) = (path.parent(), path.file_name()) else {
        return Err(ConnectError::Directory);
    };
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    find(rustix::fs::open(directory, flags, Mode::empty())?, name)
}

impl From<Errno> for ConnectError {
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

/// A path of that very file, whatever stands at its own by now.
pub(crate) fn path_of(file: &OwnedFd) -> PathBuf {
    format!("/proc/self/fd/{}", file.as_raw_fd()).into()
}

/// Every name in the directory, whatever kind of file it is.
///
/// # Errors
/// The directory cannot be read.
pub(crate) fn names(directory: &Path) -> io::Result<Vec<Box<OsStr>>> {
    fs::read_dir(directory)?
        .map(|entry| entry.map(|entry| entry.file_name().into_boxed_os_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use hostinfo_open::unix::connect_to;

    fn try_connect(folder: &Path, name: &str) -> Result<OwnedFd, ConnectError> {
        let (file, _) = find(File::open(folder).unwrap(), OsStr::new(name))?;
        Ok(connect_to(&file)?)
    }

    #[test]
    fn only_a_socket_that_listens_is_connected_to() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let live = UnixListener::bind(folder.join("qemu-live")).unwrap();
        drop(UnixListener::bind(folder.join("qemu-dead")).unwrap());
        fs::write(folder.join("qemu-file"), "").unwrap();
        fs::create_dir(folder.join("qemu-folder")).unwrap();
        symlink("qemu-live", folder.join("qemu-link")).unwrap();

        try_connect(folder, "qemu-live").unwrap();
        live.accept().unwrap();
        assert!(matches!(try_connect(folder, "qemu-dead"), Err(ConnectError::NobodyListens)));
        assert!(matches!(try_connect(folder, "qemu-file"), Err(ConnectError::NoSocket)));
        assert!(matches!(try_connect(folder, "qemu-folder"), Err(ConnectError::Directory)));
        assert!(matches!(try_connect(folder, "qemu-link"), Err(ConnectError::Link)));
        assert!(matches!(try_connect(folder, "qemu-none"), Err(ConnectError::Gone)));
    }

    #[test]
    fn a_socket_whose_queue_is_full_is_not_dead() {
        let folder = tempfile::tempdir().unwrap();
        let listener = UnixListener::bind(folder.path().join("qemu-a")).unwrap();
        // Like QEMU, which lets one connection wait, and the kernel one more.
        rustix::net::listen(&listener, 0).unwrap();
        let _waits = try_connect(folder.path(), "qemu-a").unwrap();
        assert!(matches!(try_connect(folder.path(), "qemu-a"), Err(ConnectError::Full)));
        listener.accept().unwrap();
        try_connect(folder.path(), "qemu-a").unwrap();
    }

    #[test]
    fn a_socket_whose_path_is_too_long_for_an_address_is_connected_to() {
        let folder = tempfile::tempdir().unwrap();
        let name = format!("qemu-{}", "x".repeat(240));
        let short = folder.path().join("short");
        let _listener = UnixListener::bind(&short).unwrap();
        fs::rename(&short, folder.path().join(&name)).unwrap();
        try_connect(folder.path(), &name).unwrap();
    }
}
