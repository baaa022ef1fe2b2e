use super::*;

fn key(name: impl ToString, guest: &str) -> Key {
    Key { name: name.to_string().into(), guest: guest.into() }
}

/// The run of a value that all guests share.
fn shared(name: impl ToString) -> Key {
    key(name, "")
}

fn next(queue: &mut Queue) -> Option<String> {
    queue.take(|_| Some(Place::Any), |_| 0).map(|(key, asker)| format!("{asker}{}", key.name))
}

fn all(queue: &mut Queue) -> Vec<String> {
    std::iter::from_fn(|| next(queue)).collect()
}

/// Of values that all share, or of the guest's own.
fn full_of(guest: &str, is_shared: bool) -> Queue {
    let mut queue = Queue::default();
    for number in 0..QUEUE_MAX {
        let of = if is_shared { "" } else { guest };
        assert_eq!(queue.ask(key(number, of), guest), Asked::Waits);
    }
    queue
}

#[test]
fn guests_take_turns_and_each_has_its_own_in_order_whether_or_not_all_share_the_values() {
    for is_shared in [true, false] {
        let mut queue = Queue::default();
        for (guest, count) in [("a", 4), ("b", 1), ("c", 2)] {
            for number in 0..count {
                let name = format!(".{guest}{number}");
                let of = if is_shared { "" } else { guest };
                assert_eq!(queue.ask(key(name, of), guest), Asked::Waits);
            }
        }
        let order = ["a.a0", "b.b0", "c.c0", "a.a1", "c.c1", "a.a2", "a.a3"];
        assert_eq!(all(&mut queue), order);
        assert!(queue.loads.is_empty(), "{:?}", queue.loads);
    }
}

#[test]
fn a_later_guest_waits_for_one_run_of_each_other_and_not_for_all_of_them() {
    let mut queue = full_of("greedy", true);
    for _ in 0..100 {
        next(&mut queue);
    }
    for round in 0..3 {
        for guest in ["a", "b"] {
            assert_eq!(queue.ask(key(round, guest), guest), Asked::Waits);
        }
        let order: Vec<String> = (0..3).filter_map(|_| next(&mut queue)).collect();
        for guest in ["a", "b"] {
            assert!(order.contains(&format!("{guest}{round}")), "{order:?}");
        }
    }
}

#[test]
fn a_run_that_another_guest_asks_for_too_takes_the_earlier_of_both_turns_however_often_it_asks() {
    let mut queue = Queue::default();
    for number in 0..6 {
        queue.ask(shared(number), "a");
    }
    for _ in 0..9 {
        queue.join(&shared(5), "b");
        queue.join(&shared(4), "b");
        queue.join(&shared(0), "a");
        queue.join(&shared("none"), "b");
    }
    queue.ask(shared("own"), "b");
    assert_eq!(all(&mut queue), ["a0", "b4", "a1", "b5", "a2", "bown", "a3"]);
}

#[test]
fn a_run_that_many_guests_ask_for_has_the_turn_of_one_that_may_have_another_in_progress() {
    let mut queue = Queue::default();
    let guests: Vec<String> = (0..100).map(|number| format!("guest{number}")).collect();
    queue.ask(shared("early"), "z");
    queue.ask(shared("all"), "z");
    for guest in guests {
        queue.join(&shared("all"), &guest);
    }
    queue.ask(key("other", "y"), "y");
    assert_eq!(queue.waiting[&shared("all")].askers.len(), ASKERS_MAX);
    let running = |guest: &str| if ["z", "guest0"].contains(&guest) { OWN_RUNS_MAX } else { 0 };
    let mut take = || queue.take(|_| Some(Place::Any), running).map(|(key, _)| key.name);
    assert_eq!([take(), take(), take()], [Some("all".into()), Some("other".into()), None]);
}

