//! From the root to a guest's socket, one directory after the other, and the connection to it.
//!
//! The opener passes where hostinfod may not, so whatever lies on the way must be root's alone: nobody
//! else can have put another directory, a link or a socket there.

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use hostinfo_open::unix::connect_to;
use hostinfo_open::{Answer, Entry};
use rustix::fs::{FileType, Mode, OFlags, PROC_SUPER_MAGIC, Stat, fstat, fstatfs, open, openat};
use rustix::io::Errno;
use rustix::process::Uid;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    /// No file has that name.
    #[error("it is gone")]
    Gone,
    /// Nobody listens there.
    #[error("nobody listens")]
    NobodyListens,
    /// The queue of the process that listens is full.
    #[error("other programs already wait to connect to it")]
    Full,
    /// A symbolic link is on the way, and could lead anywhere.
    #[error("{} is a symbolic link: write the path without links into hostinfod.toml", .0.display())]
    Link(PathBuf),
    /// Something on the way is not a directory.
    #[error("{} is not a directory: correct path in [[sockets]] of hostinfod.toml", .0.display())]
    NotADirectory(PathBuf),
    /// Another user than root could have put this there, in place of the guest's socket.
    #[error("{path} belongs to another user than root or can be written by one: as root, chown root {path}; chmod go-w {path}", path = .0.display())]
    Writable(PathBuf),
    /// It is in a proc file system, wherever that is mounted.
    #[error("{} is in a proc file system, where no socket of a guest is: correct path in [[sockets]] of hostinfod.toml", .0.display())]
    Proc(PathBuf),
    /// The file at the end is not a socket.
    #[error("{} is not a socket: remove it, or correct path in [[sockets]] of hostinfod.toml", .0.display())]
    NoSocket(PathBuf),
    /// A system call failed.
    #[error("{}: {error}", .path.display())]
    Failed {
        /// The file.
        path: PathBuf,
        /// The system's error.
        error: Errno,
    },
}

impl From<Refused> for Answer {
    fn from(refused: Refused) -> Self {
        match refused {
            Refused::Gone => Self::Gone,
            Refused::NobodyListens => Self::NobodyListens,
            Refused::Full => Self::Full,
            other => Self::Refused(other.to_string()),
        }
    }
}

/// Files are looked at without being opened, and links are not followed. As the walk goes one segment at a time, openat2(2)
/// could do no more than this, and systemd forbids it in a unit with RestrictSUIDSGID=.
const LOOK: OFlags = OFlags::PATH.union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);

/// Connects to the socket of the guest of that name. `root` is where paths begin, and all directories
/// have to be of `owner`.
///
/// # Errors
/// [`Refused`].
pub(crate) fn connect(
    entry: &Entry,
    name: &str,
    root: &str,
    owner: Uid,
) -> Result<OwnedFd, Refused> {
    let mut walk = Walk::begin(root, owner)?;
    let above = entry.pattern.directory().to_string_lossy();
    let below = entry.pattern.segments(name);
    let mut segments: Vec<&str> = above.split('/').filter(|segment| !segment.is_empty()).collect();
    segments.extend(below.iter().map(String::as_str));
    let socket = segments.pop().unwrap_or_default();
    for segment in segments {
        walk.enter(segment)?;
    }
    walk.connect(socket)
}

/// How far the walk has come.
struct Walk {
    directory: OwnedFd,
    path: PathBuf,
    owner: Uid,
}

impl Walk {
    fn begin(root: &str, owner: Uid) -> Result<Self, Refused> {
        let path = PathBuf::from(root);
        let opened = open(root, LOOK | OFlags::DIRECTORY, Mode::empty());
        let directory = opened.map_err(|error| failed(&path, error))?;
        let walk = Self { directory, path, owner };
        walk.check()?;
        Ok(walk)
    }

    fn enter(&mut self, segment: &str) -> Result<(), Refused> {
        self.path.push(segment);
        self.directory = self.open(segment)?;
        if self.kind(&self.directory)? != FileType::Directory {
            return Err(Refused::NotADirectory(self.path.clone()));
        }
        self.check()
    }

