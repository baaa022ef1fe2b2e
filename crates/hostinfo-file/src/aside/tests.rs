use super::*;

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::patience::{PATIENCE, SHARE};
use super::pool::{POOL, THREADS_OF_ONE, lock};

/// Longer than anything here takes on a busy machine.
const LONG: Duration = Duration::from_secs(60);

/// The pool is the process's: one test at a time, after the threads of the one before.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    let alone = lock(&ALONE);
    let begun = Instant::now();
    while lock(&POOL).threads > 0 {
        assert!(begun.elapsed() < LONG, "a thread stays without work");
        thread::sleep(Duration::from_millis(10));
    }
    alone
}

/// Work that the kernel holds until the sender is dropped.
fn held() -> (Sender<()>, impl FnOnce() + Send) {
    let (hold, held) = channel();
    (hold, move || held.recv().unwrap_or_default())
}

fn sends<T: Send + 'static>() -> (impl FnOnce(T) + Send, Receiver<T>) {
    let (late, came) = channel();
    (move |result| drop(late.send(result)), came)
}

#[test]
fn what_is_done_soon_is_waited_for_and_threads_are_used_again_and_end() {
    let alone = alone();
    let (mut patience, now) = (Patience::default(), Instant::now());
    let mut threads = Vec::new();
    for _ in 0..100 {
        threads.extend(patience.ask(|| thread::current().id(), now));
    }
    threads.sort_by_key(|id| format!("{id:?}"));
    threads.dedup();
    assert_eq!(threads.len(), 1);
    drop(alone);
    let _all_have_ended = self::alone();
}

#[test]
fn what_is_held_is_waited_for_a_moment_and_its_result_comes_when_it_is_let_go() {
    let _alone = alone();
    let (mut patience, now) = (Patience::default(), Instant::now());
    let ((hold, work), (late, came)) = (held(), sends());
    let begun = Instant::now();
    let done = move || {
        work();
        7
    };
    assert_eq!(patience.run(done, late, now), None);
    assert!((PATIENCE..LONG).contains(&begun.elapsed()));
    assert!(came.try_recv().is_err());
    assert!(!finish(Duration::from_millis(1)), "the kernel holds it");
    drop(hold);
    assert_eq!(came.recv_timeout(LONG), Ok(7));
    assert!(finish(LONG));
    // There was one wait, and may be one more. Then nothing is waited for, and nothing is lost.
    patience.waited(PATIENCE, now);
    assert_eq!(patience.ask(|| 7, now), None);
    let (late, came) = sends();
    assert_eq!(patience.run(|| 8, late, now), None);
    assert_eq!(came.recv_timeout(LONG), Ok(8));
    assert!(finish(LONG));
    assert_eq!(patience.ask(|| 9, now + PATIENCE * SHARE * 2), Some(9));
}

#[test]
fn one_owner_holds_half_of_the_threads_and_all_owners_together_no_more_than_there_are() {
    let _alone = alone();
    let mut patiences: Vec<Patience> = (0..3).map(|_| Patience::default()).collect();
    let now = Instant::now();
    let mut holds = Vec::new();
    for patience in &patiences {
        for _ in 0..=THREADS_OF_ONE {
            let (hold, work) = held();
            begin(patience.owner(), work);
            holds.push(hold);
        }
    }
    let begun = Instant::now();
    while lock(&POOL).running.len() < THREADS_MAX {
        assert!(begun.elapsed() < LONG);
        thread::sleep(Duration::from_millis(1));
    }
    {
        let pool = lock(&POOL);
        let of = |patience: &Patience| {
            pool.running.iter().filter(|(_, owner)| *owner == patience.owner()).count()
        };
        let running: Vec<usize> = patiences.iter().map(of).collect();
        assert_eq!(running, [THREADS_OF_ONE, THREADS_OF_ONE, 0]);
        assert_eq!((pool.threads, pool.waiting.len()), (THREADS_MAX, THREADS_OF_ONE + 3));
    }
    let before = patiences[2].repaid_at;
    assert_eq!(patiences[2].ask(|| 7, now), None, "there is no thread");
    assert_eq!(patiences[2].repaid_at, before, "it is not waited for");
    drop(holds);
    assert!(finish(LONG), "all of it is done in the end");
    assert_eq!(patiences[2].ask(|| 7, now), Some(7));
}

#[test]
fn what_waits_only_for_its_own_owner_keeps_no_thread_from_others() {
    let _alone = alone();
    let (first, mut second) = (Patience::default(), Patience::default());
    let now = Instant::now();
    let holds: Vec<_> = (0..THREADS_MAX)
        .map(|_| {
            let (hold, work) = held();
            begin(first.owner(), work);
            hold
        })
        .collect();
    assert!(lock(&POOL).has_room(second.owner()) && !lock(&POOL).has_room(first.owner()));
    assert_eq!(second.ask(|| 7, now), Some(7));
    drop(holds);
    assert!(finish(LONG));
}

#[test]
fn one_owner_asks_for_nothing_more_until_what_it_has_asked_for_is_done() {
    let _alone = alone();
    let (mut patience, mut now) = (Patience::default(), Instant::now());
    let (hold, work) = held();
    assert_eq!(patience.ask(work, now), None);
    now += PATIENCE * SHARE * 2;
    assert_eq!(patience.ask(|| (), now), None, "a thread is held for it");
    assert_eq!(lock(&POOL).running.len(), 1);
    drop(hold);
    assert!(finish(LONG));
    assert_eq!(patience.ask(|| (), now), Some(()));
}

#[test]
fn short_waits_count_as_long_ones_do() {
    let start = Instant::now();
    for wait in [1, 10, 95, 100].map(Duration::from_millis) {
        let (mut patience, mut all) = (Patience::default(), Duration::ZERO);
        for tenth in 0..36_000 {
            let now = start + tenth * Duration::from_millis(100);
            if patience.may_wait(now) {
                patience.waited(wait, now);
                all += wait;
            }
        }
        // An hour's 600th, and what may be ahead.
        assert!(all <= Duration::from_secs(6) + PATIENCE * 2, "{wait:?}: {all:?}");
        assert!(all >= Duration::from_secs(5), "{wait:?}: {all:?}");
    }
}
