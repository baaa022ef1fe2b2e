//! How often places are checked that others may write: whoever changes one all the time, as a VMM may that was taken
//! over, keeps nobody busy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The time in which checks are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Checks of the same thing in that time: a VMM that starts again removes its socket, makes another, and sets its owner
/// and its mode.
const CHECKS_MAX: u32 = 4;

/// The same of a whole place: one check for a change, and one for what followed it at once. More come only where the kernel
/// could not keep all changes, since a VMM makes them without end.
const WHOLE_CHECKS_MAX: u32 = 2;

/// Guests that are checked in that time, each on its own: as many guests as [`super::below`] watches
/// directories of. Where there are more, all are checked together.
const NAMES_MAX: usize = 4096;

/// What has changed, where guests have names `N`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum PlaceChange<N> {
    /// Anything may have: check all.
    Everything,
    /// What is there for the guest of that name.
    Guest(N),
}

/// Counts the checks of the current time, and keeps what has to wait for the next.
#[derive(Debug)]
pub(crate) struct Pace<N> {
    ends: Option<Instant>,
    checks: BTreeMap<PlaceChange<N>, u32>,
    waiting: BTreeSet<PlaceChange<N>>,
}

impl<N: Ord + Clone> Pace<N> {
    /// Nothing was checked yet.
    pub(crate) fn new() -> Self {
        Self { ends: None, checks: BTreeMap::new(), waiting: BTreeSet::new() }
    }

    /// What is to be checked now, of what has changed and of what has waited.
    pub(crate) fn admit(
        &mut self,
        changed: BTreeSet<PlaceChange<N>>,
        now: Instant,
    ) -> BTreeSet<PlaceChange<N>> {
        if self.ends.is_none_or(|ends| ends <= now) {
            self.checks.clear();
            self.ends = Some(now + WINDOW);
        }
        let mut admitted = BTreeSet::new();
        for change in std::mem::take(&mut self.waiting).into_iter().chain(changed) {
            let has_room = self.checks.len() < NAMES_MAX || self.checks.contains_key(&change);
            let change = if has_room { change } else { PlaceChange::Everything };
            let max = match change {
                PlaceChange::Everything => WHOLE_CHECKS_MAX,
                PlaceChange::Guest(_) => CHECKS_MAX,
            };
            let checks = self.checks.entry(change.clone()).or_default();
            if *checks < max && !admitted.contains(&change) {
                *checks += 1;
                admitted.insert(change);
            } else if !admitted.contains(&change) {
                self.waiting.insert(change);
            }
        }
        if admitted.contains(&PlaceChange::Everything) {
            self.waiting.clear();
            return BTreeSet::from([PlaceChange::Everything]);
        }
        admitted
    }

    /// When more is to be checked although nothing changes; `None` if nothing waits.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.ends.filter(|_| !self.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(names: &[usize]) -> BTreeSet<PlaceChange<usize>> {
        names.iter().map(|name| PlaceChange::Guest(*name)).collect()
    }

    #[test]
    fn a_name_that_changes_all_the_time_is_checked_four_times_a_second_and_once_at_the_end() {
        let (mut pace, now) = (Pace::new(), Instant::now());
        let checks = (0..100).filter(|_| !pace.admit(at(&[1]), now).is_empty()).count();
        assert_eq!((checks, pace.next()), (4, Some(now + WINDOW)));
        assert_eq!(pace.admit(at(&[2]), now), at(&[2]), "others do not wait for it");
        assert_eq!(pace.admit(at(&[]), now + WINDOW), at(&[1]));
        assert_eq!(pace.next(), None);
    }

    #[test]
    fn a_place_of_which_changes_are_lost_all_the_time_is_checked_twice_a_second() {
        let (mut pace, now) = (Pace::<usize>::new(), Instant::now());
        let all = || BTreeSet::from([PlaceChange::Everything]);
        let checks = (0..100).filter(|_| !pace.admit(all(), now).is_empty()).count();
        assert_eq!((checks, pace.next()), (2, Some(now + WINDOW)));
        assert_eq!(pace.admit(at(&[]), now + WINDOW), all());
    }

    #[test]
    fn many_names_are_checked_together_and_kept_no_longer_than_a_second() {
        let (mut pace, now) = (Pace::new(), Instant::now());
        let many: Vec<usize> = (0..NAMES_MAX + 9).collect();
        assert_eq!(pace.admit(at(&many), now), BTreeSet::from([PlaceChange::Everything]));
        for name in NAMES_MAX..3 * NAMES_MAX {
            pace.admit(at(&[name]), now);
        }
        assert!(pace.checks.len() <= NAMES_MAX + 1 && pace.waiting.len() <= 1);
        assert_eq!(pace.admit(at(&[]), now + WINDOW), BTreeSet::from([PlaceChange::Everything]));
        assert_eq!(pace.checks.len(), 1);
    }
}
