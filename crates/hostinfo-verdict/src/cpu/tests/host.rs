//! Waiting for a CPU: for others, for the guest itself, or for nobody who was seen.

use super::*;

/// Whether or not it is known that the guest may use all CPUs.
#[test]
fn a_guest_that_spins_beside_load_is_contended() {
    let minute = Stretch { run: 82.8, delay: 37.2, busy: Some(232.8), ..QUIET };
    let told = "contended: your vCPUs waited 31% of the last 60 s for a host CPU; the host's CPUs \
                were 97% busy";
    assert_eq!(minute.verdict(), told);
    assert_eq!(Stretch { cpus: on(4, 232.8), ..minute }.verdict(), told);
}

#[test]
fn the_reason_names_only_what_the_guest_may_see() {
    let minute = Stretch { run: 82.8, delay: 37.2, busy: Some(232.8), ..QUIET };
    let without = |hidden: &'static [&'static str]| {
        minute.verdict_for(&|stat, _| !hidden.contains(&stat.stat().name)).reason
    };
    assert_eq!(
        without(&["cpu.busy"]),
        "your vCPUs waited 31% of the last 60 s for a host CPU; tasks of the host waited for a \
         CPU 50% of that time"
    );
    assert_eq!(
        without(&["cpu.busy", "pressure.cpu.some.avg60", "vm.cpu.delay"]),
        "your vCPUs waited part of the last 60 s for a host CPU"
    );
    let nothing = Stretch { quota: Some(0.5), throttled: Some(30.0), delay: 40.0, ..QUIET };
    assert_eq!(
        nothing.verdict_for(&|_, _| false).to_string(),
        "self-limited: your own CPU quota held your vCPUs back part of the last 60 s"
    );
}

#[test]
fn a_guest_is_slow_from_5_percent_of_waiting_on() {
    let minute = Stretch { run: 50.0, cpus: on(1, 60.0), ..ON_ONE };
    assert_eq!(Stretch { delay: 2.9, ..minute }.state(), State::Ok);
    assert_eq!(Stretch { delay: 3.0, ..minute }.state(), State::Contended);
}

#[test]
fn pinned_onto_a_cpu_that_another_uses_while_others_idle_is_the_hosts_doing() {
    let minute = Stretch { run: 30.0, delay: 30.0, cpus: on(1, 60.0), busy: Some(66.0), ..ON_ONE };
    assert_eq!(
        minute.verdict(),
        "contended: your vCPUs waited 50% of the last 60 s for a host CPU; your host keeps them on \
         some of its CPUs, which other work uses too, while the rest are mostly idle"
    );
    // The three other CPUs were busy for 90 s of 180 s.
    assert!(Stretch { busy: Some(149.9), ..minute }.verdict().contains("mostly idle"));
    assert!(
        Stretch { busy: Some(150.0), ..minute }.verdict().ends_with("host's CPUs were 63% busy")
    );
}

#[test]
fn a_host_that_loses_ticks_keeps_a_guest_on_a_cpu_that_another_uses() {
    // Of the 20 s the kernel counted 15 s, and twice 15 s on the other three CPUs.
    let used = Used { busy: 20.0, uncounted: 5.0, own: (0.6, 0.2), ..PINNED };
    let window = Stretch {
        length: 20.0,
        run: 7.0,
        delay: 12.8,
        cpus: Some(used),
        busy: Some(16.0),
        threads: Some((0.6, 0.2)),
        ..ON_ONE
    };
    let told = "contended: your vCPUs waited 61% of the last 20 s for a host CPU; your host keeps them on \
                some of its CPUs, which other work uses too, while the rest are mostly idle";
    assert_eq!(window.verdict(), told);
    // The other three were busy for 30 s of 60 s.
    let others_busy = Stretch { busy: Some(45.0), ..window };
    assert!(!others_busy.verdict().contains("mostly idle"), "{}", others_busy.verdict());
}

