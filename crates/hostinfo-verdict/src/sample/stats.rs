//! The statistics that verdicts use: to take samples, and to decide what a guest may read.

use hostinfo_catalog::StatId;

pub(crate) const VCPUS: StatId = StatId::named("vm.vcpus");
pub(crate) const RUN: StatId = StatId::named("vm.cpu.seconds");
pub(crate) const DELAY: StatId = StatId::named("vm.cpu.delay");
pub(crate) const THROTTLED: StatId = StatId::named("vm.cpu.throttled");
pub(crate) const QUOTA: StatId = StatId::named("vm.cpu.quota");
/// Of all the VMM's threads other than vCPUs.
pub(crate) const THREADS_DELAY: [StatId; 2] =
    [StatId::named("vm.emulator.delay"), StatId::named("vm.iothread.delay")];
pub(super) const STOLEN: StatId = StatId::named("cpu.seconds.steal");
/// Reveals the same as the stolen share of a window.
pub(crate) const STEAL: StatId = StatId::named("cpu.steal");
pub(crate) const BUSY: StatId = StatId::named("cpu.busy");
pub(super) const BUSY_PARTS: [StatId; 7] = [
    StatId::named("cpu.seconds.user"),
    StatId::named("cpu.seconds.nice"),
    StatId::named("cpu.seconds.system"),
    StatId::named("cpu.seconds.irq"),
    StatId::named("cpu.seconds.softirq"),
    StatId::named("cpu.seconds.steal"),
    StatId::named("cpu.seconds.guest"),
];
pub(super) const IDLE_PARTS: [StatId; 2] =
    [StatId::named("cpu.seconds.idle"), StatId::named("cpu.seconds.iowait")];
pub(super) const CPU_STALL: StatId = StatId::named("pressure.cpu.some.seconds");
/// Reveals the same as a stall: whoever reads it every 2 s can work out that of each 2 s.
pub(crate) const CPU_PRESSURE: StatId = StatId::named("pressure.cpu.some.avg60");

pub(crate) const SWAPPED: StatId = StatId::named("vm.memory.swapped");
pub(crate) const LIMIT: StatId = StatId::named("vm.memory.limit");
/// The major faults of the guest's whole cgroup are not a statistic. They concern the same memory,
/// so guests may read them if they may see the VMM's own major faults.
pub(crate) const FAULTS: StatId = StatId::named("vm.memory.majorfaults");
pub(super) const OWN_STALL: StatId = StatId::named("vm.pressure.memory.some.seconds");
pub(crate) const OWN_PRESSURE: StatId = StatId::named("vm.pressure.memory.some.avg60");
pub(crate) const TAKEN: StatId = StatId::named("vm.memory.balloon.taken");
pub(super) const MAXIMUM: StatId = StatId::named("vm.memory.maximum");
pub(super) const SWAP_IN: StatId = StatId::named("swap.in");
pub(super) const RECLAIM_STALLS: StatId = StatId::named("reclaim.stalls");
pub(super) const MEMORY_STALL: StatId = StatId::named("pressure.memory.some.seconds");
pub(crate) const MEMORY_PRESSURE: StatId = StatId::named("pressure.memory.some.avg60");

/// The statistics of one kind of operation on a disk.
pub(super) struct Operation {
    pub(super) ops: StatId,
    /// `None` for flushes.
    pub(super) bytes: Option<StatId>,
    pub(super) seconds: StatId,
}

pub(super) const READ: Operation = Operation {
    ops: StatId::named("vm.disk.DEV.read.ops"),
    bytes: Some(StatId::named("vm.disk.DEV.read.bytes")),
    seconds: StatId::named("vm.disk.DEV.read.seconds"),
};
pub(super) const WRITE: Operation = Operation {
    ops: StatId::named("vm.disk.DEV.write.ops"),
    bytes: Some(StatId::named("vm.disk.DEV.write.bytes")),
    seconds: StatId::named("vm.disk.DEV.write.seconds"),
};
pub(super) const FLUSH: Operation = Operation {
    ops: StatId::named("vm.disk.DEV.flush.ops"),
    bytes: None,
    seconds: StatId::named("vm.disk.DEV.flush.seconds"),
};
pub(crate) const DISK_ERRORS: StatId = StatId::named("vm.disk.DEV.errors");
pub(crate) const DISK_LIMIT_OPS: StatId = StatId::named("vm.disk.DEV.limit.ops");
pub(crate) const DISK_LIMIT_BYTES: StatId = StatId::named("vm.disk.DEV.limit.bytes");
pub(crate) const DISK_LATENCY: StatId = StatId::named("vm.disk.DEV.latency");
pub(super) const OWN_IO_STALL: StatId = StatId::named("vm.pressure.io.some.seconds");
pub(crate) const OWN_IO_PRESSURE: StatId = StatId::named("vm.pressure.io.some.avg60");
pub(super) const IO_STALL: StatId = StatId::named("pressure.io.some.seconds");
pub(crate) const IO_PRESSURE: StatId = StatId::named("pressure.io.some.avg60");
pub(super) const HOST_DISK_READS: StatId = StatId::named("disk.read.ops");
pub(super) const HOST_DISK_READ_SECONDS: StatId = StatId::named("disk.read.seconds");
pub(crate) const HOST_DISK_OPS: [StatId; 2] = [HOST_DISK_READS, StatId::named("disk.write.ops")];
pub(crate) const HOST_DISK_SECONDS: [StatId; 2] =
    [HOST_DISK_READ_SECONDS, StatId::named("disk.write.seconds")];

/// The statistics of one direction of an interface.
pub(super) struct Way {
    pub(super) bytes: StatId,
    pub(super) packets: StatId,
    pub(super) drops: StatId,
    pub(super) limit: StatId,
}

pub(super) const RX: Way = Way {
    bytes: StatId::named("vm.net.N.rx.bytes"),
    packets: StatId::named("vm.net.N.rx.packets"),
    drops: RX_DROPS,
    limit: RX_LIMIT,
};
pub(super) const TX: Way = Way {
    bytes: StatId::named("vm.net.N.tx.bytes"),
    packets: StatId::named("vm.net.N.tx.packets"),
    drops: TX_DROPS,
    limit: TX_LIMIT,
};
pub(crate) const RX_DROPS: StatId = StatId::named("vm.net.N.rx.drops");
pub(crate) const TX_DROPS: StatId = StatId::named("vm.net.N.tx.drops");
pub(crate) const RX_LIMIT: StatId = StatId::named("vm.net.N.rx.limit");
pub(crate) const TX_LIMIT: StatId = StatId::named("vm.net.N.tx.limit");
pub(super) const HOST_RX: [StatId; 2] =
    [StatId::named("net.rx.packets"), StatId::named("net.rx.drops")];
pub(super) const HOST_TX: [StatId; 2] =
    [StatId::named("net.tx.packets"), StatId::named("net.tx.drops")];
