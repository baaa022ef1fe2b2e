//! Takes a sample from the values of statistics.

use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_domains::Limits;
use hostinfo_sample::Bounds;
use hostinfo_wire::Value;

use super::{Cpu, Disk, Done, Interface, Io, Memory, Net, Passed, Sample, Way, stats};

/// Most disks of a guest that are judged: each takes about 310 bytes of a sample.
const DISKS_MAX: usize = 64;

/// Most interfaces of a guest that are judged: each takes about 160 bytes of a sample.
const INTERFACES_MAX: usize = 64;

/// What libvirt knows about a guest's devices.
#[derive(Debug, Clone, Copy, Default)]
pub struct Devices<'a> {
    /// The instances of `vm.disk`, and their limits.
    pub disks: &'a [(String, Limits)],
    /// The instances of `vm.net`.
    pub interfaces: &'a [String],
    /// Age of their figures: newer ones are requested, but not waited for.
    pub age: Duration,
}

impl Sample {
    /// Takes a sample. `value` returns a statistic, for the given instance if it has them, whether
    /// or not the guest may see it. `bounds` has what no guest may see.
    pub fn take<'v>(
        devices: Devices<'_>,
        bounds: Bounds,
        value: impl FnMut(StatId, Option<&str>) -> Option<Value<'v>>,
    ) -> Self {
        let mut from = Figures(value);
        Self {
            cpu: Cpu {
                vcpus: from.whole(stats::VCPUS, None),
                run: from.time(stats::RUN, None),
                delay: from.time(stats::DELAY, None),
                threads_run: bounds.threads_run,
                threads_delay: from.times(&stats::THREADS_DELAY, None),
                threads_throttled: bounds.threads_throttled,
                vcpu_delays: bounds.vcpu_delays,
                throttled: from.time(stats::THROTTLED, None),
                throttled_around: bounds.throttled_around,
                quota_around: bounds.cpu_limit,
                is_quota_around_shared: bounds.cpu_limit_is_shared,
                quota: from.time(stats::QUOTA, None),
                cpus: bounds.cpus,
                host_busy: from.times(&stats::BUSY_PARTS, None),
                host_idle: from.times(&stats::IDLE_PARTS, None),
                host_stolen: from.time(stats::STOLEN, None),
                host_stall: from.time(stats::CPU_STALL, None),
            },
            memory: Memory {
                // The VMM's own figure does not include memory that it shares with another process.
                swapped: from.whole(stats::SWAPPED, None).max(bounds.swapped),
                used: bounds.memory,
                used_around: bounds.memory_around,
                is_limit_around_lowest: bounds.memory_limit_around_is_lowest,
                hits: bounds.memory_hits,
                hits_around: bounds.memory_hits_around,
                is_limit_around_shared: bounds.memory_limit_is_shared,
                faults: from.whole(stats::FAULTS, None),
                all_faults: bounds.major_faults,
                freed_for_host: bounds.freed_for_host,
                stall: from.time(stats::OWN_STALL, None),
                taken: from.whole(stats::TAKEN, None),
                maximum: from.whole(stats::MAXIMUM, None),
                host_swap_in: from.whole(stats::SWAP_IN, None),
                host_reads: from.whole(stats::HOST_DISK_READS, None),
                host_read_time: from.time(stats::HOST_DISK_READ_SECONDS, None),
                host_reclaims: from.whole(stats::RECLAIM_STALLS, None),
                host_stall: from.time(stats::MEMORY_STALL, None),
            },
            io: Io {
                disks: devices
                    .disks
                    .iter()
                    .take(DISKS_MAX)
                    .map(|(name, limits)| from.disk(name, *limits))
                    .collect(),
                stall: from.time(stats::OWN_IO_STALL, None),
                limits: bounds.io_limits,
                host_stall: from.time(stats::IO_STALL, None),
                host_ops: from.wholes(&stats::HOST_DISK_OPS, None),
                host_time: from.times(&stats::HOST_DISK_SECONDS, None),
            },
            net: Net {
                interfaces: devices
                    .interfaces
                    .iter()
                    .take(INTERFACES_MAX)
                    .map(|number| from.interface(number))
                    .collect(),
                host_rx: from.passed(stats::HOST_RX, None),
                host_tx: from.passed(stats::HOST_TX, None),
            },
            devices_age: devices.age,
        }
    }
}

