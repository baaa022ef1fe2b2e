//! What limits a guest and is no statistic: some of it is about others too. Verdicts need it.

use std::time::Duration;

use crate::Roots;
use crate::tally::Tally;
use crate::vmm::cgroup::Cgroups;
use crate::vmm::{cpu, memory};

/// Limits of the guest's own cgroups, and of those around them, which it shares with others. `None`
/// is what there is not, or cannot be seen.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bounds {
    /// For how long CPU limits held back all in the cgroups around the guest's own, on each CPU of
    /// the host. It never falls.
    pub throttled_around: Option<Duration>,
    /// Of the memory limit of the guest's own cgroup.
    pub memory: Option<Used>,
    /// Of the memory limit around it that is nearest to being used up.
    pub memory_around: Option<Used>,
}

/// What a cgroup uses of a limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Used {
    /// Page cache included.
    pub bytes: u64,
    /// In bytes.
    pub limit: u64,
}

pub(crate) fn read(
    cgroups: &Cgroups,
    roots: &Roots,
    buffer: &mut Vec<u8>,
    tally: &mut Tally<1>,
) -> Bounds {
    let Cgroups { cpu, memory, .. } = cgroups;
    let throttled = cpu::throttled_around(&cpu.shared, roots, buffer, tally);
    Bounds {
        throttled_around: Some(Duration::from_nanos(throttled)),
        memory: match &memory.own {
            Ok(own) => memory::used(own.levels(), own.version, roots, buffer),
            Err(_) => None,
        },
        memory_around: memory::used(memory.shared.paths(), memory.shared.version, roots, buffer),
    }
}
