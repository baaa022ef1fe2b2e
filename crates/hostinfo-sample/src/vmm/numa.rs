//! A cgroup's `memory.numa_stat`, against the nodes that the vCPUs run on.

use std::collections::{BTreeMap, BTreeSet};

use crate::cpulist;
use crate::root::Roots;
use crate::text::{lines, number, words};
use crate::vmm::cgroup::{Own, Version};
use crate::vmm::process::{self, Process};
use crate::{Absent, Units};

const UNTOLD: Absent =
    Absent::untold("memory.numa_stat of the guest's cgroup: on v2 it needs Linux 5.10");
const NO_NODES: Absent = Absent::untold(
    "the CPUs that the vCPUs run on are in no /sys/devices/system/node/node*/cpulist",
);

/// The guest's memory, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Placement {
    /// On nodes where its vCPUs ran last.
    pub(crate) local: u64,
    /// On others.
    pub(crate) remote: u64,
}

/// The NUMA nodes of the host, in order. A kernel without NUMA has no list of them.
pub(crate) fn nodes(roots: &Roots, buffer: &mut Vec<u8>) -> Vec<u32> {
    let online = roots.sys("devices/system/node/online", buffer).ok();
    online.and_then(cpulist::parse).unwrap_or_default()
}

/// The nodes that the threads ran on last. One that has ended since runs nowhere.
pub(crate) fn nodes_of(
    threads: impl Iterator<Item = u32>,
    nodes: &[u32],
    process: &Process,
    buffer: &mut Vec<u8>,
) -> Result<BTreeSet<u32>, Absent> {
    let mut cpus = BTreeSet::new();
    for tid in threads {
        let stat = process.read_thread(tid, "stat", buffer);
        cpus.extend(stat.ok().and_then(process::parse).and_then(|stat| stat.processor));
    }
    let mut found = BTreeSet::new();
    for node in nodes {
        let file = format!("devices/system/node/node{node}/cpulist");
        let list = process.roots.sys(file, buffer).ok().and_then(cpulist::parse);
        if list.unwrap_or_default().iter().any(|cpu| cpus.contains(cpu)) {
            found.insert(*node);
        }
    }
    if found.is_empty() { Err(NO_NODES) } else { Ok(found) }
}

pub(crate) fn read(
    own: &Own,
    vcpus: &BTreeSet<u32>,
    roots: &Roots,
    units: Units,
    buffer: &mut Vec<u8>,
) -> Result<Placement, Absent> {
    let text = roots.cgroup(own.file("memory.numa_stat"), buffer).map_err(|e| e.or(UNTOLD))?;
    let bytes = match own.version {
        Version::V2 => parse_v2(text),
        Version::V1 => parse_v1(text, units),
    };
    if bytes.is_empty() {
        return Err(UNTOLD);
    }
    let mut placement = Placement { local: 0, remote: 0 };
    for (node, bytes) in bytes {
        let Placement { local, remote } = &mut placement;
        let part = if vcpus.contains(&node) { local } else { remote };
        *part = part.saturating_add(bytes);
    }
    Ok(placement)
}

/// ```text
/// anon N0=1073741824 N1=4096
/// file N0=8192 N1=0
/// ```
///
/// Bytes a node; shared memory is in `file`. The other lines are parts of these two, or the
/// kernel's.
pub(crate) fn parse_v2(text: &[u8]) -> BTreeMap<u32, u64> {
    let mut sums = BTreeMap::new();
    for line in lines(text) {
        let mut words = words(line);
        if matches!(words.next(), Some(b"anon" | b"file")) {
            add(&mut sums, words, 1);
        }
    }
    sums
}

/// ```text
/// total=4890 N0=4890
/// hierarchical_total=704636 N0=704636
/// ```
///
/// Pages a node. The second line, which older kernels do not have, has those of the cgroups
/// within it too.
pub(crate) fn parse_v1(text: &[u8], units: Units) -> BTreeMap<u32, u64> {
    let mut sums = BTreeMap::new();
    for key in [&b"hierarchical_total="[..], b"total="] {
        if let Some(line) = lines(text).find(|line| line.starts_with(key)) {
            add(&mut sums, words(line).skip(1), units.page_bytes);
            break;
        }
    }
    sums
}

/// Adds `N0=1 N1=2`, each so many bytes.
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
    fn v2_tells_bytes_and_v1_pages() {
        // Linux 6.1.
        let v2 = "anon N0=1000 N1=20\nfile N0=3 N1=0\nkernel_stack N0=9 N1=9\nfile_mapped N0=3 \
                  N1=0\nanon_thp N0=1000 N1=0\n";
        assert_eq!(parse_v2(v2.as_bytes()), BTreeMap::from([(0, 1003), (1, 20)]));
        // Linux 6.18, and 3.10 without the second part.
        let new = "total=5 N0=2 N1=3\nfile=5 N0=2 N1=3\nhierarchical_total=9 N0=4 N1=5\n";
        let told = BTreeMap::from([(0, 16_384), (1, 20_480)]);
        assert_eq!(parse_v1(new.as_bytes(), UNITS), told);
        let old = "total=9 N0=4 N1=5\nfile=5 N0=2 N1=3\nanon=0 N0=0 N1=0\n";
        assert_eq!(parse_v1(old.as_bytes(), UNITS), told);
    }

    #[test]
    fn a_figure_that_is_no_number_is_left_out() {
        let text = "anon N0=-1 Nx=5 N1=7 N2 =3\nfile\n";
        assert_eq!(parse_v2(text.as_bytes()), BTreeMap::from([(1, 7)]));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, text in "(anon|total=)( N[0-9]{0,11}=[0-9]{0,22}){0,5}") {
            for text in [&bytes[..], text.as_bytes()] {
                parse_v1(text, UNITS);
                parse_v2(text);
            }
        }
    }
}
