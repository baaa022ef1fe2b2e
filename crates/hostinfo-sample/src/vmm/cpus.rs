//! The CPUs that a guest's vCPUs may run on, and who uses them.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::root::{LINE_BYTES, STATUS_BYTES};
use crate::vmm::affinity::{Affinities, allowed};
use crate::vmm::company::Worker;
use crate::vmm::process::Process;
use crate::vmm::process_stat;
use crate::vmm::threads::{self, Task, Threads, Times};
use crate::{Absent, CpuUse, Moment, Units, cpulist, stat};

const UNTOLD: Absent = Absent::untold(
    "/proc/stat or /sys/devices/system/cpu/online lacks a CPU that a vCPU may run on",
);

/// How much longer than the time between two samples a CPU may have been busy: its ticks are counted in steps,
/// and the two samples are not taken in the same instant.
const TOLERANCE: Duration = Duration::from_secs(1);

/// Ticks count as lost only if more than one in this many is missing. A sample may be taken up to 100 ms off its
/// time, and two samples are at least 5 s apart: that alone can make 4 % of the ticks seem to be missing.
const COUNTED_ALL: u64 = 20;

/// If fewer than one in this many ticks were counted, they say nothing about the rest of the time: the CPU may have
/// been offline. An emulated host that was overloaded counted three quarters of them.
const COUNTED_LEAST: u64 = 4;

/// CPUs of the host, by their numbers, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Cpus {
    /// The CPUs that at least one vCPU may run on.
    pub(crate) vcpus: Arc<[u32]>,
    online: Arc<[u32]>,
}

/// What was counted on single CPUs and for single threads, to continue from.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Counters {
    at: Option<Moment>,
    cpus: HashMap<u32, Cpu>,
    #[serde(with = "hostinfo_handover::pairs")]
    threads: HashMap<Task, Times>,
    #[serde(with = "hostinfo_handover::pairs")]
    workers: HashMap<Worker, Times>,
    own_others: Times,
}

/// What the kernel counted on a CPU, in ticks.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Counted {
    pub(crate) busy: u64,
    pub(crate) idle: u64,
}

/// How long a CPU was busy.
#[derive(Clone, Copy, Serialize, Deserialize)]
struct Cpu {
    last: Counted,
    /// The sum of what was counted.
    sum: Counted,
    /// How long it was busy, in ticks, lost ones included.
    busy: u64,
}

/// The CPUs that the current vCPUs may run on.
pub(crate) fn read(
    threads: &Threads,
    affinities: &Affinities,
    at: Moment,
    process: &mut Process,
    buffer: &mut Vec<u8>,
) -> Result<Cpus, Absent> {
    let online = process.roots.sys_for_all("devices/system/cpu/online", at, buffer).ok();
    let mut online = match online.and_then(cpulist::parse) {
        Some(online) => online,
        // A container may have no sysfs.
        None => stat::online(&process.roots, buffer)?,
    };
    online.sort_unstable();
    online.dedup();
    let lists = threads.of_vcpus()?.map(|task| affinities.list(task));
    let mut lists = lists.collect::<Result<Vec<_>, _>>()?;
    // Each distinct list is there once: see `Affinities`.
    lists.sort_unstable_by_key(|list| list.as_ptr());
    lists.dedup_by(|one, other| Arc::ptr_eq(one, other));
    let is_allowed = |cpu: &u32| lists.iter().any(|list| list.binary_search(cpu).is_ok());
    let vcpus: Arc<[u32]> = online.iter().copied().filter(is_allowed).collect();
    process.check((), buffer)?;
    if vcpus.is_empty() { Err(UNTOLD) } else { Ok(Cpus { vcpus, online: online.into() }) }
}

impl Cpus {
    pub(crate) fn count(&self) -> u64 {
        u64::try_from(self.vcpus.len()).unwrap_or(u64::MAX)
    }

