//! The kernel's counters that restart, but continue for the guest. `counter.rs` lists the other types that count.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::tally::gain;

/// `N` counters of one file. Their gains are added up, so that a guest sees a counter that never
/// falls and never stands still, whatever happened to the cgroup or process behind it.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct FileCounters<const N: usize> {
    /// The file.
    #[serde(with = "hostinfo_handover::path::option")]
    of: Option<PathBuf>,
    #[serde(with = "hostinfo_handover::array")]
    last: [Option<u64>; N],
    #[serde(with = "hostinfo_handover::array")]
    sums: [u64; N],
}

impl<const N: usize> Default for FileCounters<N> {
    fn default() -> Self {
        Self { of: None, last: [None; N], sums: [0; N] }
    }
}

impl<const N: usize> FileCounters<N> {
    /// The values to report for the file's current contents. The first file counts from its
    /// beginning, a later one from now: what it counted before was not about this guest. A counter
    /// that is absent now is reported as absent, and its next value counts from its last one.
    pub(crate) fn add(&mut self, of: &Path, now: [Option<u64>; N]) -> [Option<u64>; N] {
        let is_first = self.of.is_none();
        if self.of.as_deref() != Some(of) {
            self.of = Some(of.to_owned());
            self.last = if is_first { [Some(0); N] } else { now };
        }
        let mut told = now;
        for ((told, last), sum) in told.iter_mut().zip(&mut self.last).zip(&mut self.sums) {
            let Some(figure) = told else { continue };
            let from = last.unwrap_or(*figure);
            *sum = sum.saturating_add(gain(from, *figure));
            *last = Some(*figure);
            *told = Some(*sum);
        }
        told
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reported<const N: usize>(steps: [(&str, Option<u64>); N]) -> [Option<u64>; N] {
        let mut counters = FileCounters::default();
        steps.map(|(of, now)| counters.add(Path::new(of), [now])[0])
    }

    #[test]
    fn a_counter_that_falls_counts_on() {
        let steps = [("a", Some(100)), ("a", Some(7)), ("a", Some(9)), ("a", Some(8))];
        assert_eq!(reported(steps), [Some(100), Some(107), Some(109), Some(109)]);
    }

    #[test]
    fn a_counter_that_is_missing_for_a_while_loses_nothing() {
        let steps = [("a", Some(5)), ("a", None), ("a", Some(6))];
        assert_eq!(reported(steps), [Some(5), None, Some(6)]);
        assert_eq!(reported([("a", None), ("a", Some(6))]), [None, Some(6)]);
    }

    #[test]
    fn counts_of_another_cgroup_are_not_added_to_this_guests() {
        let steps =
            [("a", Some(5)), ("b", Some(900)), ("b", Some(901)), ("c", None), ("c", Some(9))];
        assert_eq!(reported(steps), [Some(5), Some(5), Some(6), None, Some(6)]);
    }

    proptest! {
        #[test]
        fn the_reported_count_never_falls(steps: Vec<(bool, Option<u64>)>) {
            let (mut counters, mut before) = (FileCounters::default(), 0);
            for (of, now) in steps {
                if let [Some(told)] = counters.add(Path::new(if of { "a" } else { "b" }), [now]) {
                    prop_assert!(told >= before);
                    before = told;
                }
            }
        }
    }
}
