//! The guest's own quota.

use super::*;

#[test]
fn the_same_guest_under_a_quota_on_an_idle_host_is_self_limited() {
    let minute = Stretch {
        vcpus: 1,
        run: 30.0,
        delay: 29.9,
        throttled: Some(29.5),
        quota: Some(0.5),
        busy: Some(31.0),
        ..QUIET
    };
    assert_eq!(
        minute.verdict(),
        "self-limited: your own CPU quota of 0.50 CPUs held your vCPUs back 50% of the last 60 s"
    );
}

#[test]
fn the_greater_of_quota_and_neighbours_is_named_first() {
    let minute = Stretch {
        run: 40.0,
        delay: 60.0,
        quota: Some(1.5),
        cpus: on(4, 240.0),
        busy: Some(240.0),
        ..QUIET
    };
    assert_eq!(
        Stretch { throttled: Some(29.9), ..minute }.verdict(),
        "contended: your vCPUs waited 30% of the last 60 s for a host CPU; your own CPU quota held \
         them back a further 30%; the host's CPUs were 100% busy"
    );
    assert_eq!(
        Stretch { throttled: Some(30.0), ..minute }.verdict(),
        "self-limited: your own CPU quota of 1.50 CPUs held your vCPUs back 30% of the last 60 s; \
         they waited a further 30% for a host CPU"
    );
}

#[test]
fn a_guest_that_got_all_of_its_quota_waited_for_that_however_throttling_is_counted() {
    // Four vCPUs held back on one CPU count once as throttled and four times as delayed.
    let minute = Stretch {
        vcpus: 4,
        delay: 180.0,
        throttled: Some(45.0),
        quota: Some(0.5),
        busy: Some(200.0),
        ..QUIET
    };
    assert_eq!(Stretch { run: 27.0, ..minute }.state(), State::SelfLimited);
    assert_eq!(Stretch { run: 26.9, ..minute }.state(), State::Contended);
    assert_eq!(
        Stretch { run: 20.0, threads: Some((7.0, 0.0)), ..minute }.state(),
        State::SelfLimited,
        "its VMM's threads have the rest"
    );
    assert_eq!(
        Stretch { run: 27.0, throttled: Some(0.1), ..minute }.state(),
        State::Contended,
        "a quota that does not hold back is no reason"
    );
}

#[test]
fn unexplained_waiting_is_the_quotas_as_far_as_it_held_several_back_on_one_cpu() {
    let minute = Stretch {
        vcpus: 4,
        run: 15.0,
        delay: 80.0,
        throttled: Some(20.0),
        quota: Some(0.5),
        cpus: on(4, 17.0),
        busy: Some(20.0),
        ..QUIET
    };
    assert!(minute.verdict().contains("quota of 0.50 CPUs held your vCPUs back 84% of"));
    assert_eq!(Stretch { throttled: Some(9.0), ..minute }.state(), State::Unknown);
}

#[test]
fn where_throttling_is_not_measured_busy_cpus_are_reason_enough_and_others_are_not() {
    let minute = Stretch { run: 60.0, delay: 60.0, throttled: None, ..QUIET };
    let untold = "unknown: your vCPUs waited 50% of the last 60 s, for a host CPU or because of your own \
                  CPU quota: this host does not measure which";
    assert_eq!(Stretch { busy: Some(192.0), ..minute }.state(), State::Contended);
    for busy in [Some(191.9), None] {
        assert_eq!(Stretch { busy, ..minute }.verdict(), untold);
    }
    let pinned = Stretch { run: 30.0, delay: 30.0, vcpus: 1, busy: Some(60.0), ..minute };
    assert_eq!(Stretch { cpus: on(1, 48.0), ..pinned }.state(), State::Contended);
    assert_eq!(Stretch { cpus: on(1, 47.9), ..pinned }.verdict(), untold);
}

#[test]
fn throttling_counts_where_the_kernel_leaves_it_out_of_the_delay() {
    let minute = Stretch { run: 30.0, delay: 1.0, throttled: Some(29.0), ..QUIET };
    assert_eq!(minute.state(), State::SelfLimited);
}
