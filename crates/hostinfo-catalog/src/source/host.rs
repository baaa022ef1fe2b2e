//! The kernel's figures for the host.

use super::figures::figures;

/// What is read below `/proc` and `/sys`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Host {
    /// `/proc/sys/kernel`, DMI.
    Identity(Identity),
    /// `/proc/cpuinfo`: the model's name.
    CpuModel,
    /// `/sys/devices/system/cpu`, `/sys/devices/system/node`.
    Topology(Topology),
    /// `/sys/devices/system/cpu/cpu*/cpufreq`.
    Frequency(Frequency),
    /// `/sys/devices/system/cpu/cpu*/thermal_throttle`.
    Throttles,
    /// `/proc/stat`, first line, since boot.
    CpuTime(CpuTime),
    /// `/proc/stat`, first line, over the window.
    CpuShare(CpuShare),
    /// `/proc/stat`, `btime`.
    BootTime,
    /// `/proc/stat`, `procs_running`.
    ProcsRunning,
    /// `/proc/loadavg`.
    Load(Load),
    /// `/proc/pressure`.
    Pressure(Resource, Stall, PressureFigure),
    /// `/proc/meminfo`.
    Memory(Memory),
    /// `/sys/kernel/mm/ksm/pages_sharing`, in bytes.
    KsmSaved,
    /// `/proc/vmstat`.
    Paging(Paging),
    /// `/proc/diskstats`, physical disks summed, since boot.
    Disk(Disk),
    /// `/proc/diskstats`, physical disks, over the window.
    DiskBusy,
    /// `/proc/net/dev`, physical interfaces summed, since boot.
    Net(Direction, Traffic),
}

/// What identifies the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// The host's name.
    HostName,
    /// The kernel's release.
    Kernel,
    /// The manufacturer of the machine.
    Vendor,
    /// The model of the machine.
    Product,
}

/// Counts of online CPUs, and their topology.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topology {
    /// Online logical CPUs.
    Online,
    /// Packages.
    Sockets,
    /// Physical cores.
    Cores,
    /// Hardware threads.
    Threads,
    /// NUMA nodes.
    Nodes,
}

/// Clock frequencies, as the mean of the online CPUs, in hertz.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Frequency {
    /// Now.
    Current,
    /// At the most.
    Maximum,
}

/// How the host's CPU time was spent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuTime {
    /// Processes, without guests' time.
    User,
    /// Processes of low priority, without guests' time.
    Nice,
    /// The kernel.
    System,
    /// Nothing to do.
    Idle,
    /// Nothing to do but wait for I/O.
    Iowait,
    /// Hardware interrupts.
    Irq,
    /// Software interrupts.
    Softirq,
    /// Taken by the host's own hypervisor.
    Steal,
    /// Guests' vCPUs, low priority included.
    Guest,
}

/// Shares of the host's CPU time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CpuShare {
    /// Everything except idle and waiting for I/O.
    Busy,
    /// Waiting for I/O.
    Iowait,
    /// Taken by the host's own hypervisor.
    Steal,
}

/// The time over which a load average is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    /// One minute.
    One,
    /// Five minutes.
    Five,
    /// Fifteen minutes.
    Fifteen,
}

/// What tasks wait for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A CPU.
    Cpu,
    /// Memory.
    Memory,
    /// I/O.
    Io,
}

/// How many tasks wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stall {
    /// At least one.
    Some,
    /// All that are not idle.
    Full,
}

figures! {
    /// Figures of a pressure line: shares of the last so many seconds, and the time since boot.
    PressureFigure:
    Avg10 = "avg10",
    Avg60 = "avg60",
    Avg300 = "avg300",
    Total = "total",
}

figures! {
    /// Figures of `/proc/meminfo`.
    Memory:
    Total = "MemTotal",
    Available = "MemAvailable",
    Free = "MemFree",
    Cached = "Cached",
    Dirty = "Dirty",
    HugepagesTotal = "HugePages_Total",
    HugepagesFree = "HugePages_Free",
    HugepagesReserved = "HugePages_Rsvd",
    HugepagesSurplus = "HugePages_Surp",
    SwapTotal = "SwapTotal",
    SwapFree = "SwapFree",
}

