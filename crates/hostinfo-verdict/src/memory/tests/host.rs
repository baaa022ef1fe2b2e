//! A host that is short of memory, or only looks like it.

use super::*;

fn faults() -> Memory {
    Memory { all_faults: Some(6_000), ..on_slow_disks(quiet()) }
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
fn a_host_that_frees_memory_for_all_is_short() {
    assert_eq!(
        verdict(faults()),
        "unknown: 100 of your page faults a second waited for a disk of the host in the last 60 s, \
         but neither because of your own limit nor because the host is short of memory"
    );
    let reclaims = |times| Memory { host_reclaims: Some(times), ..faults() };
    assert_eq!([state(reclaims(59)), state(reclaims(60))], [State::Unknown, State::Contended]);
}

#[test]
fn a_neighbour_at_its_own_limit_does_not_make_the_host_short() {
    // The host's pressure rises with that of any cgroup.
    let neighbour = || Memory { host_stall: Some(Duration::from_secs(50)), ..faults() };
    assert_eq!(state(neighbour()), State::Unknown);
    let before = Memory { swapped: Some(4096), ..quiet() };
    let one_page = Memory { swapped: Some(4096), ..neighbour() };
    assert_eq!(
        judge(before, one_page, &|_, _| true).to_string(),
        "unknown: 100 of your page faults a second waited for a disk of the host in the last 60 s: \
         4.0 KiB of your memory was swapped out earlier, for a reason that is no longer known"
    );
}

#[test]
fn a_host_that_swaps_out_this_guest_is_blamed_unless_the_guest_reached_its_limit() {
    let before = || Memory { swapped: Some(GIB), ..quiet() };
    let state = |swapped, hits| {
        let brought = Memory { swapped: Some(swapped), hits, ..faults() };
        judge(before(), brought, &|_, _| true).state
    };
    assert_eq!([state(GIB + 1, Some(0)), state(GIB + 1, None)], [State::Contended; 2]);
    assert_eq!(state(GIB + 1, Some(1)), State::Unknown, "it reached its own limit");
    assert_eq!(state(GIB, Some(0)), State::Unknown);
    let untold = Memory { swapped: None, ..quiet() };
    let brought = Memory { swapped: Some(GIB), ..faults() };
    assert_eq!(judge(untold, brought, &|_, _| true).state, State::Unknown, "it may be old");
}

#[test]
fn a_host_that_swaps_out_again_half_of_what_it_reads_back_is_blamed() {
    let swapped = |swapped| Memory { swapped: Some(swapped), ..faults() };
    let state = |freed_for_host, brought| {
        let before = Memory { swapped: Some(GIB), ..quiet() };
        judge(before, Memory { freed_for_host, ..brought }, &|_, _| true).state
    };
    let same = || swapped(GIB);
    assert_eq!([state(Some(5_999), same()), state(None, same())], [State::Unknown; 2]);
    assert_eq!(state(Some(6_000), same()), State::Contended);
    let fallen = |pages: u64| state(Some(6_000), swapped(GIB - pages * 4096));
    assert_eq!([fallen(3_000), fallen(3_001)], [State::Contended, State::Unknown]);
    let limited = Memory { hits: Some(1), ..same() };
    assert_eq!(state(Some(6_000), limited), State::Unknown);
}

#[test]
fn memory_that_is_read_back_may_have_been_swapped_out_for_a_limit_that_is_gone() {
    let before = Memory { swapped: Some(200 << 20), ..quiet() };
    let reads_back = Memory { swapped: Some(142 << 20), host_swap_in: Some(58 << 20), ..faults() };
    assert_eq!(
        judge(before, reads_back, &|_, _| true).to_string(),
        "unknown: 100 of your page faults a second waited for a disk of the host in the last 60 s: \
         142.0 MiB of your memory was swapped out earlier, for a reason that is no longer known"
    );
}
