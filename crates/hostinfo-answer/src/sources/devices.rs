//! Where a guest's disks and interfaces are in what libvirt told: found once for a reply, since each has
//! some twenty statistics.

use std::collections::HashMap;

use hostinfo_domains::Figures;

/// Places by names, and by numbers.
pub(crate) struct Devices {
    disks: HashMap<Box<str>, usize>,
    nets: HashMap<u64, usize>,
}

impl Devices {
    /// Those of these figures. Of two that are called the same, the first is meant.
    pub(crate) fn of(figures: &Figures) -> Self {
        let (mut disks, mut nets) = (HashMap::new(), HashMap::new());
        for (place, disk) in figures.disks.iter().enumerate() {
            disks.entry(disk.dev.as_str().into()).or_insert(place);
        }
        for (place, net) in figures.nets.iter().enumerate() {
            nets.entry(net.number.into()).or_insert(place);
        }
        Self { disks, nets }
    }

    /// The place of a disk.
    pub(crate) fn disk(&self, dev: &str) -> Option<usize> {
        self.disks.get(dev).copied()
    }

    /// The place of an interface.
    pub(crate) fn net(&self, number: u64) -> Option<usize> {
        self.nets.get(&number).copied()
    }
}
