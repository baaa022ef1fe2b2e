//! What limits a guest and is no statistic: some of it is about others too. Verdicts need it.

use std::sync::Arc;
use std::time::Duration;

use crate::Roots;
use crate::tally::Tally;
use crate::vmm::cgroup::Cgroups;
use crate::vmm::{cpu, memory};

/// Limits of the guest's own cgroups and of those around them, and who uses the CPUs that the guest
/// may run on. `None` is what does not exist or cannot be seen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bounds {
    /// For how long CPU limits held back all in the cgroups around the guest's own, on each CPU of
    /// the host. It never falls.
    pub throttled_around: Option<Duration>,
    /// A second VMM was seen under a CPU limit around the guest's own cgroup.
    pub cpu_limit_is_shared: bool,
    /// Of the memory limit of the guest's own cgroup that is nearest to being used up.
    pub memory: Option<Used>,
    /// Of the memory limit around it that is nearest to being used up.
    pub memory_around: Option<Used>,
    /// A second VMM was seen under a memory limit around the guest's own cgroup.
    pub memory_limit_is_shared: bool,
    /// Major faults on the memory of the guest's own cgroup, whichever process took them: KVM has a
    /// kernel thread fetch a page while the vCPU goes on (cgroup `memory.stat`, `pgmajfault`). It
    /// never falls.
    pub major_faults: Option<u64>,
    /// Time that the VMM's threads other than vCPUs ran, on whichever CPUs. It never falls.
    pub threads_run: Option<Duration>,
    /// The CPUs that its vCPUs may run on.
    pub cpus: Option<CpuUse>,
}

/// Who used the CPUs that the guest's vCPUs may run on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CpuUse {
    /// Their numbers, in order. Figures of two samples can be compared only where these are equal.
    pub cpus: Arc<[u32]>,
    /// How many CPUs of the host are online.
    pub online: u32,
    /// Time that they were busy, whoever ran, steal included: all fields of `/proc/stat` but `idle`
    /// and `iowait`, added up over them.
    pub busy: Duration,
    /// Time that the VMM's threads other than vCPUs ran, as far as these may run there: of a thread
    /// that may use half of these CPUs and as many others, half.
    pub own_others: Duration,
    /// Time that those threads waited in a run queue, in the same way.
    pub own_others_delay: Duration,
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
        ..Bounds::default()
    }
}
