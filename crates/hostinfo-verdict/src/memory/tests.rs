use hostinfo_sample::Used;

use super::*;
use crate::Sample;
use crate::sample::Memory;

const GIB: u64 = 1 << 30;
const LENGTH: Duration = Duration::from_secs(60);

/// What a minute brought: `swapped`, `resident` and `limit` as they are at its end.
fn quiet() -> Memory {
    Memory {
        swapped: Some(0),
        resident: Some(2 * GIB),
        limit: None,
        used: None,
        used_around: None,
        faults: Some(0),
        stall: Some(Duration::ZERO),
        host_swapping: Some(0),
        host_reclaims: Some(0),
        host_stall: Some(Duration::ZERO),
    }
}

fn verdict_for(brought: Memory, permits: Permits<'_>) -> Verdict {
    let before = Sample { memory: quiet(), ..Sample::default() };
    let after = Sample { memory: brought, ..Sample::default() };
    memory(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]), permits)
}

fn verdict(brought: Memory) -> String {
    verdict_for(brought, &|_, _| true).to_string()
}

fn state(brought: Memory) -> State {
    verdict_for(brought, &|_, _| true).state
}

fn swapped_out() -> Memory {
    Memory {
        swapped: Some(3 << 29),
        faults: Some(60 * 35),
        host_swapping: Some(GIB),
        host_stall: Some(Duration::from_secs(5)),
        ..quiet()
    }
}

#[test]
fn a_guest_that_waits_for_what_its_host_swapped_out_is_contended() {
    assert_eq!(
        verdict(swapped_out()),
        "contended: the host is short of memory and has swapped out 1.5 GiB of yours: 35 of your \
         page faults a second waited for a disk of the host in the last 60 s; tasks of the host \
         waited for memory 8% of that time"
    );
}

#[test]
fn the_reason_names_only_what_the_guest_may_see() {
    assert_eq!(
        verdict_for(swapped_out(), &|_, _| false).reason,
        "the host is short of memory and has swapped out some of yours: your page faults waited \
         for a disk of the host in the last 60 s"
    );
    let limited = Memory { limit: Some(2 * GIB), ..swapped_out() };
    assert_eq!(
        verdict_for(limited, &|stat, _| stat == FAULTS).reason,
        "you are at your own memory limit: 35 of your page faults a second waited for a disk of \
         the host in the last 60 s"
    );
    let hidden = verdict_for(quiet(), &|_, _| false);
    assert_eq!(hidden.to_string(), "ok: you hardly waited for memory in the last 60 s");
}

#[test]
fn a_guest_at_its_own_limit_is_self_limited_however_short_the_host() {
    let limited = Memory { limit: Some(2 * GIB), ..swapped_out() };
    assert!(
        verdict(limited)
            .starts_with("self-limited: you are at your own memory limit of 2.0 GiB: 35")
    );
    let at = |resident| Memory { resident: Some(resident), limit: Some(1000), ..swapped_out() };
    assert_eq!([state(at(899)), state(at(900))], [State::Contended, State::SelfLimited]);
}

#[test]
fn a_limit_is_reached_by_all_that_the_cgroup_counts() {
    // Page cache of its disk's image fills it up, and the host's pressure is the guest's own.
    let stalls = || Memory {
        resident: Some(GIB),
        limit: Some(2 * GIB),
        stall: Some(Duration::from_secs(9)),
        host_stall: Some(Duration::from_secs(9)),
        ..quiet()
    };
    let used = |permille| Some(Used { bytes: 2 * GIB / 1000 * permille, limit: 2 * GIB });
    assert_eq!(
        verdict(Memory { used: used(999), ..stalls() }),
        "self-limited: you are at your own memory limit of 2.0 GiB: you waited for memory 15% of \
         the last 60 s"
    );
    assert_eq!(state(Memory { used: used(901), ..stalls() }), State::SelfLimited);
    assert_eq!(state(Memory { used: used(899), ..stalls() }), State::Unknown);
    let resident = Memory { resident: Some(2 * GIB), ..stalls() };
    assert_eq!(state(Memory { used: None, ..resident }), State::SelfLimited);
}

