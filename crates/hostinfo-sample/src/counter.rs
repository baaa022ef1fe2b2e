//! One of the kernel's counters, from one reading to the next.
//!
//! Such counters fall: a CPU that goes offline takes its idle time with it, and a driver that is
//! reset starts at zero. They also jump: steal time that went below zero reads as slightly less
//! than 2^64, often for a single reading. So a gain is believed only if the elapsed time allows it.
//! The first number that is too high is set aside. If the next reading agrees with those before it,
//! that one number was absurd. If the next reading continues from the high number, so does the
//! count, without the jump.
//!
//! Guests see only counters that never fall. Which type makes one depends on what is counted:
//!
//! | type | what it continues |
//! |---|---|
//! | [`GuestCounter`] | one number of the host, such as a line of `/proc/vmstat` |
//! | `cputime::CpuTimes` | the lines of `/proc/stat`, of all CPUs and of each |
//! | `devices::Devices` | sums over disks or interfaces, which are recognized when they come back |
//! | `tally::Tally` | sums over what comes and goes under a name and starts anew when it is back: cgroups, CPUs |
//! | `vmm::file_counters::FileCounters` | the numbers of one file of a guest, whose process or cgroup may change |
//!
//! The first three judge each number with a [`Counter`]. The last two believe every gain, see `tally::gain`.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Moment;

/// Numbers from here on are not counts: they are what is left of a counter that went below zero. A
/// machine that counted 2^37 a second, the limit of [`Pace::DEVICE`], would take two years to get
/// there.
pub(crate) const NO_COUNT: u64 = 1 << 63;

/// The most a counter can gain in a second.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Pace(pub(crate) u64);

impl Pace {
    /// For a disk or an interface, and for the kernel's memory counters: 137 GB/s. The fastest
    /// interfaces reach 800 Gbit/s. Operations, packets and pages are fewer than bytes.
    pub(crate) const DEVICE: Self = Self(1 << 37);

    /// The largest gain believed for `time`: what can be gained in twice that time plus ten
    /// seconds. Readings are late on a busy host, and a CPU without ticks updates its times up to a
    /// second late. Absurd numbers are off by hours to years.
    pub(crate) fn most(self, time: Duration) -> u64 {
        let millis = time.as_millis().saturating_mul(2).saturating_add(10_000);
        u64::try_from(millis.saturating_mul(u128::from(self.0)) / 1000).unwrap_or(u64::MAX)
    }

    /// Whether a gain is believed for any time, however short. Nearly all are, and this takes fewer instructions: a
    /// host with 256 CPUs has 2,560 counters of their times.
    fn allows(self, gain: u64) -> bool {
        gain <= self.0.saturating_mul(10)
    }
}

/// A number and when it was read.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
struct Reading {
    number: u64,
    at: Moment,
}

impl Reading {
    /// The gain since this reading. `None` if the number fell, or rose by more than it can.
    fn gain(self, now: Self, pace: Pace) -> Option<u64> {
        let gain = now.number.checked_sub(self.number)?;
        (pace.allows(gain) || gain <= pace.most(now.at.since(self.at))).then_some(gain)
    }
}

/// What is known about a counter.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Counter {
    last: Reading,
    /// The reading after `last` that was too high.
    doubted: Option<Reading>,
}

/// What happened to a counter from one reading to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// It gained this much since the last reading.
    Gained(u64),
    /// The last reading was doubted. The gain is since the reading before it, or since the doubted
    /// one if the counter continued from there.
    Settled(u64),
    /// It fell from this number; counting continues from the current one.
    Fell(u64),
    /// It rose by more than it can; the gain is not known yet.
    Doubted,
}

impl Counter {
    /// A counter at its first reading.
    pub(crate) fn new(number: u64, at: Moment) -> Self {
        Self { last: Reading { number, at }, doubted: None }
    }

    /// The number when it was last believed.
    pub(crate) fn last(&self) -> u64 {
        self.last.number
    }

    /// Takes the current reading.
    pub(crate) fn step(&mut self, number: u64, at: Moment, pace: Pace) -> Step {
        let now = Reading { number, at };
        let doubted = self.doubted.take();
        let gain = self.last.gain(now, pace).or_else(|| doubted?.gain(now, pace));
        let step = match gain {
            Some(gain) if doubted.is_some() => Step::Settled(gain),
            Some(gain) => Step::Gained(gain),
            None if number < self.last.number => Step::Fell(self.last.number),
            None => {
                self.doubted = Some(now);
                return Step::Doubted;
            }
        };
        self.last = now;
        step
    }
}

/// One of the kernel's counters as guests see it: it never falls, continues after a fall, and
/// contains no jump.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub(crate) struct GuestCounter {
    counter: Option<Counter>,
    sum: u64,
}

