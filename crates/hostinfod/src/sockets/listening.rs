//! A socket that guests' VMMs connect to: made in a directory that may belong to the VMM.

use std::ffi::{OsStr, OsString};
use std::io;
use std::os::fd::{AsFd, AsRawFd as _, BorrowedFd, OwnedFd};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use hostinfo_file::aside::{self, Owner};
use hostinfo_peer::{PeerListener, PeerSocket, Unclosed};
use rustix::fs::{AtFlags, Mode};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};
use rustix::process::geteuid;

use super::{ConnectError, find};
use crate::system::file_id::FileId;
use crate::system::systemd;

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
    owner: Owner,
}

/// The file of such a socket.
#[derive(Debug)]
pub(crate) struct Made {
    directory: OwnedFd,
    name: OsString,
    file: FileId,
}

/// Sockets that an earlier run of the daemon made, and that still listen.
#[derive(Debug, Clone, Default)]
pub(crate) struct EarlierSockets(Arc<Mutex<Vec<(String, PeerListener)>>>);

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

impl EarlierSockets {
    /// Those among what the service manager has handed over; the others are left there.
    pub(crate) fn of(handed_over: &mut Vec<(String, OwnedFd)>) -> Self {
        let ours = handed_over.extract_if(.., |(name, _)| name.starts_with(NAME_PREFIX));
        let ours = ours.map(|(name, socket)| (name, PeerListener::new(socket)));
        Self(Arc::new(Mutex::new(ours.collect())))
    }

    /// The one whose file that is.
    fn take(&self, file: FileId) -> Option<PeerListener> {
        let (name, mut sockets) = (name_of(file), self.lock());
        let place = sockets.iter().position(|(other, _)| *other == name)?;
        let (_, socket) = sockets.swap_remove(place);
        sockopt::socket_acceptconn(&socket).is_ok_and(|listens| listens).then_some(socket)
    }

    /// Gives up all that nobody has taken.
    pub(crate) fn give_up(&self) {
        for (name, socket) in self.lock().drain(..) {
            socket.hang_up(&Unclosed::default());
            systemd::forget(&name);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(String, PeerListener)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
            Self { made, socket, unclosed: unclosed.clone(), owner }
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
        rustix::net::bind(&socket, &address(&directory, name)?)?;
        let (found, file) = find(&directory, name).map_err(|_| Error::Live)?;
        if !is_own(&found)? {
            return Err(Error::Live);
        }
        let made = new(directory, file, socket);
        // Whatever the umask, which all threads have in common, has left.
        rustix::fs::chmod(path_of(&found), Mode::from_raw_mode(MODE))?;
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
}

impl Made {
    /// Whether it is still there, and in that directory.
    pub(crate) fn is_in(&self, directory: &OwnedFd) -> bool {
        let [ours, theirs] = [&self.directory, directory].map(FileId::of);
        let is_same = ours.is_ok_and(|(ours, _)| theirs.is_ok_and(|(theirs, _)| ours == theirs));
        is_same && self.is_in_place()
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
        let made = self.made();
        aside::begin(self.owner, move || {
            if made.is_in_place() {
                let _ = rustix::fs::unlinkat(&made.directory, &made.name, AtFlags::empty());
            }
        });
    }
}

fn socket() -> Result<OwnedFd, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)
}

/// In that very directory, whatever stands at its path by now, and however long that is.
fn address(directory: &OwnedFd, name: &OsStr) -> Result<SocketAddrUnix, Errno> {
    let mut path = OsString::from(path_of(directory));
    path.push("/");
    path.push(name);
    SocketAddrUnix::new(path)
}

/// Of that very file.
fn path_of(file: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", file.as_raw_fd())
}

/// Whether a socket's file can be one that the daemon has made here: nobody else can put another of the daemon's own into
/// their directory but by a hard link.
fn is_own(file: &OwnedFd) -> Result<bool, Errno> {
    let found = rustix::fs::fstat(file)?;
    Ok(found.st_uid == geteuid().as_raw() && found.st_nlink == 1)
}

