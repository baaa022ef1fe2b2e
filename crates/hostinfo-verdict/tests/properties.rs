//! Verdicts on arbitrary figures, and what no verdict may say.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_catalog::source::Judged;
use hostinfo_domains::{Limit, Limits};
use hostinfo_sample::{Bounds, CpuUse, IoLimit, IoWay, Used};
use hostinfo_verdict::{Devices, Interval, Sample, State, judge};
use hostinfo_wire::Value;
use proptest::prelude::*;

/// A prime, so that no group of statistics repeats with this period; much fewer than all
/// statistics.
const FIGURES: usize = 43;

fn any_value() -> impl Strategy<Value = Option<Value<'static>>> {
    prop_oneof![
        1 => Just(None),
        1 => Just(Some(Value::Text("x".into()))),
        4 => any::<u64>().prop_map(|number| Some(Value::Whole(number))),
        4 => (0..200_000_000i64).prop_map(|micros| Some(Value::Micro(micros))),
        2 => any::<i64>().prop_map(|micros| Some(Value::Micro(micros))),
        2 => (0..5000u64).prop_map(|number| Some(Value::Whole(number))),
    ]
}

fn any_time() -> impl Strategy<Value = Duration> {
    prop_oneof![
        any::<Duration>(),
        (0..200_000_000_000u64).prop_map(Duration::from_nanos),
        Just(Duration::ZERO),
    ]
}

prop_compose! {
    fn any_cpus()(
        cpus in proptest::collection::vec(any::<u32>(), 0..3), online: u32,
        (busy, counted_busy, counted_idle) in (any_time(), any_time(), any_time()),
        (own_others, own_others_delay) in (any_time(), any_time()),
    ) -> CpuUse {
        let cpus = cpus.into();
        CpuUse { cpus, online, busy, counted_busy, counted_idle, own_others, own_others_delay }
    }
}

prop_compose! {
    fn any_bounds()(
        throttled in proptest::option::of(any_time()),
        threads_run in proptest::option::of(any_time()),
        threads_throttled in proptest::option::of(any_time()),
        vcpu_delays: Option<Vec<u32>>,
        used in any::<[Option<(u64, u64)>; 2]>(),
        is_shared: [bool; 2],
        [major_faults, freed_for_host, memory_hits, memory_hits_around, swapped] in any::<[Option<u64>; 5]>(),
        cpus in proptest::option::of(any_cpus()),
        io_limits in proptest::collection::vec(any_io_limit(), 0..3),
    ) -> Bounds {
        let [memory, memory_around] = used.map(|used| used.map(|(bytes, limit)| Used { bytes, limit }));
        Bounds {
            throttled_around: throttled,
            cpu_limit: throttled,
            cpu_limit_is_shared: is_shared[0],
            memory,
            memory_around,
            memory_limit_around_is_lowest: is_shared[0],
            memory_hits,
            memory_hits_around,
            swapped,
            memory_limit_is_shared: is_shared[1],
            major_faults,
            freed_for_host,
            threads_run,
            threads_throttled,
            vcpu_delays: vcpu_delays.map(Into::into),
            cpus,
            io_limits,
        }
    }
}

prop_compose! {
    /// Of few cgroups and disks, so that some are in both samples.
    fn any_io_limit()(
        is_own: bool, level in 0..2usize, minor in 0..2u32,
        ways in any::<[(Option<u64>, Option<u64>, u64, u64); 2]>(),
    ) -> IoLimit {
        let [read, write] =
            ways.map(|(bytes_max, ops_max, bytes, ops)| IoWay { bytes_max, ops_max, bytes, ops });
        IoLimit { is_own, level, disk: (254, minor), read, write }
    }
}

fn any_limits() -> impl Strategy<Value = Limits> {
    any::<([Option<u64>; 6], bool)>().prop_map(|([total, read, write, all, r, w], is_unclear)| {
        let ops = Limit { total: all, read: r, write: w };
        Limits { bytes: Limit { total, read, write }, ops, is_unclear }
    })
}

prop_compose! {
    fn any_sample(disk: String)(
        values in proptest::collection::vec(any_value(), FIGURES),
        bounds in any_bounds(), age in any_time(), limits in any_limits(),
    ) -> Sample {
        let devices = Devices {
            disks: &["vda".to_owned(), disk.clone()].map(|name| (name, limits)),
            interfaces: &["0".to_owned(), disk.clone()],
            age,
        };
        Sample::take(devices, bounds, |stat, _| values.get(stat.index() % FIGURES).cloned().flatten())
    }
}