#[test]
fn in_a_full_queue_who_asks_for_the_most_makes_room() {
    let mut queue = full_of("greedy", false);
    let of = |name: &str, guest| key(name, guest);
    assert_eq!(queue.ask(of("more", "greedy"), "greedy"), Asked::NoRoom);
    let last = QUEUE_MAX - 1;
    assert_eq!(queue.ask(of("one", "a"), "a"), Asked::InPlaceOf(key(last, "greedy")));
    assert_eq!(queue.ask(of("two", "a"), "a"), Asked::InPlaceOf(key(last - 1, "greedy")));
    assert_eq!(queue.ask(of("more", "greedy"), "greedy"), Asked::NoRoom);
    assert_eq!(queue.len(), QUEUE_MAX);
    // They get room until both have asked for the same amount.
    let mut more = 0;
    while queue.ask(key(more, "a"), "a") != Asked::NoRoom {
        more += 1;
    }
    let of = |guest: &str| queue.waiting.keys().filter(|key| &*key.guest == guest).count();
    assert!(of("a").abs_diff(of("greedy")) <= 1, "{} {}", of("a"), of("greedy"));
}

#[test]
fn in_a_full_queue_what_a_modest_guest_asks_for_too_keeps_its_place() {
    let mut queue = full_of("greedy", true);
    let last = QUEUE_MAX - 1;
    queue.join(&shared(last), "a");
    assert_eq!(queue.ask(shared("b"), "b"), Asked::InPlaceOf(shared(last - 1)));
    let order: Vec<String> = (0..3).filter_map(|_| next(&mut queue)).collect();
    assert_eq!(order, ["greedy0".to_owned(), format!("a{last}"), "bb".to_owned()]);
}

#[test]
fn guests_take_turns_for_what_hangs_whatever_else_they_have_had_run() {
    let mut queue = Queue::default();
    for guest in ["a", "b"] {
        (0..4).for_each(|number| {
            queue.ask(key(format!("hangs{number}"), guest), guest);
        });
    }
    let place = |key: &Key| match key.name.starts_with("hangs") {
        true => Place::Hung,
        false => Place::Any,
    };
    let mut hung = String::new();
    for _ in 0..4 {
        queue.ask(key("quick", "b"), "b");
        let while_taken = |key: &Key| Some(place(key)).filter(|place| *place == Place::Any);
        assert_eq!(queue.take(while_taken, |_| 0), Some((key("quick", "b"), "b".into())));
        assert_eq!(queue.take(while_taken, |_| 0), None);
        hung.push_str(&queue.take(|key| Some(place(key)), |_| 0).unwrap().1);
    }
    assert_eq!(hung, "abab");
}

#[test]
fn a_guest_whose_command_takes_long_has_the_same_turns_for_others() {
    let mut queue = Queue::default();
    let mut order = String::new();
    for _ in 0..3 {
        for guest in ["slow", "a", "b", "c"] {
            queue.ask(key("x", guest), guest);
        }
        let running = |guest: &str| if guest == "slow" { OWN_RUNS_MAX - 1 } else { 0 };
        for _ in 0..2 {
            order.push_str(&queue.take(|_| Some(Place::Any), running).unwrap().1);
            order.push(' ');
        }
    }
    assert_eq!(order, "slow a b c slow a ");
}

#[test]
fn no_guest_has_all_places_at_once() {
    let mut queue = full_of("greedy", true);
    let mut take = |running| queue.take(|_| Some(Place::Any), |_| running);
    assert!(take(OWN_RUNS_MAX - 1).is_some() && take(OWN_RUNS_MAX).is_none());
}

#[test]
fn runs_that_may_not_start_are_passed_over() {
    let mut queue = Queue::default();
    for guest in ["a", "b", "c"] {
        queue.ask(shared(guest), guest);
    }
    let may_start = |key: &Key| (&*key.name != "a").then_some(Place::Any);
    let mut take = || queue.take(may_start, |_| 0).map(|(_, asker)| asker);
    assert_eq!([take(), take(), take()], [Some("b".into()), Some("c".into()), None]);
    queue.cancel(|key| &*key.name == "a");
    assert_eq!(queue.len(), 0);
}