/// Whether anybody listens at a socket's file.
fn answers(file: &OwnedFd, unclosed: &Unclosed) -> Result<bool, Errno> {
    let address = SocketAddrUnix::new(path_of(file))?;
    let socket = PeerSocket::new(socket()?, unclosed.clone());
    Ok(rustix::net::connect(&socket, &address) != Err(Errno::CONNREFUSED))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File};
    use std::io::Read as _;
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::path::Path;
    use std::time::Duration;

    use hostinfo_file::aside::Patience;

    fn open_with(folder: &Path, earlier: &EarlierSockets) -> Result<Listening, Error> {
        let folder = File::open(folder).unwrap().into();
        let (unclosed, owner) = (Unclosed::default(), Patience::default().owner());
        Listening::open(folder, OsStr::new("v_4678"), earlier, &unclosed, owner)
    }

    fn open(folder: &Path) -> Result<Listening, Error> {
        open_with(folder, &EarlierSockets::default())
    }

    /// Drops it, and waits until its file is removed, if it is to be.
    fn close(listening: Listening) {
        drop(listening);
        assert!(aside::finish(Duration::from_secs(60)));
    }

    #[test]
    fn everybody_may_connect_to_the_socket_and_it_is_gone_with_its_value() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v_4678");
        let listening = open(folder.path()).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o7777, 0o666);
        let _client = UnixStream::connect(&path).unwrap();
        rustix::net::accept(&listening).unwrap();
        assert!(listening.made.is_in_place());
        close(listening);
        assert!(!path.exists());
    }

    #[test]
    fn whoever_waits_at_a_socket_that_is_given_up_is_hung_up_on_although_somebody_has_a_copy_of_it()
    {
        let folder = tempfile::tempdir().unwrap();
        let listening = open(folder.path()).unwrap();
        let copy = listening.as_fd().try_clone_to_owned().unwrap();
        let mut waits = UnixStream::connect(folder.path().join("v_4678")).unwrap();
        close(listening);
        waits.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        assert_eq!(waits.read(&mut [0]).unwrap(), 0);
        assert!(rustix::net::accept(&copy).is_err(), "nobody waits any more");
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_replaced_and_all_else_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v_4678");
        drop(UnixListener::bind(&path).unwrap());
        close(open(folder.path()).unwrap());
        let live = UnixListener::bind(&path).unwrap();
        assert!(matches!(open(folder.path()), Err(Error::Live)));
        fs::remove_file(&path).unwrap();
        drop(live);
        fs::write(&path, "x").unwrap();
        assert!(matches!(open(folder.path()), Err(Error::NoSocket)));
        fs::remove_file(&path).unwrap();
        fs::write(folder.path().join("target"), "x").unwrap();
        symlink("target", &path).unwrap();
        assert!(matches!(open(folder.path()), Err(Error::NoSocket)));
        assert_eq!(fs::read_to_string(&path).unwrap(), "x");
    }

    #[test]
    fn a_socket_that_another_program_put_in_its_place_is_not_removed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v_4678");
        let listening = open(folder.path()).unwrap();
        fs::remove_file(&path).unwrap();
        let _other = UnixListener::bind(&path).unwrap();
        assert!(!listening.made.is_in_place());
        close(listening);
        assert!(path.exists());
    }

    #[test]
    fn a_socket_that_an_earlier_run_made_goes_on_listening() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v_4678");
        let before = open(folder.path()).unwrap();
        let mut handed_over = vec![
            ("listen-1.2.3.4.5".to_owned(), File::open("/dev/null").unwrap().into()),
            (name_of(before.made.file), before.socket.as_fd().try_clone_to_owned().unwrap()),
            ("other".to_owned(), File::open("/dev/null").unwrap().into()),
        ];
        // A crash: nobody tidies up.
        std::mem::forget(before);
        let _waits = UnixStream::connect(&path).unwrap();
        let earlier = EarlierSockets::of(&mut handed_over);
        assert_eq!((earlier.lock().len(), handed_over.len()), (2, 1));
        let after = open_with(folder.path(), &earlier).unwrap();
        rustix::net::accept(&after).unwrap();
        earlier.give_up();
        assert!(earlier.lock().is_empty());
    }

    #[test]
    fn only_those_earlier_sockets_that_listen_are_taken() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("v_4678");
        drop(UnixListener::bind(&path).unwrap());
        let (_, file) = find(File::open(folder.path()).unwrap(), OsStr::new("v_4678")).unwrap();
        let not_listening = vec![(name_of(file), PeerListener::new(socket().unwrap()))];
        let earlier = EarlierSockets(Arc::new(Mutex::new(not_listening)));
        let listening = open_with(folder.path(), &earlier).unwrap();
        UnixStream::connect(&path).unwrap();
        rustix::net::accept(&listening).unwrap();
    }
}
