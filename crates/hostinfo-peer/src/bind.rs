use std::os::fd::AsFd;

use rustix::fs::{Mode, fchmod};
use rustix::net::SocketAddrUnix;
use rustix::process::umask;

/// Binds a Unix socket that comes to have this mode, without anything done to its file by its name: whoever may write to the
/// directory can put another file, or a link to one, in its place before chmod(2). The file takes the mode of the socket
/// (`unix_bind_bsd` in the kernel's net/unix/af_unix.c), less what a default ACL of the directory refuses.
///
/// The umask is another one meanwhile, also for files that other threads create: call it before there are any.
///
/// # Errors
/// See bind(2).
pub fn bind_with_mode(
    socket: impl AsFd,
    address: &SocketAddrUnix,
    mode: Mode,
) -> rustix::io::Result<()> {
    fchmod(&socket, mode)?;
    let before = umask(Mode::empty());
    let bound = rustix::net::bind(&socket, address);
    umask(before);
    bound
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::symlink_metadata;
    use std::os::unix::fs::PermissionsExt as _;

    use rustix::net::{AddressFamily, SocketType, socket};

    /// So no chmod(2) follows, which would find what somebody has put there in the meantime.
    #[test]
    fn a_socket_has_its_mode_as_soon_as_its_file_is_there_whatever_the_umask() {
        let folder = tempfile::tempdir().unwrap();
        umask(Mode::RWXG | Mode::RWXO);
        for number in 0..300 {
            let path = folder.path().join(number.to_string());
            let first_mode = std::thread::scope(|scope| {
                let seen = scope.spawn(|| {
                    loop {
                        if let Ok(found) = symlink_metadata(&path) {
                            return found.permissions().mode() & 0o7777;
                        }
                    }
                });
                let socket = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
                let address = SocketAddrUnix::new(&path).unwrap();
                bind_with_mode(&socket, &address, Mode::from_raw_mode(0o666)).unwrap();
                seen.join().unwrap()
            });
            assert_eq!(first_mode, 0o666);
        }
        assert_eq!(umask(Mode::empty()), Mode::RWXG | Mode::RWXO);
    }
}
