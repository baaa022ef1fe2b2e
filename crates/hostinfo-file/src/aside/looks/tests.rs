use super::*;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

const LONG: Duration = Duration::from_secs(60);

fn is_readable(ended: &Signal, within: Duration) -> bool {
    let within = Timespec::try_from(within).unwrap();
    poll(&mut [PollFd::new(ended, PollFlags::IN)], Some(&within)).unwrap() == 1
}

#[test]
fn what_is_held_is_looked_at_once_is_named_once_and_is_found_when_it_is_let_go() {
    let (ended, mut patience, now) = (Signal::new().unwrap(), Patience::default(), Instant::now());
    let mut looks = Looks::new(ended.clone());
    let (hold, held) = channel::<()>();
    let look = move || {
        let _ = held.recv();
        "late"
    };
    assert_eq!(looks.look(&"web", &mut patience, look, now), None);
    assert!(looks.newly_held(now).is_empty() && looks.held().is_none());
    while looks.newly_held(now).is_empty() && looks.next_check() == Some(now + HELD_AFTER) {
        assert!(now.elapsed() < LONG, "no thread begins with it");
    }
    let check = looks.next_check().unwrap();
    assert!(looks.newly_held(check - Duration::from_nanos(1)).is_empty());
    assert_eq!(looks.newly_held(check), ["web"]);
    assert!(looks.newly_held(check).is_empty() && looks.next_check().is_none());
    assert!(looks.is_held(&"web") && looks.held() == Some(&"web"));
    let no_look = || "another look";
    assert_eq!(looks.look(&"web", &mut patience, no_look, now), None);
    assert!(!is_readable(&ended, Duration::ZERO));
    drop(hold);
    assert!(is_readable(&ended, LONG));
    ended.clear();
    let late = Late { of: "web", found: "late", has_changed: true };
    assert_eq!(looks.take_late(9), [late], "it was to be looked at again");
    assert!(!looks.are_under_way() && looks.held().is_none());
    assert_eq!(looks.look(&"web", &mut patience, no_look, now + LONG * 9), Some("another look"));
}

#[test]
fn no_more_is_taken_at_once_than_is_wanted_and_the_rest_is_told_again() {
    let (ended, mut patience, now) = (Signal::new().unwrap(), Patience::default(), Instant::now());
    let mut looks = Looks::new(ended.clone());
    let hold = || std::thread::sleep(Duration::from_millis(200));
    assert_eq!(looks.look(&0, &mut patience, hold, now), None);
    for number in 1..5 {
        assert_eq!(looks.look(&number, &mut patience, || (), now), None, "nothing is waited for");
    }
    assert!(super::super::finish(LONG));
    let mut taken = Vec::new();
    while is_readable(&ended, Duration::ZERO) {
        ended.clear();
        let late = looks.take_late(2);
        assert!(late.len() <= 2);
        taken.extend(late.into_iter().map(|late| late.of));
    }
    taken.sort_unstable();
    assert_eq!(taken, [0, 1, 2, 3, 4]);
}
