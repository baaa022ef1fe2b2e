//! The guest's own kernel figures, at one moment and between two.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::views::parse::{self, Disk, Memory, Net, Stat};
use crate::views::roots::Roots;

/// Ticks a second in /proc/stat: USER_HZ on every architecture that runs as a guest.
const TICKS: f64 = 100.0;

/// A kernel that counts stolen time counts as many ticks as have passed. One that does not loses
/// the ticks that pass while the host runs something else; fewer than this share is a clear loss.
const COUNTED: f64 = 0.9;

/// The figures at one moment.
#[derive(Debug, Clone)]
pub(crate) struct Moment {
    at: Instant,
    stat: Option<Stat>,
    /// Microseconds in which some task waited for CPU, memory, I/O.
    pressure: [Option<u64>; 3],
    memory: Option<Memory>,
    swapped: Option<u64>,
    disks: BTreeMap<String, Disk>,
    interfaces: BTreeMap<String, Net>,
}

impl Moment {
    /// Reads everything, at the time `at`.
    pub(crate) fn take(roots: &Roots, at: Instant) -> Self {
        let text = |name: &str| roots.read(name).unwrap_or_default();
        Self {
            at,
            stat: roots.stat(),
            pressure: ["pressure/cpu", "pressure/memory", "pressure/io"]
                .map(|name| parse::pressure(&text(name))),
            memory: parse::memory(&text("meminfo")),
            swapped: parse::swapped(&text("vmstat")),
            disks: parse::disks(&text("diskstats"), |name| roots.is_hardware("block", name)),
            interfaces: parse::interfaces(&text("net/dev"), |name| {
                roots.is_hardware("class/net", name)
            }),
        }
    }

    /// What happened between `self` and `end`, with `running` tasks seen that wanted to run.
    pub(crate) fn until(&self, end: &Self, running: Option<f64>, page: u64) -> View {
        let time = end.at.saturating_duration_since(self.at);
        let cpu = self.stat.zip(end.stat);
        let pressure = |resource: usize| -> Option<f64> {
            let before = (*self.pressure.get(resource)?)?;
            let waited =
                Duration::from_micros((*end.pressure.get(resource)?)?.checked_sub(before)?);
            share(waited.as_secs_f64(), time.as_secs_f64())
        };
        let is_steal_uncounted = cpu.is_some_and(|(a, b)| is_steal_uncounted(a, b, time));
        View {
            time,
            is_steal_uncounted,
            cpus: end.stat.map(|stat| stat.cpus),
            running,
            steal: cpu
                .filter(|_| !is_steal_uncounted)
                .and_then(|(a, b)| of_cpu_time(a, b, |stat| Some(stat.time.steal))),
            busy: cpu.and_then(|(a, b)| {
                of_cpu_time(a, b, |stat| stat.time.total.checked_sub(stat.time.idle))
            }),
            pressure: [pressure(0), pressure(1), pressure(2)],
            memory: end.memory,
            swapped: self
                .swapped
                .zip(end.swapped)
                .and_then(|(a, b)| rate(b.checked_sub(a)?, page, time)),
            disks: matched(&self.disks, &end.disks, |a, b| {
                let (ops, millis) = (b.ops.checked_sub(a.ops)?, b.millis.checked_sub(a.millis)?);
                let latency = millis.checked_mul(1000)?.checked_div(ops).map(Duration::from_micros);
                Some(DiskView { rate: rate(ops, 1, time)?, latency })
            }),
            drops: matched(&self.interfaces, &end.interfaces, |a, b| {
                Some((b.packets.checked_sub(a.packets)?, b.drops.checked_sub(a.drops)?))
            }),
        }
    }
}

