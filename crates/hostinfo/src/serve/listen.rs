//! The broker's listeners.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::os::unix::fs::FileTypeExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use hostinfo_peer::{bind_with_mode, refuse_descriptors};
use rustix::fs::Mode;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, listen, socket_with};

use crate::exit::Failure;

/// Clients that wait to be accepted: as many as std lets wait.
const BACKLOG: i32 = 128;

/// The argument for the socket on standard input, where systemd puts it with `StandardInput=socket`
/// of systemd.exec(5).
const STDIN: &str = "-";

/// Listens on the socket, with that mode, or takes the one on standard input.
///
/// # Errors
/// [`Failure::Listen`]. If another broker listens there, it is left alone.
pub(crate) fn unix(path: &Path, mode: u32) -> Result<UnixListener, Failure> {
    let failed = |why: io::Error| Failure::Listen { place: path.display().to_string(), why };
    let listener = if path == Path::new(STDIN) {
        let fd = io::stdin().as_fd().try_clone_to_owned().map_err(failed)?;
        let is_listening = rustix::net::sockopt::socket_acceptconn(&fd).unwrap_or(false);
        if !is_listening {
            let why = "standard input is not a socket that somebody listens at";
            return Err(failed(io::Error::new(ErrorKind::InvalidInput, why)));
        }
        UnixListener::from(fd)
    } else {
        bind(path, mode).map_err(with_remedy).map_err(failed)?
    };
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

/// Removes a socket that [`unix`] made. One that was passed to this program stays.
pub(crate) fn remover(path: &Path) -> impl Fn() + Clone + Send + 'static {
    let path = (path != Path::new(STDIN)).then(|| path.to_owned());
    move || {
        // If that fails, the next broker replaces it.
        let _ = path.as_deref().map(fs::remove_file);
    }
}

/// The error of [`bind`], and what to do about it.
fn with_remedy(error: io::Error) -> io::Error {
    let why = match error.kind() {
        ErrorKind::PermissionDenied => "Permission denied: use sudo, or name another with --socket",
        ErrorKind::NotFound => {
            "there is no such directory: create it, or name another with --socket"
        }
        _ => return error,
    };
    io::Error::new(error.kind(), why)
}

fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let taken = |why| Err(io::Error::new(ErrorKind::AddrInUse, why));
    match fs::symlink_metadata(path).map(|meta| meta.file_type()) {
        Ok(kind) if kind.is_dir() => {
            return taken("it is a directory: name another with --socket");
        }
        Ok(kind) if !kind.is_socket() => {
            return taken("it is a file that is no socket: name another with --socket");
        }
        Ok(_) => match UnixStream::connect(path) {
            Ok(_) => {
                return taken(
                    "another broker listens there: ask that, or name another with --socket",
                );
            }
            // Left behind by a broker that was killed.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Err(error) => return Err(error),
        },
        Err(_) => {}
    }
    let listener =
        socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    bind_with_mode(&listener, &SocketAddrUnix::new(path)?, Mode::from_raw_mode(mode))?;
    refuse_descriptors(&listener);
    listen(&listener, BACKLOG)?;
    Ok(listener.into())
}

/// Listens for scrapers.
///
/// # Errors
/// [`Failure::Listen`].
pub(crate) fn tcp(address: SocketAddr) -> Result<TcpListener, Failure> {
    let failed = |why: io::Error| Failure::Listen { place: address.to_string(), why };
    let taken = "another program listens there: name another with --listen";
    let listener = TcpListener::bind(address).map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => failed(io::Error::new(error.kind(), taken)),
        _ => failed(error),
    })?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn a_socket_that_was_left_behind_is_replaced_and_a_live_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let first = unix(&path, 0o660).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o660);
        assert!(unix(&path, 0o660).unwrap_err().to_string().contains("another broker"));
        drop(first);
        assert!(unix(&path, 0o666).is_ok());
    }

    #[test]
    fn what_is_no_socket_is_left_alone_and_said_to_be_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "kept").unwrap();
        let why = |path: &Path| unix(path, 0o666).unwrap_err().to_string();
        assert!(
            why(&path).ends_with(": it is a file that is no socket: name another with --socket")
        );
        assert!(why(folder.path()).ends_with(": it is a directory: name another with --socket"));
        assert!(
            why(&folder.path().join("none/s")).contains(": there is no such directory: create")
        );
        let denied = with_remedy(ErrorKind::PermissionDenied.into()).to_string();
        assert!(denied.contains("use sudo, or name another with --socket"), "{denied}");
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    }
}
