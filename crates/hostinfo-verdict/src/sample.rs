//! What is known of a guest and its host at one moment.

use std::sync::Arc;
use std::time::Duration;

use hostinfo_domains::Limits;
use hostinfo_sample::{CpuUse, IoLimit, Used};

pub(crate) mod stats;
mod take;

pub use take::Devices;

/// Figures of one moment. `None` is what could not be had then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    pub(crate) cpu: Cpu,
    pub(crate) memory: Memory,
    pub(crate) io: Io,
    pub(crate) net: Net,
    /// How old the figures of the guest's disks and interfaces are.
    pub(crate) devices_age: Duration,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) vcpus: Option<u64>,
    /// Time that all vCPUs ran.
    pub(crate) run: Option<Duration>,
    /// Time that all vCPUs waited, for whatever reason.
    pub(crate) delay: Option<Duration>,
    /// The same of the VMM's other threads, which serve disks, interfaces and devices.
    pub(crate) threads_run: Option<Duration>,
    pub(crate) threads_delay: Option<Duration>,
    /// Time that quotas of theirs alone held those back.
    pub(crate) threads_throttled: Option<Duration>,
    /// Time that each vCPU waited, by its number, in microseconds that begin anew at 2^32. A guest
    /// with 8,192 of them, the most that are believed, has 14 samples of 32 KiB in a window.
    pub(crate) vcpu_delays: Option<Arc<[u32]>>,
    /// Time that the quota held them back.
    pub(crate) throttled: Option<Duration>,
    /// Time that a quota held back all in the cgroups around the guest's own, on each CPU.
    pub(crate) throttled_around: Option<Duration>,
    /// Another guest was seen under that quota.
    pub(crate) is_quota_around_shared: bool,
    /// In a second of time.
    pub(crate) quota: Option<Duration>,
    /// The CPUs that the vCPUs may run on.
    pub(crate) cpus: Option<CpuUse>,
    /// Time of all CPUs of the host.
    pub(crate) host_busy: Option<Duration>,
    pub(crate) host_idle: Option<Duration>,
    /// Part of the busy time: the host is a virtual machine, and did not run then.
    pub(crate) host_stolen: Option<Duration>,
    pub(crate) host_stall: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    /// Bytes, those that the guest shares with another process included where a cgroup tells them.
    pub(crate) swapped: Option<u64>,
    /// Of the guest's own limit, and of one around it.
    pub(crate) used: Option<Used>,
    pub(crate) used_around: Option<Used>,
    /// How often any of its own limits was reached, and any around it.
    pub(crate) hits: Option<u64>,
    pub(crate) hits_around: Option<u64>,
    /// Another guest was seen under that one.
    pub(crate) is_limit_around_shared: bool,
    /// Major faults that the VMM took itself.
    pub(crate) faults: Option<u64>,
    /// Those on the memory of the guest's cgroup, whoever took them.
    pub(crate) all_faults: Option<u64>,
    /// Pages of the guest's that were freed because the host was getting short.
    pub(crate) freed_for_host: Option<u64>,
    /// Time that the guest's VMM waited for memory.
    pub(crate) stall: Option<Duration>,
    /// What the balloon took of what the guest may have.
    pub(crate) taken: Option<u64>,
    pub(crate) maximum: Option<u64>,
    /// Bytes that the host swapped.
    pub(crate) host_swap_in: Option<u64>,
    /// Completed reads of the host's disks, and what they took, each for itself.
    pub(crate) host_reads: Option<u64>,
    pub(crate) host_read_time: Option<Duration>,
    /// Tasks that had to free memory of all the host first. Those that a cgroup's limit stopped are
    /// not in it (`allocstall` in mm/vmscan.c).
    pub(crate) host_reclaims: Option<u64>,
    pub(crate) host_stall: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Io {
    pub(crate) disks: Vec<Disk>,
    /// Time that the guest's VMM waited for I/O.
    pub(crate) stall: Option<Duration>,
    pub(crate) host_stall: Option<Duration>,
    /// Of the guest's cgroups and of those around them, on the host's disks.
    pub(crate) limits: Vec<IoLimit>,
    /// Completed reads and writes of the host's disks, and what they took, each for itself.
    pub(crate) host_ops: Option<u64>,
    pub(crate) host_time: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) name: String,
    pub(crate) read: Done,
    pub(crate) write: Done,
    pub(crate) flush: Done,
    /// Operations that failed.
    pub(crate) errors: Option<u64>,
    pub(crate) limits: Limits,
}

/// Completed operations of one kind.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Done {
    pub(crate) ops: Option<u64>,
    pub(crate) bytes: Option<u64>,
    /// The sum of what each of them took.
    pub(crate) time: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) interfaces: Vec<Interface>,
    /// Of the host's own interfaces.
    pub(crate) host_rx: Passed,
    pub(crate) host_tx: Passed,
}

/// Both ways as the guest sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Interface {
    pub(crate) number: String,
    pub(crate) rx: Way,
    pub(crate) tx: Way,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) bytes: Option<u64>,
    /// Bytes in a second.
    pub(crate) limit: Option<u64>,
    pub(crate) passed: Passed,
}

/// Packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Passed {
    pub(crate) packets: Option<u64>,
    pub(crate) drops: Option<u64>,
}

impl Io {
    /// Whether libvirt told anything of the guest's disks.
    pub(crate) fn has_figures(&self) -> bool {
        self.disks.iter().any(|disk| disk.ops().is_some())
    }
}

impl Disk {
    /// All operations, as far as they are counted.
    pub(crate) fn ops(&self) -> Option<u64> {
        let ops = [self.read.ops, self.write.ops, self.flush.ops];
        ops.into_iter().flatten().reduce(u64::saturating_add)
    }

    /// What all operations took.
    pub(crate) fn time(&self) -> Option<Duration> {
        let times = [self.read.time, self.write.time, self.flush.time];
        times.into_iter().flatten().reduce(Duration::saturating_add)
    }
}

impl Net {
    /// The same of its interfaces.
    pub(crate) fn has_figures(&self) -> bool {
        let mut ways = self.interfaces.iter().flat_map(|interface| [&interface.rx, &interface.tx]);
        ways.any(|way| way.passed.packets.or(way.passed.drops).is_some())
    }
}
