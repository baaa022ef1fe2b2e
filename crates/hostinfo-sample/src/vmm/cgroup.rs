//! `/proc/PID/cgroup`: which cgroups are the guest's own.
//!
//! A cgroup is the guest's own where libvirt made it, or where the VMM is alone in it and in all
//! below it. All else is a session's, a slice's or the root: its limits and its pressure are also
//! about others.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::Absent;
use crate::root::PAGE_BYTES;
use crate::text::{lines, number};
use crate::vmm::alone::is_alone;
use crate::vmm::process::{Process, UNSEEN};

/// The deepest path that is followed: systemd's and libvirt's have 6.
const DEPTH_MAX: usize = 64;

pub(crate) const NO_OWN: Absent = Absent::new(
    "this guest has no cgroup of its own",
    "start the guest with libvirt, or in a unit of its own, as with systemd-run",
);
const NO_V2: Absent = Absent::new(
    "this host does not measure guests' pressure",
    "boot the host with cgroup v2: systemd.unified_cgroup_hierarchy=1",
);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    V1,
    V2,
}

/// The guest's cgroups. A host may have a tree for each controller, one for all, or both.
#[derive(Clone)]
pub(crate) struct Cgroups {
    pub(crate) cpu: Controller,
    pub(crate) memory: Controller,
    pub(crate) pressure: Result<Own, Absent>,
}

/// Those of a controller, which sets limits.
#[derive(Clone)]
pub(crate) struct Controller {
    pub(crate) own: Result<Own, Absent>,
    pub(crate) shared: Shared,
}

/// Those around the guest's own, whose limits hold for others as well; where it has none of its own,
/// that which it is in too. Without the root, which has no limits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shared {
    pub(crate) version: Version,
    /// The innermost first.
    paths: Vec<PathBuf>,
}

/// The guest's own of one tree. Paths are below `/sys/fs/cgroup`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Own {
    pub(crate) version: Version,
    /// Where the tree is mounted.
    mount: PathBuf,
    /// The guest's outermost one.
    pub(crate) path: PathBuf,
    /// That in which libvirt has one for each vCPU: the same, or `libvirt` within it.
    pub(crate) inner: PathBuf,
}

/// Where the VMM is in one tree.
#[derive(Clone, Copy)]
struct Place<'a> {
    mount: &'a str,
    version: Version,
    /// `None` where it is not told.
    path: Option<&'a [u8]>,
}

pub(crate) fn read(process: &mut Process, buffer: &mut Vec<u8>) -> Result<Cgroups, Absent> {
    let text = process.read("cgroup", PAGE_BYTES, buffer);
    let text = text.map_err(|e| e.or(UNSEEN))?.to_owned();
    let [cpu, memory, unified] = parse(&text);
    let has_v2 =
        |mount: &str| process.roots.cgroups().join(mount).join("cgroup.controllers").exists();
    let mount = if has_v2("") { "" } else { "unified" };
    let no_pressure = if has_v2(mount) { NO_OWN } else { NO_V2 };
    let v2 = Place { mount, version: Version::V2, path: unified };
    let mut own = |place| own(place, |path| is_alone(path, process, buffer));
    let pressure = own(v2);
    let mut controller = |mount, path: Option<_>| {
        let (place, own) = match path {
            Some(_) => {
                let place = Place { mount, version: Version::V1, path };
                (place, own(place))
            }
            None => (v2, pressure.clone()),
        };
        Controller { shared: Shared::around(own.as_ref(), place), own: own.ok_or(NO_OWN) }
    };
    let (cpu, memory) = (controller("cpu", cpu), controller("memory", memory));
    let pressure = pressure.ok_or(no_pressure);
    process.check(Cgroups { cpu, memory, pressure }, buffer)
}

