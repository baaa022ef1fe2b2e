//! Memory limits, the guest's own and those around it.

use super::*;

#[test]
fn a_guest_at_its_own_limit_is_self_limited_however_short_the_host() {
    let at = |bytes| Memory { used: used(bytes, 1000), hits: Some(1), ..swapped_out() };
    assert_eq!([state(at(899)), state(at(900))], [State::Contended, State::SelfLimited]);
    assert_eq!(
        verdict(Memory { used: used(2 * GIB, 2 * GIB), hits: Some(1), ..swapped_out() }),
        "self-limited: you reached your own memory limit of 2.0 GiB: 35 of your page faults a \
         second waited for a disk of the host in the last 60 s"
    );
}

#[test]
fn page_cache_that_fills_a_limit_up_is_the_guests_own() {
    // All of the host's pressure is this guest's.
    let stalls = Memory {
        used: used(2 * GIB - 4096, 2 * GIB),
        hits: Some(1),
        stall: Some(Duration::from_secs(9)),
        host_stall: Some(Duration::from_secs(9)),
        ..quiet()
    };
    assert_eq!(
        verdict(stalls),
        "self-limited: you reached your own memory limit of 2.0 GiB: you waited for memory 15% of \
         the last 60 s"
    );
}

#[test]
fn a_limit_is_felt_after_it_was_raised() {
    let limited = Memory { used: used(GIB, GIB), swapped: Some(142 << 20), ..quiet() };
    let raised = Memory { used: used(GIB, 2 * GIB), hits: Some(1), ..swapped_out() };
    let verdict = judge(limited, raised, &|_, _| true).to_string();
    assert!(verdict.starts_with("self-limited: you reached your own memory limit of 1.0 GiB"));
}

#[test]
fn a_limit_around_the_guest_is_the_hosts_and_is_named_only_if_no_other_is_lower() {
    let short = |bytes| Memory {
        used: used(GIB, 4 * GIB),
        used_around: used(bytes, 1000),
        hits_around: Some(1),
        all_faults: Some(6000),
        ..on_slow_disks(quiet())
    };
    assert_eq!(
        verdict(short(900)),
        "contended: a memory limit that your host sets around your guest was reached: 100 of your \
         page faults a second waited for a disk of the host in the last 60 s"
    );
    assert_eq!(state(short(899)), State::Unknown);
    let hits = |hits_around| state(Memory { hits_around, ..short(900) });
    assert_eq!([hits(Some(0)), hits(None)], [State::Unknown, State::Contended]);
    let shared = Memory { is_limit_around_shared: true, ..short(900) };
    assert!(verdict(shared).contains("a memory limit that your host sets for several guests was"));
    let lowest = Memory { used_around: used(GIB, GIB), is_limit_around_lowest: true, ..short(900) };
    let told = "a memory limit of 1.0 GiB that your host sets around your guest was reached";
    assert!(verdict(lowest.clone()).contains(told), "{}", verdict(lowest.clone()));
    let hidden = judge(lowest.clone(), lowest, &|stat, _| stat.stat().name != "vm.memory.limit");
    assert!(!hidden.to_string().contains("GiB"), "{hidden}");
}

#[test]
fn a_guest_at_its_limit_that_waits_for_nothing_is_ok() {
    assert_eq!(state(Memory { used: used(GIB, GIB), ..quiet() }), State::Ok);
}

#[test]
fn a_guest_whose_cached_disks_fill_its_limit_up_did_not_reach_it() {
    let near = |hits| Memory { used: used(950, 1000), hits, ..swapped_out() };
    assert_eq!(state(near(Some(0))), State::Contended, "the host is short");
    let idle = |hits| Memory {
        used: used(950, 1000),
        hits,
        all_faults: Some(6000),
        ..on_slow_disks(quiet())
    };
    assert_eq!([state(idle(Some(0))), state(idle(Some(1)))], [State::Unknown, State::SelfLimited]);
}

#[test]
fn a_host_short_of_memory_may_be_the_cause_if_nothing_counts_how_often_a_limit_was_reached() {
    let near = Memory { used: used(2 * GIB, 2 * GIB), hits: None, ..swapped_out() };
    assert_eq!(
        verdict(near.clone()),
        "unknown: 35 of your page faults a second waited for a disk of the host in the last 60 s: \
         you were near your own memory limit of 2.0 GiB and the host is short of memory too; \
         which of them you waited for is unknown"
    );
    assert_eq!(state(Memory { host_reclaims: Some(0), ..near }), State::SelfLimited);
}
