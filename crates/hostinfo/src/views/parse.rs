//! Parses files of the guest's own kernel into numbers: pure and total. What a file lacks is
//! `None`.

use std::collections::BTreeMap;

/// CPU time since boot, in ticks, of all CPUs together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct CpuTime {
    pub(crate) total: u64,
    /// Idle, or only waiting for I/O.
    pub(crate) idle: u64,
    /// Time in which the host ran something else: proc_stat(5).
    pub(crate) steal: u64,
}

/// The contents of /proc/stat.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Stat {
    pub(crate) time: CpuTime,
    /// Tasks that are running or ready to run.
    pub(crate) running: u64,
    /// CPUs online.
    pub(crate) cpus: u64,
}

/// Parses /proc/stat:
///
/// ```text
/// cpu  62139 0 11478 164523 854 0 82 91 0 0
/// cpu0 ...
/// procs_running 2
/// ```
///
/// The numbers are user, nice, system, idle, iowait, irq, softirq, steal; user and nice already
/// include guest and guest_nice.
pub(crate) fn stat(text: &str) -> Option<Stat> {
    let mut ticks = text.strip_prefix("cpu ")?.lines().next()?.split_whitespace();
    let mut all = [0u64; 8];
    for place in &mut all {
        *place = ticks.next()?.parse().ok()?;
    }
    let [_, _, _, idle, iowait, _, _, steal] = all;
    let total = all.iter().try_fold(0u64, |sum, ticks| sum.checked_add(*ticks))?;
    let is_cpu = |line: &&str| {
        line.strip_prefix("cpu").is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
    };
    let running = text.lines().find_map(|line| line.strip_prefix("procs_running "))?;
    Some(Stat {
        time: CpuTime { total, idle: idle.checked_add(iowait)?, steal },
        running: running.trim().parse().ok()?,
        cpus: text.lines().filter(is_cpu).count().try_into().ok()?,
    })
}

/// The time in microseconds in which some task waited, from /proc/pressure/*:
///
/// ```text
/// some avg10=0.00 avg60=0.31 avg300=0.12 total=35208716
/// full avg10=0.00 avg60=0.00 avg300=0.00 total=0
/// ```
pub(crate) fn pressure(text: &str) -> Option<u64> {
    let some = text.lines().find_map(|line| line.strip_prefix("some "))?;
    some.split(' ').find_map(|word| word.strip_prefix("total="))?.parse().ok()
}

/// The contents of /proc/meminfo, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Memory {
    pub(crate) total: u64,
    /// Memory that programs could use without swapping.
    pub(crate) available: u64,
}

/// Parses /proc/meminfo: `MemTotal:       16302848 kB`
pub(crate) fn memory(text: &str) -> Option<Memory> {
    const KIB: u64 = 1024;
    let field = |name: &str| -> Option<u64> {
        let value = text.lines().find_map(|line| line.strip_prefix(name))?;
        value.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(KIB)
    };
    Some(Memory { total: field("MemTotal:")?, available: field("MemAvailable:")? })
}

/// Pages swapped in and out since boot, from /proc/vmstat: `pswpin 0`, `pswpout 12`
pub(crate) fn swapped(text: &str) -> Option<u64> {
    let field = |name: &str| -> Option<u64> {
        text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '))?.parse().ok()
    };
    field("pswpin")?.checked_add(field("pswpout")?)
}

/// What a disk did since boot.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Disk {
    /// Completed reads and writes.
    pub(crate) ops: u64,
    /// Milliseconds that they took, including queueing in the guest.
    pub(crate) millis: u64,
}

/// The disks for which `is_disk` is true, from /proc/diskstats:
///
/// ```text
///  254       0 vda 12093 4563 990962 4511 2907 1820 60296 1804 0 5036 6316 0 0 0 0 0 0
/// ```
///
/// After the name: reads, merged, sectors, milliseconds, and the same for writes (iostats.rst).
pub(crate) fn disks(text: &str, is_disk: impl Fn(&str) -> bool) -> BTreeMap<String, Disk> {
    let disk = |line: &str| {
        let mut words = line.split_whitespace();
        let name = words.nth(2)?;
        let mut number = |skipped: usize| words.nth(skipped)?.parse::<u64>().ok();
        let (reads, reading, writes, writing) = (number(0)?, number(2)?, number(0)?, number(2)?);
        let (ops, millis) = (reads.checked_add(writes)?, reading.checked_add(writing)?);
        is_disk(name).then(|| (name.to_owned(), Disk { ops, millis }))
    };
    text.lines().filter_map(disk).collect()
}

/// What an interface did since it was created.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Net {
    pub(crate) packets: u64,
    /// Packets that the guest itself dropped.
    pub(crate) drops: u64,
}

