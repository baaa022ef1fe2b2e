//! The socket directory, in whatever way a domain's XML writes it.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Component, Path, PathBuf};

use crate::limits::NAME_MAX;

/// The directory of the guests' sockets, or one below it.
#[derive(Debug, Clone)]
pub struct Directory {
    path: PathBuf,
    looks: bool,
}

/// Where a path leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Leads<'p> {
    /// Into the directory, to this name.
    Here(&'p str),
    /// To this name in a directory that cannot be read: it may be the socket directory by another
    /// path.
    Hidden(&'p str),
    /// To something outside the directory.
    Elsewhere,
}

impl Directory {
    /// The directory by its path alone: the file system is not consulted.
    pub fn of_text(path: &Path) -> Self {
        Self { path: path.to_owned(), looks: false }
    }

    /// The directory on this host. Other paths may lead to it, through symbolic links or because it
    /// is mounted there too. The file system is consulted whenever a path may be a socket's.
    pub fn of_host(path: &Path) -> Self {
        Self { path: path.to_owned(), looks: true }
    }

    /// A subdirectory.
    pub(crate) fn below(&self, name: &str) -> Self {
        Self { path: self.path.join(name), ..self.clone() }
    }

    /// Where the path of a socket leads. A name that no file can have leads elsewhere.
    pub(crate) fn find<'p>(&self, path: &'p str) -> Leads<'p> {
        let leads = self.find_in_text(path);
        let path = Path::new(path);
        let (Leads::Elsewhere, Some(parent), Some(name)) = (leads, path.parent(), name(path))
        else {
            return leads;
        };
        // A name that cannot be a guest's socket does not matter, wherever it is: libvirt keeps its
        // own sockets in directories that nobody else may read.
        if !self.looks || !path.is_absolute() || !name.contains('-') {
            return Leads::Elsewhere;
        }
        let Ok(own) = fs::metadata(&self.path) else { return Leads::Elsewhere };
        match fs::metadata(parent) {
            Ok(its) if (its.dev(), its.ino()) == (own.dev(), own.ino()) => Leads::Here(name),
            Ok(_) => Leads::Elsewhere,
            Err(_) => Leads::Hidden(name),
        }
    }

    /// The same by the path alone, and never hidden. Used for files, whose file system may hang.
    pub(crate) fn find_in_text<'p>(&self, path: &'p str) -> Leads<'p> {
        let path = Path::new(path);
        let parent = path.parent().and_then(plain);
        let is_here = parent.is_some() && parent == plain(&self.path);
        name(path).filter(|_| is_here).map_or(Leads::Elsewhere, Leads::Here)
    }
}

fn name(path: &Path) -> Option<&str> {
    path.file_name()?.to_str().filter(|name| name.len() <= NAME_MAX)
}

/// An absolute path without `.`, `..` and doubled slashes.
fn plain(path: &Path) -> Option<PathBuf> {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain.is_absolute().then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn another_way_to_write_the_same_path_is_the_same_path() {
        let directory = Directory::of_text(Path::new("/var/lib/hostinfo"));
        for path in ["/var/lib//hostinfo/./qemu-a", "/var/lib/hostinfo/vhostmd/../qemu-a"] {
            assert_eq!(directory.find(path), Leads::Here("qemu-a"), "{path}");
        }
        for path in ["/var/lib/hostinfo/", "/var/lib/hostinfo/..", "var/lib/hostinfo/a", "", "/"] {
            assert_eq!(directory.find(path), Leads::Elsewhere, "{path}");
        }
    }

    #[test]
    fn every_link_to_the_directory_is_the_directory() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join(name);
        fs::create_dir_all(place("real/vhostmd")).unwrap();
        fs::create_dir(place("other")).unwrap();
        symlink(place("real"), place("set")).unwrap();
        symlink(place("set"), place("alias")).unwrap();
        symlink("..", place("real/vhostmd/up")).unwrap();
        let directory = Directory::of_host(&place("set"));
        for way in ["set", "real", "alias", "real/vhostmd/up", "alias/vhostmd/.."] {
            let path = format!("{}/{way}/qemu-a", folder.path().display());
            assert_eq!(directory.find(&path), Leads::Here("qemu-a"), "{way}");
        }
        for (path, leads) in [
            ("other/qemu-a", Leads::Elsewhere),
            ("real/vhostmd/qemu-a", Leads::Elsewhere),
            ("gone/qemu-a", Leads::Hidden("qemu-a")),
            ("gone/org.qemu.guest_agent.0", Leads::Elsewhere),
        ] {
            let path = format!("{}/{path}", folder.path().display());
            assert_eq!(directory.find(&path), leads, "{path}");
            assert_eq!(Directory::of_text(&place("set")).find(&path), Leads::Elsewhere, "{path}");
        }
        let below = format!("{}/alias/vhostmd/qemu-a", folder.path().display());
        assert_eq!(directory.below("vhostmd").find(&below), Leads::Here("qemu-a"));
        assert_eq!(directory.below("disk").find(&below), Leads::Elsewhere);
    }
}
