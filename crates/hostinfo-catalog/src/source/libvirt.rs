//! What libvirt tells of the guest, and of all guests together.

use super::{Direction, Traffic};
use crate::Instances;

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
    /// What its balloon has taken of that.
    BalloonTaken,
    /// What KVM counts of its vCPUs.
    Kvm(Kvm),
    /// Operations on one disk since the guest was started.
    Disk(Operation, Amount),
    /// I/O errors of one disk.
    DiskErrors,
    /// What one disk is limited to.
    DiskLimit(Limit),
    /// Time / operations of one disk, between two looks at it.
    DiskLatency,
    /// Traffic over one interface since the guest was started.
    Net(Direction, Traffic),
    /// What one interface is limited to.
    NetLimit(Direction),
    /// How long it was seen paused.
    Paused,
    /// Whether it is being moved to another host.
    Migrating,
    /// Whether a disk is being copied, merged or moved.
    BlockJob,
}

/// What KVM counts of a vCPU: `struct kvm_vcpu_stat` of the kernel, which QEMU passes on
/// (`query-stats`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kvm {
    /// Times that it left guest mode, for whatever reason.
    Exits,
    /// The same for an access to an I/O port.
    IoExits,
    /// The same for an access to the memory of a device.
    MmioExits,
    /// The same because it had nothing to do.
    HaltExits,
    /// Interrupts put into it.
    Irqs,
    /// Time polled for something to do before it was put to sleep.
    HaltPoll,
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
    /// What is left out here has none: a row that has them in its name would not compile.
    pub(super) const fn instances(self) -> Instances {
        match self {
            Self::Disk(..) | Self::DiskErrors | Self::DiskLimit(_) | Self::DiskLatency => {
                Instances::Disks
            }
            Self::Net(..) | Self::NetLimit(_) => Instances::Nets,
            _ => Instances::None,
        }
    }

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
            Self::BalloonTaken => "libvirt, balloon.maximum - balloon.current",
            Self::Kvm(kvm) => kvm.origin(),
            Self::Disk(Operation::Read, _) => "libvirt, block.*.rd",
            Self::Disk(Operation::Write, _) => "libvirt, block.*.wr",
            Self::Disk(Operation::Flush, _) => "libvirt, block.*.fl",
            Self::DiskErrors => {
                "libvirt, the domain's io-error events, as far as hostinfod has seen them"
            }
            Self::DiskLimit(_) => "libvirt, the disk's iotune",
            Self::DiskLatency => "libvirt, block.*.times / block.*.reqs, since the look before",
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
    /// In libvirt's words.
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