impl GuestCounter {
    /// What to report for `number`. `range`: where the counter starts over. If it is below its last
    /// reading and would have gained at most half of the range by starting over, it did; otherwise it
    /// fell. `None` if `number` is the first one and is not a count.
    pub(crate) fn report(
        &mut self,
        number: u64,
        at: Moment,
        pace: Pace,
        range: Option<u64>,
    ) -> Option<u64> {
        let gain = match &mut self.counter {
            None => {
                self.counter = Some(Counter::new(countable(number)?, at));
                number
            }
            Some(counter) => match counter.step(number, at, pace) {
                Step::Gained(gain) | Step::Settled(gain) => gain,
                Step::Fell(from) => range
                    .and_then(|range| {
                        gain_around(from, number, range).filter(|gain| *gain <= range / 2)
                    })
                    .unwrap_or(0),
                Step::Doubted => 0,
            },
        };
        self.sum = self.sum.saturating_add(gain);
        Some(self.sum)
    }
}

/// The number, if it can be a count.
pub(crate) fn countable(number: u64) -> Option<u64> {
    (number < NO_COUNT).then_some(number)
}

/// What a counter gained that wrapped around at `range`.
pub(crate) fn gain_around(from: u64, to: u64, range: u64) -> Option<u64> {
    range.checked_sub(from)?.checked_add(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PACE: Pace = Pace(100);

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    /// What is reported for these numbers, each read a second after the one before.
    fn reported(numbers: &[u64], range: Option<u64>) -> Vec<u64> {
        let mut counter = GuestCounter::default();
        let seconds = numbers.iter().zip(0..);
        seconds
            .map(|(now, second)| counter.report(*now, at(second), PACE, range).unwrap())
            .collect()
    }

    #[test]
    fn a_counter_that_falls_counts_on() {
        assert_eq!(reported(&[5_000, 2_000, 2_100, 2_150], None), [5_000, 5_000, 5_100, 5_150]);
        assert_eq!(reported(&[50, 49, 60], None), [50, 50, 61]);
    }

    #[test]
    fn one_absurd_number_is_dropped_without_losing_the_counts_around_it() {
        for absurd in [u64::MAX, u64::MAX - 7, 1 << 63, 5_000] {
            assert_eq!(reported(&[50, absurd, 70, 80], None), [50, 50, 70, 80], "{absurd}");
        }
    }

    #[test]
    fn a_jump_that_stays_is_not_counted_and_what_comes_after_it_is() {
        assert_eq!(reported(&[50, 9_000, 9_010, 9_020], None), [50, 50, 60, 70]);
        assert_eq!(reported(&[50, u64::MAX - 100, u64::MAX - 90], None), [50, 50, 60]);
        assert_eq!(reported(&[50, 9_000, 90_000, 90_001, 90_002], None), [50, 50, 50, 51, 52]);
    }

    #[test]
    fn a_low_number_that_was_absurd_costs_no_more_than_the_gain_of_that_time() {
        assert_eq!(reported(&[5_000, 0, 5_020, 5_030], None), [5_000, 5_000, 5_000, 5_010]);
    }

    #[test]
    fn a_counter_of_32_bits_goes_round_its_end() {
        let range = Some(1 << 32);
        assert_eq!(reported(&[4_294_967_000, 704], range), [4_294_967_000, 4_294_968_000]);
        // It fell: had it wrapped around, it would have gained nearly all of its range.
        assert_eq!(reported(&[1_000, 400, 450], range), [1_000, 1_000, 1_050]);
        assert_eq!(reported(&[5_000_000_000, 2_000_000_000], range), [5_000_000_000; 2]);
    }

    #[test]
    fn a_counter_that_was_below_zero_when_first_read_has_no_count() {
        let mut counter = GuestCounter::default();
        assert_eq!(counter.report(u64::MAX - 7, at(0), PACE, None), None);
        assert_eq!(counter.report(7, at(1), PACE, None), Some(7));
    }

    #[test]
    fn a_day_without_a_reading_is_a_days_gain() {
        let mut counter = GuestCounter::default();
        assert_eq!(counter.report(0, at(0), PACE, None), Some(0));
        assert_eq!(counter.report(8_640_000, at(86_400), PACE, None), Some(8_640_000));
    }

    proptest! {
        #[test]
        fn the_reported_count_never_falls_and_always_goes_on(
            numbers in prop::collection::vec(any::<u64>(), 1..20), last in 0..NO_COUNT / 2,
        ) {
            let mut counter = GuestCounter::default();
            let mut before = 0;
            for (number, second) in numbers.iter().zip(0..) {
                if let Some(now) = counter.report(*number, at(second), PACE, None) {
                    prop_assert!(now >= before);
                    before = now;
                }
            }
            // Whatever came before, it counts from the third sound reading on.
            let report = |counter: &mut GuestCounter, number, second| {
                counter.report(number, at(second), PACE, None)
            };
            report(&mut counter, last, 100);
            let second = report(&mut counter, last + 1, 101).unwrap();
            let third = report(&mut counter, last + 2, 102).unwrap();
            prop_assert!(third == second + 1 || second == u64::MAX);
        }
    }
}
