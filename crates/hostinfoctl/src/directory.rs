//! The socket directory. libvirt does not create it.

use std::fs::DirBuilder;
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt as _, FileTypeExt as _, MetadataExt as _};
use std::path::Path;

use hostinfo_domains::{SOCKET_DIR, VHOSTMD_DIR};
use hostinfo_file::in_words;
use rustix::fs::{Access, AtFlags, CWD, accessat};
use rustix::io::Errno;

use crate::args::Options;
use crate::exit::{Failure, complain};
use crate::uri::{is_remote, is_session, socket};

/// QEMU has to reach the sockets in it, and nobody needs to list them.
const MODE: u32 = 0o711;

/// Refuses a session's libvirt whose guests could not make their sockets there: they would not
/// start. Of another host it cannot be known from here.
///
/// # Errors
/// [`Failure::Refused`].
pub(crate) fn check_session_access(options: &Options) -> Result<(), Failure> {
    let uri = &options.connect;
    if !is_session(uri) || is_remote(uri) {
        return Ok(());
    }
    let user = rustix::process::geteuid();
    let owner = socket(uri).and_then(|socket| Path::new(socket).metadata().ok());
    if owner.is_some_and(|owner| owner.uid() != user.as_raw()) {
        return Err(Failure::Refused(format!(
            "{uri} is the session of another user: run hostinfoctl as that user"
        )));
    }
    can_make_sockets(&options.directory).map_err(|error| {
        Failure::Refused(format!(
            "{uri} runs guests as user {}, who cannot make their sockets in {}: {error}. They \
             would not start: use guests of qemu:///system",
            user.as_raw(),
            options.directory.display()
        ))
    })
}

/// Whether this user can: in the directory, or in the one above it while it is to be made.
fn can_make_sockets(directory: &Path) -> Result<(), std::io::Error> {
    let can =
        |path: &Path| accessat(CWD, path, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS);
    Ok(match (can(directory), directory.parent()) {
        (Err(Errno::NOENT), Some(above)) => can(above),
        (found, _) => found,
    }?)
}

/// Creates the directory if it does not exist, and the one for vhostmd's clients in it if wanted.
/// On another host it cannot be created from here.
///
/// # Errors
/// [`Failure::Refused`].
pub(crate) fn make(options: &Options, vhostmd: bool) -> Result<(), Failure> {
    let directory = &options.directory;
    if is_remote(&options.connect) {
        complain(format!(
            "note: {} has to exist on the host of {}, or guests will not start",
            directory.display(),
            options.connect
        ));
        return Ok(());
    }
    if make_one(directory)? {
        let remedy = match directory == Path::new(SOCKET_DIR) {
            true => "systemd-tmpfiles --create hostinfo.conf".to_owned(),
            false => {
                format!("setfacl -m u:hostinfo:rwx -d -m u:hostinfo:rwx {}", directory.display())
            }
        };
        complain(format!(
            "note: created {}, which did not exist; before guests start, give the user that \
             hostinfod runs as access to it: {remedy}",
            directory.display()
        ));
    }
    if vhostmd {
        make_one(&directory.join(VHOSTMD_DIR))?;
    }
    Ok(())
}

/// Creates one directory if it does not exist, and returns whether it did.
fn make_one(path: &Path) -> Result<bool, Failure> {
    let refused = |words: String| Failure::Refused(format!("{}: {words}", path.display()));
    match DirBuilder::new().mode(MODE).create(path) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
        Err(error) => {
            let words = in_words(&error);
            Err(refused(match error.kind() {
                ErrorKind::PermissionDenied => {
                    format!("{words}: be root")
                }
                ErrorKind::NotFound => format!("{words}: make the directory above it first"),
                ErrorKind::AlreadyExists => "is not a directory: move it away".to_owned(),
                _ => words.to_owned(),
            }))
        }
    }
}

/// Removes the socket of an unplugged channel, which QEMU could not remove without being root. If
/// this program cannot either, the socket stays: it does no harm, and the guest's next start
/// replaces it.
pub(crate) fn remove_socket(socket: &Path) {
    if socket.symlink_metadata().is_ok_and(|found| found.file_type().is_socket()) {
        let _ = std::fs::remove_file(socket);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn the_directory_is_made_once_and_can_be_passed_through_but_not_listed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("hostinfo");
        assert_eq!([make_one(&path).unwrap(), make_one(&path).unwrap()], [true, false]);
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn a_session_needs_a_directory_that_its_user_can_write_to_or_make() {
        let folder = tempfile::tempdir().unwrap();
        assert!(can_make_sockets(folder.path()).is_ok());
        assert!(can_make_sockets(&folder.path().join("new")).is_ok());
        assert!(can_make_sockets(&folder.path().join("none/new")).is_err());
    }

    #[test]
    fn only_a_socket_is_removed_at_an_unplugged_ports_path() {
        let folder = tempfile::tempdir().unwrap();
        let [socket, file] = ["socket", "file"].map(|name| folder.path().join(name));
        let _listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        std::fs::write(&file, "").unwrap();
        for path in [&socket, &file, &folder.path().join("none")] {
            remove_socket(path);
        }
        assert_eq!([socket.exists(), file.exists()], [false, true]);
    }

    #[test]
    fn a_file_in_the_directorys_place_is_named_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        std::fs::write(&path, "").unwrap();
        assert!(make_one(&path).unwrap_err().to_string().contains("is not a directory"));
        let deep = make_one(&folder.path().join("a/b")).unwrap_err().to_string();
        assert!(deep.contains("make the directory above it first"), "{deep}");
    }
}