    /// Who used them; call [`Counters::add_cpus`] first. `workers` are the kernel threads that work for the
    /// guest.
    pub(crate) fn usage(
        &self,
        (threads, affinities): (&Threads, &Affinities),
        workers: &[Worker],
        counted: &mut Counters,
        process: &mut Process,
        buffer: &mut Vec<u8>,
    ) -> Result<CpuUse, Absent> {
        let mut before = std::mem::take(&mut counted.threads);
        for (task, now) in threads.others() {
            let last = before.remove(&task);
            let Ok(allowed) = affinities.list(task) else {
                counted.threads.extend(last.map(|last| (task, last)));
                continue;
            };
            let gain = now.gain(last.unwrap_or_default());
            counted.own_others.add(self.part(gain, &allowed));
            counted.threads.insert(task, now);
        }
        counted.workers.retain(|worker, _| workers.contains(worker));
        for worker in workers {
            if let Some((now, allowed)) = of_worker(*worker, process, buffer) {
                let last = counted.workers.insert(*worker, now).unwrap_or_default();
                counted.own_others.add(self.part(now.gain(last), &allowed));
            }
        }
        let each = self.vcpus.iter().map(|cpu| counted.cpus.get(cpu));
        let each: Vec<&Cpu> = each.collect::<Option<_>>().ok_or(UNTOLD)?;
        let sum = |ticks: fn(&Cpu) -> u64| {
            let ticks = each.iter().copied().map(ticks).fold(0, u64::saturating_add);
            duration(ticks, process.units)
        };
        let Times { run, delay } = counted.own_others;
        let usage = CpuUse {
            cpus: Arc::clone(&self.vcpus),
            online: u32::try_from(self.online.len()).unwrap_or(u32::MAX),
            busy: sum(|cpu| cpu.busy),
            counted_busy: sum(|cpu| cpu.sum.busy),
            counted_idle: sum(|cpu| cpu.sum.idle),
            own_others: Duration::from_nanos(run),
            own_others_delay: Duration::from_nanos(delay),
        };
        process.check(usage, buffer)
    }

