//! Sums of counters that never fall.
//!
//! A counter that a guest sees never falls while the daemon lives, whatever the kernel does. A plain sum over
//! devices would fall when a device goes away. Holding its highest value would make it stand still until the
//! other devices make up for the loss. So [`Tally`] adds up the gain of each device instead, and what a device
//! has counted stays in the sum. `counter.rs` lists the other types that count.

use std::collections::HashMap;

use hostinfo_handover::bytes::Key;
use serde::{Deserialize, Serialize};

/// How much counts of what a device has counted before it was first seen, if others were seen earlier.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Newcomers {
    /// Newly created cgroups: all of it was counted since they were created.
    CountFromZero,
    /// CPUs that came back online with their old figures: how much of it is new is not known.
    CountFromNow,
}

/// Sums over devices that come, go and restart, of `N` figures each.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Tally<const N: usize> {
    #[serde(with = "hostinfo_handover::pairs")]
    devices: HashMap<Key, Device<N>>,
    #[serde(with = "hostinfo_handover::array")]
    sums: [u64; N],
    round: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Device<const N: usize> {
    #[serde(with = "hostinfo_handover::array")]
    last: [u64; N],
    round: u64,
}

/// Sums over all devices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Sums<const N: usize> {
    pub(crate) sums: [u64; N],
    /// The current number of devices.
    pub(crate) devices: u64,
}

impl<const N: usize> Default for Tally<N> {
    fn default() -> Self {
        Self { devices: HashMap::new(), sums: [0; N], round: 0 }
    }
}

impl<const N: usize> Tally<N> {
    /// Adds what the devices counted since the last call. `None` for a device means that it exists but its
    /// figures could not be read.
    pub(crate) fn add<Name: AsRef<[u8]>>(
        &mut self,
        newcomers: Newcomers,
        rows: impl Iterator<Item = (Name, Option<[u64; N]>)>,
    ) -> Sums<N> {
        let from_zero = self.round == 0 || newcomers == Newcomers::CountFromZero;
        self.round += 1;
        for (name, figures) in rows {
            let name = name.as_ref();
            match (self.devices.get_mut(name), figures) {
                (Some(device), _) if device.round == self.round => {}
                (Some(device), None) => device.round = self.round,
                (Some(device), Some(now)) => {
                    device.round = self.round;
                    for ((sum, last), now) in self.sums.iter_mut().zip(device.last).zip(now) {
                        *sum = sum.saturating_add(gain(last, now));
                    }
                    device.last = now;
                }
                (None, None) => {}
                (None, Some(now)) => {
                    if from_zero {
                        for (sum, now) in self.sums.iter_mut().zip(now) {
                            *sum = sum.saturating_add(now);
                        }
                    }
                    let device = Device { last: now, round: self.round };
                    self.devices.insert(Key(name.to_owned()), device);
                }
            }
        }
        self.devices.retain(|_, device| device.round == self.round);
        Sums { sums: self.sums, devices: u64::try_from(self.devices.len()).unwrap_or(u64::MAX) }
    }
}

/// What a counter gained from `last` to `now`. A counter that restarted, or wrapped at 32 bits, is far below
/// its last value and counts from zero. One that is slightly below was added up from parts while they changed;
/// counting it from zero would double the sum.
pub fn gain(last: u64, now: u64) -> u64 {
    if now >= last {
        now - last
    } else if now < last / 2 {
        now
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    use Newcomers::{CountFromNow, CountFromZero};

    fn sum(tally: &mut Tally<1>, rows: &[(&str, u64)]) -> u64 {
        sum_with(CountFromZero, tally, rows)
    }

    fn sum_with(newcomers: Newcomers, tally: &mut Tally<1>, rows: &[(&str, u64)]) -> u64 {
        let rows = rows.iter().map(|(name, figure)| (*name, Some([*figure])));
        tally.add(newcomers, rows).sums[0]
    }

    #[test]
    fn the_first_sum_is_that_since_boot() {
        let mut tally = Tally::default();
        assert_eq!(sum(&mut tally, &[("sda", 100), ("sdb", 10)]), 110);
        assert_eq!(sum(&mut tally, &[("sda", 105), ("sdb", 10)]), 115);
    }

    #[test]
    fn a_sum_neither_falls_nor_stalls_when_a_device_goes_away_or_restarts() {
        let mut tally = Tally::default();
        assert_eq!(sum(&mut tally, &[("sda", 100), ("sdb", 1_000)]), 1_100);
        assert_eq!(sum(&mut tally, &[("sda", 101)]), 1_101);
        assert_eq!(sum(&mut tally, &[("sda", 102), ("sdb", 7)]), 1_109);
        assert_eq!(sum(&mut tally, &[("sda", 3), ("sdb", 8)]), 1_113);
    }

    #[test]
    fn a_counter_that_falls_by_a_little_is_not_counted_twice() {
        let mut tally = Tally::default();
        assert_eq!(sum(&mut tally, &[("eth0", 1_000)]), 1_000);
        assert_eq!(sum(&mut tally, &[("eth0", 999)]), 1_000);
        assert_eq!(sum(&mut tally, &[("eth0", 1_005)]), 1_006);
    }

    #[test]
    fn a_cpu_that_comes_online_does_not_bring_its_old_count() {
        let mut tally = Tally::default();
        let mut step = |rows: &[_]| sum_with(CountFromNow, &mut tally, rows);
        assert_eq!(step(&[("0", 50)]), 50);
        assert_eq!(step(&[("0", 50), ("1", 40)]), 50);
        assert_eq!(step(&[("0", 50), ("1", 41)]), 51);
    }

    #[test]
    fn a_device_whose_line_was_unreadable_once_is_not_counted_twice() {
        let mut tally = Tally::default();
        let mut step = |figures| tally.add(CountFromZero, [("sda", figures)].into_iter());
        assert_eq!(step(Some([100])), Sums { sums: [100], devices: 1 });
        assert_eq!(step(None), Sums { sums: [100], devices: 1 });
        assert_eq!(step(Some([101])), Sums { sums: [101], devices: 1 });
    }

    proptest! {
        #[test]
        fn no_sum_ever_falls(
            steps in prop::collection::vec(prop::collection::vec((0u8..4, any::<u64>()), 0..6), 0..20),
        ) {
            let mut tally = Tally::default();
            let mut before = 0;
            for rows in steps {
                let rows = rows.iter().map(|(name, figure)| ([*name], Some([*figure])));
                let after = tally.add(CountFromZero, rows).sums[0];
                prop_assert!(after >= before);
                before = after;
            }
        }
    }
}