/// ```text
/// 4:memory:/machine/qemu-1-web.libvirt-qemu
/// 3:cpu,cpuacct:/machine/qemu-1-web.libvirt-qemu/emulator
/// 0::/machine/qemu-1-web.libvirt-qemu/emulator
/// ```
///
/// Where it is as to v1's cpu, to v1's memory, and in v2.
pub(crate) fn parse(text: &[u8]) -> [Option<&[u8]>; 3] {
    let mut paths = [None; 3];
    for line in lines(text) {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (Some(id), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        let has = |wanted: &[u8]| controllers.split(|byte| *byte == b',').any(|it| it == wanted);
        let [cpu, memory, unified] = &mut paths;
        if id == b"0" && controllers.is_empty() {
            *unified = Some(path);
        }
        if has(b"cpu") {
            *cpu = Some(path);
        }
        if has(b"memory") {
            *memory = Some(path);
        }
    }
    paths
}

/// The guest's own cgroup.
///
/// ```text
/// /machine.slice/machine-qemu\x2d1\x2dweb.scope/libvirt/emulator   libvirt with systemd
/// /machine.slice/machine-qemu\x2d1\x2dweb.scope/emulator           the same, up to 6.x and on v1
/// /machine/qemu-1-web.libvirt-qemu/emulator                        libvirt alone
/// ```
fn own(place: Place<'_>, is_alone: impl FnOnce(&Path) -> bool) -> Option<Own> {
    let (mount, version) = (Path::new(place.mount), place.version);
    let path = place.path()?;
    let made =
        |path: PathBuf, inner: PathBuf| Some(Own { version, mount: mount.to_owned(), path, inner });
    // A thread of the VMM may be in a cgroup for its kind; libvirt may have one for all of them.
    let inner = parent_if(&path, is_for_threads);
    let outer = parent_if(inner, |name| name == b"libvirt");
    let name = outer.file_name()?.as_bytes();
    if is_libvirts(name) {
        made(outer.to_owned(), inner.to_owned())
    } else if path != mount && !name.ends_with(b".slice") && is_alone(&path) {
        made(path.clone(), path)
    } else {
        None
    }
}

impl Place<'_> {
    /// Below `/sys/fs/cgroup`.
    fn path(&self) -> Option<PathBuf> {
        Some(Path::new(self.mount).join(relative(self.path?)?))
    }
}

/// A path as the kernel tells it, to go below a mount point. `None` where it leads out of it:
/// the cgroup is not in this process's namespace.
fn relative(path: &[u8]) -> Option<&Path> {
    let names = path.strip_prefix(b"/")?;
    let mut depth = 0;
    for name in names.split(|byte| *byte == b'/') {
        depth += 1;
        if name == b".." || depth > DEPTH_MAX {
            return None;
        }
    }
    Some(Path::new(OsStr::from_bytes(names)))
}

fn parent_if(path: &Path, is: impl Fn(&[u8]) -> bool) -> &Path {
    match (path.file_name(), path.parent()) {
        (Some(name), Some(parent)) if is(name.as_bytes()) => parent,
        _ => path,
    }
}

/// `emulator`, `vcpu0`, `iothread1`.
fn is_for_threads(name: &[u8]) -> bool {
    let numbered = |prefix: &[u8]| name.strip_prefix(prefix).and_then(number).is_some();
    name == b"emulator" || numbered(b"vcpu") || numbered(b"iothread")
}

/// What systemd-machined makes for libvirt, with the hyphens of `qemu-1-web` escaped, or libvirt's
/// own. Other machines of systemd-machined's are containers, in which a VMM may be one of many.
fn is_libvirts(name: &[u8]) -> bool {
    let is_scope = name.starts_with(br"machine-qemu\x2d") && name.ends_with(b".scope");
    is_scope || name.ends_with(b".libvirt-qemu")
}

impl Shared {
    fn around(own: Option<&Own>, place: Place<'_>) -> Self {
        let innermost = match own {
            Some(own) => own.path.parent().map(Path::to_owned),
            None => place.path(),
        };
        let all = innermost.iter().flat_map(|path| path.ancestors());
        let paths = all.take_while(|path| *path != Path::new(place.mount)).map(Path::to_owned);
        Self { version: place.version, paths: paths.collect() }
    }

    pub(crate) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.paths.iter().map(PathBuf::as_path)
    }
}

impl Own {
    /// A file of the outermost.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Those that are about the guest as a whole, the outermost first.
    pub(crate) fn levels(&self) -> impl Iterator<Item = &Path> {
        let inner = (self.inner != self.path).then_some(self.inner.as_path());
        std::iter::once(self.path.as_path()).chain(inner)
    }

    /// Those whose limits hold for the guest: its own, and all around them but the root.
    pub(crate) fn ancestors(&self) -> impl Iterator<Item = &Path> {
        self.inner.ancestors().take_while(|path| *path != self.mount)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn v1(path: &[u8]) -> Place<'_> {
        Place { mount: "cpu", version: Version::V1, path: Some(path) }
    }

