//! `/proc/PID/cgroup`: the cgroups that a VMM is in. `branch.rs` finds out which of them are the
//! guest's own.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::Path;

use crate::root::FIXED_BYTES;
use crate::text::lines;
use crate::vmm::branch::{Branch, ELSEWHERE, Finder, Version};
use crate::vmm::company::Worker;
use crate::vmm::process::{Process, UNSEEN};
use crate::vmm::psi;
use crate::{Absent, Moment};

const UNTOLD: Absent = Absent::untold_of_guest("/proc/PID/cgroup names no cgroup");

/// The VMM's cgroups. A host may have a tree for each controller, one for all, or both.
#[derive(Clone)]
pub(crate) struct Cgroups {
    pub(crate) cpu: Result<Branch, Absent>,
    pub(crate) memory: Result<Branch, Absent>,
    pub(crate) hugetlb: Result<Branch, Absent>,
    pub(crate) pressure: Result<Branch, Absent>,
    /// The kernel threads in the guest's own cgroups that work for it.
    pub(crate) workers: Vec<Worker>,
    /// The text of the file that lists these cgroups.
    text: Vec<u8>,
}

/// The contents of the file: the v1 tree of each controller, and the v2 tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Places<'a> {
    cpu: Option<Place<'a>>,
    memory: Option<Place<'a>>,
    hugetlb: Option<Place<'a>>,
    unified: Option<&'a [u8]>,
    is_any: bool,
}

/// The place of a process in a v1 tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place<'a> {
    controllers: &'a [u8],
    path: &'a [u8],
}

pub(crate) fn read(
    process: &mut Process,
    at: Moment,
    buffer: &mut Vec<u8>,
) -> Result<Box<Cgroups>, Absent> {
    let text = process.read("cgroup", FIXED_BYTES, buffer);
    let text = text.map_err(|e| e.or(UNSEEN))?.to_owned();
    let places = parse(&text);
    if !places.is_any {
        return Err(UNTOLD);
    }
    let mut finder = Finder::new(process, process.parent, at, buffer);
    let has = |file| process.roots.has_for_all(file, at);
    let v2 = match () {
        () if has("cgroup.controllers") => Some(""),
        () if has("unified") => Some("unified"),
        () => None,
    };
    let unified = match (places.unified, v2) {
        (Some(path), Some(mount)) => {
            finder.branch(Version::V2, [Path::new(mount)].into_iter(), path)
        }
        (Some(b"/") | None, None) => Ok(Finder::nowhere(Version::V2)),
        (Some(_), None) => Err(ELSEWHERE),
        (None, Some(_)) => Err(UNTOLD),
    };
    let mut controller = |name, place: Option<Place<'_>>| match place {
        Some(place) => finder.branch(Version::V1, mounts(name, place.controllers), place.path),
        None => unified.clone(),
    };
    let cpu = controller("cpu", places.cpu);
    let memory = controller("memory", places.memory);
    let hugetlb = controller("hugetlb", places.hugetlb);
    let workers = finder.into_workers();
    let pressure = match v2 {
        Some(_) => unified,
        None => Err(psi::without_v2(&process.roots, buffer)),
    };
    let cgroups = Cgroups { cpu, memory, hugetlb, pressure, workers, text };
    process.check(Box::new(cgroups), buffer)
}

/// ```text
/// 4:memory:/machine/qemu-1-web.libvirt-qemu
/// 3:cpu,cpuacct:/machine/qemu-1-web.libvirt-qemu/emulator
/// 0::/machine/qemu-1-web.libvirt-qemu/emulator
/// ```
pub(crate) fn parse(text: &[u8]) -> Places<'_> {
    let mut places = Places::default();
    for line in lines(text) {
        let mut parts = line.splitn(3, |byte| *byte == b':');
        let (Some(id), Some(controllers), Some(path)) = (parts.next(), parts.next(), parts.next())
        else {
            continue;
        };
        places.is_any = true;
        if id == b"0" && controllers.is_empty() {
            places.unified = Some(path);
        }
        for controller in controllers.split(|byte| *byte == b',') {
            let place = match controller {
                b"cpu" => &mut places.cpu,
                b"memory" => &mut places.memory,
                b"hugetlb" => &mut places.hugetlb,
                _ => continue,
            };
            *place = Some(Place { controllers, path });
        }
    }
    places
}

/// Where the v1 tree of a controller may be mounted: most hosts have a link with its name. Some
/// only have the folder named after all its controllers, in their order or in systemd's.
fn mounts<'a>(name: &'a str, controllers: &'a [u8]) -> impl Iterator<Item = &'a Path> {
    [name.as_bytes(), controllers, b"cpu,cpuacct"]
        .into_iter()
        .map(|mount| Path::new(OsStr::from_bytes(mount)))
}

impl Cgroups {
    /// Checks that the VMM was in these cgroups the whole time, so that what was read there is
    /// about it.
    pub(crate) fn check(&self, process: &mut Process, buffer: &mut Vec<u8>) -> Result<(), Absent> {
        let is_same =
            process.read("cgroup", FIXED_BYTES, buffer).is_ok_and(|text| text == self.text);
        process.check((), buffer)?;
        if is_same { Ok(()) } else { Err(Absent::AGAIN) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_process_is_in_a_cgroup_of_each_tree() {
        // Linux 6.18, with v1 and v2 side by side; 3.10 has the controllers in the opposite order.
        let text = b"9:name=systemd:/\n4:memory:/m\n3:cpuset:/s\n2:cpuacct,cpu:/a:b\n0::/u\n";
        let places = parse(text);
        assert_eq!(places.cpu, Some(Place { controllers: b"cpuacct,cpu", path: b"/a:b" }));
        assert_eq!(places.memory, Some(Place { controllers: b"memory", path: b"/m" }));
        assert_eq!((places.hugetlb, places.unified), (None, Some(&b"/u"[..])));
        let unified = Places { unified: Some(b"/u"), is_any: true, ..Places::default() };
        assert_eq!(parse(b"0::/u\n"), unified);
        assert_eq!(parse(b"\n1:cpu\n:\n"), Places::default());
    }

    #[test]
    fn v1_may_be_mounted_under_the_names_of_all_its_controllers() {
        let all: Vec<_> = mounts("cpu", b"cpuacct,cpu").collect();
        assert_eq!(all, ["cpu", "cpuacct,cpu", "cpu,cpuacct"].map(Path::new));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "([0-9]{0,2}:[a-z,]{0,12}:[/a-z]{0,9}\n?){0,4}") {
            let _ = (parse(&bytes), parse(text.as_bytes()));
        }
    }
}
