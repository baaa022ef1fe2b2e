//! `/proc/stat`: how the CPUs spent their time, when the host booted, and how many tasks want a CPU.

use std::time::Duration;

use hostinfo_catalog::source::CpuTime;
use hostinfo_wire::Value;

use crate::cpulist::CPUS_MAX;
use crate::cputime::{CpuLines, CpuTimes, Fit, Line, Ticks};
use crate::open_files::Reader;
use crate::root::{LINE_BYTES, Roots, TABLE_BYTES};
use crate::text::{lines, millionths, number, take_number, words};
use crate::vmm::cpus::Counted;
use crate::{Absent, Moment, Units};

pub(crate) const UNTOLD: Absent =
    Absent::untold("/proc/stat lacks a figure: a newer kernel may have it");

/// The contents of `/proc/stat`.
pub(crate) struct Stat {
    counted: Ticks,
    rest: Rest,
    each: Vec<(u32, Counted)>,
}

/// What it has besides the CPUs' times.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Rest {
    /// Lines of single CPUs: one for each that is online.
    cpus: u64,
    boot_time: Option<u64>,
    procs_running: Option<u64>,
}

pub(crate) fn read(
    roots: &Reader,
    units: Units,
    at: Moment,
    buffer: &mut Vec<u8>,
    times: &mut CpuTimes,
) -> Result<Stat, Absent> {
    let up = if times.is_new() { uptime(roots, buffer) } else { None };
    let text = roots.kept(&["stat"], TABLE_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    let (lines, rest) = parse(text);
    let each = of_each(&lines);
    Ok(Stat { counted: times.add(&lines, at, units.ticks_per_second, up), rest, each })
}

/// The CPUs that are online, for a host without sysfs to list them.
pub(crate) fn online(roots: &Roots, buffer: &mut Vec<u8>) -> Result<Vec<u32>, Absent> {
    let text = roots.proc("stat", TABLE_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    Ok(parse(text).0.single.into_iter().map(|(cpu, _)| cpu).collect())
}

/// How long the host has been up: the first number of `/proc/uptime`, in seconds with two decimals.
fn uptime(roots: &Roots, buffer: &mut Vec<u8>) -> Option<Duration> {
    let text = roots.proc("uptime", LINE_BYTES, buffer).ok()?;
    words(text).next().and_then(millionths).map(Duration::from_micros)
}

/// ```text
/// cpu  45383 0 6894 244758 734 0 62 12 0 0
/// cpu0 20924 0 3143 124676 110 0 13 7 0 0
/// btime 1795329966
/// procs_running 1
/// ```
///
/// Ticks since boot: user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice.
pub(crate) fn parse(text: &[u8]) -> (CpuLines, Rest) {
    let (mut cpus, mut rest) = (CpuLines::default(), Rest::default());
    for line in lines(text) {
        let Some(key) = words(line).next() else { continue };
        let mut figures = line.trim_ascii_start().get(key.len()..).unwrap_or_default();
        match key {
            b"cpu" => cpus.all = ticks(figures),
            b"btime" => rest.boot_time = take_number(&mut figures),
            b"procs_running" => rest.procs_running = take_number(&mut figures),
            key => {
                let Some(number) = cpu(key) else { continue };
                rest.cpus += 1;
                if cpus.single.len() < CPUS_MAX {
                    cpus.single.push((number, ticks(figures)));
                }
            }
        }
    }
    (cpus, rest)
}

/// How long each CPU was busy and idle. It is idle in idle and iowait, and busy in all other time. User and nice
/// include guests' time.
fn of_each(lines: &CpuLines) -> Vec<(u32, Counted)> {
    let sum = |ticks: &[u64]| ticks.iter().copied().fold(0, u64::saturating_add);
    let each = lines.single.iter().map(|(cpu, line)| {
        let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = *line;
        // Kernels before 2.6.11 have no steal.
        let busy = sum(&[user?, nice?, system?, irq?, softirq?, steal.unwrap_or(0)]);
        Some((*cpu, Counted { busy, idle: sum(&[idle?, iowait?]) }))
    });
    each.flatten().collect()
}

fn cpu(key: &[u8]) -> Option<u32> {
    key.strip_prefix(b"cpu").and_then(number)?.try_into().ok()
}

fn ticks(mut figures: &[u8]) -> Line {
    std::array::from_fn(|_| take_number(&mut figures))
}

impl Stat {
    /// What ratios are made of.
    pub(crate) fn ticks(&self) -> Fit {
        self.counted.fit
    }

    pub(crate) fn time(&self, what: CpuTime, units: Units) -> Result<Value<'static>, Absent> {
        let [user, nice, system, idle, iowait, irq, softirq, steal, guest] = self.counted.times;
        match what {
            CpuTime::User => user,
            CpuTime::Nice => nice,
            CpuTime::System => system,
            CpuTime::Idle => idle,
            CpuTime::Iowait => iowait,
            CpuTime::Irq => irq,
            CpuTime::Softirq => softirq,
            CpuTime::Steal => steal,
            CpuTime::Guest => guest,
        }
        .map(|ticks| units.ticks(ticks))
        .ok_or(UNTOLD)
    }

    pub(crate) fn boot_time(&self) -> Result<Value<'static>, Absent> {
        self.rest.boot_time.map(Value::Whole).ok_or(UNTOLD)
    }

    pub(crate) fn procs_running(&self) -> Result<Value<'static>, Absent> {
        self.rest.procs_running.map(Value::Whole).ok_or(UNTOLD)
    }

    /// Time in which the CPUs worked for this host, its guests included, in nanoseconds.
    pub(crate) fn busy(&self, units: Units) -> Result<u64, Absent> {
        let [user, nice, system, _, _, irq, softirq, _, guest] = self.counted.times;
        let (Some(user), Some(system)) = (user, system) else { return Err(UNTOLD) };
        let rest = [nice, irq, softirq, guest].into_iter().flatten();
        let ticks = rest.fold(user.saturating_add(system), u64::saturating_add);
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(units.ticks_per_second.max(1));
        Ok(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How long each CPU was busy and idle since boot. A CPU with an unreadable figure is left out.
    pub(crate) fn of_each(&self) -> &[(u32, Counted)] {
        &self.each
    }

    /// How many CPUs are online, for a host without sysfs to list them.
    pub(crate) fn cpus(&self) -> Option<u64> {
        (self.rest.cpus > 0).then_some(self.rest.cpus)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const UNITS: Units = Units { ticks_per_second: 100, page_bytes: 4096 };

    const ALL: [CpuTime; 9] = [
        CpuTime::User,
        CpuTime::Nice,
        CpuTime::System,
        CpuTime::Idle,
        CpuTime::Iowait,
        CpuTime::Irq,
        CpuTime::Softirq,
        CpuTime::Steal,
        CpuTime::Guest,
    ];

    fn stat(text: &str) -> Stat {
        let ((lines, rest), at) = (parse(text.as_bytes()), Moment::new(Duration::ZERO));
        let each = of_each(&lines);
        Stat { counted: CpuTimes::default().add(&lines, at, 100, None), rest, each }
    }

    fn values(text: &str) -> Vec<String> {
        let stat = stat(text);
        ALL.map(|what| stat.time(what, UNITS).map_or("-".to_owned(), |v| v.to_string())).to_vec()
    }

    #[test]
    fn guests_time_is_taken_out_of_user_and_nice() {
        assert_eq!(
            values("cpu  1000 200 300 4000 50 6 7 8 700 150\n"),
            ["3", "0.5", "3", "40", "0.5", "0.06", "0.07", "0.08", "8.5"]
        );
    }

    #[test]
    fn more_guest_than_user_time_is_no_user_time() {
        assert_eq!(values("cpu 10 0 0 0 0 0 0 0 11 0")[0], "0");
    }

    #[test]
    fn a_time_that_an_old_kernel_does_not_count_is_missing_and_not_zero() {
        // 2.6.18: neither guest nor guest_nice. 2.6.24: no guest_nice.
        assert_eq!(
            values("cpu  1000 200 300 4000 50 6 7 8\ncpu0 1 2 3"),
            ["10", "2", "3", "40", "0.5", "0.06", "0.07", "0.08", "-"]
        );
        assert_eq!(values("cpu  1000 200 300 4000 50 6 7 8 700")[8], "7");
    }

    #[test]
    fn cpus_are_counted_by_their_lines() {
        let text = "cpu  1 2\ncpu0 1 2\ncpu7 1 2\ncpufreq 1\nintr 5 0 0\nctxt 1\n";
        assert_eq!(stat(text).cpus(), Some(2));
        assert_eq!(stat("").cpus(), None);
    }

    #[test]
    fn a_cpu_is_busy_in_all_that_is_not_idle_or_iowait_and_counts_guests_once() {
        // Linux 6.1; made up, except for the order of the fields.
        let text = "cpu  1 1 1 1 1 1 1 1 1 1\ncpu0 100 20 30 4000 500 6 7 8 90 10\n\
                    cpu17 1 2 3 4 5 6 7\ncpufreq 1\ncpu2 1 x 3 4 5 6 7 8\nintr 1 2 3\n";
        let each = [(0, Counted { busy: 171, idle: 4500 }), (17, Counted { busy: 19, idle: 9 })];
        assert_eq!(stat(text).of_each(), each);
    }

    #[test]
    fn boot_time_and_running_tasks_have_lines_of_their_own() {
        let stat = stat("btime 1795329966\nprocesses 24092\nprocs_running 3\nprocs_blocked 0\n");
        assert_eq!(stat.boot_time(), Ok(Value::Whole(1_795_329_966)));
        assert_eq!(stat.procs_running(), Ok(Value::Whole(3)));
        assert_eq!(self::stat("btime -1").boot_time(), Err(UNTOLD));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, figures in "cpu ([0-9 x-]{0,60}\n?){0,3}") {
            parse(&bytes);
            values(&figures);
        }
    }
}
