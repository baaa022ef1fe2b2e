//! What limits a guest and is no statistic: some of it is about others too. Verdicts need it.

use std::time::Duration;

use crate::Roots;
use crate::vmm::cgroup::Own;
use crate::vmm::memory;

/// Limits of the guest's own cgroups, and of those around them, which several guests share. `None`
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
    throttled_around: Option<u64>,
    own: Option<&Own>,
    roots: &Roots,
    buffer: &mut Vec<u8>,
) -> Bounds {
    let throttled_around = throttled_around.map(Duration::from_nanos);
    let Some(own) = own else { return Bounds { throttled_around, ..Bounds::default() } };
    Bounds {
        throttled_around,
        memory: memory::used(own.levels(), own.version, roots, buffer),
        memory_around: memory::used(own.around(), own.version, roots, buffer),
    }
}