/// What the guest saw of itself over some time. What its kernel does not report is `None`.
#[derive(Debug, Clone, Default)]
pub(crate) struct View {
    /// How long it was observed.
    pub(crate) time: Duration,
    pub(crate) cpus: Option<u64>,
    /// Tasks that were running or ready to run: the mean of several samples.
    pub(crate) running: Option<f64>,
    /// The share of its CPUs' time in which the host ran something else.
    pub(crate) steal: Option<f64>,
    /// Whether that is `None` because its kernel does not count it.
    pub(crate) is_steal_uncounted: bool,
    /// The share in which they had work, stolen time included.
    pub(crate) busy: Option<f64>,
    /// The share of the time in which some task waited for CPU, memory, I/O.
    pub(crate) pressure: [Option<f64>; 3],
    pub(crate) memory: Option<Memory>,
    /// Bytes a second that went in and out of swap.
    pub(crate) swapped: Option<f64>,
    pub(crate) disks: BTreeMap<String, DiskView>,
    /// Packets, and how many of them the guest itself dropped.
    pub(crate) drops: BTreeMap<String, (u64, u64)>,
}

impl View {
    /// Bytes that programs could use without swapping.
    pub(crate) fn available(&self) -> Option<f64> {
        self.memory.map(|memory| as_f64(memory.available))
    }
}

/// What a disk did in some time.
#[derive(Debug, Clone, Copy)]
pub(crate) struct DiskView {
    /// Reads and writes a second.
    pub(crate) rate: f64,
    /// The mean time of one of them, including queueing in the guest. `None` if there were none.
    pub(crate) latency: Option<Duration>,
}

/// Whether the kernel lost ticks without counting them as stolen.
fn is_steal_uncounted(a: Stat, b: Stat, time: Duration) -> bool {
    let Some(counted) = b.time.total.checked_sub(a.time.total) else { return false };
    let passed = time.as_secs_f64() * TICKS * as_f64(a.cpus.min(b.cpus));
    a.time.steal == b.time.steal && as_f64(counted) < COUNTED * passed
}

/// The share of all CPU time between two moments. Nothing if a counter fell.
fn of_cpu_time(a: Stat, b: Stat, part: impl Fn(Stat) -> Option<u64>) -> Option<f64> {
    let total = b.time.total.checked_sub(a.time.total)?;
    share(as_f64(part(b)?.checked_sub(part(a)?)?), as_f64(total))
}

fn share(part: f64, whole: f64) -> Option<f64> {
    (whole > 0.0).then(|| (part / whole).min(1.0))
}

/// `count` units of that size, per second.
fn rate(count: u64, unit: u64, time: Duration) -> Option<f64> {
    let seconds = time.as_secs_f64();
    (seconds > 0.0).then(|| as_f64(count) * as_f64(unit) / seconds)
}

/// Exact up to 2^53, and close enough beyond.
#[allow(clippy::cast_precision_loss)]
fn as_f64(number: u64) -> f64 {
    number as f64
}