fn any_samples() -> impl Strategy<Value = Vec<(Duration, Sample)>> {
    "\\PC{0,300}"
        .prop_flat_map(|disk| proptest::collection::vec((any_time(), any_sample(disk)), 0..5))
}

proptest! {
    #[test]
    fn any_figures_have_a_verdict_of_one_short_line_without_hidden_figures(mut samples in any_samples(), permitted: u64) {
        samples.sort_by_key(|(at, _)| *at);
        let permits = |stat: StatId, _: Option<&str>| {
            permitted.rotate_left(u32::try_from(stat.index() % 64).unwrap()) & 1 == 1
        };
        let interval = Interval::new(samples.iter().map(|(at, sample)| (*at, sample)).collect());
        for what in Judged::ALL {
            let verdict = judge(what, &interval, &permits).to_string();
            prop_assert!(verdict.len() <= 400, "{}", verdict);
            prop_assert!(!verdict.contains(char::is_control), "{}", verdict);
            prop_assert_eq!(verdict.trim(), &verdict);
            // Except the length of the window, and when there will be another sample.
            let told_nothing = judge(what, &interval, &|_, _| false).reason;
            let told_nothing = told_nothing.replace("ask again in 1 s", "");
            let (before, after) = told_nothing.split_once(" of the last ").or_else(|| told_nothing.split_once(" the last ")).unwrap_or((&told_nothing, ""));
            let after = after.trim_start_matches(|c: char| c.is_ascii_digit());
            prop_assert!(!before.contains(|c: char| c.is_ascii_digit()), "{}", told_nothing);
            prop_assert!(!after.contains(|c: char| c.is_ascii_digit()), "{}", told_nothing);
        }
    }
}

/// What happened in one part of a window; times in milliseconds.
#[derive(Debug, Clone, Default)]
struct Part {
    length: u64,
    run: u64,
    delay: u64,
    throttled: u64,
    around: u64,
    own: u64,
    own_delay: u64,
    others: u64,
    idle: u64,
    faults: u64,
    all_faults: u64,
    stall: u64,
    host_stall: u64,
    swap: u64,
    ops: u64,
    took: u64,
    packets: u64,
    drops: u64,
    host_drops: u64,
}

prop_compose! {
    /// The CPUs are exactly as busy as the guest's threads and others kept them.
    fn any_part()(
        length in 100..20_000u64,
        [run, delay, throttled, around] in proptest::array::uniform4(any_part_of_time()),
        [own, own_delay, others, idle] in proptest::array::uniform4(any_part_of_time()),
        [stall, host_stall, took] in proptest::array::uniform3(any_part_of_time()),
        [faults, all_faults, swap] in proptest::array::uniform3(0..2000u64),
        ops in prop_oneof![Just(0), 0..2000u64],
        [packets, drops, host_drops] in proptest::array::uniform3(0..20_000u64),
    ) -> Part {
        Part {
            length, run, delay, throttled, around, own, own_delay, others, idle, faults, all_faults,
            stall, host_stall, swap, ops, took, packets, drops, host_drops,
        }
    }
}

fn any_part_of_time() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), 0..300u64, 0..20_000u64]
}

fn any_window() -> impl Strategy<Value = (Vec<Part>, u8, bool)> {
    (proptest::collection::vec(any_part(), 1..8), 1..4u8, any::<bool>())
}

/// The verdicts on CPU, memory, I/O and network.
fn states((parts, cpus, knows_cpus): &(Vec<Part>, u8, bool)) -> [State; 4] {
    let mut sum = Part::default();
    let mut samples = vec![(Duration::ZERO, take(&sum, *cpus, *knows_cpus))];
    for part in parts {
        sum = Part {
            length: sum.length + part.length,
            run: sum.run + part.run,
            delay: sum.delay + part.delay,
            throttled: sum.throttled + part.throttled,
            around: sum.around + part.around,
            own: sum.own + part.own,
            own_delay: sum.own_delay + part.own_delay,
            others: sum.others + part.others,
            idle: sum.idle + part.idle,
            faults: sum.faults + part.faults,
            all_faults: sum.all_faults + part.all_faults,
            stall: sum.stall + part.stall,
            host_stall: sum.host_stall + part.host_stall,
            swap: sum.swap + part.swap,
            ops: sum.ops + part.ops,
            took: sum.took + part.took,
            packets: sum.packets + part.packets,
            drops: sum.drops + part.drops,
            host_drops: sum.host_drops + part.host_drops,
        };
        samples.push((Duration::from_millis(sum.length), take(&sum, *cpus, *knows_cpus)));
    }
    let interval = Interval::new(samples.iter().map(|(at, sample)| (*at, sample)).collect());
    Judged::ALL.map(|what| judge(what, &interval, &|_, _| true).state)
}