#[test]
fn own_threads_on_the_only_cpu_are_no_fault_of_the_hosts() {
    // Serving its disks keeps the emulator's threads busy on the CPU of its vCPU, on a busy host.
    let used = Used { busy: 60.0, own: (20.0, 25.0), ..PINNED };
    let minute = Stretch {
        run: 39.0,
        delay: 19.0,
        threads: Some((20.0, 25.0)),
        cpus: Some(used),
        busy: Some(230.0),
        ..ON_ONE
    };
    assert_eq!(
        minute.verdict(),
        "self-limited: your vCPUs waited 32% of the last 60 s for the threads that serve your \
         devices on the same CPUs"
    );
}

#[test]
fn more_vcpus_than_cpus_wait_for_each_other() {
    // Two vCPUs on one CPU: both want it all the time, or only now and then.
    let busy = Stretch { run: 59.0, delay: 59.0, cpus: on(1, 60.0), ..QUIET };
    assert_eq!(
        busy.verdict(),
        "self-limited: your vCPUs waited 50% of the last 60 s for each other: there are more of \
         them than host CPUs that they may run on"
    );
    let now_and_then = Stretch { run: 20.0, delay: 8.0, cpus: on(1, 20.5), ..busy };
    assert!(now_and_then.verdict().contains("13% of the last 60 s for each other"));
    let enough = Stretch { cpus: on(2, 59.0), ..busy };
    assert_eq!(enough.state(), State::Unknown, "one of them may be bound to the other's CPU");
}

#[test]
fn the_cause_that_took_more_is_named_first_and_the_other_too() {
    // Two vCPUs and another process share one CPU, a third of it each.
    let minute = Stretch { run: 40.0, delay: 80.0, cpus: on(1, 60.0), ..QUIET };
    assert_eq!(
        minute.verdict(),
        "self-limited: your vCPUs waited 33% of the last 60 s for each other: there are more of \
         them than host CPUs that they may run on; they waited a further 33% for a host CPU"
    );
    let two_others = Stretch { run: 30.0, delay: 90.0, ..minute };
    assert_eq!(
        two_others.verdict(),
        "contended: your vCPUs waited 50% of the last 60 s for a host CPU; they waited a further \
         25% for each other; your host keeps them on some of its CPUs, which other work uses too, \
         while the rest are mostly idle"
    );
}

#[test]
fn two_vcpus_that_need_little_beside_one_that_never_sleeps_wait_for_that() {
    // Each wants the CPU 90 % of the time in order to run 30 %. Alone, they would hardly have
    // waited.
    let minute = Stretch { run: 36.0, delay: 72.0, cpus: on(1, 60.0), ..QUIET };
    assert!(
        minute.verdict().starts_with("contended: your vCPUs waited 40% of the last 60 s for a")
    );
}

#[test]
fn a_guest_with_pauses_waits_for_whoever_runs_when_it_wants_to() {
    // Runs 12 of 60 s, together with a process that wants to run for as long.
    let minute = Stretch { run: 6.0, delay: 6.0, cpus: on(1, 12.0), ..ON_ONE };
    assert_eq!(minute.state(), State::Contended);
}

#[test]
fn idle_cpus_say_nothing_of_the_one_that_a_vcpu_waits_for() {
    // Four vCPUs, one of them busy. Each is bound to one of three CPUs, and a process shares one of
    // those.
    let one = Stretch { vcpus: 3, run: 29.0, delay: 29.0, cpus: on(3, 62.0), ..QUIET };
    assert_eq!(one.state(), State::Contended, "nobody else can have held it up");
    assert_eq!(Stretch { cpus: on(3, 42.0), ..one }.state(), State::Unknown, "they hardly could");
    let own = Used { number: 3, busy: 62.0, own: (30.0, 0.0), ..PINNED };
    let own = Stretch { cpus: Some(own), threads: Some((30.0, 0.0)), ..one };
    assert_eq!(own.state(), State::SelfLimited, "others did not run for so long");
    let either = Used { number: 3, busy: 89.0, own: (30.0, 0.0), ..PINNED };
    let either = Stretch { cpus: Some(either), ..own };
    assert_eq!(either.state(), State::Unknown);
    let busy = Used { number: 3, busy: 95.0, own: (20.0, 0.0), ..PINNED };
    let busy = Stretch { cpus: Some(busy), threads: Some((20.0, 0.0)), ..one };
    assert_eq!(busy.state(), State::Contended, "half busy, and mostly with others");
}

