//! The cgroups of one tree that a VMM is in, and which of them are the guest's own.
//!
//! The guest's own is the nearest unit on the way up from its VMM (see `unit.rs`) or, if there is
//! no unit, the VMM's cgroup, as long as it contains no second VMM (see `company.rs`). The cgroups
//! around it belong to the host: a slice's limits may apply to other guests too.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::open_files::Buffer;
use crate::vmm::company::{Company, Seen, Worker};
use crate::vmm::process::Process;
use crate::vmm::unit::{ancestors, is_for_threads, is_libvirts, is_slice, is_unit, name, parent};
use crate::{Absent, Moment};

/// The deepest path that is followed; those of systemd and libvirt have 6 levels.
const DEPTH_MAX: usize = 64;

/// The longest path that is followed, in bytes; libvirt's have some 300. What is counted in up to 2,048 cgroups of single
/// threads is kept with their paths: some 2 MiB for a VMM, and twice that of what is handed over in an upgrade. The kernel's
/// have up to 4 KiB.
const LENGTH_MAX: usize = 1024;

const NO_OWN: Absent = Absent::new(
    "this guest has no cgroup of its own",
    "start the guest in a unit of its own, as with systemd-run, or with libvirt, which gives a guest one in \
     qemu:///system, where cgroup_controllers in qemu.conf allows it",
);
pub(crate) const ELSEWHERE: Absent = Absent::new(
    "hostinfod cannot see this guest's cgroups",
    "run hostinfod in the host's own cgroup namespace and with its /sys/fs/cgroup",
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The cgroups from the VMM's up to the root of one tree. Paths are below `/sys/fs/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Branch {
    pub(crate) version: Version,
    /// The innermost first. Cgroups for some of the VMM's threads are left out, and so is the root,
    /// which has no limits.
    paths: Vec<PathBuf>,
    /// How many of the first ones are the guest's own: at least 1.
    own: Result<usize, Absent>,
}

/// The guest's own cgroups of one tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Own<'a> {
    pub(crate) version: Version,
    /// The innermost first.
    pub(crate) levels: &'a [PathBuf],
    /// The outermost: it contains all of the guest.
    pub(crate) whole: &'a Path,
    /// The one in which libvirt creates a cgroup for each vCPU.
    pub(crate) inner: &'a Path,
}

impl Branch {
    /// The guest's own.
    pub(crate) fn own(&self) -> Result<Own<'_>, Absent> {
        let levels = self.paths.get(..self.own.clone()?).unwrap_or_default();
        let (Some(whole), Some(inner)) = (levels.last(), levels.first()) else {
            return Err(NO_OWN);
        };
        Ok(Own { version: self.version, levels, whole, inner })
    }

    /// Those around it; if the guest has none of its own, they include the one the VMM is in.
    pub(crate) fn around(&self) -> &[PathBuf] {
        self.paths.get(*self.own.as_ref().unwrap_or(&0)..).unwrap_or_default()
    }

    /// All cgroups whose limits apply to the guest.
    pub(crate) fn all(&self) -> &[PathBuf] {
        &self.paths
    }
}

/// Finds a VMM's cgroups, tree by tree.
pub(crate) struct Finder<'a> {
    process: &'a Process,
    at: Moment,
    buffer: Buffer,
    company: Company<'a>,
}

impl<'a> Finder<'a> {
    /// `parent` is the process that started the VMM.
    pub(crate) fn new(
        process: &'a Process,
        parent: Option<u64>,
        at: Moment,
        buffer: &'a mut Vec<u8>,
    ) -> Self {
        let company = Company::of(process, parent, at, buffer);
        Self { process, at, buffer: process.roots.buffer(), company }
    }

    /// The kernel threads in the guest's own cgroups that work for it.
    pub(crate) fn into_workers(self) -> Vec<Worker> {
        self.company.workers
    }

