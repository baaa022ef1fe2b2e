//! Bursts that fill only a part of the window, and windows shorter than a minute.

use super::*;

/// Ten seconds with little to do.
const SHORT: Stretch = Stretch { length: 10.0, run: 1.0, cpus: Some(PINNED), ..ON_ONE };

/// Ten seconds beside a process on the same CPU.
const HIT: Stretch = Stretch { run: 5.0, delay: 5.0, busy: Some(13.0), ..SHORT };

fn hit() -> Stretch {
    Stretch { cpus: on(1, 10.0), ..HIT }
}

fn quiet() -> Stretch {
    Stretch { cpus: on(1, 1.0), ..SHORT }
}

fn verdict(stretches: &[Stretch]) -> String {
    judge(stretches, &|_, _| true).to_string()
}

#[test]
fn a_burst_of_20_s_by_others_is_reported_as_one() {
    let minute = [quiet(), quiet(), hit(), hit(), quiet(), quiet()];
    assert_eq!(
        verdict(&minute),
        "contended: for 20 s of the last 60 s, your vCPUs waited 50% of that time for a host CPU; \
         your host keeps them on some of its CPUs, which other work uses too, while the rest are \
         mostly idle"
    );
    let hidden = judge(&minute, &|_, _| false).reason;
    assert_eq!(
        hidden,
        "for part of the last 60 s, your vCPUs waited part of that time for a host CPU; your host \
         keeps them on some of its CPUs, which other work uses too, while the rest are mostly idle"
    );
}

#[test]
fn a_burst_that_was_felt_is_reported_where_the_whole_lost_little() {
    let short = |delay| Stretch { length: 5.0, run: 3.0, delay, cpus: on(1, 5.0), ..SHORT };
    let minute = |burst| {
        let mut minute = [quiet(); 6];
        minute[3] = burst;
        verdict(&minute)
    };
    // 1 of 55 s.
    assert!(minute(short(1.0)).starts_with("contended: for 5 s of the last 55 s, your vCPUs"));
    assert!(minute(short(0.99)).starts_with("ok: "));
    let shorter = Stretch { length: 3.9, ..short(1.0) };
    assert!(minute(shorter).starts_with("ok: "), "shorter than any window");
}

#[test]
fn the_longest_burst_of_several_is_reported() {
    let felt = |delay| Stretch { run: 4.0, delay, cpus: on(1, 8.0), ..hit() };
    let mut window = vec![quiet(); 20];
    (window[3], window[7], window[8]) = (felt(2.0), felt(2.0), felt(2.0));
    assert!(
        verdict(&window).contains("for 20 s of the last 200 s, your vCPUs waited 20% of that time")
    );
}

#[test]
fn waiting_all_the_time_is_no_burst() {
    let verdict = verdict(&[hit(), quiet(), hit(), quiet(), hit(), hit()]);
    assert!(verdict.starts_with("contended: your vCPUs waited 33% of the last 60 s"), "{verdict}");
}

#[test]
fn neighbours_that_were_busy_before_the_guest_was_are_no_reason() {
    // Others use its CPU for half a minute; then its own two vCPUs share it.
    let others = Stretch { vcpus: 2, run: 0.1, cpus: on(1, 10.0), ..SHORT };
    let alone = Stretch { vcpus: 2, run: 10.0, delay: 10.0, cpus: on(1, 10.0), ..SHORT };
    let verdict = verdict(&[others, others, others, alone, alone, alone]);
    assert!(
        verdict.starts_with("self-limited: for 30 s of the last 60 s, your vCPUs waited 50% of"),
        "{verdict}"
    );
    let whole = Stretch { vcpus: 2, run: 30.3, delay: 30.0, cpus: on(1, 60.0), ..QUIET };
    assert_eq!(whole.state(), State::Contended, "as if it had been at the same time");
}

#[test]
fn if_causes_follow_each_other_the_one_that_took_more_is_named() {
    let others = Stretch { quota: Some(0.5), ..hit() };
    let held = Stretch { throttled: Some(5.0), ..others };
    let verdict =
        verdict(&[held, held, held, others, others, Stretch { quota: Some(0.5), ..quiet() }]);
    assert!(
        verdict
            .starts_with("self-limited: your own CPU quota of 0.50 CPUs held your vCPUs back 25%"),
        "{verdict}"
    );
    assert!(verdict.contains("; they waited a further 17% for a host CPU"), "{verdict}");
}

#[test]
fn a_window_of_5_s_says_so() {
    let window = Stretch { length: 5.0, run: 2.5, delay: 2.5, cpus: on(1, 5.0), ..ON_ONE };
    assert!(window.verdict().starts_with("contended: your vCPUs waited 50% of the last 5 s for"));
}