#[test]
fn free_to_use_any_cpu_of_a_host_with_cpus_to_spare_nobody_is_blamed() {
    let minute = Stretch { run: 60.0, delay: 60.0, busy: Some(119.9), ..QUIET };
    let told = "unknown: your vCPUs waited 50% of the last 60 s, but neither a CPU limit nor the \
                host's load explains it: they may be pinned to a few of its CPUs";
    assert_eq!(minute.verdict(), told);
    assert_eq!(Stretch { cpus: on(4, 119.9), ..minute }.verdict(), told);
    assert_eq!(Stretch { busy: Some(120.0), ..minute }.state(), State::Contended);
    assert_eq!(Stretch { busy: None, ..minute }.state(), State::Unknown, "nobody was seen");
}

#[test]
fn others_that_ran_for_less_than_what_ticks_can_be_wrong_are_not_seen() {
    let minute = Stretch { run: 57.0, delay: 4.0, ..ON_ONE };
    assert_eq!(Stretch { cpus: on(1, 59.9), ..minute }.state(), State::Unknown);
    assert_eq!(Stretch { cpus: on(1, 60.1), ..minute }.state(), State::Contended);
}

#[test]
fn a_wait_that_others_were_too_short_for_has_no_reason() {
    let minute = Stretch { run: 30.0, delay: 30.0, ..ON_ONE };
    assert_eq!(Stretch { cpus: on(1, 44.0), ..minute }.state(), State::Unknown);
    assert_eq!(Stretch { cpus: on(1, 45.0), ..minute }.state(), State::Contended);
}

#[test]
fn with_unknown_cpus_a_guest_that_is_alone_on_the_host_waits_for_itself() {
    let minute = Stretch { run: 60.0, delay: 60.0, busy: Some(66.6), ..QUIET };
    assert!(
        minute
            .verdict()
            .starts_with("self-limited: your vCPUs waited 50% of the last 60 s for each")
    );
    assert_eq!(Stretch { busy: Some(66.7), ..minute }.state(), State::Unknown);
    assert_eq!(Stretch { vcpus: 1, ..minute }.state(), State::Unknown, "there is no other");
    let disks = Stretch { vcpus: 1, run: 30.0, delay: 28.0, threads: Some((30.0, 28.0)), ..minute };
    assert_eq!(disks.state(), State::SelfLimited);
}

#[test]
fn cpus_that_it_may_use_no_more_are_not_compared_with_those_that_it_may_use() {
    let before = Stretch { run: 30.0, delay: 30.0, cpus: on(1, 60.0), busy: Some(66.0), ..ON_ONE };
    let elsewhere = Some(Used { first: 2, busy: 60.0, ..PINNED });
    let after = Stretch { cpus: elsewhere, busy: Some(110.0), ..before };
    assert_eq!(judge(&[before], &|_, _| true).state, State::Contended);
    let moved = samples(&[before, after]);
    let at = |seconds| Duration::from_secs(seconds);
    let verdict =
        cpu(&Interval::new(vec![(at(60), &moved[1]), (at(120), &moved[2])]), &|_, _| true);
    assert_eq!(verdict.state, State::Unknown);
}

#[test]
fn a_host_that_is_itself_kept_waiting_is_the_hosts_matter_and_an_idle_guests_is_none() {
    let minute = Stretch { run: 60.0, busy: Some(100.0), stolen: 12.0, ..QUIET };
    assert_eq!(
        minute.verdict(),
        "contended: the host is itself a virtual machine, and did not get 12% of the CPU time \
         that it wanted in the last 60 s"
    );
    let hidden = minute.verdict_for(&|stat, _| stat.stat().name != "cpu.steal").reason;
    assert!(hidden.contains("did not get part of the CPU time"), "{hidden}");
    assert_eq!(Stretch { stolen: 4.0, ..minute }.state(), State::Ok);
    assert_eq!(Stretch { run: 1.0, ..minute }.state(), State::Ok);
}
