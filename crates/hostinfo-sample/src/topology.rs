//! `/sys/devices/system/cpu` and `node`: which CPUs are online, and what they are part of.

use std::collections::HashSet;

use crate::cached::Cached;
use crate::cpulist;
use crate::root::Roots;
use crate::text::only_number;
use crate::{Absent, Moment};

const LACK: Absent = Absent::new(
    "this host does not tell its CPUs' topology",
    "hostinfod needs the host's own /sys/devices/system/cpu",
);
const NO_NODES: Absent = Absent::untold("/sys/devices/system/node/online is no list of nodes");

/// The CPUs that are online, and their topology as long as the same ones are.
#[derive(Default)]
pub(crate) struct Topology {
    online: Cached<Vec<u32>>,
    shape: Cached<Shape>,
    shape_of: Vec<u32>,
    nodes: Cached<u64>,
}

/// What online CPUs are part of.
pub(crate) struct Shape {
    /// Packages.
    pub(crate) sockets: u64,
    /// One online CPU of each physical core.
    pub(crate) cores: Vec<u32>,
}

impl Topology {
    /// The numbers of the online CPUs, in order; at least one.
    pub(crate) fn online(
        &mut self,
        at: Moment,
        roots: &Roots,
        buffer: &mut Vec<u8>,
    ) -> Result<&[u32], Absent> {
        self.online.at(at, |()| read_online(roots, buffer)).map(Vec::as_slice)
    }

    /// Reading it takes four files a core, so it is read again only when other CPUs are online.
    pub(crate) fn shape(
        &mut self,
        at: Moment,
        roots: &Roots,
        buffer: &mut Vec<u8>,
    ) -> Result<&Shape, Absent> {
        let online = self.online.at(at, |()| read_online(roots, buffer))?;
        if self.shape_of != *online {
            self.shape_of.clone_from(online);
            self.shape = Cached::default();
        }
        self.shape.once(at, |()| read_shape(online, roots, buffer))
    }

    /// How many NUMA nodes are online. A kernel without NUMA has no list of them: that is one
    /// node, as long as there is a sysfs to be without.
    pub(crate) fn nodes(
        &mut self,
        at: Moment,
        roots: &Roots,
        buffer: &mut Vec<u8>,
    ) -> Result<u64, Absent> {
        let online = &mut self.online;
        let nodes = self.nodes.at(at, |()| match roots.sys("devices/system/node/online", buffer) {
            Ok(text) => cpulist::parse(text).map(|nodes| count(&nodes)).ok_or(NO_NODES),
            Err(_) => online.at(at, |()| read_online(roots, buffer)).map(|_| 1),
        });
        nodes.copied()
    }
}

/// How many of them there are.
pub(crate) fn count(list: &[u32]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

/// The file of a CPU below `/sys`.
pub(crate) fn cpu_file(cpu: u32, file: &str) -> String {
    format!("devices/system/cpu/cpu{cpu}/{file}")
}

fn read_online(roots: &Roots, buffer: &mut Vec<u8>) -> Result<Vec<u32>, Absent> {
    let text = roots.sys("devices/system/cpu/online", buffer).map_err(|e| e.or(LACK))?;
    cpulist::parse(text).ok_or(LACK)
}

/// Threads of a core name each other in a list, which tells cores apart on every machine.
/// Where a kernel has no such list, a core is its number within its die and package. A package
/// whose number the kernel does not know (-1) is one package.
fn read_shape(online: &[u32], roots: &Roots, buffer: &mut Vec<u8>) -> Result<Shape, Absent> {
    let (mut packages, mut numbered) = (HashSet::new(), HashSet::new());
    let (mut seen, mut cores) = (HashSet::new(), Vec::new());
    let mut lack = LACK;
    for cpu in online {
        if seen.contains(cpu) {
            continue;
        }
        let mut file = |name: &str| match roots.sys(cpu_file(*cpu, name), buffer) {
            Ok(text) => Some(text.trim_ascii().to_owned()),
            Err(error) => {
                lack = error.or(LACK);
                None
            }
        };
        let package = file("topology/physical_package_id").map(|text| only_number(&text));
        packages.extend(package);
        let threads = file("topology/core_cpus_list")
            .or_else(|| file("topology/thread_siblings_list"))
            .and_then(|text| cpulist::parse(&text))
            .filter(|threads| threads.contains(cpu));
        if let Some(threads) = threads {
            seen.extend(threads);
            cores.push(*cpu);
        } else if let Some(core) = file("topology/core_id")
            && numbered.insert((package, file("topology/die_id"), core))
        {
            cores.push(*cpu);
        }
    }
    if packages.is_empty() || cores.is_empty() {
        return Err(lack);
    }
    Ok(Shape { sockets: u64::try_from(packages.len()).unwrap_or(u64::MAX), cores })
}