/// The interfaces for which `is_device` is true, from /proc/net/dev, each by its name:
///
/// ```text
///   eth0: 9381722   13482    0    0    0     0          0         0  1011371    9893    0 ...
/// ```
///
/// After the name: received bytes, packets, errors, drops, four more; the same for sent data.
pub(crate) fn interfaces(text: &str, is_device: impl Fn(&str) -> bool) -> BTreeMap<String, Net> {
    let interface = |line: &str| {
        let (name, rest) = line.split_once(':')?;
        let name = name.trim();
        let mut words = rest.split_whitespace();
        let mut number = |skipped: usize| words.nth(skipped)?.parse::<u64>().ok();
        let (received, lost, sent, unsent) = (number(1)?, number(1)?, number(5)?, number(1)?);
        let (packets, drops) = (received.checked_add(sent)?, lost.checked_add(unsent)?);
        is_device(name).then(|| (name.to_owned(), Net { packets, drops }))
    };
    text.lines().filter_map(interface).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const STAT: &str = "cpu  100 10 20 800 50 1 2 17 9 0\ncpu0 50 5 10 400 25 0 1 8 0 0\n\
                        cpu1 50 5 10 400 25 1 1 9 0 0\nintr 5\nctxt 9\nprocs_running 3\n";

    #[test]
    fn cpu_time_is_that_of_all_cpus_and_guests_are_not_counted_twice() {
        let time = CpuTime { total: 1000, idle: 850, steal: 17 };
        assert_eq!(stat(STAT), Some(Stat { time, running: 3, cpus: 2 }));
        assert_eq!(stat("cpu  1 2 3 4 5 6 7\nprocs_running 1\n"), None, "a kernel before steal");
        assert_eq!(stat(STAT.split_once("procs").unwrap().0), None);
    }

    #[test]
    fn pressure_is_the_total_of_some() {
        let text = "some avg10=0.00 avg60=0.31 avg300=0.12 total=35208716\n\
                    full avg10=0.00 avg60=0.00 avg300=0.00 total=7\n";
        assert_eq!(pressure(text), Some(35_208_716));
        assert_eq!(pressure("full avg10=0.00 total=7\n"), None);
    }

    #[test]
    fn memory_is_in_bytes() {
        let text = "MemTotal:       16302848 kB\nMemFree:  1 kB\nMemAvailable:    8151424 kB\n";
        let memory = memory(text).unwrap();
        assert_eq!((memory.total, memory.available), (16_694_116_352, 8_347_058_176));
        assert_eq!(super::memory("MemTotal: 5 kB\n"), None);
        assert_eq!(swapped("pswpin 3\npswpout 4\npswpout_x 9\n"), Some(7));
        assert_eq!(swapped("pswpin 3\n"), None);
    }

    #[test]
    fn reads_and_writes_of_a_disk_and_the_time_that_they_took_are_added_up() {
        let text = " 254 0 vda 12093 4563 990962 4511 2907 1820 60296 1804 0 5036 6316 0 0 0 0\n \
                    254 1 vda1 1 0 0 0 0 0 0 0 0 0 0\n";
        let disks = disks(text, |name| name == "vda");
        assert_eq!(disks["vda"], Disk { ops: 15_000, millis: 6315 });
        assert_eq!(disks.len(), 1);
    }

    #[test]
    fn packets_and_drops_of_an_interface_are_of_both_directions() {
        let text = "Inter-|   Receive\n face |bytes    packets errs drop\n    \
                    lo: 1 1 0 0 0 0 0 0 1 1 0 0 0 0 0 0\n  \
                    eth0:99   13482    1    2    0     0          0         0  1011    9893    3    4 0 0 0 0\n";
        let interfaces = interfaces(text, |name| name == "eth0");
        assert_eq!(interfaces["eth0"], Net { packets: 23_375, drops: 6 });
        assert_eq!(interfaces.len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_not(text in "(cpu |some |MemTotal:|pswpin |  [0-9]+ 1 vda|eth0:)?([0-9a-z=.: ]{0,60}\n?){0,4}") {
            let _ = (stat(&text), pressure(&text), memory(&text), swapped(&text));
            let _ = (disks(&text, |_| true), interfaces(&text, |_| true));
        }

        #[test]
        fn no_number_is_too_great(number in any::<u64>()) {
            let row = [number; 16].map(|n| n.to_string()).join(" ");
            let _ = stat(&format!("cpu {row}\nprocs_running {number}\n"));
            let _ = disks(&format!("1 2 vda {row}\n"), |_| true);
            let _ = interfaces(&format!("eth0: {row}\n"), |_| true);
            let _ = memory(&format!("MemTotal: {number} kB\nMemAvailable: {number} kB\n"));
        }
    }
}