    /// The part of the times that is attributed to these CPUs: a thread is assumed to run equally on all CPUs
    /// that it is `allowed` to use.
    fn part(&self, times: Times, allowed: &[u32]) -> Times {
        let (here, all) = (common(allowed, &self.vcpus), common(allowed, &self.online));
        let part = |nanos: u64| {
            let part = u128::from(nanos) * here as u128 / all.max(1) as u128;
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        Times { run: part(times.run), delay: part(times.delay) }
    }
}

/// How many numbers two lists have in common, both of which are in order.
fn common(one: &[u32], other: &[u32]) -> usize {
    let mut rest = other.iter().peekable();
    let is_there = |number: &&u32| {
        while rest.next_if(|next| next < number).is_some() {}
        rest.peek() == Some(number)
    };
    one.iter().filter(is_there).count()
}

impl Counters {
    /// Takes how long each of the host's CPUs was busy and idle since boot. Once a CPU was counted, it is
    /// always counted, so that its sum continues whatever the guest is pinned to in between. A CPU whose time
    /// falls, or grows by more than the elapsed time, adds nothing, since its gain is not known.
    pub(crate) fn add_cpus(
        &mut self,
        now: &[(u32, Counted)],
        cpus: &Cpus,
        at: Moment,
        units: Units,
    ) {
        let passed = self.at.map_or(Duration::ZERO, |before| at.since(before));
        let most = ticks(passed.saturating_add(TOLERANCE), units);
        let passed = ticks(passed, units);
        self.at = Some(at);
        for (number, now) in now {
            if let Some(cpu) = self.cpus.get_mut(number) {
                cpu.add(*now, passed, most);
            } else if cpus.vcpus.binary_search(number).is_ok() {
                self.cpus.insert(*number, Cpu { last: *now, sum: *now, busy: now.busy });
            }
        }
    }
}

impl Cpu {
    fn add(&mut self, now: Counted, passed: u64, most: u64) {
        let gain = |now: u64, last: u64| now.checked_sub(last).filter(|gain| *gain <= most);
        let (busy, idle) = (gain(now.busy, self.last.busy), gain(now.idle, self.last.idle));
        self.last = now;
        let Some(busy) = busy else { return };
        self.sum.busy = self.sum.busy.saturating_add(busy);
        self.sum.idle = self.sum.idle.saturating_add(idle.unwrap_or(0));
        let busy = idle.map_or(busy, |idle| Counted { busy, idle }.busy_of(passed));
        self.busy = self.busy.saturating_add(busy);
    }
}

impl Counted {
    /// How much of the time that `passed` the CPU was busy. The kernel counts a tick for each timer interrupt that
    /// it handles, and where it handles them late, as in an emulated host, it counts several as one. It loses idle
    /// time no more than busy time, since most kernels measure idle time without ticks. So the busy share of the
    /// ticks is at most the busy share of the time. Both are the same for a CPU that was never idle, and none is
    /// idle while a thread waits for it.
    fn busy_of(self, passed: u64) -> u64 {
        let counted = self.busy.saturating_add(self.idle);
        if counted >= passed - passed / COUNTED_ALL || counted < passed / COUNTED_LEAST {
            return self.busy;
        }
        let busy = u128::from(self.busy) * u128::from(passed) / u128::from(counted.max(1));
        u64::try_from(busy).unwrap_or(u64::MAX)
    }
}

fn of_worker(
    Worker { pid, start }: Worker,
    process: &Process,
    buffer: &mut Vec<u8>,
) -> Option<(Times, Vec<u32>)> {
    let times = threads::parse(process.read_other(pid, "schedstat", LINE_BYTES, buffer).ok()?)?;
    let text = process.read_other(pid, "status", STATUS_BYTES, buffer).ok()?;
    let allowed = allowed(text).and_then(cpulist::parse)?;
    let stat = process_stat::parse(process.read_other(pid, "stat", LINE_BYTES, buffer).ok()?)?;
    (stat.is_kernels() && stat.start == start).then_some((times, allowed))
}

fn ticks(time: Duration, units: Units) -> u64 {
    let ticks = time.as_nanos().saturating_mul(units.ticks_per_second.into()) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

fn duration(ticks: u64, units: Units) -> Duration {
    let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(units.ticks_per_second.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };

    #[test]
    fn only_a_part_of_a_thread_that_may_run_elsewhere_counts_here() {
        let cpus = Cpus { vcpus: [1, 2].into(), online: (0..4).collect() };
        let all = Times { run: 900, delay: 90 };
        for (allowed, part) in [
            (vec![1, 2], 900),
            (vec![2], 900),
            (vec![0, 1, 2, 3], 450),
            (vec![0, 2], 450),
            (vec![0, 2, 3, 4, 5], 300),
            (vec![0, 3], 0),
            (vec![7], 0),
        ] {
            assert_eq!(
                cpus.part(all, &allowed),
                Times { run: part, delay: part / 10 },
                "{allowed:?}"
            );
        }
    }

    #[test]
    fn the_time_of_a_cpu_never_falls_and_leaves_absurd_values_out() {
        let mut counted = Counters::default();
        let cpus = Cpus { vcpus: [3].into(), online: (0..4).collect() };
        let mut step = |busy, seconds| {
            let at = Moment::new(Duration::from_secs(seconds));
            counted.add_cpus(&[(3, Counted { busy, idle: 0 })], &cpus, at, UNITS);
            counted.cpus[&3].sum.busy
        };
        assert_eq!(step(5_000, 0), 5_000);
        assert_eq!(step(5_100, 1), 5_100);
        assert_eq!(step(700, 2), 5_100, "it was taken offline");
        assert_eq!(step(750, 3), 5_150);
        assert_eq!(step(u64::MAX - 5, 4), 5_150);
        assert_eq!(step(850, 5), 5_150);
        assert_eq!(step(950, 6), 5_250);
    }

    #[test]
    fn ticks_that_the_kernel_lost_were_busy_like_those_that_it_counted_on_the_same_cpu() {
        let busy = |[busy, idle]: [u64; 2], seconds| {
            let mut counted = Counters::default();
            let cpus = Cpus { vcpus: [3].into(), online: (0..4).collect() };
            let mut step = |busy, idle, seconds| {
                let at = Moment::new(Duration::from_secs(seconds));
                counted.add_cpus(&[(3, Counted { busy, idle })], &cpus, at, UNITS);
                counted.cpus[&3].busy
            };
            let first = step(5_000, 70_000, 0);
            step(5_000 + busy, 70_000 + idle, seconds) - first
        };
        assert_eq!(busy([1_480, 0], 20), 2_000, "a CPU that was never idle was busy");
        assert_eq!(busy([1_480, 520], 20), 1_480, "none was lost");
        assert_eq!(busy([1_450, 460], 20), 1_450, "two samples are not taken in the same instant");
        assert_eq!(busy([300, 1_200], 20), 400);
        assert_eq!(busy([0, 1_500], 20), 0, "nobody ran, whatever was lost");
        assert_eq!(
            busy([400, 0], 20),
            400,
            "too little was counted to say anything about the rest"
        );
    }
}
