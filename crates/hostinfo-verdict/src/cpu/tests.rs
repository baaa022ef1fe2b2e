use super::*;
use crate::Sample;
use crate::sample::Cpu;

/// A minute of a guest with two vCPUs on a host with four CPUs; times in seconds.
#[derive(Clone, Copy)]
struct Minute {
    vcpus: u64,
    run: f64,
    delay: f64,
    throttled: Option<f64>,
    around: f64,
    quota: Option<f64>,
    busy: Option<f64>,
    stolen: f64,
}

const QUIET: Minute = Minute {
    vcpus: 2,
    run: 1.0,
    delay: 0.0,
    throttled: Some(0.0),
    around: 0.0,
    quota: None,
    busy: Some(2.0),
    stolen: 0.0,
};

const LENGTH: Duration = Duration::from_secs(60);

impl Minute {
    fn verdict_for(self, permits: Permits<'_>) -> Verdict {
        let start = Some(Duration::from_secs(1000));
        let after = |seconds: f64| start.map(|start| start + Duration::from_secs_f64(seconds));
        let before = Cpu {
            vcpus: Some(self.vcpus),
            run: start,
            delay: start,
            throttled: start,
            throttled_around: start,
            quota: None,
            host_busy: start,
            host_idle: start,
            host_stolen: start,
            host_stall: start,
        };
        let now = Cpu {
            vcpus: Some(self.vcpus),
            run: after(self.run),
            delay: after(self.delay),
            throttled: self.throttled.and_then(after),
            throttled_around: after(self.around),
            quota: self.quota.map(Duration::from_secs_f64),
            host_busy: self.busy.and_then(after),
            host_idle: self.busy.and_then(|busy| after(240.0 - busy)),
            host_stolen: after(self.stolen),
            host_stall: after(30.0),
        };
        let before = Sample { cpu: before, ..Sample::default() };
        let now = Sample { cpu: now, ..Sample::default() };
        cpu(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &now)]), permits)
    }

    fn verdict(self) -> String {
        self.verdict_for(&|_, _| true).to_string()
    }

    fn state(self) -> State {
        self.verdict_for(&|_, _| true).state
    }
}

#[test]
fn a_guest_that_spins_beside_load_is_contended() {
    let minute = Minute { run: 82.8, delay: 37.2, busy: Some(232.8), ..QUIET };
    assert_eq!(
        minute.verdict(),
        "contended: your vCPUs waited 31% of the last 60 s for a host CPU; the host's CPUs were \
         97% busy"
    );
}

#[test]
fn the_reason_names_only_what_the_guest_may_see() {
    let minute = Minute { run: 82.8, delay: 37.2, busy: Some(232.8), ..QUIET };
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
    let nothing = Minute { quota: Some(0.5), throttled: Some(30.0), delay: 40.0, ..QUIET };
    assert_eq!(
        nothing.verdict_for(&|_, _| false).to_string(),
        "self-limited: your own CPU quota held your vCPUs back part of the last 60 s; they waited \
         for a host CPU too"
    );
}

#[test]
fn the_same_guest_under_a_quota_on_an_idle_host_is_self_limited() {
    let minute = Minute {
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
        "self-limited: your own CPU quota of 0.50 CPUs held your vCPUs back 49% of the last 60 s"
    );
}

#[test]
fn a_host_that_is_itself_kept_waiting_is_the_hosts_matter_and_an_idle_guests_is_none() {
    let minute = Minute { run: 60.0, busy: Some(100.0), stolen: 12.0, ..QUIET };
    assert_eq!(
        minute.verdict(),
        "contended: the host is itself a virtual machine, and did not get 12% of the CPU time \
         that it wanted in the last 60 s"
    );
    let hidden = minute.verdict_for(&|stat, _| stat.stat().name != "cpu.steal").reason;
    assert!(hidden.contains("did not get part of the CPU time"), "{hidden}");
    assert_eq!(Minute { stolen: 4.0, ..minute }.state(), State::Ok);
    assert_eq!(Minute { run: 1.0, ..minute }.state(), State::Ok);
}

