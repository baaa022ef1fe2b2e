//! A listening Unix socket as a file: created, and given to the group that may use it.

use std::fs;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use hostinfo_peer::PeerListener;
use rustix::fs::{AtFlags, FileType, Mode, OFlags};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::Gid;

use crate::settings;
use crate::system::account::{self, GROUPS};
use crate::system::bound_socket;
use crate::system::file_error::FileError;

/// A listening Unix socket. The file is removed when this value is dropped.
pub(super) struct UnixSocket {
    path: PathBuf,
    /// Device and inode of the file: when it is to be removed, the path may belong to another daemon.
    file: (u64, u64),
    socket: PeerListener,
}

/// A socket that another program has handed over.
pub(crate) struct Inherited {
    pub(crate) socket: OwnedFd,
    /// Device and inode of its file; `None` for a TCP socket.
    pub(crate) file: Option<(u64, u64)>,
}

/// Connections that may wait to be accepted: a script can start many clients at once.
const BACKLOG: i32 = 16;

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The directory is missing.
    #[error(
        "{path}: no such directory: make it with `install -d {path}`, as the service does",
        path = .0.display()
    )]
    NoDirectory(PathBuf),
    /// Another daemon listens at it.
    #[error("{path}: another daemon answers there: end it, or set another path", path = .0.display())]
    Live(PathBuf),
    /// The file is not a socket.
    #[error("{path}: exists and is not a socket: remove it, or set another path", path = .0.display())]
    NoSocket(PathBuf),
    /// group(5) has no group with that name.
    #[error(
        "[control] group: no group {0} in {GROUPS}. Give a group of LDAP or sssd by its number: getent group {0}"
    )]
    NoGroup(String),
    /// The file cannot be given to the group.
    #[error(
        "[control] group: cannot give {path} to {group}: the user that hostinfod runs as has to be a member",
        path = .path.display()
    )]
    NotOurs {
        /// The socket.
        path: PathBuf,
        /// The group.
        group: String,
    },
    /// Any other error.
    #[error(transparent)]
    Failed(FileError),
}

impl UnixSocket {
    /// Goes on with the socket of the program `before`, if its file is still there. Otherwise creates it, for its owner
    /// and, if the settings name one, a group. Replaces a socket left by a daemon that was killed.
    ///
    /// # Errors
    /// [`Error`].
    pub(super) fn open(
        settings: &settings::Control,
        before: Option<Inherited>,
    ) -> Result<Self, Error> {
        let path = &settings.socket;
        if let Some(Inherited { socket, file: Some(file) }) = before {
            let socket = PeerListener::new(socket);
            let goes_on = Self { path: path.clone(), file, socket };
            if goes_on.is_there() {
                return Ok(goes_on);
            }
        }
        let failed = |error: Errno| match error {
            Errno::NOENT => Error::NoDirectory(path.parent().unwrap_or(Path::new("/")).to_owned()),
            error => Error::Failed(FileError::of(path)(error)),
        };
        let group = find_group(&settings.group)?;
        let address = SocketAddrUnix::new(path.as_path()).map_err(failed)?;
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let new = || rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None);
        let socket = PeerListener::new(new().map_err(failed)?);
        bound_socket::mark(&socket).map_err(failed)?;
        match rustix::net::bind(&socket, &address) {
            Err(Errno::ADDRINUSE) => {
                let is_socket = |metadata: fs::Metadata| metadata.file_type().is_socket();
                if !fs::symlink_metadata(path).is_ok_and(is_socket) {
                    return Err(Error::NoSocket(path.clone()));
                }
                let probe = new().map_err(failed)?;
                if rustix::net::connect(&probe, &address) != Err(Errno::CONNREFUSED) {
                    return Err(Error::Live(path.clone()));
                }
                rustix::fs::unlink(path).map_err(failed)?;
                rustix::net::bind(&socket, &address).map_err(failed)?;
            }
            other => other.map_err(failed)?,
        }
        // By a descriptor: whoever may write to its directory could put another file in its place.
        let flags = OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::open(path, flags, Mode::empty()).map_err(failed)?;
        let status = rustix::fs::fstat(&file).map_err(failed)?;
        if !FileType::from_raw_mode(status.st_mode).is_socket() {
            return Err(Error::NoSocket(path.clone()));
        }
        if !bound_socket::is_marked(&status) {
            return Err(Error::Live(path.clone()));
        }
        let made = Self { path: path.clone(), file: (status.st_dev, status.st_ino), socket };
        // At this point nobody can connect, since it does not listen yet.
        if let Some(group) = group {
            let given = rustix::fs::chownat(&file, "", None, Some(group), AtFlags::EMPTY_PATH);
            given.map_err(|error| match error {
                Errno::PERM => Error::NotOurs { path: path.clone(), group: settings.group.clone() },
                other => failed(other),
            })?;
        }
        let mode = Mode::from_raw_mode(if group.is_some() { 0o660 } else { 0o600 });
        let itself = format!("/proc/self/fd/{}", file.as_raw_fd());
        rustix::fs::chmod(itself, mode).map_err(failed)?;
        rustix::net::listen(&made.socket, BACKLOG).map_err(failed)?;
        Ok(made)
    }

    /// Device and inode of its file.
    pub(super) fn file(&self) -> (u64, u64) {
        self.file
    }

    fn is_there(&self) -> bool {
        let ours = |metadata: fs::Metadata| (metadata.dev(), metadata.ino()) == self.file;
        fs::symlink_metadata(&self.path).is_ok_and(ours)
    }
}

