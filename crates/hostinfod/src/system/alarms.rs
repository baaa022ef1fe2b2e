//! Who wants to be woken when. Nobody: the daemon sleeps for good.

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::time::Instant;

/// At most one time for each `K`.
#[derive(Debug)]
pub(crate) struct Alarms<K> {
    in_order: BTreeSet<(Instant, K)>,
    times: HashMap<K, Instant>,
}

impl<K: Copy + Ord + Hash> Alarms<K> {
    /// No alarms.
    pub(crate) fn new() -> Self {
        Self { in_order: BTreeSet::new(), times: HashMap::new() }
    }

    /// Sets, moves or takes away the alarm of `who`.
    pub(crate) fn set(&mut self, who: K, at: Option<Instant>) {
        // As every turn of the loop sets some alarms anew.
        if self.times.get(&who).copied() == at {
            return;
        }
        let before = match at {
            Some(at) => self.times.insert(who, at),
            None => self.times.remove(&who),
        };
        if let Some(before) = before {
            self.in_order.remove(&(before, who));
        }
        if let Some(at) = at {
            self.in_order.insert((at, who));
        }
    }

    /// The time of the first one.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Takes off the first one that is due.
    pub(crate) fn due(&mut self, now: Instant) -> Option<K> {
        let (at, who) = *self.in_order.first()?;
        (at <= now).then(|| {
            self.set(who, None);
            who
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn alarms_go_off_in_order_once_and_not_before_their_time() {
        let (mut alarms, now) = (Alarms::new(), Instant::now());
        let at = |millis| now + Duration::from_millis(millis);
        alarms.set('b', Some(at(20)));
        alarms.set('a', Some(at(10)));
        alarms.set('c', Some(at(5)));
        alarms.set('c', None);
        alarms.set('b', Some(at(30)));
        assert_eq!(alarms.next(), Some(at(10)));
        assert_eq!(alarms.due(at(9)), None);
        assert_eq!(
            [alarms.due(at(40)), alarms.due(at(40)), alarms.due(at(40))],
            [Some('a'), Some('b'), None]
        );
        assert_eq!(alarms.next(), None);
    }
}
