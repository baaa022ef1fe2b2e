//! The cost of a fault, and faults whose cost is unknown.

use super::*;

fn faults(number: u64, reads: u64, took_micros: u64) -> Memory {
    let took = Duration::from_micros(took_micros * reads);
    Memory {
        all_faults: Some(number),
        used: used(GIB, GIB),
        hits: Some(1),
        host_reads: Some(reads),
        host_read_time: Some(took),
        ..quiet()
    }
}

#[test]
fn a_fault_costs_what_the_hosts_disks_take_for_a_read() {
    // 600 in a minute: 0.1% of the time on flash.
    assert_eq!(state(faults(600, 600, 100)), State::Ok);
    assert_eq!(state(faults(600, 600, 5_000)), State::SelfLimited);
    let flash = |number| state(faults(number, number, 100));
    assert_eq!([flash(29_999), flash(30_000)], [State::Ok, State::SelfLimited]);
}

#[test]
fn a_guest_whose_faults_kvm_hides_from_pressure_is_limited_by_itself_on_a_slow_disk() {
    // As measured under KVM, where the guest's work fell by 97%.
    let stall = Some(Duration::from_secs(11));
    assert_eq!(
        verdict(Memory { stall, ..faults(21_000, 30_000, 8_000) }),
        "self-limited: you reached your own memory limit of 1.0 GiB: you waited for memory 18% of \
         the last 60 s"
    );
    assert_eq!(state(faults(21_000, 30_000, 8_000)), State::SelfLimited);
}

#[test]
fn faults_that_the_hosts_disks_did_not_read_may_have_cost_nothing() {
    // zram, or a host whose disks do not show their times.
    assert_eq!(
        verdict(faults(60 * 35, 0, 0)),
        "unknown: 35 of your page faults a second had to wait for memory in the last 60 s, and this \
         host does not measure for how long"
    );
    let untimed = Memory { host_read_time: None, ..faults(600, 600, 5_000) };
    assert_eq!(state(untimed.clone()), State::Unknown);
    assert_eq!(state(Memory { all_faults: Some(599), ..untimed }), State::Ok);
    assert_eq!(state(faults(60_000, 20, 8_000)), State::Unknown, "other reads");
}

#[test]
fn long_reads_may_be_those_of_others_and_a_fault_is_not_said_to_be_as_long() {
    let slow = |number| state(faults(number, 6_000, 160_000));
    assert_eq!([slow(18), slow(19), slow(600)], [State::Ok, State::Unknown, State::SelfLimited]);
}

#[test]
fn a_short_host_excludes_waiting_only_by_figures() {
    let short = |all_faults| Memory {
        swapped: Some(64 << 20),
        all_faults: Some(all_faults),
        host_reclaims: Some(6_000),
        ..quiet()
    };
    assert_eq!([state(short(59)), state(short(60))], [State::Ok, State::Unknown]);
    let timed = |micros: u64| Memory {
        host_reads: Some(6_000),
        host_read_time: Some(Duration::from_micros(6_000 * micros)),
        ..short(180)
    };
    assert_eq!([state(timed(10_000)), state(timed(160_000))], [State::Ok, State::Unknown]);
    // Neither alone would be felt.
    let both = Memory { stall: Some(Duration::from_millis(1_200)), ..timed(10_000) };
    assert_eq!(state(both), State::Unknown);
}