impl AsFd for UnixSocket {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for UnixSocket {
    fn drop(&mut self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// The number of the group with that name or number. `None` if the name is empty.
fn find_group(name: &str) -> Result<Option<Gid>, Error> {
    if name.is_empty() {
        return Ok(None);
    }
    let found = account::find(GROUPS, name).map_err(Error::Failed)?;
    found.map(|number| Some(Gid::from_raw(number))).ok_or_else(|| Error::NoGroup(name.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::credentials::Credentials;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    fn settings(socket: &Path) -> settings::Control {
        settings::Control { socket: socket.to_owned(), ..settings::Control::default() }
    }

    fn open(socket: &Path) -> Result<UnixSocket, Error> {
        UnixSocket::open(&settings(socket), None)
    }

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o7777
    }

    #[test]
    fn the_control_socket_is_for_its_owner_and_gone_with_the_daemon() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        let socket = open(&path).unwrap();
        assert_eq!(mode(&path), 0o600);
        let _client = UnixStream::connect(&path).unwrap();
        let accepted = rustix::net::accept(&socket).unwrap();
        assert_eq!(Credentials::of(&accepted).unwrap().uid, rustix::process::geteuid());
        drop(socket);
        assert!(!path.exists());
    }

    #[test]
    fn the_control_socket_is_for_a_group_too_if_the_settings_name_one() {
        let folder = tempfile::tempdir().unwrap();
        let mut settings = settings(&folder.path().join("control"));
        settings.group = rustix::process::getegid().as_raw().to_string();
        let socket = UnixSocket::open(&settings, None).unwrap();
        assert_eq!(mode(&settings.socket), 0o660);
        drop(socket);
        settings.group = "no-such-group".to_owned();
        let error = UnixSocket::open(&settings, None).err().unwrap();
        assert!(
            error.to_string().ends_with("by its number: getent group no-such-group"),
            "{error}"
        );
        assert!(!settings.socket.exists());
    }

    #[test]
    fn the_socket_of_a_killed_daemon_is_replaced_and_that_of_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        drop(UnixListener::bind(&path).unwrap());
        let first = open(&path).unwrap();
        let error = open(&path).err().unwrap();
        assert!(matches!(error, Error::Live(_)), "{error}");
        fs::remove_file(&path).unwrap();
        let second = open(&path).unwrap();
        drop(first);
        UnixStream::connect(&path).unwrap();
        drop(second);
    }

    #[test]
    fn a_file_that_is_no_socket_stays_and_a_missing_directory_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("control");
        fs::write(&path, "x").unwrap();
        assert!(matches!(open(&path), Err(Error::NoSocket(_))));
        assert_eq!(fs::read_to_string(&path).unwrap(), "x");
        let error = open(&folder.path().join("none/control")).err().unwrap().to_string();
        assert!(error.contains("/none: no such directory: make it with `install -d "), "{error}");
    }
}
