use super::*;
use proptest::prelude::*;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn seen(number: u128, run: u32, need: Need) -> Seen {
    Seen { uuid: Uuid::from_u128(number), run, name: "web".to_owned(), need }
}

fn needs(number: u128) -> Seen {
    seen(number, u32::try_from(number).unwrap(), Need::Port)
}

fn next(queue: &Queue, now: Instant) -> Option<u128> {
    queue.next(now).map(|uuid| uuid.as_u128())
}

/// The reasons that are told for a report that was asked for at `now`.
fn reasons(queue: &mut Queue, seen: impl IntoIterator<Item = Seen>, now: Instant) -> Vec<String> {
    queue.report(seen, Some(now), now).into_iter().map(|trouble| trouble.why).collect()
}

#[test]
fn each_domain_is_given_its_port_once_in_the_order_of_their_starts() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    let order = [seen(1, 30, Need::Port), seen(2, 10, Need::Port), seen(3, 20, Need::Port)];
    reasons(&mut queue, order.clone(), now);
    let mut given = Vec::new();
    while let Some(uuid) = queue.next(now) {
        given.push(uuid.as_u128());
        assert!(given.len() <= order.len(), "{given:?}");
        queue.settled(uuid);
        // Before libvirt has said that the domain has it.
        reasons(&mut queue, order.clone(), now);
    }
    assert_eq!(given, [2, 3, 1]);
    assert_eq!((queue.due(), queue.counts()), (None, (3, 0)));
}

#[test]
fn a_domain_that_has_its_port_or_had_it_in_this_run_is_left_alone() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    reasons(&mut queue, [seen(1, 1, Need::Nothing)], now);
    assert_eq!(next(&queue, now), None);
    reasons(&mut queue, [seen(1, 1, Need::Port)], now);
    assert_eq!(next(&queue, now), None, "somebody has unplugged it");
    reasons(&mut queue, [seen(1, 2, Need::Port)], now);
    assert_eq!(next(&queue, now), Some(1), "it was started again");
}

#[test]
fn a_domain_that_fails_is_tried_again_ever_more_rarely_and_told_once() {
    let (mut queue, start) = (Queue::default(), Instant::now());
    let (mut now, mut waits, mut words) = (start, Vec::new(), Vec::new());
    words.extend(reasons(&mut queue, [needs(1)], now));
    for _ in 0..12 {
        let uuid = queue.next(now).unwrap();
        queue.failed(uuid, Some("no".to_owned()), now);
        assert_eq!((queue.next(now), queue.due()), (None, None), "whether it ended is not known");
        words.extend(reasons(&mut queue, [needs(1)], now));
        let due = queue.due().unwrap();
        assert_eq!(next(&queue, due - Duration::from_millis(1)), None);
        waits.push((due - now).as_secs());
        now = due;
    }
    assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 300, 300, 300]);
    assert_eq!(words, ["no"]);
    queue.failed(Uuid::from_u128(1), Some("no, and this is new".to_owned()), now);
    assert_eq!(reasons(&mut queue, [needs(1)], now), ["no, and this is new"]);
}

#[test]
fn a_domain_that_ended_meanwhile_is_no_failure() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    reasons(&mut queue, [needs(1), needs(2)], now);
    queue.failed(Uuid::from_u128(1), Some("it does not run".to_owned()), now + s(1));
    // A report that was on its way before says nothing about it.
    let before = queue.report([needs(1), needs(2)], Some(now), now + s(1));
    assert_eq!((before, next(&queue, now + s(9))), (vec![], Some(2)));
    assert_eq!(reasons(&mut queue, [needs(2)], now + s(2)), [""; 0]);
    assert_eq!(queue.counts(), (1, 1));
    // Or it was started again in the meantime.
    queue.failed(Uuid::from_u128(2), Some("it does not run".to_owned()), now + s(3));
    assert_eq!(reasons(&mut queue, [seen(2, 9, Need::Port)], now + s(4)), [""; 0]);
    assert_eq!(next(&queue, now + s(4)), Some(2));
}

