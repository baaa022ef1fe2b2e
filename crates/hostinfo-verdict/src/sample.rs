//! What is known of a guest and its host at one moment.

use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_sample::{Bounds, Used};
use hostinfo_wire::Value;

/// Disks of a guest that are judged at the most: each sample holds about 120 bytes for one.
const DISKS_MAX: usize = 64;

pub(crate) mod stats {
    //! The statistics that verdicts are made of, as they are taken and as they are permitted.

    use hostinfo_catalog::StatId;

    pub(crate) const VCPUS: StatId = StatId::named("vm.vcpus");
    pub(crate) const RUN: StatId = StatId::named("vm.cpu.seconds");
    pub(crate) const DELAY: StatId = StatId::named("vm.cpu.delay");
    pub(crate) const THROTTLED: StatId = StatId::named("vm.cpu.throttled");
    pub(crate) const QUOTA: StatId = StatId::named("vm.cpu.quota");
    pub(super) const STOLEN: StatId = StatId::named("cpu.seconds.steal");
    /// Tells the same as a share of what was stolen does.
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
    /// Tells the same as a stall over a minute does.
    pub(crate) const CPU_PRESSURE: StatId = StatId::named("pressure.cpu.some.avg60");

    pub(crate) const SWAPPED: StatId = StatId::named("vm.memory.swapped");
    pub(super) const RESIDENT: StatId = StatId::named("vm.memory.resident");
    pub(crate) const LIMIT: StatId = StatId::named("vm.memory.limit");
    pub(crate) const FAULTS: StatId = StatId::named("vm.memory.majorfaults");
    pub(super) const OWN_STALL: StatId = StatId::named("vm.pressure.memory.some.seconds");
    pub(crate) const OWN_PRESSURE: StatId = StatId::named("vm.pressure.memory.some.avg60");
    pub(super) const SWAP_IN: StatId = StatId::named("swap.in");
    pub(super) const SWAP_OUT: StatId = StatId::named("swap.out");
    pub(super) const RECLAIM_STALLS: StatId = StatId::named("reclaim.stalls");
    pub(super) const MEMORY_STALL: StatId = StatId::named("pressure.memory.some.seconds");
    pub(crate) const MEMORY_PRESSURE: StatId = StatId::named("pressure.memory.some.avg60");

    pub(super) const DISK_OPS: [StatId; 3] = [
        StatId::named("vm.disk.DEV.read.ops"),
        StatId::named("vm.disk.DEV.write.ops"),
        StatId::named("vm.disk.DEV.flush.ops"),
    ];
    pub(super) const DISK_SECONDS: [StatId; 3] = [
        StatId::named("vm.disk.DEV.read.seconds"),
        StatId::named("vm.disk.DEV.write.seconds"),
        StatId::named("vm.disk.DEV.flush.seconds"),
    ];
    pub(super) const DISK_BYTES: [StatId; 2] =
        [StatId::named("vm.disk.DEV.read.bytes"), StatId::named("vm.disk.DEV.write.bytes")];
    pub(crate) const DISK_LIMIT_OPS: StatId = StatId::named("vm.disk.DEV.limit.ops");
    pub(crate) const DISK_LIMIT_BYTES: StatId = StatId::named("vm.disk.DEV.limit.bytes");
    pub(crate) const DISK_LATENCY: StatId = StatId::named("vm.disk.DEV.latency");
    pub(super) const IO_STALL: StatId = StatId::named("pressure.io.some.seconds");
    pub(crate) const IO_PRESSURE: StatId = StatId::named("pressure.io.some.avg60");
}

/// Figures of one moment. `None` is what could not be had then.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sample {
    pub(crate) cpu: Cpu,
    pub(crate) memory: Memory,
    pub(crate) io: Io,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Cpu {
    pub(crate) vcpus: Option<u64>,
    /// Time that all vCPUs ran.
    pub(crate) run: Option<Duration>,
    /// Time that all vCPUs waited, for whatever reason.
    pub(crate) delay: Option<Duration>,
    /// Time that the quota held them back.
    pub(crate) throttled: Option<Duration>,
    /// Time that a quota held back all in the cgroups around the guest's own, on each CPU.
    pub(crate) throttled_around: Option<Duration>,
    /// In a second of time.
    pub(crate) quota: Option<Duration>,
    /// Time of all CPUs of the host.
    pub(crate) host_busy: Option<Duration>,
    pub(crate) host_idle: Option<Duration>,
    /// Part of the busy time: the host is a virtual machine, and did not run then.
    pub(crate) host_stolen: Option<Duration>,
    pub(crate) host_stall: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) swapped: Option<u64>,
    pub(crate) resident: Option<u64>,
    pub(crate) limit: Option<u64>,
    /// Of the guest's own limit, and of one that it shares with others.
    pub(crate) used: Option<Used>,
    pub(crate) used_around: Option<Used>,
    pub(crate) faults: Option<u64>,
    /// Time that the guest's VMM waited for memory.
    pub(crate) stall: Option<Duration>,
    /// Bytes that the host swapped, in and out.
    pub(crate) host_swapping: Option<u64>,
    pub(crate) host_reclaims: Option<u64>,
    pub(crate) host_stall: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Io {
    pub(crate) disks: Vec<Disk>,
    pub(crate) host_stall: Option<Duration>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    pub(crate) name: String,
    /// Completed reads, writes and flushes, and what they took, each for itself.
    pub(crate) ops: Option<u64>,
    pub(crate) time: Option<Duration>,
    pub(crate) bytes: Option<u64>,
    /// In a second.
    pub(crate) limit_ops: Option<u64>,
    pub(crate) limit_bytes: Option<u64>,
}

