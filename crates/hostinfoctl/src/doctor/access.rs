//! The socket directory: whether hostinfod's user can connect to the sockets that are there, and to
//! those that QEMU will make.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use super::acl::{Acl, DEFAULT, PASS, READ, WRITE, may};
use super::finding::Finding;
use super::user::User;

/// Most sockets that are named.
const NAMED_MAX: usize = 20;

/// Looks at the directory. `user`: hostinfod's, or the name of one that does not exist.
pub(crate) fn look(directory: &Path, user: Result<User, String>) -> Vec<Finding> {
    let path = directory.to_owned();
    let user = match user {
        Ok(user) => user,
        Err(user) => return vec![Finding::NoUser { user }],
    };
    let found = match directory.metadata() {
        Ok(found) if !found.is_dir() => return vec![Finding::DirectoryOther { path }],
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            return vec![Finding::DirectoryMissing { path }];
        }
        Err(error) => {
            return vec![Finding::DirectoryUnseen { path, why: error.kind().to_string() }];
        }
    };
    if !may(&user, directory, &found, READ | PASS) {
        return vec![Finding::DirectoryClosed { path, user: user.name }];
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries.flatten(),
        Err(error) => {
            return vec![Finding::DirectoryUnseen { path, why: error.kind().to_string() }];
        }
    };
    let is_socket = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_socket());
    let sockets: Vec<DirEntry> = entries.filter(is_socket).collect();
    let is_closed = |socket: &&DirEntry| {
        let found = socket.metadata();
        found.is_ok_and(|found| !may(&user, &socket.path(), &found, WRITE))
    };
    let closed = sockets.iter().filter(is_closed).take(NAMED_MAX);
    let closed =
        closed.map(|socket| Finding::SocketClosed { path: socket.path(), user: user.name.clone() });
    let mut findings: Vec<Finding> = closed.collect();
    // Without the ACL its groups may let it in; that it can connect to the sockets that are there shows it.
    let by_acl = Acl::read(directory, DEFAULT).is_some_and(|acl| acl.names(&user, WRITE));
    let by_group = !sockets.is_empty() && findings.is_empty();
    if user.uid != 0 && !by_acl && !by_group {
        findings.push(Finding::NoDefaultAcl { path, user: user.name });
    } else if findings.is_empty() {
        findings.push(Finding::DirectoryOpen { path, user: user.name, sockets: sockets.len() });
    }
    findings
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    fn described(directory: &Path, uid: u32) -> Vec<String> {
        let user = User { name: "hostinfo".to_owned(), uid, groups: vec![uid] };
        look(directory, Ok(user)).iter().map(|finding| finding.described().message).collect()
    }

    #[test]
    fn a_directory_that_hostinfods_user_cannot_reach_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        let set = |path: &Path, mode| {
            fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        };
        set(path, 0o700);
        assert!(described(path, 4242)[0].contains("cannot read"));
        set(path, 0o755);
        assert!(described(path, 4242)[0].contains("no default ACL"), "{:?}", described(path, 4242));
        let socket = path.join("qemu-a");
        let _listener = UnixListener::bind(&socket).unwrap();
        set(&socket, 0o775);
        let closed = described(path, 4242);
        assert!(closed[0].contains("cannot connect to") && closed[0].ends_with("qemu-a"));
        assert!(closed[1].contains("no default ACL"));
        set(&socket, 0o777);
        assert!(described(path, 4242)[0].contains("can connect to the sockets there (1)"));
        set(&socket, 0);
        assert!(described(path, 0)[0].contains("can connect"), "root may");
        assert!(described(&path.join("none"), 0)[0].contains("is missing"));
        assert!(described(&socket, 0)[0].contains("is not a directory"));
        let nobody = look(path, Err("hostinfo".to_owned()));
        assert!(nobody[0].described().message.contains("there is no user hostinfo"));
    }
}
