//! The way to a guest's own directory in a place of `[[sockets]]` or `[[listen]]`.

use std::fs::Metadata;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hostinfo_file::way::follow;
use hostinfo_open::SocketPattern;
use rustix::fs::{Mode, OFlags, openat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// A directory, to look into it by its descriptor.
const DIRECTORY: OFlags = OFlags::PATH.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);

/// What lets others than a directory's owner write to it, also by an ACL: acl(5).
const OTHERS_WRITE: u32 = 0o022;

/// The directory of a place.
///
/// Whoever owns a directory above it may be given guests of their own there, and must not lead the daemon to those of others
/// by a link. A link that root has made could be one that they have moved, so it is also to be where they may not write.
///
/// # Errors
/// It is not there, or others have a link on the way.
pub(crate) fn base(path: &Path) -> io::Result<OwnedFd> {
    let directory = follow(path, |link| {
        match is_out_of_reach(&link.directory()?, &link.metadata()?) {
            true => Ok(()),
            false => Err(io::Error::other(format!(
                "{} is a symbolic link that others than root and hostinfod's user can replace: put a directory there, or \
             correct the path in hostinfod.toml",
                link.path().display()
            ))),
        }
    })?;
    match directory.metadata()?.is_dir() {
        true => Ok(directory.into()),
        false => Err(Errno::NOTDIR.into()),
    }
}

/// Whether [`base`] follows that link.
pub(crate) fn is_followed(link: &Path) -> bool {
    let found = link.parent().map(|directory| (directory.metadata(), link.symlink_metadata()));
    matches!(found, Some((Ok(directory), Ok(link))) if is_out_of_reach(&directory, &link))
}

fn is_out_of_reach(directory: &Metadata, link: &Metadata) -> bool {
    let is_trusted = |found: &Metadata| [0, geteuid().as_raw()].contains(&found.uid());
    let is_closed = is_trusted(directory) && directory.mode() & OTHERS_WRITE == 0;
    is_closed && is_trusted(link)
}

/// From the directory of a place down to the one in which a guest's socket is.
#[derive(Debug)]
pub(crate) struct Way {
    /// See [`base`].
    base: PathBuf,
    /// Directories of the guest's own.
    steps: Vec<String>,
}

/// Why it does not lead further.
#[derive(Debug)]
pub(crate) struct Obstacle {
    /// What cannot be entered or watched.
    pub(crate) at: PathBuf,
    /// 0 for the directory of the place, 1 for the guest's own, and so on.
    pub(crate) depth: usize,
    pub(crate) error: io::Error,
}

impl Way {
    /// To that guest's.
    pub(crate) fn new(pattern: &SocketPattern, name: &str) -> Self {
        let mut steps = pattern.segments(name);
        // The socket.
        steps.pop();
        Self { base: pattern.directory().to_owned(), steps }
    }

    /// Goes down, and has each of the guest's directories watched before it looks for the next one. It follows no symbolic
    /// link, which could lead to another guest's.
    ///
    /// # Errors
    /// Something is in the way.
    pub(crate) fn descend(
        self,
        watch: impl Fn(&OwnedFd) -> io::Result<()>,
    ) -> Result<OwnedFd, Obstacle> {
        let mut at = self.base;
        let mut here = match base(&at) {
            Ok(base) => base,
            Err(error) => return Err(Obstacle { at, depth: 0, error }),
        };
        for (depth, step) in (1..).zip(self.steps) {
            at.push(&step);
            let entered = openat(&here, step, DIRECTORY | OFlags::NOFOLLOW, Mode::empty());
            let watched = entered.map_err(io::Error::from).and_then(|entered| {
                watch(&entered)?;
                Ok(entered)
            });
            here = match watched {
                Ok(entered) => entered,
                Err(error) => return Err(Obstacle { at, depth, error }),
            };
        }
        Ok(here)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::{self, File, Permissions};
    use std::os::unix::fs::{PermissionsExt as _, chown, lchown, symlink};

    const OTHER: u32 = 4321;

    #[test]
    fn a_link_on_the_way_to_a_place_counts_only_where_root_alone_can_have_put_it() {
        assert!(geteuid().is_root(), "needs root");
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (name, owner, mode) in
            [("vm", 0, 0o755), ("others", OTHER, 0o755), ("group", 0, 0o775), ("sticky", 0, 0o1777)]
        {
            fs::create_dir(at(name)).unwrap();
            chown(at(name), Some(owner), None).unwrap();
            fs::set_permissions(at(name), Permissions::from_mode(mode)).unwrap();
        }
        fs::create_dir(at("others/vm")).unwrap();
        for (link, target, owner) in [
            ("roots", "others/../vm", 0),
            ("to-roots", "roots", 0),
            ("others-own", "vm", OTHER),
            ("to-others-own", "others-own", 0),
            ("others/moved", "../vm", 0),
            ("group/moved", "../vm", 0),
            ("sticky/moved", "../vm", 0),
            ("to-moved", "others/moved", 0),
        ] {
            symlink(target, at(link)).unwrap();
            lchown(at(link), Some(owner), None).unwrap();
        }
        let id = |file: &File| (file.metadata().unwrap().dev(), file.metadata().unwrap().ino());
        for name in ["vm", "others/vm", "roots", "to-roots"] {
            let found = base(&at(name)).unwrap().into();
            assert_eq!(id(&found), id(&File::open(at(name)).unwrap()), "{name}");
        }
        for (name, link) in [
            ("others-own", "others-own"),
            ("to-others-own", "others-own"),
            ("others/moved", "others/moved"),
            ("group/moved", "group/moved"),
            ("sticky/moved", "sticky/moved"),
            ("to-moved", "others/moved"),
        ] {
            let why = base(&at(name)).unwrap_err().to_string();
            let words = format!("{} is a symbolic link that others", at(link).display());
            assert!(why.starts_with(&words), "{name}: {why}");
        }
        fs::write(at("file"), "").unwrap();
        let [file, none] = ["file", "none"].map(|name| base(&at(name)).unwrap_err().kind());
        assert_eq!([file, none], [io::ErrorKind::NotADirectory, io::ErrorKind::NotFound]);
    }
}
