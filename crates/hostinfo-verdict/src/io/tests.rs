use std::time::Duration;

use hostinfo_domains::{Limit, Limits};
use hostinfo_sample::{IoLimit, IoWay};

use super::*;
use crate::Sample;
use crate::sample::{Disk, Done, Io, Memory};

mod hang;
mod limits;

const LENGTH: Duration = Duration::from_secs(60);

/// A disk's minute: this number of operations, of this many milliseconds each.
fn disk(name: &str, ops: u64, millis: u64) -> Disk {
    Disk { name: name.to_owned(), read: done(ops, millis), ..Disk::default() }
}

fn done(ops: u64, millis: u64) -> Done {
    let time = Some(Duration::from_millis(ops * millis));
    Done { ops: Some(ops), bytes: Some(ops * 4096), time }
}

/// The same in tenths of a millisecond.
fn in_tenths(ops: u64, tenths: u64) -> Done {
    let time = Some(Duration::from_micros(ops * tenths * 100));
    Done { time, ..done(ops, 0) }
}

/// The same disk with a limit on reads and writes together per second.
fn limited(disk: Disk, ops: u64) -> Disk {
    let ops = Limit { total: Some(ops), ..Limit::default() };
    Disk { limits: Limits { ops, ..Limits::default() }, ..disk }
}

/// The same limit before anything was read or written.
fn unused(limit: &IoLimit) -> IoLimit {
    let unused = |way| IoWay { bytes: 0, ops: 0, ..way };
    IoLimit { read: unused(limit.read), write: unused(limit.write), ..*limit }
}

/// On a host whose tasks waited for I/O for this long.
fn host(disks: Vec<Disk>, stall_millis: Option<u64>) -> Io {
    let host_stall = stall_millis.map(Duration::from_millis);
    Io { disks, host_stall, ..Io::default() }
}

fn judge(brought: Io, permits: Permits<'_>) -> Verdict {
    judge_beside(Duration::ZERO, brought, permits)
}

/// For a guest that waited for memory for this long.
fn judge_beside(memory: Duration, brought: Io, permits: Permits<'_>) -> Verdict {
    let none = |done: &Done| if done.ops.is_some() { self::done(0, 0) } else { *done };
    let zero = |disk: &Disk| Disk {
        name: disk.name.clone(),
        read: none(&disk.read),
        write: none(&disk.write),
        flush: none(&disk.flush),
        errors: disk.errors.map(|_| 0),
        limits: Limits::default(),
    };
    let before = Io {
        disks: brought.disks.iter().map(zero).collect(),
        stall: Some(Duration::ZERO),
        host_stall: Some(Duration::ZERO),
        host_ops: Some(0),
        host_time: Some(Duration::ZERO),
        limits: brought.limits.iter().map(unused).collect(),
    };
    let sample = |io, stall| {
        let memory = Memory { stall: Some(stall), ..Memory::default() };
        Sample { io, memory, ..Sample::default() }
    };
    let (before, after) = (sample(before, Duration::ZERO), sample(brought, memory));
    io(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]), permits)
}

fn verdict_for(disks: Vec<Disk>, stall_millis: Option<u64>, permits: Permits<'_>) -> Verdict {
    judge(host(disks, stall_millis), permits)
}

fn verdict(disk: Disk, stall_millis: Option<u64>) -> String {
    verdict_for(vec![disk], stall_millis, &|_, _| true).to_string()
}

fn state(disk: Disk, stall_millis: Option<u64>) -> State {
    verdict_for(vec![disk], stall_millis, &|_, _| true).state
}

const PRESSED: Option<u64> = Some(37_200);

#[test]
fn a_slow_disk_on_a_host_that_waits_for_io_is_contended() {
    assert_eq!(
        verdict(disk("vda", 600, 45), PRESSED),
        "contended: your disk vda was slow on the host: a read took 45.0 ms on average in \
         the last 60 s; tasks of the host waited for I/O 62% of that time"
    );
}

#[test]
fn a_disk_is_slow_from_20_ms_on() {
    assert_eq!(state(disk("vda", 600, 19), None), State::Ok);
    assert_eq!(state(disk("vda", 600, 20), None), State::Unknown);
    assert_eq!(state(disk("vda", 600, 20), PRESSED), State::Contended);
}

#[test]
fn operations_slower_than_a_healthy_disks_while_others_wait_are_not_ok() {
    assert_eq!(
        verdict(disk("vda", 600, 19), PRESSED),
        "unknown: your disk vda was slower than a healthy disk: a read took 19.0 ms on average in \
         the last 60 s; tasks of the host waited for I/O 62% of that time; it cannot be told \
         whether others slowed it down"
    );
    assert_eq!(state(disk("vda", 600, 10), PRESSED), State::Ok);
    assert_eq!(state(disk("vda", 600, 11), PRESSED), State::Unknown);
    assert_eq!(state(disk("vda", 157, 19), PRESSED), State::Ok, "less than 5 % of the time");
}

