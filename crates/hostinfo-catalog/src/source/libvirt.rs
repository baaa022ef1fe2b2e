//! Data from libvirt about the guest, and about all guests together.

use super::{Direction, Traffic};
use crate::Instances;

/// What libvirt is asked for, under the names that `virsh domstats` shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Libvirt {
    /// The hypervisor's version.
    HypervisorVersion,
    /// How many domains are running.
    GuestsRunning,
    /// Their online vCPUs, for each online CPU of the host.
    Overcommit,
    /// The domain's UUID.
    Uuid,
    /// The most vCPUs it may have.
    VcpusMax,
    /// The memory that its balloon leaves it.
    MemoryCurrent,
    /// The most memory it may have.
    MemoryMaximum,
    /// How much of that its balloon has taken.
    BalloonTaken,
    /// KVM's counters for its vCPUs.
    Kvm(Kvm),
    /// Operations on one disk since the guest was started.
    Disk(Operation, Amount),
    /// I/O errors of one disk that paused the domain.
    DiskErrors,
    /// The limit of one disk.
    DiskLimit(Limit),
    /// Time per operation of one disk, between two samples of it.
    DiskLatency,
    /// Traffic over one interface since the guest was started.
    Net(Direction, Traffic),
    /// The limit of one interface.
    NetLimit(Direction),
    /// How long it was seen paused.
    Paused,
    /// Whether it is being moved to another host.
    Migrating,
    /// Whether a disk is being copied, merged or moved.
    BlockJob,
}

/// KVM's counters for a vCPU: `struct kvm_vcpu_stat` of the kernel, which QEMU passes on
/// (`query-stats`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kvm {
    /// How often it left guest mode, for any reason.
    Exits,
    /// The same for an access to an I/O port.
    IoExits,
    /// The same for an access to device memory.
    MmioExits,
    /// The same because it had nothing to do.
    HaltExits,
    /// Interrupts injected.
    Irqs,
    /// Time spent polling for work before it was put to sleep.
    HaltPoll,
}

/// The kind of disk operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// Reads.
    Read,
    /// Writes.
    Write,
    /// Flushes; they have no bytes.
    Flush,
}

/// The amount of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Amount {
    /// Bytes.
    Bytes,
    /// Operations completed.
    Ops,
    /// Time that they took, summed over all of them.
    Seconds,
}

/// The most of it per second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Limit {
    /// Bytes.
    Bytes,
    /// Operations.
    Ops,
}

impl Libvirt {
    /// Variants that are not listed have none: a row with instances in its name would not compile.
    pub(super) const fn instances(self) -> Instances {
        match self {
            Self::Disk(..) | Self::DiskErrors | Self::DiskLimit(_) | Self::DiskLatency => {
                Instances::Disks
            }
            Self::Net(..) | Self::NetLimit(_) => Instances::Nets,
            _ => Instances::None,
        }
    }

    /// In libvirt's terms.
    pub(super) fn origin(self) -> &'static str {
        match self {
            Self::HypervisorVersion => "libvirt, virConnectGetVersion",
            Self::GuestsRunning => "libvirt, domains in the state running",
            Self::Overcommit => "libvirt, vCPUs of running domains; /sys/devices/system/cpu/online",
            Self::Uuid => "libvirt, the domain's uuid",
            Self::VcpusMax => "libvirt, the domain's vcpu",
            Self::MemoryCurrent => "libvirt, balloon.current",
            Self::MemoryMaximum => "libvirt, balloon.maximum",
            Self::BalloonTaken => "libvirt, balloon.maximum - balloon.current",
            Self::Kvm(kvm) => kvm.origin(),
            Self::Disk(Operation::Read, _) => "libvirt, block.*.rd",
            Self::Disk(Operation::Write, _) => "libvirt, block.*.wr",
            Self::Disk(Operation::Flush, _) => "libvirt, block.*.fl",
            Self::DiskErrors => {
                "libvirt, the domain's pauses for I/O errors, as far as hostinfod has seen them"
            }
            Self::DiskLimit(_) => "libvirt, the disk's iotune",
            Self::DiskLatency => "libvirt, block.*.times / block.*.reqs, between two readings",
            Self::Net(Direction::Rx, _) => "libvirt, net.*.rx",
            Self::Net(Direction::Tx, _) => "libvirt, net.*.tx",
            Self::NetLimit(Direction::Rx) => "libvirt, the interface's bandwidth, inbound average",
            Self::NetLimit(Direction::Tx) => "libvirt, the interface's bandwidth, outbound average",
            Self::Paused => "libvirt, the domain's events, as far as hostinfod has seen them",
            Self::Migrating => "libvirt, the domain's job",
            Self::BlockJob => "libvirt, the disks' block jobs",
        }
    }
}

impl Kvm {
    /// In libvirt's terms.
    fn origin(self) -> &'static str {
        match self {
            Self::Exits => "KVM by libvirt, vcpu.*.exits.sum",
            Self::IoExits => "KVM by libvirt, vcpu.*.io_exits.sum",
            Self::MmioExits => "KVM by libvirt, vcpu.*.mmio_exits.sum",
            Self::HaltExits => "KVM by libvirt, vcpu.*.halt_exits.sum",
            Self::Irqs => "KVM by libvirt, vcpu.*.irq_injections.sum",
            Self::HaltPoll => {
                "KVM by libvirt, vcpu.*.halt_poll_{success,fail}_ns.sum, or cpu.haltpoll.*.time"
            }
        }
    }
}
