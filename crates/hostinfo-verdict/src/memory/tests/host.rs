//! A host that is short of memory, or that only looks like one.

use super::*;

fn faults() -> Memory {
    Memory { all_faults: Some(6_000), ..quiet() }
}

#[test]
fn a_guest_that_waits_for_what_its_host_swapped_out_is_contended() {
    assert_eq!(
        verdict(swapped_out()),
        "contended: the host is short of memory and has swapped out 1.5 GiB of yours: 35 of your \
         page faults a second waited for a disk of the host in the last 60 s; tasks of the host \
         waited for memory 8% of that time"
    );
    let no_stalls = Memory { host_reclaims: Some(0), host_stall: None, ..swapped_out() };
    assert_eq!(
        verdict(no_stalls),
        "contended: the host has swapped out 1.5 GiB of your memory: 35 of your page faults a \
         second waited for a disk of the host in the last 60 s"
    );
}

#[test]
fn each_sign_that_the_host_is_short_is_enough() {
    assert_eq!(
        verdict(faults()),
        "unknown: 100 of your page faults a second waited for a disk of the host in the last 60 s, \
         but neither for your own limit nor for a shortage of the host's"
    );
    let reclaims = |times| Memory { host_reclaims: Some(times), ..faults() };
    assert_eq!([state(reclaims(59)), state(reclaims(60))], [State::Unknown, State::Contended]);
    let stall = |millis| Memory { host_stall: Some(Duration::from_millis(millis)), ..faults() };
    assert_eq!([state(stall(2_999)), state(stall(3_000))], [State::Unknown, State::Contended]);
}

#[test]
fn a_host_that_swaps_is_blamed_where_it_swaps_out_this_guest_or_could() {
    let before = || Memory { swapped: Some(GIB), ..quiet() };
    let swaps = |swapped, out| Memory { swapped: Some(swapped), host_swap_out: out, ..faults() };
    let state = |brought| judge(before(), brought, &|_, _| true).state;
    assert_eq!(state(swaps(GIB + 1, None)), State::Contended, "more of the guest than before");
    assert_eq!(state(swaps(GIB, Some(1))), State::Contended);
    assert_eq!([state(swaps(GIB, Some(0))), state(swaps(GIB, None))], [State::Unknown; 2]);
    assert_eq!(super::state(swaps(0, Some(1))), State::Unknown, "none of this guest's");
}

#[test]
fn what_is_read_back_may_have_been_swapped_out_for_a_limit_that_is_gone() {
    let before = Memory { swapped: Some(200 << 20), ..quiet() };
    let reads_back = Memory { swapped: Some(142 << 20), host_swap_in: Some(58 << 20), ..faults() };
    assert_eq!(
        judge(before, reads_back, &|_, _| true).to_string(),
        "unknown: 100 of your page faults a second waited for a disk of the host in the last 60 s: \
         142.0 MiB of your memory was swapped out earlier, and it can no longer be seen why"
    );
}

#[test]
fn the_hosts_pressure_counts_as_far_as_it_is_not_the_guests_own() {
    let stalled = |own, host| Memory {
        stall: Some(Duration::from_millis(own)),
        host_stall: Some(Duration::from_millis(host)),
        ..quiet()
    };
    assert_eq!(state(stalled(9_000, 11_999)), State::Unknown);
    assert_eq!(state(stalled(9_000, 12_000)), State::Contended);
    assert_eq!(state(stalled(9_000, 3_000)), State::Unknown, "however the two were read");
    let untold = Memory { stall: None, all_faults: Some(6000), ..stalled(0, 3_000) };
    assert_eq!(state(untold), State::Contended);
}
