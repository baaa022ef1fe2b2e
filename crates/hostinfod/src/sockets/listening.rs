//! A socket that guests' VMMs connect to: made in a directory that may belong to the VMM.

mod earlier;

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use hostinfo_file::aside::{self, Owner};
use hostinfo_peer::{PeerListener, PeerSocket, Unclosed};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};

use super::{ConnectError, find, path_of};
use crate::system::bound_socket;
use crate::system::file_id::FileId;
use crate::system::systemd;

pub(crate) use earlier::EarlierSockets;

/// The service manager stores such a socket under this and the identity of its file.
const NAME_PREFIX: &str = "listen-";

/// Connections that wait to be accepted: every one that a guest may have, and some that are closed at once.
const BACKLOG: i32 = 16;

/// Everybody may connect, since who has connected is checked.
const MODE: u32 = 0o666;

/// A socket that listens. It is removed with this value, unless another stands in its place.
#[derive(Debug)]
pub(crate) struct Listening {
    made: Arc<Made>,
    socket: PeerListener,
    unclosed: Unclosed,
    /// For whom a thread removes the file, unless somebody else does.
    removed_for: Option<Owner>,
}

/// The file of such a socket.
#[derive(Debug)]
pub(crate) struct Made {
    directory: OwnedFd,
    name: OsString,
    file: FileId,
}

/// Why there is no socket.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Somebody answers there.
    #[error("another program listens there: end it, or set another path")]
    Live,
    /// Something else is there.
    #[error("exists and is not a socket: remove it, or set another path")]
    NoSocket,
    /// The directory's mode or ACL.
    #[error(
        "permission denied: let the user that hostinfod runs as write to the directory: setfacl -m u:USER:rwx DIRECTORY; if \
         it may, restart hostinfod, which can write only where the settings said at its start"
    )]
    Denied,
    /// The file system, or what the service may see of it.
    #[error(
        "read-only for hostinfod: `systemctl edit hostinfo` and add the line ReadWritePaths=DIRECTORY below [Service]"
    )]
    ReadOnly,
    /// Anything else.
    #[error("{0}")]
    Failed(io::Error),
}

impl Error {
    /// Whether it is to be tried again soon: see [`hostinfo_file::is_passing`].
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Failed(error) if hostinfo_file::is_passing(error))
    }
}

impl From<Errno> for Error {
    fn from(error: Errno) -> Self {
        match error {
            Errno::ACCESS | Errno::PERM => Self::Denied,
            Errno::ROFS => Self::ReadOnly,
            other => Self::Failed(other.into()),
        }
    }
}

fn name_of(file: FileId) -> String {
    format!("{NAME_PREFIX}{}", file.word())
}

impl Listening {
    /// Listens at `name` in `directory`. What is there is replaced if nobody listens at it, and taken over if it is
    /// one of the `earlier` ones.
    ///
    /// The directory may be another user's, who can exchange what is in it at any time, so nothing is done to a file by
    /// its name but to bind and to unlink it. They can also keep everybody waiting: call this in one of [`aside`]'s threads.
    ///
    /// # Errors
    /// [`Error`].
    pub(crate) fn open(
        directory: OwnedFd,
        name: &OsStr,
        earlier: &EarlierSockets,
        unclosed: &Unclosed,
        owner: Owner,
    ) -> Result<Self, Error> {
        let new = |directory, file, socket| {
            let made = Arc::new(Made { directory, name: name.to_owned(), file });
            Self { made, socket, unclosed: unclosed.clone(), removed_for: Some(owner) }
        };
        match find(&directory, name) {
            Ok((found, file)) => {
                if let Some(socket) = earlier.take(file) {
                    return Ok(new(directory, file, socket));
                }
                if answers(&found, unclosed)? {
                    return Err(Error::Live);
                }
                rustix::fs::unlinkat(&directory, name, AtFlags::empty())?;
            }
            Err(ConnectError::Gone) => {}
            Err(ConnectError::Denied) => return Err(Error::Denied),
            Err(ConnectError::Failed(error)) => return Err(Error::Failed(error)),
            Err(_) => return Err(Error::NoSocket),
        }
        let socket = PeerListener::new(socket()?);
        bound_socket::mark(&socket)?;
        rustix::net::bind(&socket, &address(&directory, name)?)?;
        let file = permit_all(&directory, name)?;
        let made = new(directory, file, socket);
        rustix::net::listen(&made.socket, BACKLOG)?;
        systemd::keep(&name_of(file), &made.socket);
        Ok(made)
    }

    /// What the service manager knows it by, and so does another program that goes on with it.
    pub(crate) fn kept_as(&self) -> String {
        name_of(self.made.file)
    }

    /// Its file.
    pub(crate) fn made(&self) -> Arc<Made> {
        Arc::clone(&self.made)
    }

    /// Hangs up on all who wait, and returns what removes its file. That can take long: call it in one of [`aside`]'s threads.
    pub(crate) fn close(mut self) -> impl FnOnce() + Send + 'static {
        self.removed_for = None;
        let made = self.made();
        move || made.remove()
    }
}

impl Made {
    /// Whether it is still there, and in that directory.
    pub(crate) fn is_in(&self, directory: &OwnedFd) -> bool {
        let [ours, theirs] = [&self.directory, directory].map(FileId::of);
        let is_same = ours.is_ok_and(|(ours, _)| theirs.is_ok_and(|(theirs, _)| ours == theirs));
        is_same && self.is_in_place()
    }

    fn remove(&self) {
        if self.is_in_place() {
            let _ = rustix::fs::unlinkat(&self.directory, &self.name, AtFlags::empty());
        }
    }

    fn is_in_place(&self) -> bool {
        find(&self.directory, &self.name).is_ok_and(|(_, file)| file == self.file)
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.socket.hang_up(&self.unclosed);
        systemd::forget(&name_of(self.made.file));
        if let Some(owner) = self.removed_for {
            let made = self.made();
            aside::begin(owner, move || made.remove());
        }
    }
}

fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// In that very directory, whatever stands at its path by now, and however long that is.
fn address(directory: &OwnedFd, name: &OsStr) -> Result<SocketAddrUnix, Errno> {
    SocketAddrUnix::new(path_of(directory).join(name))
}

/// Lets everybody connect to the socket that was just bound, whatever the umask and a default ACL have left, and to no other
/// that somebody has put in its place.
fn permit_all(directory: &OwnedFd, name: &OsStr) -> Result<FileId, Error> {
    let (found, file) = find(directory, name).map_err(|_| Error::Live)?;
    if !bound_socket::is_marked(&rustix::fs::fstat(&found)?) {
        return Err(Error::Live);
    }
    rustix::fs::chmod(path_of(&found), Mode::from_raw_mode(MODE))?;
    Ok(file)
}

/// Whether anybody listens at a socket's file.
fn answers(file: &OwnedFd, unclosed: &Unclosed) -> Result<bool, Errno> {
    let address = SocketAddrUnix::new(path_of(file))?;
    let socket = PeerSocket::new(socket()?, unclosed.clone());
    Ok(rustix::net::connect(&socket, &address) != Err(Errno::CONNREFUSED))
}

#[cfg(test)]
mod tests;