figures! {
    /// Figures of `/proc/vmstat`. Up to Linux 4.7 there is one `allocstall`, then one for each zone (commit
    /// 7cc30fcfd2a8); up to 5.8 one `workingset_refault`, then one for files and one for anonymous memory.
    Paging:
    SwapIn = "pswpin",
    SwapOut = "pswpout",
    In = "pgpgin",
    Out = "pgpgout",
    MajorFaults = "pgmajfault",
    ReclaimStalls = "allocstall" | "allocstall_dma" | "allocstall_dma32" | "allocstall_normal"
        | "allocstall_high" | "allocstall_movable" | "allocstall_device",
    Refaults = "workingset_refault" | "workingset_refault_anon" | "workingset_refault_file",
    OomKills = "oom_kill",
}

/// Figures of `/proc/diskstats`: `Documentation/admin-guide/iostats.rst` of the kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disk {
    /// Bytes read.
    ReadBytes,
    /// Reads completed.
    ReadOps,
    /// Time that reads took, summed over all reads.
    ReadSeconds,
    /// Bytes written.
    WriteBytes,
    /// Writes completed.
    WriteOps,
    /// Time that writes took, summed over all writes.
    WriteSeconds,
}

/// Direction of traffic over an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Received.
    Rx,
    /// Sent.
    Tx,
}

/// Figures of `/proc/net/dev`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Traffic {
    /// Bytes.
    Bytes,
    /// Packets.
    Packets,
    /// Packets dropped.
    Drops,
    /// Errors.
    Errors,
}

impl Host {
    /// In terms of the kernel's file.
    pub(super) fn origin(self) -> &'static str {
        match self {
            Self::Identity(Identity::HostName) => "/proc/sys/kernel/hostname",
            Self::Identity(Identity::Kernel) => "/proc/sys/kernel/osrelease",
            Self::Identity(Identity::Vendor) => "/sys/class/dmi/id/sys_vendor",
            Self::Identity(Identity::Product) => "/sys/class/dmi/id/product_name",
            Self::CpuModel => "/proc/cpuinfo, model name",
            Self::Topology(Topology::Online | Topology::Threads) => {
                "/sys/devices/system/cpu/online"
            }
            Self::Topology(Topology::Sockets | Topology::Cores) => {
                "/sys/devices/system/cpu/cpu*/topology"
            }
            Self::Topology(Topology::Nodes) => "/sys/devices/system/node/online",
            Self::Frequency(Frequency::Current) => "cpu*/cpufreq/scaling_cur_freq",
            Self::Frequency(Frequency::Maximum) => "cpu*/cpufreq/cpuinfo_max_freq",
            Self::Throttles => "cpu*/thermal_throttle/core_throttle_count",
            Self::CpuTime(_) => "/proc/stat, cpu; guest time taken out of user and nice",
            Self::CpuShare(_) => "/proc/stat, cpu, over the window",
            Self::BootTime => "/proc/stat, btime",
            Self::ProcsRunning => "/proc/stat, procs_running",
            Self::Load(_) => "/proc/loadavg",
            Self::Pressure(Resource::Cpu, ..) => "/proc/pressure/cpu",
            Self::Pressure(Resource::Memory, ..) => "/proc/pressure/memory",
            Self::Pressure(Resource::Io, ..) => "/proc/pressure/io",
            Self::Memory(_) => "/proc/meminfo",
            Self::KsmSaved => "/sys/kernel/mm/ksm/pages_sharing",
            Self::Paging(_) => "/proc/vmstat",
            Self::Disk(_) => "/proc/diskstats, physical disks",
            Self::DiskBusy => "/proc/diskstats, physical disks, over the window",
            Self::Net(..) => "/proc/net/dev, physical interfaces",
        }
    }
}
