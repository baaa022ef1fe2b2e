//! The queue of runs: guests take turns, however much one of them asks for.

use std::collections::HashMap;

use crate::limits::QUEUE_MAX;

/// What a run is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Key {
    /// The statistic.
    pub(crate) name: Box<str>,
    /// The guest; empty if all guests share the value.
    pub(crate) guest: Box<str>,
}

/// At most [`QUEUE_MAX`] runs. Each belongs to a round: the first run that a guest asks for is in
/// the current round, its second in the next, and so on. Earlier rounds come first, so a guest that
/// asks for one run waits for no more than one of each other guest.
#[derive(Debug, Default)]
pub(crate) struct Queue {
    /// In order of arrival.
    waiting: Vec<(u64, Key)>,
    /// The current round.
    round: u64,
    /// The last round of each guest, unless that is over.
    rounds: HashMap<Box<str>, u64>,
}

/// What happened to a requested run.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Asked {
    /// It is queued.
    Waits,
    /// It is queued in place of this one, of a guest that asks for more.
    InPlaceOf(Key),
    /// There is no room: its guest asks for as much as any other.
    NoRoom,
}

impl Queue {
    /// Adds a run, which must not be queued already.
    pub(crate) fn ask(&mut self, key: Key) -> Asked {
        let round = self.rounds.get(&key.guest).map_or(self.round, |last| self.round.max(last + 1));
        let mut asked = Asked::Waits;
        if self.waiting.len() >= QUEUE_MAX {
            let last = self.waiting.iter().enumerate().max_by_key(|(_, (round, _))| *round);
            match last.filter(|(_, (last, _))| *last > round).map(|(at, _)| at) {
                None => return Asked::NoRoom,
                Some(at) => {
                    let (last, displaced) = self.waiting.remove(at);
                    self.rounds.insert(displaced.guest.clone(), last - 1);
                    asked = Asked::InPlaceOf(displaced);
                }
            }
        }
        self.rounds.insert(key.guest.clone(), round);
        self.waiting.push((round, key));
        asked
    }

    /// Takes the next of the runs that may start: of the guest with the fewest `running`, then of
    /// the earliest round, then the one that has waited longest.
    pub(crate) fn take(
        &mut self,
        may_run: impl Fn(&Key) -> bool,
        running: impl Fn(&Key) -> usize,
    ) -> Option<Key> {
        let waiting = self.waiting.iter().enumerate().filter(|(_, (_, key))| may_run(key));
        let (at, _) = waiting.min_by_key(|(_, (round, key))| (running(key), *round))?;
        let (round, key) = self.waiting.remove(at);
        if round > self.round {
            self.round = round;
            // A guest whose last turn was in a past round starts over.
            self.rounds.retain(|_, last| *last >= round);
        }
        Some(key)
    }

    /// Removes all matching runs.
    pub(crate) fn cancel(&mut self, which: impl Fn(&Key) -> bool) {
        self.waiting.retain(|(_, key)| !which(key));
    }

    /// How many wait.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.waiting.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: impl ToString, guest: &str) -> Key {
        Key { name: name.to_string().into(), guest: guest.into() }
    }

    fn next(queue: &mut Queue) -> Option<String> {
        queue.take(|_| true, |_| 0).map(|key| format!("{}{}", key.guest, key.name))
    }

    fn full_of(guest: &str) -> Queue {
        let mut queue = Queue::default();
        for number in 0..QUEUE_MAX {
            assert_eq!(queue.ask(key(number, guest)), Asked::Waits);
        }
        queue
    }

    #[test]
    fn guests_take_turns_and_each_has_its_own_in_order() {
        let mut queue = Queue::default();
        for (guest, count) in [("a", 4), ("b", 1), ("c", 2)] {
            (0..count).for_each(|number| assert_eq!(queue.ask(key(number, guest)), Asked::Waits));
        }
        let order: Vec<String> = std::iter::from_fn(|| next(&mut queue)).collect();
        assert_eq!(order, ["a0", "b0", "c0", "a1", "c1", "a2", "a3"]);
        assert!(queue.rounds.len() <= 1, "{:?}", queue.rounds);
    }

    #[test]
    fn a_later_guest_waits_for_one_run_of_each_other_and_not_for_all_of_them() {
        let mut queue = full_of("greedy");
        for _ in 0..100 {
            next(&mut queue);
        }
        for round in 0..3 {
            for guest in ["a", "b"] {
                assert_eq!(queue.ask(key(round, guest)), Asked::Waits);
            }
            let order: Vec<String> = (0..3).filter_map(|_| next(&mut queue)).collect();
            for guest in ["a", "b"] {
                assert!(order.contains(&format!("{guest}{round}")), "{order:?}");
            }
        }
    }

    #[test]
    fn in_a_full_queue_who_asks_for_the_most_makes_room() {
        let mut queue = full_of("greedy");
        assert_eq!(queue.ask(key("more", "greedy")), Asked::NoRoom);
        let last = QUEUE_MAX - 1;
        assert_eq!(queue.ask(key("one", "a")), Asked::InPlaceOf(key(last, "greedy")));
        assert_eq!(queue.ask(key("two", "a")), Asked::InPlaceOf(key(last - 1, "greedy")));
        assert_eq!(queue.ask(key("more", "greedy")), Asked::NoRoom);
        assert_eq!(queue.len(), QUEUE_MAX);
        // They get room until both have asked for the same amount.
        let mut more = 0;
        while queue.ask(key(more, "a")) != Asked::NoRoom {
            more += 1;
        }
        let of = |guest: &str| queue.waiting.iter().filter(|(_, key)| &*key.guest == guest).count();
        assert!(of("a").abs_diff(of("greedy")) <= 1, "{} {}", of("a"), of("greedy"));
    }

    #[test]
    fn runs_that_may_not_start_are_passed_over_and_guests_with_fewer_running_come_first() {
        let mut queue = Queue::default();
        for guest in ["a", "b", "c"] {
            queue.ask(key("", guest));
        }
        let runs = |key: &Key| usize::from(&*key.guest == "b");
        let mut take = || queue.take(|key| &*key.guest != "a", runs).map(|key| key.guest);
        assert_eq!([take(), take(), take()], [Some("c".into()), Some("b".into()), None]);
        queue.cancel(|key| &*key.guest == "a");
        assert_eq!(queue.len(), 0);
    }
}