/// Entries that exist at both moments.
fn matched<A, B>(
    before: &BTreeMap<String, A>,
    after: &BTreeMap<String, A>,
    between: impl Fn(&A, &A) -> Option<B>,
) -> BTreeMap<String, B> {
    let both = after
        .iter()
        .filter_map(|(name, after)| Some((name.clone(), between(before.get(name)?, after)?)));
    both.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::path::Path;

    /// A made-up guest of two CPUs.
    fn guest(folder: &Path, steal: u64, reads: u64) -> Roots {
        let (proc, sys) = (folder.join("proc"), folder.join("sys"));
        for made in ["pressure", "net"] {
            fs::create_dir_all(proc.join(made)).unwrap();
        }
        for device in ["block/vda/device", "class/net/eth0/device", "block/loop0"] {
            fs::create_dir_all(sys.join(device)).unwrap();
        }
        let write = |name: &str, text: String| fs::write(proc.join(name), text).unwrap();
        let idle = 1000 - steal;
        write(
            "stat",
            format!("cpu  100 0 0 {idle} 0 0 0 {steal} 0 0\ncpu0 1\ncpu1 1\nprocs_running 3\n"),
        );
        write("pressure/cpu", format!("some avg10=0 total={}\n", steal * 10_000));
        write("meminfo", "MemTotal: 2048 kB\nMemAvailable: 1024 kB\n".to_owned());
        write("vmstat", format!("pswpin {reads}\npswpout 0\n"));
        let disk = |name: &str| format!("254 0 {name} {reads} 0 0 {} 0 0 0 0 0 0 0\n", reads * 2);
        write("diskstats", disk("vda") + &disk("loop0"));
        write("net/dev", format!("eth0: 1 {reads} 0 {reads} 0 0 0 0 1 0 0 0 0 0 0 0\n"));
        Roots { proc, sys }
    }

    fn view(before: (u64, u64), after: (u64, u64)) -> View {
        let folder = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let first = Moment::take(&guest(folder.path(), before.0, before.1), start);
        let end = start + Duration::from_secs(10);
        let last = Moment::take(&guest(folder.path(), after.0, after.1), end);
        first.until(&last, Some(2.5), 4096)
    }

    #[test]
    fn shares_rates_and_latencies_are_of_the_time_between() {
        let folder = tempfile::tempdir().unwrap();
        let start = Instant::now();
        let roots = guest(folder.path(), 0, 0);
        let first = Moment::take(&roots, start);
        guest(folder.path(), 300, 500);
        // 700 of 1100 ticks were idle before, and the same again now.
        let stat = "cpu  200 0 0 1900 0 0 0 300 0 0\ncpu0 1\ncpu1 1\nprocs_running 3\n";
        fs::write(roots.proc.join("stat"), stat).unwrap();
        let view = first.until(&Moment::take(&roots, start + Duration::from_secs(10)), None, 4096);
        assert_eq!(
            (view.cpus, view.steal, view.busy),
            (Some(2), Some(300.0 / 1300.0), Some(400.0 / 1300.0))
        );
        assert_eq!(view.pressure, [Some(0.3), None, None]);
        assert_eq!(view.swapped, Some(500.0 * 4096.0 / 10.0));
        assert_eq!(view.disks.keys().collect::<Vec<_>>(), ["vda"], "no hardware is behind loop0");
        assert_eq!(view.disks["vda"].rate, 50.0);
        assert_eq!(view.disks["vda"].latency, Some(Duration::from_millis(2)));
        assert_eq!(view.drops["eth0"], (500, 500));
        assert_eq!(view.memory.unwrap().available, 1024 * 1024);
    }

    #[test]
    fn a_disk_that_did_nothing_has_no_latency() {
        let view = view((0, 7), (10, 7));
        assert_eq!((view.disks["vda"].rate, view.disks["vda"].latency), (0.0, None));
    }

    #[test]
    fn stolen_time_that_the_kernel_does_not_count_is_not_zero() {
        let view = |ticks: u64, steal: u64| {
            let folder = tempfile::tempdir().unwrap();
            let start = Instant::now();
            let roots = guest(folder.path(), 0, 0);
            let first = Moment::take(&roots, start);
            let stat = format!(
                "cpu  {} 0 0 1000 0 0 0 {steal} 0 0\ncpu0 1\ncpu1 1\nprocs_running 3\n",
                100 + ticks
            );
            fs::write(roots.proc.join("stat"), stat).unwrap();
            let view = first.until(&Moment::take(&roots, start + Duration::from_secs(10)), None, 1);
            (view.steal, view.is_steal_uncounted)
        };
        assert_eq!(view(2000, 0), (Some(0.0), false), "all ticks of two CPUs were counted");
        assert_eq!(view(1900, 0), (Some(0.0), false), "so were nearly all");
        assert_eq!(view(480, 0), (None, true));
        assert_eq!(view(480, 20), (Some(0.04), false));
    }

    #[test]
    fn counters_that_fell_tell_nothing() {
        let view = view((300, 500), (0, 0));
        assert_eq!((view.steal, view.pressure[0], view.swapped), (None, None, None));
        assert!(view.disks.is_empty() && view.drops.is_empty());
    }

    #[test]
    fn a_kernel_without_the_files_leaves_everything_out() {
        let folder = tempfile::tempdir().unwrap();
        let nowhere = Roots { proc: folder.path().into(), sys: folder.path().into() };
        let moment = Moment::take(&nowhere, Instant::now());
        let view = moment.until(&moment, None, 4096);
        assert!(view.steal.is_none() && view.memory.is_none() && view.disks.is_empty());
    }
}
