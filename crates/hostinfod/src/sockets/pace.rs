//! How often places are looked at that others may write: whoever changes one all the time, as a VMM may that was taken
//! over, keeps nobody busy.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

/// The time in which looks are counted.
const WINDOW: Duration = Duration::from_secs(1);

/// Looks at the same thing in that time: a VMM that starts again removes its socket, makes another, and sets its owner
/// and its mode.
const LOOKS_MAX: u32 = 4;

/// Names that are looked at in that time, each on its own: as many guests as [`super::pattern_dir`] watches
/// directories of. Where there are more, all are looked at together.
const NAMES_MAX: usize = 4096;

/// What has changed, where guests have names `N`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum News<N> {
    /// Anything may have: look at all.
    Everything,
    /// What is there for the guest of that name.
    At(N),
}

/// Counts the looks of the current time, and keeps what has to wait for the next.
#[derive(Debug)]
pub(crate) struct Pace<N> {
    ends: Option<Instant>,
    looks: BTreeMap<News<N>, u32>,
    waiting: BTreeSet<News<N>>,
}

impl<N: Ord + Clone> Pace<N> {
    /// Nothing was looked at yet.
    pub(crate) fn new() -> Self {
        Self { ends: None, looks: BTreeMap::new(), waiting: BTreeSet::new() }
    }

    /// What is to be looked at now, of what has changed and of what has waited.
    pub(crate) fn admit(&mut self, changed: BTreeSet<News<N>>, now: Instant) -> BTreeSet<News<N>> {
        if self.ends.is_none_or(|ends| ends <= now) {
            self.looks.clear();
            self.ends = Some(now + WINDOW);
        }
        let mut admitted = BTreeSet::new();
        for news in std::mem::take(&mut self.waiting).into_iter().chain(changed) {
            let has_room = self.looks.len() < NAMES_MAX || self.looks.contains_key(&news);
            let news = if has_room { news } else { News::Everything };
            let looks = self.looks.entry(news.clone()).or_default();
            if *looks < LOOKS_MAX && !admitted.contains(&news) {
                *looks += 1;
                admitted.insert(news);
            } else if !admitted.contains(&news) {
                self.waiting.insert(news);
            }
        }
        if admitted.contains(&News::Everything) {
            self.waiting.clear();
            return BTreeSet::from([News::Everything]);
        }
        admitted
    }

    /// When more is to be looked at although nothing changes; `None` if nothing waits.
    pub(crate) fn next(&self) -> Option<Instant> {
        self.ends.filter(|_| !self.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(names: &[usize]) -> BTreeSet<News<usize>> {
        names.iter().map(|name| News::At(*name)).collect()
    }

    #[test]
    fn what_changes_all_the_time_is_looked_at_four_times_a_second_and_once_more_at_the_end() {
        let (mut pace, now) = (Pace::new(), Instant::now());
        let looks = (0..100).filter(|_| !pace.admit(at(&[1]), now).is_empty()).count();
        assert_eq!((looks, pace.next()), (4, Some(now + WINDOW)));
        assert_eq!(pace.admit(at(&[2]), now), at(&[2]), "others do not wait for it");
        assert_eq!(pace.admit(at(&[]), now + WINDOW), at(&[1]));
        assert_eq!(pace.next(), None);
    }

    #[test]
    fn many_names_are_looked_at_together_and_kept_no_longer_than_a_second() {
        let (mut pace, now) = (Pace::new(), Instant::now());
        let many: Vec<usize> = (0..NAMES_MAX + 9).collect();
        assert_eq!(pace.admit(at(&many), now), BTreeSet::from([News::Everything]));
        for name in NAMES_MAX..3 * NAMES_MAX {
            pace.admit(at(&[name]), now);
        }
        assert!(pace.looks.len() <= NAMES_MAX + 1 && pace.waiting.len() <= 1);
        assert_eq!(pace.admit(at(&[]), now + WINDOW), BTreeSet::from([News::Everything]));
        assert_eq!(pace.looks.len(), 1);
    }
}