    /// Whether the directory is one in which nobody but its owner can put anything. An ACL that lets
    /// somebody write shows in the group's bits, acl(5).
    fn check(&self) -> Result<(), Refused> {
        let Stat { st_uid, st_mode, .. } = self.stat(&self.directory)?;
        let others = Mode::WGRP | Mode::WOTH;
        if st_uid != self.owner.as_raw() || Mode::from_raw_mode(st_mode).intersects(others) {
            return Err(Refused::Writable(self.path.clone()));
        }
        let system = fstatfs(&self.directory).map_err(|error| failed(&self.path, error))?;
        if system.f_type == PROC_SUPER_MAGIC {
            return Err(Refused::Proc(self.path.clone()));
        }
        Ok(())
    }

    fn connect(mut self, socket: &str) -> Result<OwnedFd, Refused> {
        self.path.push(socket);
        let file = self.open(socket)?;
        if self.kind(&file)? != FileType::Socket {
            return Err(Refused::NoSocket(self.path));
        }
        // To what was looked at, whatever has its name by now.
        connect_to(&file).map_err(|error| match error {
            Errno::CONNREFUSED => Refused::NobodyListens,
            Errno::AGAIN => Refused::Full,
            error => failed(&self.path, error),
        })
    }

    fn open(&self, segment: &str) -> Result<OwnedFd, Refused> {
        let opened = openat(&self.directory, segment, LOOK, Mode::empty());
        let file = opened.map_err(|error| failed(&self.path, error))?;
        match self.kind(&file)? {
            FileType::Symlink => Err(Refused::Link(self.path.clone())),
            _ => Ok(file),
        }
    }

    fn kind(&self, file: impl AsFd) -> Result<FileType, Refused> {
        Ok(FileType::from_raw_mode(self.stat(file)?.st_mode))
    }

    fn stat(&self, file: impl AsFd) -> Result<Stat, Refused> {
        fstat(file).map_err(|error| failed(&self.path, error))
    }
}

