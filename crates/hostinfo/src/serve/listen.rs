//! The broker's listeners.

use std::fs;
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd as _;
use std::os::unix::fs::{FileTypeExt as _, PermissionsExt as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;

use crate::exit::Failure;

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
        bind(path, mode).map_err(failed)?
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

fn bind(path: &Path, mode: u32) -> io::Result<UnixListener> {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|meta| meta.file_type().is_socket());
    if is_socket {
        match UnixStream::connect(path) {
            Ok(_) => {
                return Err(io::Error::new(ErrorKind::AddrInUse, "another broker listens there"));
            }
            // Left behind by a broker that was killed.
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path)?,
            Err(error) => return Err(error),
        }
    }
    let listener = UnixListener::bind(path)?;
    fs::set_permissions(path, fs::Permissions::from_mode(mode))?;
    Ok(listener)
}

/// Listens for scrapers.
///
/// # Errors
/// [`Failure::Listen`].
pub(crate) fn tcp(address: SocketAddr) -> Result<TcpListener, Failure> {
    let failed = |why: io::Error| Failure::Listen { place: address.to_string(), why };
    let listener = TcpListener::bind(address).map_err(failed)?;
    listener.set_nonblocking(true).map_err(failed)?;
    Ok(listener)
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn a_file_is_not_taken_for_a_socket() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        fs::write(&path, "kept").unwrap();
        assert!(unix(&path, 0o666).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "kept");
    }
}
