//! The VMM's threads other than vCPUs, while the vCPUs do not wait.

use super::*;

/// A vCPU with little to do, and threads that serve its disks on the same CPU.
const SERVED: Stretch = Stretch { run: 2.0, delay: 1.0, ..ON_ONE };

/// The host keeps those threads on the CPU of the vCPU.
fn here(run: f64, waited: f64, busy: f64) -> Stretch {
    let cpus = Some(Used { busy, own: (run, waited), ..PINNED });
    Stretch { cpus, threads: Some((run, waited)), busy: Some(busy + 2.0), ..SERVED }
}

/// The host keeps those threads on its three other CPUs.
fn elsewhere(run: f64, waited: f64, busy: f64) -> Stretch {
    let cpus = Some(Used { busy: 3.0, ..PINNED });
    Stretch { cpus, threads: Some((run, waited)), busy: Some(busy + 3.0), ..SERVED }
}

#[test]
fn threads_that_wait_for_others_are_contended_though_the_vcpus_do_not_wait() {
    assert_eq!(
        here(10.0, 20.0, 60.0).verdict(),
        "contended: the threads that serve your devices waited 32% of the last 60 s for \
         a host CPU; the host's CPUs were 26% busy"
    );
    assert_eq!(here(10.0, 2.9, 60.0).state(), State::Ok);
    assert_eq!(here(10.0, 3.0, 60.0).state(), State::Contended);
}

#[test]
fn threads_that_wait_for_the_vcpus_beside_them_are_self_limited() {
    let minute = Stretch { run: 45.0, delay: 2.0, ..here(10.0, 12.0, 56.0) };
    assert_eq!(
        minute.verdict(),
        "self-limited: the threads that serve your devices waited 20% of the last 60 s \
         for your own vCPUs, which run on the same CPUs"
    );
}

#[test]
fn threads_on_other_cpus_of_the_host_wait_for_whoever_runs_there() {
    assert_eq!(elsewhere(20.0, 20.0, 170.0).state(), State::Contended);
    // One busy CPU of three: nobody else can have held up a single thread.
    assert_eq!(elsewhere(20.0, 20.0, 60.0).state(), State::Contended);
    assert_eq!(elsewhere(20.0, 20.0, 21.0).state(), State::Unknown, "nobody else was there");
    let own = elsewhere(60.0, 60.0, 66.0);
    assert_eq!(own.state(), State::Unknown, "two of them may have shared a CPU");
}

#[test]
fn a_quota_that_holds_back_more_than_the_vcpus_holds_back_the_threads() {
    let minute = Stretch { delay: 2.9, ..here(10.0, 4.0, 60.0) };
    assert_eq!(Stretch { throttled: Some(2.9), ..minute }.state(), State::Contended, "the vCPUs");
    assert_eq!(Stretch { throttled: Some(5.9), ..minute }.state(), State::SelfLimited);
    let around = |around| Stretch { around, ..minute }.verdict();
    assert!(around(2.9).contains(" for a host CPU"));
    assert!(
        around(5.9).starts_with("contended: a CPU limit that your host sets around your guest")
    );
    let held =
        Stretch { delay: 0.5, throttled: Some(2.9), quota: Some(0.5), ..here(28.0, 2.5, 31.0) };
    assert_eq!(held.state(), State::Ok, "the vCPUs lost 4.8%, and the threads 4.2%");
}

#[test]
fn threads_of_which_nothing_is_known_are_not_said_to_have_had_their_time() {
    let unknown = Stretch { threads: None, ..here(10.0, 20.0, 60.0) };
    let untold = "ok: your vCPUs ran 3% of the last 60 s and \
                  waited 2%; this host does not measure whether the threads that serve your \
                  devices waited";
    assert_eq!(unknown.verdict(), untold);
    let known = here(10.0, 1.0, 60.0);
    assert!(!known.verdict().contains("does not measure"), "{}", known.verdict());
    let told = judge(&[known, unknown, known], &|_, _| true).to_string();
    assert!(told.ends_with(" waited"), "{told}");
}

#[test]
fn threads_that_waited_while_they_were_seen_are_contended() {
    let unknown = Stretch { threads: None, ..here(10.0, 20.0, 60.0) };
    let waits = here(10.0, 20.0, 60.0);
    assert_eq!(judge(&[waits, waits, unknown], &|_, _| true).state, State::Contended);
}

#[test]
fn a_quota_of_the_threads_alone_is_the_guests_own_and_not_others_work() {
    let busy = here(10.0, 20.0, 60.0);
    assert_eq!(
        Stretch { threads_held: Some(19.0), quota: Some(1.5), ..busy }.verdict(),
        "self-limited: your own CPU quota held the threads that serve your devices back \
         32% of the last 60 s"
    );
    assert_eq!(Stretch { threads_held: Some(2.0), ..busy }.state(), State::Contended);
    // It is not known whether a quota held them back, and the CPUs were not busy enough to blame
    // others for certain.
    let unknown = Stretch { threads_held: None, ..here(10.0, 20.0, 40.0) };
    assert!(
        unknown.verdict().contains("for a host CPU or because of your own CPU quota"),
        "{}",
        unknown.verdict()
    );
}
