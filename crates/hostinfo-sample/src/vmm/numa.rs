//! Cgroups' `memory.numa_stat` and `hugetlb.*.numa_stat`, compared with the nodes that the vCPUs
//! run on.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::cpulist;
use crate::open_files::Reader;
use crate::root::Roots;
use crate::text::{lines, number, words};
use crate::vmm::branch::{Own, Version};
use crate::vmm::process::Process;
use crate::vmm::process_stat;
use crate::vmm::threads::Task;
use crate::{Absent, Moment, Units, machine, topology};

const UNTOLD: Absent =
    Absent::untold_of_guest("memory.numa_stat of the guest's cgroup lacks its figures");
/// On v2.
const TOO_OLD: Absent = Absent::unsupported("this host's kernel does not report it");
const FIRST: (u64, u64) = (5, 10);
const NO_CONTROLLER: Absent = Absent::new(
    "this guest's memory is not accounted for",
    "turn the memory controller on for the guest's cgroup: MemoryAccounting=yes in its unit, or \
     cgroup_controllers in libvirt's qemu.conf",
);
/// It takes Linux 5.17 and the hugetlb controller, which systemd does not enable by default.
const NO_HUGE: Absent = Absent::plain("the NUMA nodes of this guest's huge pages are not recorded");
const CHARGED_ELSEWHERE: Absent = Absent::new(
    "the NUMA nodes of this guest's memory are not recorded",
    "start the guest in its cgroup, since memory stays charged to the one that it was first used \
     in; memory in a file is page cache, unless the file is on tmpfs or hugetlbfs",
);
const NO_LIST: Absent = Absent::untold("/sys/devices/system/node/online is not a list of nodes");
const NO_NODES: Absent = Absent::untold(
    "the CPUs that the vCPUs run on are in no /sys/devices/system/node/node*/cpulist",
);

/// The most vCPUs that are looked for, at some 16 us each: 16 ms, for which all other guests wait. A VMM can call any number
/// of its threads vCPUs.
const VCPUS_MAX: usize = 1024;

const TOO_MANY: Absent = Absent::plain("this guest has too many vCPUs to look for each");

/// The most sizes of huge pages; arm64 has 4.
const HUGE_SIZES_MAX: usize = 8;

/// Names that are looked through in a cgroup, 2 ms of them: the kernel has some 100 files in each, and libvirt a cgroup for
/// each vCPU.
const ENTRIES_MAX: usize = 4096;

/// The guest's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    /// On nodes where its vCPUs last ran.
    pub(crate) local: u64,
    /// On others.
    pub(crate) remote: u64,
}

/// How much memory the VMM's process holds according to `/proc/PID/status`, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Holds {
    /// In ordinary pages, without those of programs and libraries; 0 if the kernel does not tell them
    /// apart.
    pub(crate) small: u64,
    /// In huge pages.
    pub(crate) huge: u64,
}

/// The NUMA nodes of the host, in order. `None` means one node: a kernel without NUMA has no list
/// of nodes. That conclusion requires that sysfs is there.
///
/// # Errors
///
/// The list exists and cannot be read, or is not a list: the number of nodes is not known.
pub(crate) fn nodes(
    roots: &Reader,
    at: Moment,
    buffer: &mut Vec<u8>,
) -> Result<Option<Vec<u32>>, Absent> {
    match roots.sys_for_all("devices/system/node/online", at, buffer) {
        Ok(text) => cpulist::parse(text).map(Some).ok_or(NO_LIST),
        Err(unread) if unread.is_not_there() && roots.has_sys() => Ok(None),
        Err(unread) => Err(unread.or(topology::LACK)),
    }
}

/// The nodes that the vCPUs' threads last ran on. A thread that has ended runs nowhere.
pub(crate) fn nodes_of(
    threads: impl Iterator<Item = Task>,
    nodes: &[u32],
    process: &Process,
    at: Moment,
    buffer: &mut Vec<u8>,
) -> Result<BTreeSet<u32>, Absent> {
    let mut cpus = BTreeSet::new();
    for (count, (tid, _)) in threads.enumerate() {
        if count == VCPUS_MAX {
            return Err(TOO_MANY);
        }
        let stat = process.read_thread(tid, "stat", buffer);
        cpus.extend(stat.ok().and_then(process_stat::parse).and_then(|stat| stat.processor));
    }
    let mut found = BTreeSet::new();
    for node in nodes {
        let file = format!("devices/system/node/node{node}/cpulist");
        let list = process.roots.sys_for_all(file, at, buffer).ok().and_then(cpulist::parse);
        if list.unwrap_or_default().iter().any(|cpu| cpus.contains(cpu)) {
            found.insert(*node);
        }
    }
    if found.is_empty() { Err(NO_NODES) } else { Ok(found) }
}