#[test]
fn alone_it_is_ok_and_told_that_its_own_work_keeps_it_busy() {
    let minute = Minute { run: 119.0, delay: 0.5, busy: Some(121.0), ..QUIET };
    assert_eq!(
        minute.verdict(),
        "ok: your vCPUs got the time that they asked for; your own work kept them busy 99% of the \
         last 60 s"
    );
}

#[test]
fn an_idle_guest_is_ok_however_busy_the_host() {
    let minute = Minute { run: 0.5, delay: 0.4, busy: Some(240.0), ..QUIET };
    assert_eq!(
        minute.verdict(),
        "ok: your vCPUs got the time that they asked for: they ran 0% of the last 60 s and waited \
         1%"
    );
}

#[test]
fn a_guest_is_slow_from_5_percent_of_waiting_on() {
    let minute = Minute { vcpus: 1, run: 50.0, busy: Some(240.0), ..QUIET };
    assert_eq!(Minute { delay: 2.9, ..minute }.state(), State::Ok);
    assert_eq!(Minute { delay: 3.0, ..minute }.state(), State::Contended);
}

#[test]
fn vcpus_with_nothing_to_do_do_not_hide_that_one_waits() {
    let minute = Minute { vcpus: 8, run: 30.0, delay: 30.0, busy: Some(240.0), ..QUIET };
    assert!(minute.verdict().starts_with("contended: your vCPUs waited 50% of the last 60 s"));
}

#[test]
fn a_host_with_cpus_to_spare_is_not_blamed_where_nothing_explains_the_wait() {
    // Bound to CPUs that others use too.
    let minute = Minute { run: 60.0, delay: 60.0, busy: Some(119.9), ..QUIET };
    assert_eq!(
        minute.verdict(),
        "unknown: your vCPUs waited 50% of the last 60 s, but neither a CPU limit nor the host's \
         load says why: they may be bound to a few of its CPUs"
    );
    assert_eq!(Minute { busy: Some(120.0), ..minute }.state(), State::Contended);
    assert_eq!(Minute { busy: None, ..minute }.state(), State::Contended);
}

#[test]
fn a_limit_that_the_host_sets_for_several_guests_is_named_and_no_figure_of_it() {
    // Half a CPU for a slice: the guest is alone in it, or one of several.
    let minute = Minute { vcpus: 1, run: 18.0, delay: 42.0, around: 41.0, ..QUIET };
    let told = "contended: a CPU limit that your host sets for several guests held your vCPUs \
                back: they waited 70% of the last 60 s";
    for busy in [Some(20.0), Some(239.0), None] {
        assert_eq!(Minute { busy, ..minute }.verdict(), told);
    }
    assert_eq!(Minute { throttled: None, ..minute }.verdict(), told);
    assert_eq!(Minute { around: 2000.0, ..minute }.verdict(), told);
    let hidden = minute.verdict_for(&|stat, _| stat.stat().name != "vm.cpu.delay").to_string();
    assert_eq!(hidden, told.replace("70%", "part"));
}

#[test]
fn a_limit_around_the_guest_counts_as_far_as_it_explains_the_wait() {
    // Held back together on one CPU, vCPUs wait several times as long as is counted.
    let minute = Minute { vcpus: 4, run: 30.0, delay: 180.0, around: 45.0, ..QUIET };
    let named = |minute: Minute| minute.verdict().starts_with("contended: a CPU limit");
    assert!(named(Minute { busy: Some(100.0), ..minute }));
    let busy = Minute { busy: Some(239.0), ..minute };
    assert!(!named(busy) && named(Minute { around: 90.0, ..busy }));
    assert_eq!(
        busy.verdict(),
        "contended: your vCPUs waited 75% of the last 60 s for a host CPU; a CPU limit that your \
         host sets for several guests held them back too; the host's CPUs were 100% busy"
    );
    assert!(!named(Minute { around: 11.9, busy: Some(100.0), ..minute }), "of 240 s wanted 5%");
}

