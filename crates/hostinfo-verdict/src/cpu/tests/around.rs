//! A quota that the host set around the guest's own cgroup.

use super::*;

#[test]
fn a_limit_around_the_guest_is_the_hosts() {
    // Half a CPU for a slice.
    let minute = Stretch { vcpus: 1, run: 18.0, delay: 42.0, around: 41.5, ..QUIET };
    let told = "contended: a CPU limit that your host sets around your guest held your vCPUs back: \
                they waited 69% of the last 60 s";
    for (cpus, busy) in
        [(None, Some(20.0)), (None, Some(239.0)), (None, None), (on(1, 60.0), Some(70.0))]
    {
        assert_eq!(Stretch { cpus, busy, ..minute }.verdict(), told);
    }
    assert_eq!(Stretch { throttled: None, ..minute }.verdict(), told);
    let more = told.replace("69%", "70%");
    assert_eq!(Stretch { around: 2000.0, ..minute }.verdict(), more, "it is not all the guest's");
    let hidden = minute.verdict_for(&|stat, _| stat.stat().name != "vm.cpu.delay").to_string();
    assert_eq!(hidden, told.replace("69%", "part"));
}

#[test]
fn a_limit_around_the_guest_is_named_only_where_its_own_quota_shows_the_same() {
    let slice = Stretch { vcpus: 1, run: 18.0, delay: 42.0, around: 42.0, ..QUIET };
    let slice = Stretch { quota: Some(0.3), quota_around: Some(0.3), ..slice };
    let told = "contended: a CPU limit of 0.30 CPUs that your host sets around your guest held ";
    assert!(slice.verdict().starts_with(told), "{}", slice.verdict());
    let unnamed = told.replace(" of 0.30 CPUs", "");
    for unnamed_one in [
        // Its own quota is lower than that of the slice.
        Stretch { quota_around: Some(4.0), ..slice },
        // There are several slices with a quota.
        Stretch { quota_around: None, ..slice },
        // It has no cgroup of its own, so that it has no vm.cpu.quota.
        Stretch { quota: None, ..slice },
    ] {
        assert!(unnamed_one.verdict().starts_with(&unnamed), "{}", unnamed_one.verdict());
    }
    let hidden = slice.verdict_for(&|stat, _| stat.stat().name != "vm.cpu.quota").to_string();
    assert!(hidden.starts_with(&unnamed), "{hidden}");
}

#[test]
fn several_guests_are_mentioned_only_where_another_was_seen() {
    let minute = Stretch { vcpus: 1, run: 18.0, delay: 42.0, around: 42.0, ..QUIET };
    let shared = Stretch { is_shared: true, ..minute };
    let told = "contended: a CPU limit that your host sets for several guests held your vCPUs back";
    assert!(shared.verdict().starts_with(told));
    assert!(!minute.verdict().contains("several"));
}

#[test]
fn a_limit_around_the_guest_counts_as_far_as_it_explains_the_wait() {
    // vCPUs that are held back together on one CPU wait several times as long as is counted.
    let minute = Stretch { vcpus: 4, run: 30.0, delay: 180.0, around: 45.0, ..QUIET };
    let named = |minute: Stretch| minute.verdict().starts_with("contended: a CPU limit");
    assert!(named(Stretch { busy: Some(100.0), ..minute }));
    let busy = Stretch { busy: Some(239.0), ..minute };
    assert!(!named(busy) && named(Stretch { around: 90.0, ..busy }));
    assert_eq!(
        busy.verdict(),
        "contended: your vCPUs waited 64% of the last 60 s for a host CPU; a CPU limit that your \
         host sets around your guest held them back too; the host's CPUs were 100% busy"
    );
    // Throttling too short to be felt explains no more than was counted.
    let alone = Stretch { run: 48.0, delay: 12.0, cpus: on(4, 49.0), ..minute };
    assert!(named(Stretch { around: 3.0, ..alone }) && !named(Stretch { around: 2.9, ..alone }));
}

#[test]
fn the_guests_own_limit_is_named_before_an_outer_one_that_held_back_as_much() {
    let minute = Stretch { vcpus: 1, run: 15.0, delay: 45.0, around: 30.0, ..QUIET };
    assert_eq!(Stretch { throttled: Some(22.5), ..minute }.state(), State::SelfLimited);
    assert_eq!(
        Stretch { throttled: Some(22.4), ..minute }.verdict(),
        "contended: a CPU limit that your host sets around your guest held your vCPUs back: they \
         waited 38% of the last 60 s; your own CPU quota held them back a further 37%"
    );
}

#[test]
fn a_limit_of_several_guests_is_blamed_only_for_what_nobody_else_was_seen_to_cause() {
    // Two vCPUs on one CPU, while the limit held back another guest of the slice.
    let each_other = Stretch { vcpus: 2, run: 60.0, delay: 58.0, cpus: on(1, 60.0), ..QUIET };
    let shared = Stretch { around: 50.0, is_shared: true, ..each_other };
    assert!(shared.verdict().starts_with("self-limited: "), "{}", shared.verdict());
    assert!(shared.verdict().contains(" for each other"), "{}", shared.verdict());
    // The guest's own other threads run beside its vCPU.
    let own = Some(Used { busy: 60.0, own: (20.0, 25.0), ..PINNED });
    let own = Stretch { vcpus: 1, run: 39.0, delay: 19.0, cpus: own, ..QUIET };
    let shared = Stretch { around: 50.0, is_shared: true, ..own };
    assert!(shared.verdict().starts_with("self-limited: "), "{}", shared.verdict());
    // If the guest is alone under the limit, the cause is certain.
    let alone = Stretch { is_shared: false, ..shared };
    assert!(alone.verdict().starts_with("contended: a CPU limit"), "{}", alone.verdict());
}
