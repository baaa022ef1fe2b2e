//! One vCPU that waits beside many that do not.

use super::*;

/// 16 vCPUs, 15 of which are always busy.
const MANY: Stretch = Stretch { vcpus: 16, run: 15.0 * 60.0 + 30.0, busy: None, ..QUIET };

#[test]
fn one_vcpu_that_waits_is_not_hidden_by_15_that_are_busy() {
    let minute = Stretch { delay: 30.0, worst: Some(30.0), ..MANY };
    assert_eq!(
        minute.verdict(),
        "unknown: one of your 16 vCPUs waited 50% of the last 60 s, although all together hardly \
         did; what it waited for is unknown"
    );
    let hidden = minute.verdict_for(&|_, _| false).reason;
    assert!(hidden.starts_with("one of your vCPUs waited part of the last 60 s, "), "{hidden}");
    let state = |worst| Stretch { delay: 30.0, worst: Some(worst), ..MANY }.state();
    assert_eq!([state(2.99), state(3.0)], [State::Ok, State::Unknown]);
}

#[test]
fn the_cause_of_one_vcpus_wait_is_named_if_all_waited_for_little_else() {
    let held = Stretch { delay: 30.0, worst: Some(29.0), throttled: Some(28.0), ..MANY };
    assert_eq!(
        held.verdict(),
        "self-limited: your own CPU quota held one of your 16 vCPUs back 45% of the last 60 s"
    );
    let less = Stretch { worst: Some(4.0), ..held };
    assert_eq!(less.state(), State::Unknown, "2 s of it may have been for anything");
    let around = Stretch { delay: 30.0, worst: Some(30.0), around: 30.0, ..MANY };
    assert_eq!(
        around.verdict(),
        "contended: a CPU limit that your host sets around your guest held one of your 16 vCPUs \
         back: it waited 50% of the last 60 s"
    );
    let others = Stretch { vcpus: 4, run: 180.0, delay: 9.0, worst: Some(9.0), ..MANY };
    let others = Stretch { busy: Some(239.0), ..others };
    assert!(
        others.verdict().starts_with(
            "contended: one of your 4 vCPUs waited 15% of the last 60 s for a host CPU"
        ),
        "{}",
        others.verdict()
    );
}

#[test]
fn all_that_a_vcpu_waited_since_it_was_plugged_in_counts() {
    let minute = Stretch { vcpus: 1, run: 30.0, ..MANY };
    let more = Stretch { delay: 7.0, worst: Some(0.5), vcpus: 2, run: 119.0, ..MANY };
    assert_eq!(judge(&[minute, more], &|_, _| true).state, State::Unknown);
}

#[test]
fn without_figures_of_each_vcpu_nothing_is_ok() {
    let mut samples = samples(&[QUIET]);
    samples[1].cpu.vcpu_delays = None;
    let timed = (0..).map(|at| Duration::from_secs(60 * at)).zip(&samples).collect();
    assert_eq!(cpu(&Interval::new(timed), &|_, _| true).state, State::Unknown);
}