    /// The cgroups of a VMM that is in the root, or on a host without this tree.
    pub(crate) fn nowhere(version: Version) -> Branch {
        Branch { version, paths: Vec::new(), own: Err(NO_OWN) }
    }

    /// The cgroups of a VMM that is at `path` according to the kernel, in the tree mounted at the
    /// first of `mounts` that contains it.
    ///
    /// # Errors
    ///
    /// None of them contains it.
    pub(crate) fn branch<'m>(
        &mut self,
        version: Version,
        mut mounts: impl Iterator<Item = &'m Path>,
        path: &[u8],
    ) -> Result<Branch, Absent> {
        let below = relative(path).ok_or(ELSEWHERE)?;
        let whole = outermost_of_libvirts(below).unwrap_or(below);
        let (roots, at) = (&self.process.roots, self.at);
        let is_root = whole.as_os_str().is_empty();
        let is_there = |mount: &&Path| {
            roots.has_for_all(mount, at)
                && (is_root || roots.cgroups().join(mount).join(whole).is_dir())
        };
        let Some(mount) = mounts.find(is_there) else {
            return if path == b"/" { Ok(Self::nowhere(version)) } else { Err(ELSEWHERE) };
        };
        let paths = self.paths(version, mount, below);
        let own = self.own(version, &paths).ok_or(NO_OWN);
        Ok(Branch { version, paths, own })
    }

    /// The innermost first.
    fn paths(&mut self, version: Version, mount: &Path, below: &Path) -> Vec<PathBuf> {
        let innermost = match domain_of_libvirts(below).unwrap_or(below) {
            below if below.as_os_str().is_empty() => mount.to_owned(),
            below => mount.join(below),
        };
        let to_root =
            ancestors(&innermost).take_while(|path| path.as_os_str() != mount.as_os_str());
        let mut paths: Vec<_> = to_root.map(Path::to_owned).collect();
        // The root of a cgroup namespace is an ordinary cgroup, with limits and this file.
        if version == Version::V2
            && self.process.roots.has_for_all(mount.join("cgroup.events"), self.at)
        {
            paths.push(mount.to_owned());
        }
        // Version 1 has no such file.
        let mut is_threaded = |path: &Path| {
            if version == Version::V1 {
                return false;
            }
            let kind = self.process.roots.cgroup(path.join("cgroup.type"), &mut self.buffer);
            kind.is_ok_and(|kind| kind.trim_ascii_end() == b"threaded")
        };
        let threaded = paths.iter().take_while(|path| is_threaded(path)).count();
        paths.drain(..threaded);
        paths
    }

    /// How many of the innermost cgroups are the guest's own.
    fn own(&mut self, version: Version, paths: &[PathBuf]) -> Option<usize> {
        let top = paths.iter().position(|path| is_unit(path)).unwrap_or(0);
        let levels = (1..=top + 1).rev().filter_map(|count| paths.get(..count));
        let mut levels = levels.filter(|levels| !levels.last().is_some_and(|path| is_slice(path)));
        levels.find(|levels| self.are_own(version, levels)).map(<[_]>::len)
    }

    /// Whether the cgroups, of which the last one contains the others, contain no second VMM. If that cannot be
    /// seen, they do not count as the guest's own.
    fn are_own(&mut self, version: Version, levels: &[PathBuf]) -> bool {
        let (Some(innermost), Some(whole)) = (levels.first(), levels.last()) else { return false };
        if !is_libvirts(whole) {
            let Seen { own, second, unclear } = self.company.below(whole);
            return own && !second && !unclear;
        }
        // The name of a cgroup from libvirt shows that it is one guest's. The cgroups of its threads are below the
        // innermost, which lists their processes on v2.
        let mut seen = Seen::default();
        for path in levels {
            self.company.look(path, &mut seen);
        }
        if version == Version::V1 {
            self.company.look(&innermost.join("emulator"), &mut seen);
        }
        !seen.second
    }
}

