//! One sample for all queries within one step of the grid.

use serde::{Deserialize, Serialize};

use crate::{Absent, Moment};

/// The last sample of a source, and the slot in which it was taken. A failed read is a sample too:
/// a thousand queries in one slot cost one attempt.
///
/// `K` is what the source keeps from one sample to the next, such as the counters that `counter.rs` lists.
#[derive(Clone, Serialize, Deserialize)]
#[serde(bound(serialize = "K: Serialize", deserialize = "K: Deserialize<'de>"))]
pub(crate) struct Cached<T, K = ()> {
    /// The reason is larger than most samples, and rare.
    #[serde(skip)]
    sample: Option<(u64, Result<T, Box<Absent>>)>,
    kept: K,
}

impl<T, K: Default> Default for Cached<T, K> {
    fn default() -> Self {
        Self { sample: None, kept: K::default() }
    }
}

impl<T, K> Cached<T, K> {
    /// The sample of the moment's slot; read now if there is none yet.
    pub(crate) fn at(
        &mut self,
        at: Moment,
        read: impl FnOnce(&mut K) -> Result<T, Absent>,
    ) -> Result<&T, Absent> {
        self.sample.take_if(|(slot, _)| *slot != at.slot());
        self.read_if_empty(at, read)
    }

    /// The moment's slot has no sample, whatever was read in it.
    pub(crate) fn set_absent(&mut self, at: Moment, why: Absent) {
        self.sample = Some((at.slot(), Err(Box::new(why))));
    }

    /// The slot of the last sample, if there is one.
    pub(crate) fn slot(&self) -> Option<u64> {
        self.sample.as_ref().map(|(slot, _)| *slot)
    }

    /// Whether the moment's slot has its sample.
    pub(crate) fn has(&self, at: Moment) -> bool {
        self.slot() == Some(at.slot())
    }

    /// A value that does not change while the host runs. Read again only after a failed read.
    pub(crate) fn once(
        &mut self,
        at: Moment,
        read: impl FnOnce(&mut K) -> Result<T, Absent>,
    ) -> Result<&T, Absent> {
        self.sample.take_if(|(slot, sample)| sample.is_err() && *slot != at.slot());
        self.read_if_empty(at, read)
    }

    fn read_if_empty(
        &mut self,
        at: Moment,
        read: impl FnOnce(&mut K) -> Result<T, Absent>,
    ) -> Result<&T, Absent> {
        let read = || (at.slot(), read(&mut self.kept).map_err(Box::new));
        let (_, sample) = self.sample.get_or_insert_with(read);
        sample.as_ref().map_err(|absent| Absent::clone(absent))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_millis(millis))
    }

    #[test]
    fn all_who_ask_in_one_slot_get_one_sample() {
        let mut cached: Cached<u64, u32> = Cached::default();
        for millis in [0, 1, 99, 100, 199, 5_000] {
            let sample = cached.at(at(millis), |reads| {
                *reads += 1;
                Ok(millis)
            });
            assert_eq!(sample, Ok(&(millis / 100 * 100)));
        }
        assert_eq!(cached.kept, 3);
    }

    #[test]
    fn a_constant_is_read_until_reading_it_succeeds() {
        let mut cached: Cached<(), u32> = Cached::default();
        for millis in [0, 50, 100, 200, 300, 10_000] {
            let _ = cached.once(at(millis), |reads| {
                *reads += 1;
                if *reads == 2 { Ok(()) } else { Err(Absent::NO_PROC) }
            });
        }
        assert_eq!(cached.kept, 2);
    }
}