#[test]
fn of_two_limits_the_guests_own_comes_first_where_it_held_back_as_much() {
    let minute = Minute { vcpus: 1, run: 15.0, delay: 45.0, around: 30.0, ..QUIET };
    assert_eq!(Minute { throttled: Some(22.5), ..minute }.state(), State::SelfLimited);
    assert_eq!(
        Minute { throttled: Some(22.4), ..minute }.verdict(),
        "contended: a CPU limit that your host sets for several guests held your vCPUs back: they \
         waited 38% of the last 60 s; your own CPU quota held them back a further 37%"
    );
}

#[test]
fn of_quota_and_neighbours_the_one_that_took_more_is_named_first() {
    let minute = Minute { run: 40.0, delay: 60.0, quota: Some(1.5), busy: Some(240.0), ..QUIET };
    assert_eq!(
        Minute { throttled: Some(29.9), ..minute }.verdict(),
        "contended: your vCPUs waited 25% of the last 60 s for a host CPU; your own CPU quota held \
         them back a further 25%; the host's CPUs were 100% busy"
    );
    assert_eq!(
        Minute { throttled: Some(30.0), ..minute }.verdict(),
        "self-limited: your own CPU quota of 1.50 CPUs held your vCPUs back 25% of the last 60 s; \
         they waited a further 25% for a host CPU"
    );
}

#[test]
fn who_got_all_of_its_quota_waited_for_that_however_throttling_is_counted() {
    // Four vCPUs held back on one CPU: once throttled, four times delayed.
    let minute = Minute {
        vcpus: 4,
        delay: 180.0,
        throttled: Some(45.0),
        quota: Some(0.5),
        busy: Some(200.0),
        ..QUIET
    };
    assert_eq!(Minute { run: 27.0, ..minute }.state(), State::SelfLimited);
    assert_eq!(Minute { run: 26.9, ..minute }.state(), State::Contended);
    assert_eq!(
        Minute { run: 27.0, throttled: Some(0.1), ..minute }.state(),
        State::Contended,
        "a quota that does not hold back is no reason"
    );
}

#[test]
fn a_guest_that_is_alone_waits_for_itself() {
    // Two vCPUs pinned to one CPU.
    let minute = Minute { run: 60.0, delay: 60.0, ..QUIET };
    assert_eq!(
        Minute { busy: Some(66.6), ..minute }.verdict(),
        "self-limited: your vCPUs waited 50% of the last 60 s for each other: there are more of \
         them than CPUs of the host that they may run on"
    );
    assert_eq!(Minute { busy: Some(66.7), ..minute }.state(), State::Unknown);
}

#[test]
fn without_word_of_throttling_a_busy_host_is_reason_enough_and_another_is_not() {
    let minute = Minute { run: 60.0, delay: 60.0, throttled: None, ..QUIET };
    assert_eq!(Minute { busy: Some(192.0), ..minute }.state(), State::Contended);
    for busy in [Some(191.9), None] {
        assert_eq!(
            Minute { busy, ..minute }.verdict(),
            "unknown: your vCPUs waited 50% of the last 60 s, but this host does not tell whether \
             for a host CPU or for your own CPU quota"
        );
    }
}

#[test]
fn throttling_counts_where_the_kernel_leaves_it_out_of_the_delay() {
    let minute = Minute { run: 30.0, delay: 1.0, throttled: Some(29.0), ..QUIET };
    assert_eq!(minute.state(), State::SelfLimited);
}

#[test]
fn figures_that_are_missing_or_began_anew_are_unknown() {
    let none = Sample::default();
    let verdict = cpu(&Interval::new(vec![(Duration::ZERO, &none), (LENGTH, &none)]), &|_, _| true);
    assert_eq!(
        verdict.to_string(),
        "unknown: this host does not tell how long your vCPUs ran and waited"
    );
    let cpu_of = |run| Cpu {
        vcpus: Some(1),
        run: Some(Duration::from_secs(run)),
        delay: Some(Duration::ZERO),
        ..Cpu::default()
    };
    let before = Sample { cpu: cpu_of(9), ..Sample::default() };
    let after = Sample { cpu: cpu_of(8), ..Sample::default() };
    assert_eq!(
        cpu(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]), &|_, _| true).state,
        State::Unknown
    );
}