    fn found(path: &str, is_alone: bool) -> Option<(String, String)> {
        let own = own(v1(path.as_bytes()), |_| is_alone)?;
        let text = |path: &Path| path.to_str().unwrap().to_owned();
        Some((text(&own.path), text(&own.inner)))
    }

    fn pair(path: &str, inner: &str) -> Option<(String, String)> {
        Some((path.to_owned(), inner.to_owned()))
    }

    #[test]
    fn libvirts_cgroup_is_the_guests_own_whoever_else_is_in_it() {
        let scope = r"machine.slice/machine-qemu\x2d1\x2dweb.scope";
        let (path, inner) = (format!("cpu/{scope}"), format!("cpu/{scope}/libvirt"));
        for below in ["", "/emulator", "/vcpu0", "/iothread1"] {
            assert_eq!(found(&format!("/{scope}{below}"), false), pair(&path, &path), "{below}");
            let nested = format!("/{scope}/libvirt{below}");
            assert_eq!(found(&nested, false), pair(&path, &inner), "{nested}");
        }
        let path = "cpu/machine/qemu-1-web.libvirt-qemu";
        assert_eq!(found("/machine/qemu-1-web.libvirt-qemu/emulator", false), pair(path, path));
    }

    #[test]
    fn another_cgroup_is_the_guests_own_where_it_is_alone_in_it() {
        for path in [
            "/qemu.slice/100.scope",
            "/system.slice/web.service",
            "/machine.slice/machine-debian.scope",
            "/a/emulator",
            "/a:b c",
        ] {
            let own = format!("cpu{path}");
            assert_eq!(found(path, true), pair(&own, &own));
            assert_eq!(found(path, false), None);
        }
    }

    #[test]
    fn slices_and_roots_and_what_is_elsewhere_are_nobodys_own() {
        for path in ["/", "/user.slice", "/user.slice/user-0.slice", "/../x", "/a/../b", "", "x"] {
            assert_eq!(found(path, true), None, "{path}");
        }
        assert_eq!(found(&"/a".repeat(DEPTH_MAX + 1), true), None);
    }

    #[test]
    fn a_process_is_in_a_cgroup_of_each_tree() {
        // Linux 6.18, v1 with v2 beside it; 3.10 has the controllers the other way round.
        let text = b"9:name=systemd:/\n4:memory:/m\n3:cpuset:/s\n2:cpuacct,cpu:/a:b\n0::/u\n";
        assert_eq!(parse(text), [Some(&b"/a:b"[..]), Some(b"/m"), Some(b"/u")]);
        assert_eq!(parse(b"0::/u\n"), [None, None, Some(&b"/u"[..])]);
        assert_eq!(parse(b"\n1:cpu\n:\n"), [None; 3]);
    }

    #[test]
    fn limits_hold_from_the_root_down() {
        let path = Some(&b"/m/q.libvirt-qemu/libvirt/vcpu1"[..]);
        let place = Place { mount: "", version: Version::V2, path };
        let own = own(place, |_| false).unwrap();
        let ancestors: Vec<_> = own.ancestors().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(ancestors, ["m/q.libvirt-qemu/libvirt", "m/q.libvirt-qemu", "m"]);
        let levels: Vec<_> = own.levels().map(|path| path.to_str().unwrap()).collect();
        assert_eq!(levels, ["m/q.libvirt-qemu", "m/q.libvirt-qemu/libvirt"]);
        let around = Shared::around(Some(&own), place);
        assert_eq!(around.paths, [Path::new("m")]);
    }

    #[test]
    fn without_a_cgroup_of_its_own_all_limits_around_the_guest_are_others_too() {
        let shared = |path: &str| Shared::around(None, v1(path.as_bytes())).paths;
        assert_eq!(
            shared("/a.slice/b.scope"),
            ["cpu/a.slice/b.scope", "cpu/a.slice"].map(Path::new)
        );
        for none in ["/", "", "/../x"] {
            assert!(shared(none).is_empty(), "{none}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_stay_below_the_mount_point(bytes: Vec<u8>, path in "(/(\\.|\\.\\.|a|vcpu1|libvirt|x.scope)){0,6}") {
            parse(&bytes);
            for path in [&bytes[..], path.as_bytes()] {
                if let Some(own) = own(v1(path), |_| true) {
                    prop_assert!(own.path.starts_with("cpu") && own.inner.starts_with("cpu"));
                    prop_assert!(!own.path.components().any(|part| part.as_os_str() == ".."));
                }
            }
        }
    }
}