fn failed(path: &Path, error: Errno) -> Refused {
    match error {
        Errno::NOENT => Refused::Gone,
        error => Refused::Failed { path: path.to_owned(), error },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::fs::{self, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, symlink};
    use std::os::unix::net::UnixListener;

    use hostinfo_open::Sockets;
    use rustix::fs::{CWD, mkfifoat};
    use rustix::process::geteuid;

    /// A tree in which the tests' own user is what root is to the opener.
    struct Tree(tempfile::TempDir);

    impl Tree {
        fn new() -> Self {
            let tree = Self(tempfile::tempdir().unwrap());
            tree.make("run");
            tree.make("run/vm");
            tree
        }

        fn at(&self, path: &str) -> PathBuf {
            self.0.path().join(path)
        }

        fn make(&self, path: &str) {
            fs::create_dir(self.at(path)).unwrap();
            self.set_mode(path, 0o755);
        }

        fn set_mode(&self, path: &str, mode: u32) {
            fs::set_permissions(self.at(path), Permissions::from_mode(mode)).unwrap();
        }

        fn connect(&self, pattern: &str, name: &str) -> Result<OwnedFd, Refused> {
            let text = format!("[[sockets]]\npath = '{pattern}'\ndriver = 'qemu'");
            let sockets = Sockets::parse(&text).unwrap();
            connect(&sockets.entries()[0], name, self.0.path().to_str().unwrap(), geteuid())
        }
    }

    const PATTERN: &str = "/run/vm/{name}.s";

    #[test]
    fn a_socket_that_only_its_owner_may_open_is_connected_to_and_passed_on() {
        let tree = Tree::new();
        let listener = UnixListener::bind(tree.at("run/vm/a.s")).unwrap();
        tree.set_mode("run/vm/a.s", 0o600);
        let socket = tree.connect(PATTERN, "a").unwrap();
        listener.accept().unwrap();
        let (one, two) = std::os::unix::net::UnixDatagram::pair().unwrap();
        hostinfo_open::message::send(&one, b"x", Some(&socket)).unwrap();
        assert!(hostinfo_open::message::receive(&two).unwrap().1.is_some());
        tree.make("run/vm/a");
        let _deep = UnixListener::bind(tree.at("run/vm/a/s")).unwrap();
        tree.connect("/run/vm/{name}/s", "a").unwrap();
    }

    #[test]
    fn an_absent_socket_a_dead_one_and_a_full_one_are_told_apart() {
        let tree = Tree::new();
        drop(UnixListener::bind(tree.at("run/vm/dead.s")).unwrap());
        let full = UnixListener::bind(tree.at("run/vm/full.s")).unwrap();
        rustix::net::listen(&full, 0).unwrap();
        let _waits = tree.connect(PATTERN, "full").unwrap();
        for (name, answer) in
            [("none", Answer::Gone), ("dead", Answer::NobodyListens), ("full", Answer::Full)]
        {
            assert_eq!(Answer::from(tree.connect(PATTERN, name).unwrap_err()), answer);
        }
    }

    #[test]
    fn a_file_a_fifo_and_a_directory_are_no_sockets_and_are_not_opened() {
        let tree = Tree::new();
        fs::write(tree.at("run/vm/file.s"), "").unwrap();
        mkfifoat(CWD, tree.at("run/vm/fifo.s"), Mode::RWXU).unwrap();
        tree.make("run/vm/folder.s");
        for name in ["file", "fifo", "folder"] {
            let refused = tree.connect(PATTERN, name).unwrap_err();
            assert!(matches!(refused, Refused::NoSocket(_)), "{refused}");
        }
    }

    #[test]
    fn a_link_on_the_way_or_at_its_end_is_refused_even_if_it_leads_to_a_socket() {
        let tree = Tree::new();
        let _listener = UnixListener::bind(tree.at("run/vm/a.s")).unwrap();
        symlink("a.s", tree.at("run/vm/b.s")).unwrap();
        symlink("vm", tree.at("run/link")).unwrap();
        fs::write(tree.at("run/file"), "").unwrap();
        symlink("/proc/self/cwd", tree.at("run/magic")).unwrap();
        for (pattern, name, link) in [
            (PATTERN, "b", "run/vm/b.s"),
            ("/run/link/{name}.s", "a", "run/link"),
            ("/run/magic/{name}.s", "a", "run/magic"),
        ] {
            let refused = tree.connect(pattern, name).unwrap_err();
            let Refused::Link(at) = &refused else { panic!("{pattern} {name}: {refused}") };
            assert_eq!(*at, tree.at(link));
        }
        let refused = tree.connect("/run/file/{name}.s", "a").unwrap_err();
        assert!(matches!(refused, Refused::NotADirectory(_)), "{refused}");
    }

    #[test]
    fn a_directory_that_another_user_may_write_is_refused_wherever_it_is_on_the_way() {
        let tree = Tree::new();
        let _listener = UnixListener::bind(tree.at("run/vm/a.s")).unwrap();
        for (path, mode) in [("run", 0o775), ("run/vm", 0o757), ("run/vm", 0o1777), ("", 0o770)] {
            tree.set_mode(path, mode);
            let refused = tree.connect(PATTERN, "a").unwrap_err();
            let Refused::Writable(at) = &refused else { panic!("{path}: {refused}") };
            assert_eq!(*at, tree.at(path).components().collect::<PathBuf>());
            tree.set_mode(path, 0o755);
        }
        tree.connect(PATTERN, "a").unwrap();
        let text = format!("[[sockets]]\npath = '{PATTERN}'\ndriver = 'qemu'");
        let sockets = Sockets::parse(&text).unwrap();
        let other = Uid::from_raw(geteuid().as_raw() + 1);
        let root = tree.0.path().to_str().unwrap();
        let refused = connect(&sockets.entries()[0], "a", root, other).unwrap_err();
        assert!(matches!(refused, Refused::Writable(_)), "its owner is another");
    }

    #[test]
    fn the_walk_refuses_to_pass_through_a_proc_file_system() {
        let sockets =
            Sockets::parse("[[sockets]]\npath = '/self/{name}'\ndriver = 'qemu'").unwrap();
        let owner = Uid::from_raw(fstat(fs::File::open("/proc").unwrap()).unwrap().st_uid);
        let refused = connect(&sockets.entries()[0], "x", "/proc", owner).unwrap_err();
        assert!(matches!(&refused, Refused::Proc(at) if at == Path::new("/proc")), "{refused}");
    }
}
