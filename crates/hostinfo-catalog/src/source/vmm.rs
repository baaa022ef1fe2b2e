//! The kernel's figures for the guest's virtual machine monitor (VMM), such as QEMU.

use super::{PressureFigure, Resource, Stall};
use crate::Instances;

/// What is read about the process at the other end of the guest's socket, and about its cgroup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vmm {
    /// The number of vCPU threads. If libvirt knows the guest, its number is reported instead.
    Vcpus,
    /// Run time of all vCPU threads, including those that ended.
    VcpuTime,
    /// Run-queue delay of all vCPU threads, including those that ended. A thread that is held back
    /// by its quota stays in the run queue, so this includes throttled time.
    VcpuDelay,
    /// Run time of one vCPU thread.
    OneVcpuTime,
    /// Run-queue delay of one vCPU thread.
    OneVcpuDelay,
    /// Delay / (delay + run time) of all vCPU threads over the window.
    Contention,
    /// Run-queue delay of the threads that are neither vCPUs nor iothreads.
    EmulatorDelay,
    /// Run-queue delay of the iothreads.
    IothreadDelay,
    /// Time in which the guest's cgroups were throttled, summed over CPUs.
    Throttled,
    /// How many CPUs' worth of time its cgroups may use.
    Quota,
    /// Its cgroup's weight when CPUs are short, on v2's scale: v1's 1,024 shares are 100.
    Weight,
    /// How many online CPUs its vCPUs may run on, all of them together.
    Pinned,
    /// Its cgroup's pressure.
    Pressure(Resource, Stall, PressureFigure),
    /// Resident memory, huge pages included.
    Resident,
    /// Swapped memory that belongs to the VMM alone.
    Swapped,
    /// The most memory that its cgroups may use before the kernel slows them down or kills them.
    MemoryLimit,
    /// Major faults of its own threads. Faults that KVM serves in the background while the vCPU
    /// continues (asynchronous page faults) count for the kernel.
    MajorFaults,
    /// Memory on the NUMA nodes where its vCPUs run, without page cache.
    NumaLocal,
    /// Memory on other NUMA nodes.
    NumaRemote,
}

impl Vmm {
    /// Variants that are not listed have none: a row with instances in its name would not compile.
    pub(super) const fn instances(self) -> Instances {
        match self {
            Self::OneVcpuTime | Self::OneVcpuDelay => Instances::Vcpus,
            _ => Instances::None,
        }
    }

    /// In terms of the kernel's file.
    pub(super) fn origin(self) -> &'static str {
        match self {
            Self::Vcpus => "/proc/PID/task/*/comm, vCPU threads",
            Self::VcpuTime | Self::OneVcpuTime => {
                "/proc/PID/task/*/schedstat, field 1, vCPU threads"
            }
            Self::VcpuDelay | Self::OneVcpuDelay => {
                "/proc/PID/task/*/schedstat, field 2, vCPU threads"
            }
            Self::Contention => "/proc/PID/task/*/schedstat, vCPU threads, over the window",
            Self::EmulatorDelay => "/proc/PID/task/*/schedstat, field 2, other threads",
            Self::IothreadDelay => "/proc/PID/task/*/schedstat, field 2, iothreads",
            Self::Throttled => "cgroup cpu.stat",
            Self::Quota => "cgroup cpu.max; v1 cpu.cfs_quota_us",
            Self::Weight => "cgroup cpu.weight; v1 cpu.shares",
            Self::Pinned => {
                "sched_getaffinity(2), or /proc/PID/task/*/status, Cpus_allowed_list, vCPU threads"
            }
            Self::Pressure(Resource::Cpu, ..) => "cgroup v2 cpu.pressure",
            Self::Pressure(Resource::Memory, ..) => "cgroup v2 memory.pressure",
            Self::Pressure(Resource::Io, ..) => "cgroup v2 io.pressure",
            Self::Resident => "/proc/PID/status, VmRSS and HugetlbPages",
            Self::Swapped => "/proc/PID/status, VmSwap",
            Self::MemoryLimit => "cgroup memory.max, memory.high; v1 memory.limit_in_bytes",
            Self::MajorFaults => "/proc/PID/stat, majflt",
            Self::NumaLocal | Self::NumaRemote => {
                "cgroup memory.numa_stat, hugetlb.*.numa_stat, /proc/PID/task/*/stat, processor; with one node resident memory"
            }
        }
    }
}