#[test]
fn many_fast_writes_do_not_hide_slow_reads() {
    let disk = Disk { write: in_tenths(60_000, 1), ..disk("vda", 540, 100) };
    assert_eq!(
        verdict(disk, PRESSED),
        "contended: your disk vda was slow on the host: a read took 100.0 ms on average in the last \
         60 s; tasks of the host waited for I/O 62% of that time"
    );
}

#[test]
fn the_waits_of_reads_writes_and_flushes_are_added_up() {
    let slow = |ops| Disk { write: done(ops, 20), flush: done(ops, 20), ..disk("vda", ops, 20) };
    assert_eq!(state(slow(49), None), State::Ok);
    assert_eq!(state(slow(50), None), State::Unknown);
}

#[test]
fn the_cause_is_named_though_other_operations_took_longer_for_no_known_reason() {
    let limits = Limits { is_unclear: true, ..Limits::default() };
    let slow = |flushes| Disk {
        write: done(600, 45),
        flush: done(flushes, 45),
        limits,
        ..disk("vda", 0, 0)
    };
    assert_eq!(state(slow(66), PRESSED), State::Unknown);
    assert_eq!(state(slow(67), PRESSED), State::Contended);
}

#[test]
fn a_disk_with_little_to_do_slows_nobody_down() {
    assert_eq!(state(disk("vda", 59, 50), PRESSED), State::Ok);
    assert_eq!(state(disk("vda", 60, 50), PRESSED), State::Contended);
}

#[test]
fn a_slow_disk_without_a_reason_is_unknown() {
    assert_eq!(
        verdict(disk("vda", 600, 45), Some(2_999)),
        "unknown: your disk vda was slow: a read took 45.0 ms on average in the last 60 s; \
         neither its own limits nor the host's disks and pressure explain it"
    );
    assert_eq!(state(disk("vda", 600, 45), Some(3_000)), State::Contended);
    assert_eq!(state(disk("vda", 600, 45), None), State::Unknown);
}

#[test]
fn the_disk_that_was_waited_for_most_is_judged_and_fast_ones_do_not_hide_it() {
    let disks = vec![disk("vda", 100_000, 1), disk("vdb", 600, 45), disk("vdc", 100, 45)];
    let verdict = verdict_for(disks, PRESSED, &|_, _| true);
    assert!(verdict.to_string().starts_with("contended: your disk vdb was slow"), "{verdict}");
}

#[test]
fn without_io_all_is_well_and_without_figures_nothing_is_known() {
    assert_eq!(
        verdict(disk("vda", 0, 0), Some(2_999)),
        "ok: your disks completed no operation in the last 60 s"
    );
    assert_eq!(
        verdict(disk("vda", 6_000, 1), PRESSED),
        "ok: your disks answered in time: 1.0 ms on average in the last 60 s"
    );
    let unknown = "unknown: this host has no figures of your disks: they come from libvirt";
    assert_eq!(verdict(Disk { read: Done::default(), ..disk("vda", 1, 1) }, PRESSED), unknown);
    assert_eq!(verdict_for(Vec::new(), PRESSED, &|_, _| true).to_string(), unknown);
}

#[test]
fn the_reason_names_only_what_the_guest_may_see() {
    let hidden = |disk| verdict_for(vec![disk], PRESSED, &|_, _| false).reason;
    assert_eq!(
        hidden(disk("vda", 600, 45)),
        "one of your disks was slow on the host in the last 60 s"
    );
    assert_eq!(
        hidden(limited(disk("vda", 600, 45), 10)),
        "one of your disks was at its own limit in the last 60 s"
    );
}

#[test]
fn a_slow_disk_of_the_hosts_own_is_the_hosts_though_nobody_else_waits() {
    let slow = |host_millis: u64| Io {
        host_ops: Some(700),
        host_time: Some(Duration::from_millis(700 * host_millis)),
        ..host(vec![disk("vda", 600, 45)], Some(0))
    };
    assert_eq!(
        judge(slow(41), &|_, _| true).to_string(),
        "contended: your disk vda was slow on the host: a read took 45.0 ms on average in the \
         last 60 s; one on the host's own disks took 41.0 ms; tasks of the host waited for I/O 0% \
         of that time"
    );
    assert_eq!(judge(slow(19), &|_, _| true).state, State::Unknown);
}

#[test]
fn the_hosts_pressure_counts_as_far_as_it_is_not_the_guests_own() {
    let waits = |own| Io {
        stall: Some(Duration::from_millis(own)),
        ..host(vec![disk("vda", 600, 45)], Some(30_000))
    };
    assert_eq!(judge(waits(27_000), &|_, _| true).state, State::Contended);
    assert_eq!(judge(waits(27_001), &|_, _| true).state, State::Unknown);
}

