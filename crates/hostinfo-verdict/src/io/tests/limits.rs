//! Limits of the guest's own disks.

use super::*;

fn limited_bytes(disk: Disk, bytes: u64) -> Disk {
    let bytes = Limit { total: Some(bytes), ..Limit::default() };
    Disk { limits: Limits { bytes, ..Limits::default() }, ..disk }
}

fn of_each(read: Option<u64>, write: Option<u64>) -> Limit {
    Limit { total: None, read, write }
}

#[test]
fn a_disk_at_its_own_limit_is_self_limited_however_pressed_the_host() {
    let ops = limited(disk("vda", 30_000, 45), 500);
    assert_eq!(
        verdict(ops, PRESSED),
        "self-limited: your disk vda was at its own limit of 500 operations a second: a read \
         took 45.0 ms on average in the last 60 s"
    );
    let bytes = limited_bytes(disk("vda", 600, 45), 4096 * 10);
    assert_eq!(
        verdict(bytes, PRESSED),
        "self-limited: your disk vda was at its own limit of 40.0 KiB a second: a read took \
         45.0 ms on average in the last 60 s"
    );
}

#[test]
fn a_disk_is_at_its_limit_from_90_percent_on() {
    let ops = |ops| limited(disk("vda", ops, 30), 10);
    assert_eq!(state(ops(539), PRESSED), State::Contended);
    assert_eq!(state(ops(540), PRESSED), State::SelfLimited);
    let bytes = |bytes| {
        let read = Done { bytes: Some(bytes), ..done(540, 30) };
        limited_bytes(Disk { read, ..disk("a", 0, 0) }, 100)
    };
    assert_eq!(state(bytes(5_399), PRESSED), State::Contended);
    assert_eq!(state(bytes(5_400), PRESSED), State::SelfLimited);
    assert_eq!(state(limited(disk("vda", 540, 30), 0), PRESSED), State::Contended);
}

#[test]
fn a_disk_can_be_at_its_limit_with_one_operation_at_a_time_without_being_slow() {
    assert_eq!(state(limited(disk("vda", 60_000, 1), 1000), None), State::SelfLimited);
}

#[test]
fn a_limit_of_one_direction_is_held_against_that_direction() {
    let limits = |ops| Limits { ops, ..Limits::default() };
    let reads = |limit| Disk { limits: limits(limit), ..disk("vda", 600, 45) };
    assert_eq!(
        verdict(reads(of_each(Some(10), Some(10))), PRESSED),
        "self-limited: your disk vda was at its own limit of 10 reads a second: a read took 45.0 \
         ms on average in the last 60 s"
    );
    assert_eq!(state(reads(of_each(Some(10), None)), PRESSED), State::SelfLimited);
    assert_eq!(state(reads(of_each(None, Some(10))), PRESSED), State::Contended);
    let writes = Disk {
        read: done(0, 0),
        write: done(6_000, 45),
        limits: Limits { bytes: of_each(None, Some(100 * 4096)), ..Limits::default() },
        ..disk("vda", 0, 0)
    };
    assert_eq!(
        verdict(writes, PRESSED),
        "self-limited: your disk vda was at its own limit of 400.0 KiB a second for writes: a write \
         took 45.0 ms on average in the last 60 s"
    );
}

#[test]
fn flushes_do_not_count_towards_a_limit() {
    let flushes = |reads| Disk { flush: done(300, 45), ..limited(disk("vda", reads, 45), 10) };
    assert_eq!(state(flushes(300), PRESSED), State::Contended);
    assert_eq!(state(flushes(540), PRESSED), State::SelfLimited);
}

#[test]
fn nobody_is_blamed_where_a_limit_cannot_be_compared() {
    let unclear = |disk: Disk| Disk { limits: Limits { is_unclear: true, ..disk.limits }, ..disk };
    assert_eq!(
        verdict(unclear(limited(disk("vda", 600, 45), 100)), PRESSED),
        "unknown: your disk vda was slow: a read took 45.0 ms on average in the last 60 s; it has a \
         limit of your own, but several disks may share that limit, or a large operation may count \
         as several, so it cannot be told whether it was reached"
    );
    assert_eq!(state(unclear(limited(disk("vda", 600, 45), 10)), PRESSED), State::SelfLimited);
    assert_eq!(state(unclear(disk("vda", 6_000, 1)), PRESSED), State::Ok);
}

/// Of a cgroup, on reads, of which there were so many.
fn of_cgroup(is_own: bool, ops: u64, ops_max: u64) -> IoLimit {
    let none = IoWay { bytes_max: None, ops_max: None, bytes: 0, ops: 0 };
    let read = IoWay { ops_max: Some(ops_max), ops, ..none };
    IoLimit { is_own, level: 1, disk: (254, 0), read, write: none }
}

fn under(limit: IoLimit, disk: Disk, stall_millis: Option<u64>) -> String {
    judge(Io { limits: vec![limit], ..host(vec![disk], stall_millis) }, &|_, _| true).to_string()
}

#[test]
fn the_sentence_about_a_limit_of_a_cgroup_says_whose_it_is() {
    assert_eq!(
        under(of_cgroup(true, 120, 2), disk("vda", 120, 450), PRESSED),
        "self-limited: your disk vda was held back by a limit of your own on the host's disks: a \
         read took 450.0 ms on average in the last 60 s"
    );
    assert_eq!(
        under(of_cgroup(false, 120, 2), disk("vda", 120, 450), PRESSED),
        "contended: your disk vda was held back by a limit on the host's disks that your host sets \
         around your guest: a read took 450.0 ms on average in the last 60 s"
    );
}

#[test]
fn half_of_a_limit_of_a_cgroup_explains_what_nothing_else_does() {
    let told =
        |ops, stall_millis| under(of_cgroup(true, ops, 2), disk("vda", 60, 850), stall_millis);
    assert!(told(60, None).starts_with("self-limited: "));
    assert!(told(59, None).starts_with("unknown: "));
    assert!(told(60, PRESSED).starts_with("contended: "));
}

#[test]
fn a_limit_of_a_cgroup_that_is_not_reached_or_of_writes_explains_no_slow_read() {
    let slow = || disk("vda", 120, 450);
    assert!(under(of_cgroup(true, 107, 2), slow(), PRESSED).starts_with("contended: "));
    let IoLimit { read, write, .. } = of_cgroup(true, 120, 2);
    let writes = IoLimit { read: write, write: read, ..of_cgroup(true, 0, 2) };
    assert!(under(writes, slow(), PRESSED).starts_with("contended: "));
    // Fast operations are not held back.
    assert!(under(of_cgroup(true, 120, 2), disk("vda", 120, 1), PRESSED).starts_with("ok: "));
}