#[test]
fn a_limit_that_the_host_sets_for_several_guests_is_named_and_no_figure_of_it() {
    let short = |bytes| Memory {
        limit: Some(2 * GIB),
        resident: Some(2 * GIB),
        used: Some(Used { bytes: GIB, limit: 4 * GIB }),
        used_around: Some(Used { bytes, limit: 1000 }),
        faults: Some(6000),
        ..quiet()
    };
    assert_eq!(
        verdict(short(900)),
        "contended: a memory limit that your host sets for several guests is reached: 100 of your \
         page faults a second waited for a disk of the host in the last 60 s"
    );
    assert_eq!(state(short(899)), State::Unknown);
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
    let untold = Memory { stall: None, faults: Some(6000), ..stalled(0, 3_000) };
    assert_eq!(state(untold), State::Contended);
}

#[test]
fn a_guest_at_its_limit_that_waits_for_nothing_is_ok() {
    assert_eq!(state(Memory { limit: Some(2 * GIB), ..quiet() }), State::Ok);
}

#[test]
fn ten_faults_a_second_are_felt() {
    let faults = |faults| Memory { faults: Some(faults), ..swapped_out() };
    assert_eq!([state(faults(599)), state(faults(600))], [State::Ok, State::Contended]);
}

#[test]
fn waiting_5_percent_of_the_time_is_felt() {
    let stall = |millis| Memory {
        faults: None,
        stall: Some(Duration::from_millis(millis)),
        ..swapped_out()
    };
    assert_eq!([state(stall(2_999)), state(stall(3_000))], [State::Ok, State::Contended]);
    assert!(verdict(stall(7_200)).contains("of yours: you waited for memory 12% of the last 60 s"));
}

#[test]
fn each_sign_that_the_host_is_short_is_enough() {
    let faults = || Memory { faults: Some(6_000), ..quiet() };
    assert_eq!(
        verdict(faults()),
        "unknown: 100 of your page faults a second waited for a disk of the host in the last 60 s, \
         but neither for your own limit nor for a shortage of the host's"
    );
    let swaps = |swapped, host| Memory { swapped: Some(swapped), host_swapping: host, ..faults() };
    assert_eq!([state(swaps(1, Some(0))), state(swaps(0, Some(1)))], [State::Unknown; 2]);
    assert_eq!(
        [state(swaps(1, Some(1))), state(swaps(1, None))],
        [State::Contended, State::Unknown],
        "that nothing is known of the host's swapping is no sign"
    );
    let reclaims = |times| Memory { host_reclaims: Some(times), ..faults() };
    assert_eq!([state(reclaims(59)), state(reclaims(60))], [State::Unknown, State::Contended]);
    let stall = |millis| Memory { host_stall: Some(Duration::from_millis(millis)), ..faults() };
    assert_eq!([state(stall(2_999)), state(stall(3_000))], [State::Unknown, State::Contended]);
}

#[test]
fn what_is_swapped_out_and_not_missed_is_ok() {
    let cold = Memory { swapped: Some(12 << 20), faults: Some(3), ..quiet() };
    assert_eq!(
        verdict(cold),
        "ok: the host has swapped out 12.0 MiB of your memory, but you hardly missed it in the \
         last 60 s"
    );
    assert_eq!(
        verdict(quiet()),
        "ok: none of your memory is swapped out, and you hardly waited for any in the last 60 s"
    );
}

#[test]
fn a_host_that_tells_neither_faults_nor_stalls_cannot_judge() {
    let untold = Memory { faults: None, stall: None, ..quiet() };
    assert_eq!(verdict(untold), "unknown: this host does not tell how long you waited for memory");
}
