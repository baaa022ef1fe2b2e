//! The socket directory: whether hostinfod's user can connect to the sockets that are there, and to
//! those that QEMU will make.

use std::fs::{self, DirEntry};
use std::io::ErrorKind;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use hostinfo_domains::SOCKET_DIR;

use super::acl::{Acl, DEFAULT, PASS, READ, WRITE, may};
use super::finding::{Finding, Subject::Directory, quoted};
use super::user::User;

/// Most sockets that are named.
const NAMED_MAX: usize = 20;

/// Looks at the directory. `user`: hostinfod's, or the name of one that does not exist.
pub(crate) fn look(directory: &Path, user: Result<User, String>) -> Vec<Finding> {
    let path = directory.display();
    let user = match user {
        Ok(user) => user,
        Err(user) => {
            let words = format!("there is no user {user}, as which hostinfod runs");
            return vec![Directory.problem(words, &["systemd-sysusers hostinfo.conf".into()])];
        }
    };
    let unseen = |error: std::io::Error| {
        vec![Directory.unseen_without_root(format!("{path}: {}", error.kind()))]
    };
    let found = match directory.metadata() {
        Ok(found) if !found.is_dir() => {
            let words = format!("{path} is not a directory: move it away");
            let commands =
                [format!("mv {0} {0}.old", quoted(directory)), tmpfiles(directory, None)];
            return vec![Directory.problem(words, &commands)];
        }
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let words = format!("{path} is missing, so guests with a port do not start");
            return vec![Directory.problem(words, &[tmpfiles(directory, None)])];
        }
        Err(error) => return unseen(error),
    };
    if !may(&user, directory, &found, READ | PASS) {
        let words = format!("user {}, as which hostinfod runs, cannot read {path}", user.name);
        return vec![Directory.problem(words, &[tmpfiles(directory, Some(&user.name))])];
    }
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries.flatten(),
        Err(error) => return unseen(error),
    };
    let is_socket = |entry: &DirEntry| entry.file_type().is_ok_and(|kind| kind.is_socket());
    let sockets: Vec<DirEntry> = entries.filter(is_socket).collect();
    let is_closed = |socket: &&DirEntry| {
        let found = socket.metadata();
        found.is_ok_and(|found| !may(&user, &socket.path(), &found, WRITE))
    };
    let closed = sockets.iter().filter(is_closed).take(NAMED_MAX);
    let closed = closed.map(|socket| {
        let (path, user) = (socket.path(), &user.name);
        let words =
            format!("user {user}, as which hostinfod runs, cannot connect to {}", path.display());
        Directory.problem(words, &[format!("setfacl -m u:{user}:rw {}", quoted(&path))])
    });
    let mut findings: Vec<Finding> = closed.collect();
    // Without the ACL its groups may let it in; that it can connect to the sockets that are there shows it.
    let by_acl = Acl::read(directory, DEFAULT).is_some_and(|acl| acl.names(&user, WRITE));
    let by_group = !sockets.is_empty() && findings.is_empty();
    if user.uid != 0 && !by_acl && !by_group {
        let words = format!(
            "{path} has no default ACL for user {}, so hostinfod cannot connect to sockets that QEMU makes there",
            user.name
        );
        findings.push(Directory.problem(words, &[tmpfiles(directory, Some(&user.name))]));
    } else if findings.is_empty() {
        findings.push(Directory.fine(format!(
            "{path}: user {} can connect to the sockets there ({}), and to new ones",
            user.name,
            sockets.len()
        )));
    }
    findings
}

/// The command that makes the directory as it should be, or opens another one.
fn tmpfiles(path: &Path, user: Option<&str>) -> String {
    match (path == Path::new(SOCKET_DIR), user) {
        (true, _) => "systemd-tmpfiles --create hostinfo.conf".to_owned(),
        (false, Some(user)) => {
            format!("setfacl -m u:{user}:rwx -d -m u:{user}:rwx {}", quoted(path))
        }
        (false, None) => format!("mkdir -m 0711 {}", quoted(path)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;
    use std::os::unix::net::UnixListener;

    fn described(directory: &Path, uid: u32) -> Vec<String> {
        let user = User { name: "hostinfo".to_owned(), uid, groups: vec![uid] };
        look(directory, Ok(user)).iter().map(|finding| finding.message.clone()).collect()
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
        assert!(nobody[0].message.contains("there is no user hostinfo"));
    }

    #[test]
    fn a_remedy_stands_below_its_problem_as_a_command() {
        let root = User { name: "root".to_owned(), uid: 0, groups: Vec::new() };
        let missing = &look(Path::new("/srv/a b"), Ok(root))[0];
        assert_eq!(
            anstream::adapter::strip_str(&missing.shown()).to_string(),
            "problem  directory  /srv/a b is missing, so guests with a port do not start\n                    \
             # mkdir -m 0711 '/srv/a b'\n"
        );
    }
}