/// The memory figures of the guest's cgroups; they must match what its process `holds`.
pub(crate) fn read(
    memory: &Own<'_>,
    hugetlb: Option<&Own<'_>>,
    holds: Holds,
    vcpus: &BTreeSet<u32>,
    process: &Process,
    buffer: &mut Vec<u8>,
) -> Result<Placement, Absent> {
    let roots = &process.roots;
    let small = match roots.cgroup(memory.whole.join("memory.numa_stat"), buffer) {
        Ok(text) if memory.version == Version::V2 => parse_v2(text),
        Ok(text) => parse_v1(text, process.units),
        Err(unread) => return Err(unread.or(lack(memory, roots, buffer))),
    };
    if small.is_empty() {
        return Err(UNTOLD);
    }
    let mut huge = BTreeMap::new();
    let files = hugetlb.map(|own| huge_files(own, roots)).transpose()?;
    for file in files.unwrap_or_default() {
        let text = roots.cgroup(file, buffer).map_err(|e| e.or(NO_HUGE))?;
        add_all(&mut huge, &parse_huge(text));
    }
    // If the process was moved to a cgroup, that has none of the memory it held before.
    let is_half = |nodes: &BTreeMap<u32, u64>, held: u64| sum(nodes) >= held / 2;
    if !is_half(&huge, holds.huge) {
        return Err(NO_HUGE);
    }
    if !is_half(&small, holds.small) {
        return Err(CHARGED_ELSEWHERE);
    }
    add_all(&mut huge, &small);
    let local = huge.iter().filter(|(node, _)| vcpus.contains(node));
    let local = local.fold(0u64, |sum, (_, bytes)| sum.saturating_add(*bytes));
    Ok(Placement { local, remote: sum(&huge).saturating_sub(local) })
}

/// Why there is no such file.
fn lack(memory: &Own<'_>, roots: &Roots, buffer: &mut Vec<u8>) -> Absent {
    let is_old = |release| release < FIRST;
    match memory.version {
        Version::V1 => UNTOLD,
        Version::V2 if !roots.cgroups().join(memory.whole).join("memory.current").exists() => {
            NO_CONTROLLER
        }
        Version::V2 if machine::release(roots, buffer).is_some_and(is_old) => TOO_OLD,
        Version::V2 => UNTOLD,
    }
}

/// `hugetlb.2MB.numa_stat`, one file for each huge page size of the host.
///
/// # Errors
/// Whoever may make cgroups in this one has made so many that they are not looked through.
fn huge_files(own: &Own<'_>, roots: &Roots) -> Result<Vec<PathBuf>, Absent> {
    let entries = std::fs::read_dir(roots.cgroups().join(own.whole)).into_iter().flatten();
    let mut files = Vec::new();
    for (count, entry) in entries.flatten().enumerate() {
        if count == ENTRIES_MAX {
            return Err(NO_HUGE);
        }
        let name = entry.file_name();
        let bytes = name.as_encoded_bytes();
        if bytes.starts_with(b"hugetlb.") && bytes.ends_with(b".numa_stat") {
            files.push(own.whole.join(name));
        }
    }
    files.truncate(HUGE_SIZES_MAX);
    Ok(files)
}

fn sum(nodes: &BTreeMap<u32, u64>) -> u64 {
    nodes.values().fold(0, |sum, bytes| sum.saturating_add(*bytes))
}

fn add_all(sums: &mut BTreeMap<u32, u64>, nodes: &BTreeMap<u32, u64>) {
    for (node, bytes) in nodes {
        let sum = sums.entry(*node).or_default();
        *sum = sum.saturating_add(*bytes);
    }
}

/// ```text
/// anon N0=3758096384 N1=536870912
/// file N0=10737418240 N1=0
/// shmem N0=67108864 N1=0
/// ```
///
/// Bytes per node, from the first and third lines. The second also includes shared memory, and page
/// cache, which is the host's: the page cache of a disk image may be many times the guest's memory.
/// The other lines are parts of these, or the kernel's.
pub(crate) fn parse_v2(text: &[u8]) -> BTreeMap<u32, u64> {
    let mut sums = BTreeMap::new();
    for line in lines(text) {
        let mut words = words(line);
        if matches!(words.next(), Some(b"anon" | b"shmem")) {
            add(&mut sums, words, 1);
        }
    }
    sums
}

/// ```text
/// total=704636 N0=704636
/// file=3000 N0=3000
/// anon=701436 N0=701436
/// unevictable=200 N0=200
/// hierarchical_anon=701436 N0=701436
/// hierarchical_unevictable=200 N0=200
/// ```
///
/// Bytes per node, from numbers of pages: anonymous and shared memory, and locked memory. The last two
/// lines, which older kernels lack, also include nested cgroups.
pub(crate) fn parse_v1(text: &[u8], units: Units) -> BTreeMap<u32, u64> {
    let sums = |keys: [&[u8]; 2]| {
        let mut sums = BTreeMap::new();
        for line in lines(text).filter(|line| keys.iter().any(|key| line.starts_with(key))) {
            add(&mut sums, words(line).skip(1), units.page_bytes);
        }
        sums
    };
    let all = sums([b"hierarchical_anon=", b"hierarchical_unevictable="]);
    if all.is_empty() { sums([b"anon=", b"unevictable="]) } else { all }
}