impl Sample {
    /// Takes a sample. `value` tells a statistic, of an instance where it has them, whether or not
    /// the guest may see it; `disks` are the instances of `vm.disk`, and `bounds` is what no guest
    /// may see.
    pub fn take<'d, 'v>(
        disks: impl IntoIterator<Item = &'d str>,
        bounds: Bounds,
        value: impl FnMut(StatId, Option<&str>) -> Option<Value<'v>>,
    ) -> Self {
        let mut from = Figures(value);
        Self {
            cpu: Cpu {
                vcpus: from.whole(stats::VCPUS, None),
                run: from.time(stats::RUN, None),
                delay: from.time(stats::DELAY, None),
                throttled: from.time(stats::THROTTLED, None),
                throttled_around: bounds.throttled_around,
                quota: from.time(stats::QUOTA, None),
                host_busy: from.times(&stats::BUSY_PARTS, None),
                host_idle: from.times(&stats::IDLE_PARTS, None),
                host_stolen: from.time(stats::STOLEN, None),
                host_stall: from.time(stats::CPU_STALL, None),
            },
            memory: Memory {
                swapped: from.whole(stats::SWAPPED, None),
                resident: from.whole(stats::RESIDENT, None),
                limit: from.whole(stats::LIMIT, None),
                used: bounds.memory,
                used_around: bounds.memory_around,
                faults: from.whole(stats::FAULTS, None),
                stall: from.time(stats::OWN_STALL, None),
                host_swapping: from.wholes(&[stats::SWAP_IN, stats::SWAP_OUT], None),
                host_reclaims: from.whole(stats::RECLAIM_STALLS, None),
                host_stall: from.time(stats::MEMORY_STALL, None),
            },
            io: Io {
                disks: disks.into_iter().take(DISKS_MAX).map(|name| from.disk(name)).collect(),
                host_stall: from.time(stats::IO_STALL, None),
            },
        }
    }
}

struct Figures<F>(F);

impl<'v, F: FnMut(StatId, Option<&str>) -> Option<Value<'v>>> Figures<F> {
    fn disk(&mut self, name: &str) -> Disk {
        let dev = Some(name);
        Disk {
            name: name.to_owned(),
            ops: self.wholes(&stats::DISK_OPS, dev),
            time: self.times(&stats::DISK_SECONDS, dev),
            bytes: self.wholes(&stats::DISK_BYTES, dev),
            limit_ops: self.whole(stats::DISK_LIMIT_OPS, dev),
            limit_bytes: self.whole(stats::DISK_LIMIT_BYTES, dev),
        }
    }

    fn whole(&mut self, stat: StatId, instance: Option<&str>) -> Option<u64> {
        match (self.0)(stat, instance)? {
            Value::Whole(number) => Some(number),
            Value::Micro(micros) => u64::try_from(micros / 1_000_000).ok(),
            Value::Text(_) => None,
        }
    }

    fn time(&mut self, stat: StatId, instance: Option<&str>) -> Option<Duration> {
        match (self.0)(stat, instance)? {
            Value::Whole(seconds) => Some(Duration::from_secs(seconds)),
            Value::Micro(micros) => u64::try_from(micros).ok().map(Duration::from_micros),
            Value::Text(_) => None,
        }
    }

    /// The sum of the parts that there are: a kernel or a hypervisor may not have them all.
    fn wholes(&mut self, stats: &[StatId], instance: Option<&str>) -> Option<u64> {
        stats.iter().filter_map(|stat| self.whole(*stat, instance)).reduce(u64::saturating_add)
    }

    fn times(&mut self, stats: &[StatId], instance: Option<&str>) -> Option<Duration> {
        stats.iter().filter_map(|stat| self.time(*stat, instance)).reduce(Duration::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_added_and_figures_that_there_are_none_of_stay_away() {
        let sample = Sample::take(["vda", "vdb"], Bounds::default(), |stat, instance| {
            Some(match (stat.stat().name, instance) {
                ("cpu.seconds.user", None) => Value::Micro(1_500_000),
                ("cpu.seconds.guest", None) => Value::Whole(2),
                ("vm.cpu.quota", None) => Value::Micro(500_000),
                ("vm.vcpus", None) => Value::text("4"),
                ("vm.cpu.delay", None) => Value::Micro(-1),
                ("vm.disk.DEV.read.ops" | "vm.disk.DEV.flush.ops", Some("vdb")) => Value::Whole(3),
                _ => return None,
            })
        });
        assert_eq!(sample.cpu.host_busy, Some(Duration::from_millis(3_500)));
        assert_eq!(sample.cpu.quota, Some(Duration::from_millis(500)));
        assert_eq!((sample.cpu.vcpus, sample.cpu.delay, sample.cpu.host_idle), (None, None, None));
        let [vda, vdb] = sample.io.disks.as_slice() else { panic!("two disks") };
        assert_eq!((vda.ops, vdb.ops), (None, Some(6)));
    }
}