/// ```text
/// /machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator   libvirt with systemd
/// /machine.slice/machine-qemu\x2d1\x2dweb.scope/emulator           the same, up to 6.x and on v1
/// /machine/qemu-1-web.libvirt-qemu/emulator                        libvirt alone
/// ```
///
/// Removes the last part if it is for some of the VMM's threads.
fn domain_of_libvirts(path: &Path) -> Option<&Path> {
    let inner = parent_if(path, is_for_threads);
    outermost_of_libvirts(path).map(|_| inner)
}

fn outermost_of_libvirts(path: &Path) -> Option<&Path> {
    let outer = parent_if(parent_if(path, is_for_threads), |path| name(path) == b"libvirt");
    is_libvirts(outer).then_some(outer)
}

fn parent_if(path: &Path, is: impl Fn(&Path) -> bool) -> &Path {
    parent(path).filter(|_| is(path)).unwrap_or(path)
}

/// A path from the kernel, made relative to a mount point. `None` if it leads out of the mount
/// point: the cgroup is not in this process's namespace.
fn relative(path: &[u8]) -> Option<&Path> {
    let names = path.strip_prefix(b"/")?;
    let is_inside = |name: &[u8]| !matches!(name, b"" | b"." | b"..");
    let mut all = names.split(|byte| *byte == b'/');
    let is_short = names.len() <= LENGTH_MAX && all.clone().count() <= DEPTH_MAX;
    let is_path = names.is_empty() || is_short && all.all(is_inside);
    is_path.then(|| Path::new(OsStr::from_bytes(names)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn libvirts_cgroups_of_threads_are_left_out_wherever_the_guest_is() {
        let scope = r"machine.slice/machine-qemu\x2d1\x2dweb.scope";
        for (path, inner, outer) in [
            (format!("{scope}/libvirt/vcpu0"), format!("{scope}/libvirt"), scope),
            (format!("{scope}/libvirt"), format!("{scope}/libvirt"), scope),
            (format!("{scope}/emulator"), scope.to_owned(), scope),
            (scope.to_owned(), scope.to_owned(), scope),
            ("a.libvirt-qemu/iothread1".into(), "a.libvirt-qemu".into(), "a.libvirt-qemu"),
        ] {
            let path = Path::new(&path);
            assert_eq!(domain_of_libvirts(path), Some(Path::new(&inner)), "{path:?}");
            assert_eq!(outermost_of_libvirts(path), Some(Path::new(outer)), "{path:?}");
        }
        for path in ["a/emulator", "web.service/libvirt/vcpu0", "machine.slice", ""] {
            assert_eq!(domain_of_libvirts(Path::new(path)), None, "{path}");
        }
    }

    #[test]
    fn a_path_that_leads_out_of_the_tree_is_not_followed() {
        assert_eq!(relative(b"/"), Some(Path::new("")));
        assert_eq!(relative(b"/a:b c/d.scope"), Some(Path::new("a:b c/d.scope")));
        for path in ["", "a", "//a", "/a/", "/../a", "/a/../b", "/./a"] {
            assert_eq!(relative(path.as_bytes()), None, "{path}");
        }
        assert_eq!(relative("/a".repeat(DEPTH_MAX + 1).as_bytes()), None);
        let long = |length| format!("/{}/{}", "x".repeat(255), "y".repeat(length - 256));
        assert!(relative(long(LENGTH_MAX).as_bytes()).is_some());
        assert_eq!(relative(long(LENGTH_MAX + 1).as_bytes()), None);
    }

    proptest! {
        #[test]
        fn any_path_stays_below_the_mount_point(bytes: Vec<u8>, path in "(/(\\.|\\.\\.|a|vcpu1|libvirt|x.scope)?){0,6}") {
            for path in [&bytes[..], path.as_bytes()] {
                if let Some(path) = relative(path) {
                    prop_assert!(Path::new("cpu").join(path).starts_with("cpu"));
                    prop_assert!(!path.components().any(|part| part.as_os_str() == ".."));
                }
            }
        }
    }
}
