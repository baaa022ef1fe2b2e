//! What is known about a guest and its host at one moment.

use std::sync::Arc;
use std::time::Duration;

use hostinfo_domains::Limits;
use hostinfo_sample::{CpuUse, IoLimit, Used};
use serde::{Deserialize, Serialize};

pub(crate) mod stats;
mod take;

pub use take::Devices;

/// Figures of one moment. `None` if a figure was not available then.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    pub(crate) cpu: Cpu,
    pub(crate) memory: Memory,
    pub(crate) io: Io,
    pub(crate) net: Net,
    /// Age of the figures of the guest's disks and interfaces.
    pub(crate) devices_age: Duration,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cpu {
    pub(crate) vcpus: Option<u64>,
    /// Time that all vCPUs together ran.
    pub(crate) run: Option<Duration>,
    /// Time that all vCPUs together waited, for whatever reason.
    pub(crate) delay: Option<Duration>,
    /// The same for the VMM's other threads, which serve disks, interfaces and devices.
    pub(crate) threads_run: Option<Duration>,
    pub(crate) threads_delay: Option<Duration>,
    /// Time that only those threads were held back, by quotas of their own.
    pub(crate) threads_throttled: Option<Duration>,
    /// Time that each vCPU waited, by its number, in microseconds that wrap around at 2^32. A guest
    /// with 8,192 vCPUs, the most that are accepted, has 13 samples of 32 KiB in a window.
    pub(crate) vcpu_delays: Option<Arc<[u32]>>,
    /// Time that the guest's own quota held it back.
    pub(crate) throttled: Option<Duration>,
    /// Time that a quota held back everything in the cgroups around the guest's own, summed over
    /// CPUs.
    pub(crate) throttled_around: Option<Duration>,
    /// That quota, as CPU time allowed per second. `None` also if there are several.
    pub(crate) quota_around: Option<Duration>,
    /// Whether another guest was seen under that quota.
    pub(crate) is_quota_around_shared: bool,
    /// CPU time allowed per second by the lowest quota on the guest or around it.
    pub(crate) quota: Option<Duration>,
    /// The CPUs that the vCPUs may run on.
    pub(crate) cpus: Option<CpuUse>,
    /// Busy time of all CPUs of the host.
    pub(crate) host_busy: Option<Duration>,
    pub(crate) host_idle: Option<Duration>,
    /// Part of the busy time in which the host, itself a virtual machine, did not run.
    pub(crate) host_stolen: Option<Duration>,
    pub(crate) host_stall: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Memory {
    /// Bytes, including those that the guest shares with another process if a cgroup counts them.
    pub(crate) swapped: Option<u64>,
    /// Memory used under the guest's own limit.
    pub(crate) used: Option<Used>,
    /// Memory used under a limit around it.
    pub(crate) used_around: Option<Used>,
    /// Whether that is the lowest limit on the guest or around it.
    pub(crate) is_limit_around_lowest: bool,
    /// How often any of its own limits was reached.
    pub(crate) hits: Option<u64>,
    /// How often any limit around it was reached.
    pub(crate) hits_around: Option<u64>,
    /// Whether another guest was seen under the limit around it.
    pub(crate) is_limit_around_shared: bool,
    /// Major faults that the VMM took itself.
    pub(crate) faults: Option<u64>,
    /// Major faults on the memory of the guest's cgroup, whoever took them.
    pub(crate) all_faults: Option<u64>,
    /// The guest's pages that were freed because the host was running short.
    pub(crate) freed_for_host: Option<u64>,
    /// Time that the guest's VMM waited for memory.
    pub(crate) stall: Option<Duration>,
    /// Bytes that the balloon took from the guest's `maximum`.
    pub(crate) taken: Option<u64>,
    pub(crate) maximum: Option<u64>,
    /// Bytes that the host read back from swap.
    pub(crate) host_swap_in: Option<u64>,
    /// Completed reads of the host's disks.
    pub(crate) host_reads: Option<u64>,
    /// Sum of the times of those reads.
    pub(crate) host_read_time: Option<Duration>,
    /// How often tasks had to free memory of the whole host first. Does not count tasks that a
    /// cgroup's limit stopped (`allocstall` in mm/vmscan.c).
    pub(crate) host_reclaims: Option<u64>,
    pub(crate) host_stall: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Io {
    pub(crate) disks: Vec<Disk>,
    /// Time that the guest's VMM waited for I/O.
    pub(crate) stall: Option<Duration>,
    pub(crate) host_stall: Option<Duration>,
    /// I/O limits on the host's disks, of the guest's cgroups and of those around them.
    pub(crate) limits: Vec<IoLimit>,
    /// Completed reads and writes of the host's disks.
    pub(crate) host_ops: Option<u64>,
    /// Sum of the times of those operations.
    pub(crate) host_time: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
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
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) ops: Option<u64>,
    pub(crate) bytes: Option<u64>,
    /// Sum of the times of these operations.
    pub(crate) time: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Net {
    pub(crate) interfaces: Vec<Interface>,
    /// Packets at the host's own interfaces.
    pub(crate) host_rx: Passed,
    pub(crate) host_tx: Passed,
}

/// Both directions as the guest sees them.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Interface {
    pub(crate) number: String,
    pub(crate) rx: Way,
    pub(crate) tx: Way,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Way {
    pub(crate) bytes: Option<u64>,
    /// Bytes per second.
    pub(crate) limit: Option<u64>,
    pub(crate) passed: Passed,
}

/// Packets.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passed {
    pub(crate) packets: Option<u64>,
    pub(crate) drops: Option<u64>,
}

impl Io {
    /// Whether libvirt delivered any figures of the guest's disks.
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

    /// Sum of the times of all operations.
    pub(crate) fn time(&self) -> Option<Duration> {
        let times = [self.read.time, self.write.time, self.flush.time];
        times.into_iter().flatten().reduce(Duration::saturating_add)
    }
}

impl Net {
    /// Whether libvirt delivered any figures of the guest's interfaces.
    pub(crate) fn has_figures(&self) -> bool {
        let mut ways = self.interfaces.iter().flat_map(|interface| [&interface.rx, &interface.tx]);
        ways.any(|way| way.passed.packets.or(way.passed.drops).is_some())
    }
}