fn take(sum: &Part, cpus: u8, knows_cpus: bool) -> Sample {
    let time = Duration::from_millis;
    let busy = sum.run + sum.own + sum.others;
    let cpus = CpuUse {
        cpus: (0..cpus.into()).collect::<Arc<[u32]>>(),
        online: 3,
        busy: time(busy),
        counted_busy: time(busy),
        counted_idle: time(sum.idle),
        own_others: time(sum.own),
        own_others_delay: time(sum.own_delay),
    };
    let bounds = Bounds {
        throttled_around: Some(time(sum.around)),
        threads_run: Some(time(sum.own)),
        threads_throttled: Some(Duration::ZERO),
        vcpu_delays: Some([u32::try_from(sum.delay / 2 * 1000).unwrap_or_default(); 2].into()),
        major_faults: Some(sum.all_faults),
        cpus: knows_cpus.then_some(cpus),
        ..Bounds::default()
    };
    let millis = |millis| Value::seconds(time(millis));
    let figures = HashMap::from([
        ("vm.vcpus", Value::Whole(2)),
        ("vm.cpu.seconds", millis(sum.run)),
        ("vm.cpu.delay", millis(sum.delay)),
        ("vm.cpu.throttled", millis(sum.throttled)),
        ("vm.emulator.delay", millis(sum.own_delay)),
        ("cpu.seconds.user", millis(busy)),
        ("cpu.seconds.idle", millis(sum.idle)),
        ("vm.memory.majorfaults", Value::Whole(sum.faults)),
        ("vm.pressure.memory.some.seconds", millis(sum.stall)),
        ("pressure.memory.some.seconds", millis(sum.host_stall)),
        ("vm.memory.swapped", Value::Whole(4096)),
        ("swap.out", Value::Whole(sum.swap)),
        ("vm.disk.DEV.read.ops", Value::Whole(sum.ops)),
        ("vm.disk.DEV.read.seconds", millis(sum.took)),
        ("vm.pressure.io.some.seconds", millis(sum.stall)),
        ("pressure.io.some.seconds", millis(sum.host_stall)),
        ("vm.net.N.tx.packets", Value::Whole(sum.packets)),
        ("vm.net.N.tx.drops", Value::Whole(sum.drops)),
        ("vm.net.N.rx.drops", Value::Whole(sum.drops)),
        ("net.rx.packets", Value::Whole(sum.packets)),
        ("net.rx.drops", Value::Whole(sum.host_drops)),
    ]);
    let devices = Devices {
        disks: &[("vda".to_owned(), Limits::default())],
        interfaces: &["0".to_owned()],
        age: Duration::ZERO,
    };
    Sample::take(devices, bounds, |stat, _| figures.get(stat.stat().name).cloned())
}

fn sum(parts: &[Part], figure: impl Fn(&Part) -> u64) -> u64 {
    parts.iter().map(figure).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn cpu_memory_and_a_silent_disk_are_not_ok_where_5_percent_of_the_time_was_waited(window in any_window()) {
        let parts = &window.0;
        let [of_cpu, of_memory, of_io, _] = states(&window);
        let length = sum(parts, |part| part.length);
        let waited = sum(parts, |part| part.delay.max(part.throttled));
        let wanted = length.max(sum(parts, |part| part.run) + waited);
        if waited * 20 >= wanted || sum(parts, |part| part.own_delay) * 20 >= length.max(sum(parts, |part| part.own + part.own_delay)) {
            prop_assert_ne!(of_cpu, State::Ok);
        }
        if sum(parts, |part| part.stall) * 20 >= length || sum(parts, |part| part.all_faults) * 100 >= length {
            prop_assert_ne!(of_memory, State::Ok);
        }
        if sum(parts, |part| part.ops) == 0 && sum(parts, |part| part.stall) * 20 >= length {
            prop_assert_ne!(of_io, State::Ok);
        }
    }

    #[test]
    fn no_absent_cause_is_blamed((mut parts, cpus, knows_cpus) in any_window()) {
        for part in &mut parts {
            (part.others, part.around, part.swap, part.drops) = (0, 0, 0, 0);
            part.host_stall = part.stall;
        }
        for state in states(&(parts.clone(), cpus, knows_cpus)) {
            prop_assert_ne!(state, State::Contended);
        }
        for part in &mut parts {
            (part.throttled, part.own, part.own_delay) = (0, 0, 0);
            part.others = 2 * part.length;
        }
        // Two vCPUs on at least as many CPUs, without a limit and without other threads.
        let [of_cpu, ..] = states(&(parts, 3, true));
        prop_assert_ne!(of_cpu, State::SelfLimited);
    }
}
