//! What libvirt tells of the guest, and of all guests together.

use super::{Direction, Traffic};

/// What libvirt is asked for, by the names that `virsh domstats` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libvirt {
    /// The hypervisor's version.
    HypervisorVersion,
    /// How many domains run.
    GuestsRunning,
    /// Their online vCPUs, for each online CPU of the host.
    Overcommit,
    /// The domain's UUID.
    Uuid,
    /// vCPUs that it may have.
    VcpusMax,
    /// What its balloon leaves it.
    MemoryCurrent,
    /// What it may have.
    MemoryMaximum,
    /// Operations on one disk since the guest was started.
    Disk(Operation, Amount),
    /// What one disk is limited to.
    DiskLimit(Limit),
    /// Time / operations of one disk, between two looks at it.
    DiskLatency,
    /// Traffic over one interface since the guest was started.
    Net(Direction, Traffic),
    /// How long it was seen paused.
    Paused,
    /// Whether it is being moved to another host.
    Migrating,
    /// Whether a disk is being copied, merged or moved.
    BlockJob,
}

/// What is done with a disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Flushes; they have no bytes.
    Flush,
}

/// How much of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Bytes.
    Bytes,
    /// Operations completed.
    Ops,
    /// Time that they took, each for itself.
    Seconds,
}

/// How much of it in a second, at the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes.
    Bytes,
    /// Operations.
    Ops,
}

impl Libvirt {
    /// In libvirt's words.
    pub(super) fn origin(self) -> &'static str {
        match self {
            Self::HypervisorVersion => "libvirt, virConnectGetVersion",
            Self::GuestsRunning => "libvirt, domains in the state running",
            Self::Overcommit => "libvirt, vCPUs of running domains; /sys/devices/system/cpu/online",
            Self::Uuid => "libvirt, the domain's uuid",
            Self::VcpusMax => "libvirt, the domain's vcpu",
            Self::MemoryCurrent => "libvirt, balloon.current",
            Self::MemoryMaximum => "libvirt, balloon.maximum",
            Self::Disk(Operation::Read, _) => "libvirt, block.*.rd",
            Self::Disk(Operation::Write, _) => "libvirt, block.*.wr",
            Self::Disk(Operation::Flush, _) => "libvirt, block.*.fl",
            Self::DiskLimit(_) => "libvirt, the disk's iotune",
            Self::DiskLatency => "libvirt, block.*.times / block.*.reqs, since the look before",
            Self::Net(Direction::Rx, _) => "libvirt, net.*.rx",
            Self::Net(Direction::Tx, _) => "libvirt, net.*.tx",
            Self::Paused => "libvirt, the domain's events, as far as hostinfod has seen them",
            Self::Migrating => "libvirt, the domain's job",
            Self::BlockJob => "libvirt, the disks' block jobs",
        }
    }
}
