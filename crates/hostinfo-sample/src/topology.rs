//! `/sys/devices/system/cpu` and `node`: which CPUs are online, and their topology.

use std::collections::HashSet;

use crate::cached::Cached;
use crate::cpulist;
use crate::open_files::Reader;
use crate::root::Roots;
use crate::text::only_number;
use crate::vmm::numa;
use crate::{Absent, Moment};

pub(crate) const LACK: Absent = Absent::new(
    "this host does not report the topology of its CPUs",
    "hostinfod needs the host's own /sys/devices/system/cpu",
);

/// The online CPUs, and their topology, valid as long as the same CPUs are online.
#[derive(Default)]
pub(crate) struct Topology {
    online: Cached<Vec<u32>>,
    shape: Cached<Shape>,
    shape_of: Vec<u32>,
    nodes: Cached<u64>,
}

/// The topology of the online CPUs.
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
        roots: &Reader,
        buffer: &mut Vec<u8>,
    ) -> Result<&[u32], Absent> {
        self.online.at(at, |()| read_online(roots, at, buffer)).map(Vec::as_slice)
    }

    /// Reading it takes several files per core, so it is read again only when other CPUs are
    /// online.
    pub(crate) fn shape(
        &mut self,
        at: Moment,
        roots: &Reader,
        buffer: &mut Vec<u8>,
    ) -> Result<&Shape, Absent> {
        let online = self.online.at(at, |()| read_online(roots, at, buffer))?;
        if self.shape_of != *online {
            self.shape_of.clone_from(online);
            self.shape = Cached::default();
        }
        self.shape.once(at, |()| read_shape(online, roots, buffer))
    }

    /// How many NUMA nodes are online. A kernel without NUMA has no list of nodes: that means one
    /// node, provided that sysfs is there.
    pub(crate) fn nodes(
        &mut self,
        at: Moment,
        roots: &Reader,
        buffer: &mut Vec<u8>,
    ) -> Result<u64, Absent> {
        let online = &mut self.online;
        let nodes = self.nodes.at(at, |()| match numa::nodes(roots, at, buffer)? {
            Some(nodes) => Ok(count(&nodes)),
            None => online.at(at, |()| read_online(roots, at, buffer)).map(|_| 1),
        });
        nodes.copied()
    }
}

/// How many there are in the list.
pub(crate) fn count(list: &[u32]) -> u64 {
    u64::try_from(list.len()).unwrap_or(u64::MAX)
}

fn read_online(roots: &Reader, at: Moment, buffer: &mut Vec<u8>) -> Result<Vec<u32>, Absent> {
    let text =
        roots.sys_for_all("devices/system/cpu/online", at, buffer).map_err(|e| e.or(LACK))?;
    cpulist::parse(text).ok_or(LACK)
}

/// What distinguishes packages.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Package {
    /// Its number; on s390, also the numbers of its drawer and book.
    Number([Option<u64>; 3]),
    /// The first of its CPUs, if the kernel knows no number (-1): s390, LPARs of POWER, sparc.
    First(u32),
    /// Nothing.
    Unknown,
}

/// Threads of a core name each other in a list, which distinguishes cores on every machine. If a
/// kernel has no such list, a core is identified by its number within its die and package.
fn read_shape(online: &[u32], roots: &Roots, buffer: &mut Vec<u8>) -> Result<Shape, Absent> {
    let (mut packages, mut numbered) = (HashSet::new(), HashSet::new());
    let (mut seen, mut cores) = (HashSet::new(), Vec::new());
    let mut files = Files { roots, buffer, lack: LACK };
    for cpu in online {
        if seen.contains(cpu) {
            continue;
        }
        let package = files.package(*cpu);
        packages.extend(package.clone());
        if let Some(threads) = files.list(*cpu, ["core_cpus_list", "thread_siblings_list"]) {
            seen.extend(threads);
            cores.push(*cpu);
        } else if let Some(core) = files.text(*cpu, "core_id") {
            // If the core's number is not known, each CPU counts as a core.
            let core = only_number(&core).ok_or(*cpu);
            if numbered.insert((package, files.number(*cpu, "die_id"), core)) {
                cores.push(*cpu);
            }
        }
    }
    if packages.is_empty() || cores.is_empty() {
        return Err(files.lack);
    }
    Ok(Shape { sockets: u64::try_from(packages.len()).unwrap_or(u64::MAX), cores })
}

/// The files of CPUs in `topology`.
struct Files<'a> {
    roots: &'a Roots,
    buffer: &'a mut Vec<u8>,
    /// Why the last missing file could not be read.
    lack: Absent,
}

impl Files<'_> {
    /// `None` if the CPU's package is not known.
    fn package(&mut self, cpu: u32) -> Option<Package> {
        let number = self.text(cpu, "physical_package_id")?;
        if let Some(number) = only_number(&number) {
            let around = ["book_id", "drawer_id"].map(|file| self.number(cpu, file));
            let [book, drawer] = around;
            return Some(Package::Number([drawer, book, Some(number)]));
        }
        let cpus = self.list(cpu, ["package_cpus_list", "core_siblings_list"]);
        let first = cpus.and_then(|cpus| cpus.first().copied());
        Some(first.map_or(Package::Unknown, Package::First))
    }

    /// The first of the files that lists the CPU with others; the second is its name before Linux
    /// 5.3.
    fn list(&mut self, cpu: u32, files: [&str; 2]) -> Option<Vec<u32>> {
        files.iter().find_map(|file| {
            let list = self.text(cpu, file).and_then(|text| cpulist::parse(&text));
            list.filter(|cpus| cpus.contains(&cpu))
        })
    }

    fn number(&mut self, cpu: u32, file: &str) -> Option<u64> {
        self.text(cpu, file).and_then(|text| only_number(&text))
    }

    fn text(&mut self, cpu: u32, file: &str) -> Option<Vec<u8>> {
        match self.roots.sys(format!("devices/system/cpu/cpu{cpu}/topology/{file}"), self.buffer) {
            Ok(text) => Some(text.to_vec()),
            Err(error) => {
                self.lack = error.or(LACK);
                None
            }
        }
    }
}
