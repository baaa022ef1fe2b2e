use super::*;
use State::{Contended, SelfLimited, Unknown};

/// A cause: who is to blame for it, and a number to tell causes apart.
type Any = (State, u32);

impl Cause for Any {
    fn state(self) -> State {
        self.0
    }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn lost(length: u64, used: u64, by: &[(Any, u64)]) -> Lost<Any> {
    let mut lost = Lost::none(seconds(length), seconds(used));
    for (cause, time) in by {
        lost.add(*cause, seconds(*time));
    }
    lost
}

#[test]
fn the_lost_share_is_of_the_time_wanted_or_of_the_time_that_passed_if_longer() {
    let some = |used, time| lost(60, used, &[((Contended, 0), time)]).total_share();
    assert_eq!(some(6, 6), Share::percent(10), "one that has little to do");
    assert_eq!(some(30, 30), Share::percent(50));
    assert_eq!(some(180, 60), Share::percent(25), "four that are busy");
}

#[test]
fn the_state_that_took_the_most_is_named_with_its_greatest_cause() {
    let leading = |by: &[(Any, u64)]| lost(60, 60, by).leading();
    let (host, quota, nobody) = ((Contended, 0), (SelfLimited, 0), (Unknown, 0));
    assert_eq!(leading(&[(host, 5), ((Contended, 1), 6), (quota, 10)]), Some((Contended, 1)));
    assert_eq!(leading(&[(host, 5), (quota, 5), (nobody, 5)]), Some(quota));
    assert_eq!(leading(&[(host, 5), (nobody, 5)]), Some(host));
    assert_eq!(leading(&[(host, 5), (quota, 4), (nobody, 6)]), Some(nobody));
    assert_eq!(leading(&[((Contended, 1), 5), (host, 5)]), Some((Contended, 1)));
    assert_eq!(leading(&[]), None);
}

#[test]
fn parts_add_up_cause_by_cause() {
    let (host, quota) = ((Contended, 0), (SelfLimited, 0));
    let sum = Lost::sum(&[lost(10, 5, &[(host, 1)]), lost(20, 5, &[(quota, 2), (host, 3)])]);
    assert_eq!((sum.length, sum.total_share()), (seconds(30), Share::ratio(6, 30)));
    assert_eq!((sum.share(host), sum.share(quota)), (Share::ratio(4, 30), Share::ratio(2, 30)));
}

#[test]
fn a_run_of_parts_is_a_burst_from_4_s_on_and_the_longest_one_counts() {
    let burst = |parts: &[(u64, bool)]| {
        super::burst(parts.iter().map(|(length, is_hit)| (seconds(*length), *is_hit)))
    };
    assert_eq!(burst(&[(10, false), (3, true), (9, false)]), None);
    assert_eq!(burst(&[(10, false), (3, true), (1, true)]), Some(1..3));
    assert_eq!(burst(&[(10, true), (5, false), (10, true), (10, true)]), Some(2..4));
    assert_eq!(burst(&[(10, true), (5, false), (10, true)]), Some(0..1));
    assert_eq!(burst(&[]), None);
}

#[test]
fn a_window_is_reported_if_it_was_felt_and_otherwise_a_burst_in_it() {
    let part = |time| lost(10, 0, &[((Contended, 0), time)]);
    let told = |parts: &[u64]| {
        let parts: Vec<_> = parts.iter().map(|time| part(*time)).collect();
        to_report(&parts).map(|(lost, burst)| (lost.total_share(), burst))
    };
    assert_eq!(told(&[0, 0, 0, 0, 0, 1]), None);
    assert_eq!(told(&[0, 0, 0, 0, 0, 2]), Some((Share::percent(20), Some(5..6))));
    assert_eq!(told(&[1, 0, 1, 0, 1, 0]), Some((Share::percent(5), None)));
    assert_eq!(told(&[0, 9, 0, 1, 0, 0]), Some((Share::percent(90), Some(1..2))));
    assert_eq!(told(&[0, 8, 0, 1, 0, 0]), Some((Share::percent(15), None)));
    assert_eq!(told(&[9, 9, 9, 9, 0, 0]), Some((Share::percent(60), None)), "most of the time");
}