/// ```text
/// total=127926272 N0=44040192 N1=83886080
/// ```
///
/// Bytes per node, Linux 5.17. On v1 this line covers the cgroup alone; another line,
/// `hierarchical_total=`, also includes nested cgroups.
pub(crate) fn parse_huge(text: &[u8]) -> BTreeMap<u32, u64> {
    let mut sums = BTreeMap::new();
    for key in [&b"hierarchical_total="[..], b"total="] {
        if let Some(line) = lines(text).find(|line| line.starts_with(key)) {
            add(&mut sums, words(line).skip(1), 1);
            break;
        }
    }
    sums
}

/// Adds `N0=1 N1=2`, where each unit is `bytes` bytes.
fn add<'a>(sums: &mut BTreeMap<u32, u64>, words: impl Iterator<Item = &'a [u8]>, bytes: u64) {
    for word in words {
        let mut parts = word.splitn(2, |byte| *byte == b'=');
        let node = parts.next().and_then(|node| number(node.strip_prefix(b"N")?));
        let node = node.and_then(|node| u32::try_from(node).ok());
        if let Some((node, figure)) = node.zip(parts.next().and_then(number)) {
            let sum = sums.entry(node).or_default();
            *sum = figure.saturating_mul(bytes).saturating_add(*sum);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };

    #[test]
    fn no_more_vcpus_are_looked_for_than_a_turn_has_time_for() {
        let reader = Reader::new(Roots::default(), crate::OpenFiles::default());
        let process = Process::new(reader, UNITS, i32::MAX, None);
        let nodes_of = |vcpus: u32| {
            let at = Moment::new(std::time::Duration::ZERO);
            nodes_of((0..vcpus).map(|tid| (tid, 0)), &[0], &process, at, &mut Vec::new())
        };
        assert_eq!(nodes_of(1024), Err(NO_NODES), "none of them is there");
        assert_eq!(nodes_of(1025), Err(TOO_MANY));
    }

    #[test]
    fn page_cache_is_not_the_guests_memory() {
        // A guest of 4 GiB whose disk image is in the host's page cache.
        let v2 = "anon N0=3758096384 N1=536870912\nfile N0=10737418240 N1=0\n\
                  shmem N0=67108864 N1=0\nkernel_stack N0=16384 N1=0\nfile_mapped N0=3 N1=0\n\
                  anon_thp N0=1000 N1=0\nshmem_thp N0=1000 N1=0\n";
        let told = BTreeMap::from([(0, 3_825_205_248), (1, 536_870_912)]);
        assert_eq!(parse_v2(v2.as_bytes()), told);
        // Linux 6.1, and 3.10 without the second part.
        let new = "total=15 N0=5 N1=10\nfile=5 N0=2 N1=3\nanon=1 N0=1 N1=0\n\
                   unevictable=0 N0=0 N1=0\nhierarchical_total=19 N0=8 N1=11\n\
                   hierarchical_file=5 N0=2 N1=3\nhierarchical_anon=8 N0=3 N1=5\n\
                   hierarchical_unevictable=1 N0=1 N1=0\n";
        let told = BTreeMap::from([(0, 16_384), (1, 20_480)]);
        assert_eq!(parse_v1(new.as_bytes(), UNITS), told);
        let old = "total=14 N0=6 N1=8\nfile=5 N0=2 N1=3\nanon=8 N0=3 N1=5\n\
                   unevictable=1 N0=1 N1=0\n";
        assert_eq!(parse_v1(old.as_bytes(), UNITS), told);
    }

    #[test]
    fn huge_pages_are_told_in_bytes_in_both_versions() {
        let told = BTreeMap::from([(0, 4_194_304), (1, 2_097_152)]);
        assert_eq!(parse_huge(b"total=6291456 N0=4194304 N1=2097152\n"), told);
        let v1 =
            "total=2097152 N0=2097152 N1=0\nhierarchical_total=6291456 N0=4194304 N1=2097152\n";
        assert_eq!(parse_huge(v1.as_bytes()), told);
    }

    #[test]
    fn a_figure_that_is_no_number_is_left_out() {
        let text = "anon N0=-1 Nx=5 N1=7 N2 =3\nfile\n";
        assert_eq!(parse_v2(text.as_bytes()), BTreeMap::from([(1, 7)]));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "(anon|anon=|total=)( N[0-9]{0,11}=[0-9]{0,22}){0,5}") {
            for text in [&bytes[..], text.as_bytes()] {
                parse_v1(text, UNITS);
                parse_v2(text);
                parse_huge(text);
            }
        }
    }
}
