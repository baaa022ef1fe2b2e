use std::time::Duration;

use hostinfo_sample::Used;

use super::*;
use crate::Sample;
use crate::sample::Memory;
use crate::verdict::State;

mod cost;
mod host;
mod limits;

const GIB: u64 = 1 << 30;
const LENGTH: Duration = Duration::from_secs(60);

/// A minute in which the guest waits for nothing: what it adds to the counters, and the gauges at its end.
fn quiet() -> Memory {
    Memory {
        swapped: Some(0),
        used: None,
        used_around: None,
        is_limit_around_lowest: false,
        hits: Some(0),
        hits_around: Some(0),
        is_limit_around_shared: false,
        faults: Some(0),
        all_faults: Some(0),
        freed_for_host: Some(0),
        stall: Some(Duration::ZERO),
        taken: Some(0),
        maximum: Some(4 * GIB),
        host_swap_in: Some(0),
        host_reads: Some(0),
        host_read_time: Some(Duration::ZERO),
        host_reclaims: Some(0),
        host_stall: Some(Duration::ZERO),
    }
}

/// A guest on a host that swaps.
fn swapped_out() -> Memory {
    Memory {
        swapped: Some(3 << 29),
        all_faults: Some(60 * 35),
        host_swap_in: Some(GIB),
        host_reclaims: Some(100),
        host_stall: Some(Duration::from_secs(5)),
        ..on_slow_disks(quiet())
    }
}

/// On a host whose disks took 5 ms for each of 100 reads a second.
fn on_slow_disks(memory: Memory) -> Memory {
    let host_read_time = Some(Duration::from_secs(30));
    Memory { host_reads: Some(6_000), host_read_time, ..memory }
}

fn used(bytes: u64, limit: u64) -> Option<Used> {
    Some(Used { bytes, limit })
}

fn judge(before: Memory, brought: Memory, permits: Permits<'_>) -> Verdict {
    let before = Sample { memory: before, ..Sample::default() };
    let after = Sample { memory: brought, ..Sample::default() };
    memory(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]), permits)
}

fn verdict(brought: Memory) -> String {
    judge(quiet(), brought, &|_, _| true).to_string()
}

fn state(brought: Memory) -> State {
    judge(quiet(), brought, &|_, _| true).state
}

#[test]
fn the_reason_names_only_what_the_guest_may_see() {
    assert_eq!(
        judge(quiet(), swapped_out(), &|_, _| false).reason,
        "the host is short of memory and has swapped out some of yours: your page faults waited \
         for a disk of the host in the last 60 s"
    );
    let limited = Memory { used: used(2 * GIB, 2 * GIB), hits: Some(1), ..swapped_out() };
    assert_eq!(
        judge(quiet(), limited, &|stat, _| stat.stat().name == "vm.memory.majorfaults").reason,
        "you reached your own memory limit: 35 of your page faults a second waited for a disk of \
         the host in the last 60 s"
    );
    let hidden = judge(quiet(), quiet(), &|_, _| false);
    assert_eq!(hidden.to_string(), "ok: you hardly waited for memory in the last 60 s");
}

#[test]
fn ten_faults_a_second_are_felt_whoever_took_them() {
    let all = |faults| Memory { all_faults: Some(faults), ..swapped_out() };
    assert_eq!([state(all(599)), state(all(600))], [State::Ok, State::Contended]);
    let own = |faults| Memory { all_faults: None, faults: Some(faults), ..swapped_out() };
    assert_eq!(state(own(600)), State::Contended);
    let both = Memory { all_faults: Some(599), faults: Some(600), ..swapped_out() };
    assert_eq!(state(both), State::Contended);
}

#[test]
fn waiting_5_percent_of_the_time_is_felt() {
    let stall = |millis| Memory {
        all_faults: Some(0),
        stall: Some(Duration::from_millis(millis)),
        host_stall: Some(Duration::from_secs(20)),
        ..swapped_out()
    };
    assert_eq!([state(stall(2_999)), state(stall(3_000))], [State::Ok, State::Contended]);
    assert!(verdict(stall(7_200)).contains("of yours: you waited for memory 12% of the last 60 s"));
}