#[test]
fn a_domain_that_is_blocked_waits_until_somebody_has_corrected_that() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    let blocked = |why: &str| [seen(1, 1, Need::Blocked(why.to_owned()))];
    assert_eq!(reasons(&mut queue, blocked("a"), now), ["a"]);
    assert_eq!(reasons(&mut queue, blocked("a"), now), [""; 0]);
    assert_eq!(reasons(&mut queue, blocked("b"), now), ["b"]);
    assert_eq!(queue.next(now + s(999)), None);
    reasons(&mut queue, [needs(1)], now + s(999));
    assert_eq!(next(&queue, now + s(999)), Some(1));
}

#[test]
fn domains_that_fail_hold_up_nobody_who_was_not_tried_yet() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    reasons(&mut queue, [needs(1)], now);
    queue.failed(Uuid::from_u128(1), Some("no".to_owned()), now);
    reasons(&mut queue, [needs(1), needs(2)], now + s(60));
    assert_eq!(next(&queue, now + s(60)), Some(2));
    queue.settled(Uuid::from_u128(2));
    assert_eq!(next(&queue, now + s(60)), Some(1));
}

#[test]
fn while_libvirt_is_away_nothing_is_forgotten() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    reasons(&mut queue, [needs(1), needs(2)], now);
    queue.settled(Uuid::from_u128(1));
    // The first report of the next connection: what started meanwhile is in it.
    reasons(&mut queue, [needs(1), needs(2), needs(3)], now + s(100));
    assert_eq!(next(&queue, now + s(100)), Some(2));
    queue.settled(Uuid::from_u128(2));
    assert_eq!(next(&queue, now + s(100)), Some(3));
}

#[test]
fn a_failure_that_is_not_the_domains_own_is_not_told() {
    let (mut queue, now) = (Queue::default(), Instant::now());
    reasons(&mut queue, [needs(1)], now);
    queue.failed(Uuid::from_u128(1), None, now);
    assert_eq!(reasons(&mut queue, [needs(1)], now), [""; 0]);
    assert_eq!(queue.due(), Some(now + RETRY_FIRST));
}

proptest! {
    /// Whatever is reported and whatever fails: a domain is settled once a run, is next only if the
    /// last report says that it needs a port, and what is remembered is what was reported.
    #[test]
    fn any_order_of_reports_and_outcomes_gives_each_run_one_port(
        steps in proptest::collection::vec((0u8..4, proptest::collection::btree_map(1u128..4, (0u32..3, 0u8..3), 0..4), 0u64..9), 1..40)
    ) {
        let (mut queue, mut now) = (Queue::default(), Instant::now());
        let mut given = std::collections::BTreeSet::new();
        let mut last = BTreeMap::new();
        for (step, domains, seconds) in steps {
            now += s(seconds);
            match (step, queue.next(now)) {
                (0, Some(uuid)) => {
                    let (run, _) = last[&uuid.as_u128()];
                    // A run whose domain was out of sight meanwhile is one that needs a port again.
                    given.insert((uuid, run));
                    queue.settled(uuid);
                    prop_assert_ne!(queue.next(now), Some(uuid));
                }
                (1, Some(uuid)) => {
                    queue.failed(uuid, Some("no".to_owned()), now);
                    prop_assert_ne!(queue.next(now), Some(uuid));
                }
                _ => {
                    given.retain(|(uuid, run)| domains.get(&uuid.as_u128()).is_some_and(|(now, _)| now == run));
                    let report = domains.iter().map(|(number, (run, need))| {
                        let need = match need {
                            0 => Need::Port,
                            1 => Need::Nothing,
                            _ => Need::Blocked("b".to_owned()),
                        };
                        seen(*number, *run, need)
                    });
                    queue.report(report, Some(now), now);
                    prop_assert_eq!(queue.counts().0, domains.len());
                    last = domains;
                }
            }
            if let Some(uuid) = queue.next(now) {
                let (run, need) = last[&uuid.as_u128()];
                prop_assert_eq!(need, 0);
                prop_assert!(!given.contains(&(uuid, run)), "given twice");
                prop_assert!(queue.due().is_some_and(|due| due <= now));
            }
        }
    }
}