#[test]
fn a_guest_that_queues_up_alone_on_the_hosts_disks_is_not_told_that_others_are_there() {
    // A hard disk does 150 operations a second, and the guest keeps 64 of them waiting.
    let queue = |ops, host_ops| Io {
        host_ops: Some(host_ops),
        host_time: Some(Duration::from_millis(host_ops * 426)),
        ..host(vec![disk("vda", ops, 426)], PRESSED)
    };
    assert_eq!(
        judge(queue(9_000, 9_900), &|_, _| true).to_string(),
        "unknown: your disk vda was slow: a read took 426.0 ms on average in the last 60 s; 63 of \
         your operations waited at a time, probably for each other: others hardly seem to use the \
         host's disks"
    );
    let unseen = Io { host_ops: None, ..queue(9_000, 0) };
    assert_eq!(judge(unseen, &|_, _| true).state, State::Unknown);
    let mirror = judge(queue(9_000, 22_500), &|_, _| true).state;
    assert_eq!(mirror, State::Unknown);
    assert_eq!(judge(queue(9_000, 22_501), &|_, _| true).state, State::Contended);
    let two = ["vda", "vdb"].map(|name| disk(name, 9_000, 426));
    let two = Io { disks: two.to_vec(), ..queue(9_000, 45_000) };
    assert_eq!(judge(two, &|_, _| true).state, State::Unknown, "both are the guest's");
    assert_eq!(judge(queue(3_000, 3_000), &|_, _| true).state, State::Contended, "20 ms each");
    let one_or_two = Io { disks: vec![disk("vda", 3_600, 25)], ..queue(3_600, 3_600) };
    assert_eq!(judge(one_or_two, &|_, _| true).state, State::Contended);
}

#[test]
fn an_operation_that_failed_on_the_host_is_reported_however_fast() {
    let failed = |errors| Disk { errors: Some(errors), ..disk("vda", 100, 1) };
    assert_eq!(
        verdict(failed(1), None),
        "contended: the host saw an I/O error on your disk vda in the last 60 s"
    );
    assert_eq!(state(failed(0), None), State::Ok);
}

#[test]
fn a_burst_is_reported_where_fast_operations_hide_it() {
    // 20 s of operations of 40 ms each, among 50,000 of 1 ms.
    let mut done = disk("vda", 0, 0);
    let mut samples = vec![(
        Duration::ZERO,
        Sample { io: host(vec![done.clone()], Some(0)), ..Sample::default() },
    )];
    for at in 1..=6 {
        let (ops, millis) = if [3, 4].contains(&at) { (100, 40) } else { (10_000, 1) };
        done.read.ops = done.read.ops.map(|so_far| so_far + ops);
        done.read.time = done.read.time.map(|so_far| so_far + Duration::from_millis(ops * millis));
        let stall = Some(if at < 3 { 0 } else { 5_000 });
        let io = host(vec![done.clone()], stall);
        samples.push((Duration::from_secs(10 * at), Sample { io, ..Sample::default() }));
    }
    let timed = samples.iter().map(|(at, sample)| (*at, sample)).collect();
    assert_eq!(
        io(&Interval::new(timed), &|_, _| true).to_string(),
        "contended: for 20 s of the last 60 s, your disk vda was slow on the host: a read \
         took 40.0 ms on average in that time; tasks of the host waited for I/O 25% of that time"
    );
}

#[test]
fn figures_of_libvirts_that_are_old_speak_of_more_time() {
    // At 60 % of its limit for a minute; the figures of the first sample are a minute older.
    let judge = |age| {
        let before = Sample {
            io: host(vec![disk("vda", 0, 0)], None),
            devices_age: Duration::from_secs(age),
            ..Sample::default()
        };
        let now = limited(disk("vda", 60 * 65, 10), 100);
        let after = Sample { io: host(vec![now], None), ..Sample::default() };
        let timed = vec![(Duration::ZERO, &before), (Duration::from_secs(5), &after)];
        io(&Interval::new(timed), &|_, _| true).state
    };
    assert_eq!([judge(60), judge(0)], [State::Ok, State::SelfLimited]);
}

#[test]
fn without_libvirt_the_wait_of_the_guests_process_is_reported() {
    let waits = |millis| Io {
        stall: Some(Duration::from_millis(millis)),
        ..host(Vec::new(), Some(30_000))
    };
    assert_eq!(
        judge(waits(12_000), &|_, _| true).to_string(),
        "unknown: this host has no figures of your disks: they come from libvirt; your guest's process \
         on the host waited for I/O 20% of the last 60 s"
    );
    assert!(!judge(waits(2_999), &|_, _| true).reason.contains("waited"));
}

#[test]
fn samples_that_came_before_libvirts_figures_are_left_out() {
    let sample = |disks| Sample { io: host(disks, Some(0)), ..Sample::default() };
    let samples = [
        sample(vec![]),
        sample(vec![disk("vda", 0, 0)]),
        sample(vec![]),
        sample(vec![disk("vda", 100, 1)]),
    ];
    let judge = |range: std::ops::Range<usize>| {
        let timed = range.map(|at| (Duration::from_secs(5 * at as u64), &samples[at])).collect();
        io(&Interval::new(timed).with_next(Duration::from_secs(5)), &|_, _| true).to_string()
    };
    assert_eq!(judge(0..4), "ok: your disks answered in time: 1.0 ms on average in the last 10 s");
    assert_eq!([judge(0..2), judge(0..3)], ["unknown: ask again in 5 s"; 2]);
}
