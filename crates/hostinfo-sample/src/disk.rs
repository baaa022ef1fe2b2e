//! `/sys/block`: which disks are the host's own hardware, each once.

use std::collections::{HashMap, HashSet};

use crate::Roots;
use crate::device::Folder;
use crate::devices::{Adds, Class, Found, Identity};

/// Name prefixes of disks that are elsewhere, behind the network or a program of this host (Ceph,
/// RTRS, NBD, ublk). A number follows.
const ELSEWHERE: [&[u8]; 4] = [b"rbd", b"rnbd", b"nbd", b"ublkb"];

/// The disks of a host.
pub(crate) struct Disks<'a>(Folder<'a>);

impl<'a> Disks<'a> {
    pub(crate) fn new(roots: &'a Roots) -> Self {
        Self(Folder::new(roots, "block"))
    }

    /// The kernel's number for the medium now in the drive. For drives without removable media, it
    /// identifies the disk.
    fn sequence(&mut self, name: &[u8]) -> Option<u64> {
        let disk = self.0.device(name)?;
        let is_drive = self.0.number(disk.join("removable")) == Some(1);
        self.0.number(disk.join("diskseq")).filter(|_| !is_drive)
    }
}

impl Class for Disks<'_> {
    fn inodes(&mut self) -> HashMap<Vec<u8>, u64> {
        self.0.inodes()
    }

    fn find(&mut self, name: &[u8]) -> Option<Found> {
        let disk = self.0.hardware(name)?;
        let is_hidden = self.0.number(disk.join("hidden")) == Some(1);
        if (is_hidden && head(name).is_none()) || is_elsewhere(name) {
            return None;
        }
        let sequence = self.sequence(name);
        let identity = sequence.map_or_else(|| Identity::Name(name.to_owned()), Identity::Number);
        Some(Found { identity, place: None })
    }

    fn is_still(&mut self, name: &[u8], identity: &Identity) -> bool {
        match identity {
            Identity::Number(sequence) => self.sequence(name) == Some(*sequence),
            Identity::Name(_) => true,
        }
    }
}

/// Which rows of `/proc/diskstats` have figures that no other row includes.
///
/// An NVMe disk with several paths has a head (`nvme0n1`), and a hidden disk for each path
/// (`nvme0c1n1`). Before Linux 6.2 the head counts nothing, and the paths have all figures; since
/// then the head includes what the paths have.
pub(crate) struct Heads<'t> {
    there: HashSet<&'t [u8]>,
    counting: HashSet<&'t [u8]>,
}

impl<'t> Heads<'t> {
    /// The heads among these rows. A head counts if its figures are not all zero; if they cannot be
    /// read, that is not known.
    pub(crate) fn of<const N: usize>(
        rows: impl Iterator<Item = (&'t [u8], Option<[u64; N]>)>,
    ) -> Self {
        let mut heads = Self { there: HashSet::new(), counting: HashSet::new() };
        for (name, figures) in rows.filter(|(name, _)| name.starts_with(b"nvme")) {
            heads.there.insert(name);
            if figures.is_none_or(|figures| figures.iter().any(|figure| *figure > 0)) {
                heads.counting.insert(name);
            }
        }
        heads
    }

    /// What the row of that name adds to the sums.
    pub(crate) fn adds(&self, name: &[u8]) -> Adds {
        match head(name) {
            None => Adds::Device,
            Some(head) if self.counting.contains(head.as_slice()) => Adds::None,
            Some(head) if self.there.contains(head.as_slice()) => Adds::Figures,
            Some(_) => Adds::Device,
        }
    }
}

/// The head of a path: `nvme0n1` for `nvme0c1n1`.
fn head(path: &[u8]) -> Option<Vec<u8>> {
    let at = path.iter().position(|byte| *byte == b'c')?;
    let (subsystem, rest) = path.split_at_checked(at)?;
    let namespace = rest.get(1..)?;
    let at = namespace.iter().position(|byte| *byte == b'n')?;
    let (controller, namespace) = namespace.split_at_checked(at)?;
    let is_path = is_numbered(subsystem, b"nvme")
        && is_numbered(controller, b"")
        && is_numbered(namespace, b"n");
    is_path.then(|| [subsystem, namespace].concat())
}

fn is_elsewhere(name: &[u8]) -> bool {
    ELSEWHERE.iter().any(|prefix| is_numbered(name, prefix))
}

fn is_numbered(name: &[u8], prefix: &[u8]) -> bool {
    name.strip_prefix(prefix).and_then(crate::text::number).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_head_of_a_path_has_its_name_without_the_controller() {
        for (path, wanted) in [
            ("nvme0c0n1", Some("nvme0n1")),
            ("nvme12c3n45", Some("nvme12n45")),
            ("nvme0n1", None),
            ("nvme0c0n1p2", None),
            ("nvmec0n1", None),
            ("nvme0cn1", None),
            ("mmcblk0", None),
            ("sdc", None),
        ] {
            assert_eq!(
                head(path.as_bytes()),
                wanted.map(|head| head.as_bytes().to_vec()),
                "{path}"
            );
        }
    }

    #[test]
    fn disks_of_the_network_and_of_programs_are_elsewhere() {
        for (name, is) in
            [("rbd0", true), ("nbd15", true), ("ublkb1", true), ("rbd", false), ("sda", false)]
        {
            assert_eq!(is_elsewhere(name.as_bytes()), is, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, path in "nvme[0-9cn]{0,8}") {
            head(&bytes);
            head(path.as_bytes());
            is_elsewhere(&bytes);
        }
    }
}