struct Figures<F>(F);

impl<'v, F: FnMut(StatId, Option<&str>) -> Option<Value<'v>>> Figures<F> {
    fn disk(&mut self, name: &str, limits: Limits) -> Disk {
        Disk {
            name: name.to_owned(),
            read: self.done(&stats::READ, name),
            write: self.done(&stats::WRITE, name),
            flush: self.done(&stats::FLUSH, name),
            errors: self.whole(stats::DISK_ERRORS, Some(name)),
            limits,
        }
    }

    fn done(&mut self, operation: &stats::Operation, disk: &str) -> Done {
        Done {
            ops: self.whole(operation.ops, Some(disk)),
            bytes: operation.bytes.and_then(|bytes| self.whole(bytes, Some(disk))),
            time: self.time(operation.seconds, Some(disk)),
        }
    }

    fn interface(&mut self, number: &str) -> Interface {
        Interface {
            number: number.to_owned(),
            rx: self.way(&stats::RX, number),
            tx: self.way(&stats::TX, number),
        }
    }

    fn way(&mut self, way: &stats::Way, number: &str) -> Way {
        Way {
            bytes: self.whole(way.bytes, Some(number)),
            limit: self.whole(way.limit, Some(number)),
            passed: self.passed([way.packets, way.drops], Some(number)),
        }
    }

    fn passed(&mut self, [packets, drops]: [StatId; 2], instance: Option<&str>) -> Passed {
        Passed { packets: self.whole(packets, instance), drops: self.whole(drops, instance) }
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

    /// The sum of the available parts: a kernel or hypervisor may not have all of them.
    fn wholes(&mut self, stats: &[StatId], instance: Option<&str>) -> Option<u64> {
        stats.iter().filter_map(|stat| self.whole(*stat, instance)).reduce(u64::saturating_add)
    }

    fn times(&mut self, stats: &[StatId], instance: Option<&str>) -> Option<Duration> {
        stats.iter().filter_map(|stat| self.time(*stat, instance)).reduce(Duration::saturating_add)
    }
}

#[cfg(test)]
mod tests {
    use hostinfo_domains::Limit;

    use super::*;

    #[test]
    fn parts_are_added_up_and_figures_that_a_host_lacks_stay_unknown() {
        let ops = Limit { read: Some(9), ..Limit::default() };
        let limits = Limits { ops, ..Limits::default() };
        let devices = Devices {
            disks: &["vda", "vdb"].map(|name| (name.to_owned(), limits)),
            interfaces: &["0".to_owned()],
            age: Duration::from_secs(3),
        };
        let bounds = Bounds { swapped: Some(9), ..Bounds::default() };
        let sample = Sample::take(devices, bounds, |stat, instance| {
            Some(match (stat.stat().name, instance) {
                ("cpu.seconds.user", None) => Value::Micro(1_500_000),
                ("cpu.seconds.guest", None) => Value::Whole(2),
                ("vm.memory.swapped", None) => Value::Whole(0),
                ("vm.cpu.quota", None) => Value::Micro(500_000),
                ("vm.vcpus", None) => Value::text("4"),
                ("vm.cpu.delay", None) => Value::Micro(-1),
                ("vm.net.N.rx.packets", Some("0")) => Value::Whole(7),
                ("net.tx.drops", None) => Value::Whole(8),
                ("vm.disk.DEV.read.ops" | "vm.disk.DEV.flush.ops", Some("vdb")) => Value::Whole(3),
                _ => return None,
            })
        });
        assert_eq!(sample.memory.swapped, Some(9), "the VMM tells less than its cgroup");
        assert_eq!(sample.cpu.host_busy, Some(Duration::from_millis(3_500)));
        assert_eq!(sample.cpu.quota, Some(Duration::from_millis(500)));
        assert_eq!((sample.cpu.vcpus, sample.cpu.delay, sample.cpu.host_idle), (None, None, None));
        let [vda, vdb] = sample.io.disks.as_slice() else { panic!("two disks") };
        assert_eq!((vda.ops(), vdb.ops()), (None, Some(6)));
        assert_eq!((vdb.write.ops, vdb.limits), (None, limits));
        assert_eq!(sample.net.interfaces[0].rx.passed, Passed { packets: Some(7), drops: None });
        assert_eq!(sample.net.host_tx, Passed { packets: None, drops: Some(8) });
    }
}
