use super::*;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};

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
    let newly_held = |looks: &mut Looks<_, _>| {
        let held = looks.newly_held(Instant::now() + HELD_AFTER);
        (!held.is_empty()).then_some(held)
    };
    assert_eq!(at_last(&mut looks, newly_held, |_| {}), ["web"]);
    assert_eq!((newly_held(&mut looks), looks.held()), (None, Some(&"web")));
    let no_look = || "another look";
    assert_eq!(looks.look(&"web", &mut patience, no_look, now), None);
    assert!(!is_readable(&ended, Duration::ZERO));
    drop(hold);
    assert!(is_readable(&ended, Duration::from_secs(60)));
    ended.clear();
    assert_eq!(looks.take_ended(), [("web", true)], "it was to be looked at again");
    assert!(!looks.is_any_pending() && looks.held().is_none());
    assert_eq!(looks.look(&"web", &mut patience, no_look, now), Some("late"));
}