#[test]
fn memory_that_is_swapped_out_and_not_missed_is_ok() {
    let cold = Memory { swapped: Some(12 << 20), all_faults: Some(3), ..quiet() };
    assert_eq!(
        verdict(cold),
        "ok: 12.0 MiB of your memory is swapped out, but you hardly missed it in the last 60 s"
    );
    assert_eq!(
        verdict(quiet()),
        "ok: you hardly waited for any in the last 60 s; none is swapped out"
    );
}

#[test]
fn swapped_memory_may_be_missed_if_nothing_counts_the_pages_that_kvm_fetches() {
    // 142 MiB, and 10 pages of 4 KiB read back each second.
    let untold =
        |read| Memory { swapped: Some(142 << 20), all_faults: None, host_swap_in: read, ..quiet() };
    assert_eq!(
        verdict(untold(Some(600 * 4096))),
        "unknown: 142.0 MiB of your memory is swapped out, and this host does not measure how \
         often you waited for it in the last 60 s"
    );
    assert_eq!([state(untold(Some(599 * 4096))), state(untold(None))], [State::Ok, State::Unknown]);
    assert_eq!(state(Memory { swapped: Some(0), ..untold(None) }), State::Ok);
}

#[test]
fn memory_that_the_balloon_took_may_be_missed_where_no_host_can_see_it() {
    let taken = |taken| Memory { taken: Some(taken), ..quiet() };
    assert_eq!(
        verdict(taken(3 << 29)),
        "unknown: your host has taken back 1.5 GiB of your memory by its balloon: whether you miss \
         it can be seen only inside your guest"
    );
    let hidden = judge(quiet(), taken(3 << 29), &|_, _| false).reason;
    assert!(hidden.starts_with("your host has taken back some of your memory by"), "{hidden}");
    let percent = |percent| taken(4 * GIB / 100 * percent);
    assert_eq!([state(percent(6)), state(percent(4))], [State::Unknown, State::Ok]);
    let both = Memory { taken: Some(3 << 29), ..swapped_out() };
    assert!(
        verdict(both).contains("; your host has also taken back 1.5 GiB of your memory by its")
    );
}

#[test]
fn a_host_that_measures_neither_faults_nor_stalls_cannot_judge() {
    let untold = || Memory { faults: None, all_faults: None, stall: None, ..quiet() };
    let told = "unknown: this host does not measure how long you waited for memory";
    assert_eq!(judge(untold(), untold(), &|_, _| true).to_string(), told);
    assert_eq!(memory(&Interval::new(Vec::new()), &|_, _| true).to_string(), told);
    let fell = judge(swapped_out(), quiet(), &|_, _| true);
    assert_eq!(fell.state, State::Ok, "the VMM's own faults are known");
    let fell = judge(swapped_out(), Memory { faults: None, stall: None, ..quiet() }, &|_, _| true);
    assert_eq!(fell.to_string(), "unknown: ask again in 1 s", "it is measured, and began anew");
}

#[test]
fn a_burst_is_judged_by_what_was_then() {
    // A limit applies for 10 s. The host swaps before and after that, too little to be felt.
    let mut samples = vec![Sample { memory: quiet(), ..Sample::default() }];
    for at in 1..=6 {
        let mut memory = samples.last().unwrap().memory.clone();
        let faults = if at == 4 { 400 } else { 20 };
        memory.all_faults = memory.all_faults.map(|all| all + faults);
        memory.swapped = memory.swapped.map(|swapped| swapped + (1 << 20));
        memory.host_reads = memory.host_reads.map(|reads| reads + faults);
        let took = Duration::from_millis(5 * faults);
        memory.host_read_time = memory.host_read_time.map(|all| all + took);
        memory.hits = memory.hits.map(|hits| hits + u64::from(at == 4));
        memory.used = if at == 4 { used(1000, 1000) } else { None };
        samples.push(Sample { memory, ..Sample::default() });
    }
    let timed = (0..).map(|at| Duration::from_secs(10 * at)).zip(&samples).collect();
    assert_eq!(
        memory(&Interval::new(timed), &|_, _| true).to_string(),
        "self-limited: for 10 s of the last 60 s, you reached your own memory limit of 1000 bytes: 40 \
         of your page faults a second waited for a disk of the host in that time"
    );
}
