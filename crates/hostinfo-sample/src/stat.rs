//! `/proc/stat`: where the CPUs' time went, when the host booted, how many tasks want a CPU.

use hostinfo_catalog::source::CpuTime;
use hostinfo_wire::Value;

use crate::root::{Roots, TABLE_BYTES};
use crate::tally::Highest;
use crate::text::{lines, number, words};
use crate::{Absent, Units};

pub(crate) const UNTOLD: Absent =
    Absent::untold("/proc/stat lacks a figure: a newer kernel may have it");

/// Ticks since boot, as the first line has them: user, nice, system, idle, iowait, irq,
/// softirq, steal, guest, guest_nice. Guest time is in user too, and guest_nice in nice.
pub(crate) type Ticks = [Option<u64>; 10];

/// What `/proc/stat` said.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) ticks: Ticks,
    /// Lines of single CPUs: one for each that is online.
    cpus: u64,
    boot_time: Option<u64>,
    procs_running: Option<u64>,
    /// As [`times`] has them, and never less than before.
    times: [Option<u64>; 9],
}

pub(crate) fn read(
    roots: &Roots,
    buffer: &mut Vec<u8>,
    highest: &mut Highest<9>,
) -> Result<Stat, Absent> {
    let text = roots.proc("stat", TABLE_BYTES, buffer).map_err(|e| e.or(Absent::NO_PROC))?;
    let mut stat = parse(text);
    stat.times = highest.raise(stat.times);
    Ok(stat)
}

/// ```text
/// cpu  45383 0 6894 244758 734 0 62 12 0 0
/// cpu0 20924 0 3143 124676 110 0 13 7 0 0
/// btime 1795329966
/// procs_running 1
/// ```
pub(crate) fn parse(text: &[u8]) -> Stat {
    let mut stat =
        Stat { ticks: [None; 10], cpus: 0, boot_time: None, procs_running: None, times: [None; 9] };
    for line in lines(text) {
        let mut words = words(line);
        match words.next() {
            Some(b"cpu") => stat.ticks = std::array::from_fn(|_| words.next().and_then(number)),
            Some(b"btime") => stat.boot_time = words.next().and_then(number),
            Some(b"procs_running") => stat.procs_running = words.next().and_then(number),
            Some(key) if is_cpu(key) => stat.cpus += 1,
            _ => {}
        }
    }
    stat.times = times(&stat.ticks);
    stat
}

fn is_cpu(key: &[u8]) -> bool {
    key.strip_prefix(b"cpu").and_then(number).is_some()
}

/// User, nice, system, idle, iowait, irq, softirq, steal, and guests. Guests' time is taken out
/// of user and nice. The kernel adds to the two one after the other, so that for an instant
/// there may be more of guests than of all.
fn times(ticks: &Ticks) -> [Option<u64>; 9] {
    let [user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice] = *ticks;
    let without =
        |all: Option<u64>, part: Option<u64>| Some(all?.saturating_sub(part.unwrap_or(0)));
    let guests = guest.map(|guest| guest.saturating_add(guest_nice.unwrap_or(0)));
    let (user, nice) = (without(user, guest), without(nice, guest_nice));
    [user, nice, system, idle, iowait, irq, softirq, steal, guests]
}

impl Stat {
    pub(crate) fn time(&self, what: CpuTime, units: Units) -> Result<Value<'static>, Absent> {
        let [user, nice, system, idle, iowait, irq, softirq, steal, guest] = self.times;
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
        self.boot_time.map(Value::Whole).ok_or(UNTOLD)
    }

    pub(crate) fn procs_running(&self) -> Result<Value<'static>, Absent> {
        self.procs_running.map(Value::Whole).ok_or(UNTOLD)
    }

    /// Time in which CPUs did something for this host, its guests included, in nanoseconds.
    pub(crate) fn busy(&self, units: Units) -> Result<u64, Absent> {
        let [user, nice, system, _, _, irq, softirq, _, guest] = self.times;
        let (Some(user), Some(system)) = (user, system) else { return Err(UNTOLD) };
        let rest = [nice, irq, softirq, guest].into_iter().flatten();
        let ticks = rest.fold(user.saturating_add(system), u64::saturating_add);
        let nanos = u128::from(ticks) * 1_000_000_000 / u128::from(units.ticks_per_second.max(1));
        Ok(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many CPUs are online, for a host that has no sysfs to tell it.
    pub(crate) fn cpus(&self) -> Option<u64> {
        (self.cpus > 0).then_some(self.cpus)
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

    fn told(text: &str) -> Vec<String> {
        let stat = parse(text.as_bytes());
        ALL.map(|what| stat.time(what, UNITS).map_or("-".to_owned(), |v| v.to_string())).to_vec()
    }

    #[test]
    fn guests_time_is_taken_out_of_user_and_nice() {
        assert_eq!(
            told("cpu  1000 200 300 4000 50 6 7 8 700 150\n"),
            ["3", "0.5", "3", "40", "0.5", "0.06", "0.07", "0.08", "8.5"]
        );
    }

    #[test]
    fn more_guest_than_user_time_is_no_user_time() {
        assert_eq!(told("cpu 10 0 0 0 0 0 0 0 11 0")[0], "0");
    }

    #[test]
    fn what_an_old_kernel_does_not_count_is_missing_and_not_zero() {
        // 2.6.18: neither guest nor guest_nice. 2.6.24: no guest_nice.
        assert_eq!(
            told("cpu  1000 200 300 4000 50 6 7 8\ncpu0 1 2 3"),
            ["10", "2", "3", "40", "0.5", "0.06", "0.07", "0.08", "-"]
        );
        assert_eq!(told("cpu  1000 200 300 4000 50 6 7 8 700")[8], "7");
    }

    #[test]
    fn cpus_are_counted_by_their_lines() {
        let stat = parse(b"cpu  1 2\ncpu0 1 2\ncpu7 1 2\ncpufreq 1\nintr 5 0 0\nctxt 1\n");
        assert_eq!(stat.cpus(), Some(2));
        assert_eq!(parse(b"").cpus(), None);
    }

    #[test]
    fn boot_time_and_running_tasks_have_lines_of_their_own() {
        let stat = parse(b"btime 1795329966\nprocesses 24092\nprocs_running 3\nprocs_blocked 0\n");
        assert_eq!(stat.boot_time(), Ok(Value::Whole(1_795_329_966)));
        assert_eq!(stat.procs_running(), Ok(Value::Whole(3)));
        assert_eq!(parse(b"btime -1").boot_time(), Err(UNTOLD));
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, figures in "cpu ([0-9 x-]{0,60}\n?){0,3}") {
            parse(&bytes);
            told(&figures);
        }
    }
}
