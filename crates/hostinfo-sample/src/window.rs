//! Ratios over time: the host's CPUs and disks since the newest sample that is old enough.
//!
//! All ratios of a reply speak of the same time, so a sample of the window is one of CPUs and
//! disks together. Nobody samples but those who ask: where nobody asked for an hour, the
//! window is an hour.

use std::collections::VecDeque;
use std::time::Duration;

use hostinfo_catalog::source::CpuShare;
use hostinfo_wire::Value;
use hostinfo_wire::limits::{SAMPLE_GRID, WINDOW_MIN};

use crate::diskstats::BusyTime;
use crate::stat::{self, Ticks};
use crate::{Absent, Moment};

/// How many slots old a sample must be. In slots, so that a guest that asks again after
/// exactly [`WINDOW_MIN`] is answered.
#[allow(clippy::cast_possible_truncation)] // 10
const AGE_MIN: u64 = (WINDOW_MIN.as_millis() / SAMPLE_GRID.as_millis()) as u64;

/// What ratios are made of. `None` is what could not be read then.
pub(crate) struct Sample {
    pub(crate) at: Moment,
    pub(crate) ticks: Option<Ticks>,
    pub(crate) disks: Option<BusyTime>,
}

/// The samples that a later one may be compared with: at most one for each slot of the last
/// second, this one's included, and one that is older.
#[derive(Default)]
pub(crate) struct Window(VecDeque<Sample>);

impl Window {
    /// Whether this slot's sample was taken already.
    pub(crate) fn has(&self, at: Moment) -> bool {
        self.0.back().is_some_and(|sample| sample.at.slot() == at.slot())
    }

    /// Takes the slot's sample, and forgets what no later one will be compared with.
    pub(crate) fn push(&mut self, sample: Sample) {
        let old_enough = sample.at.slot().saturating_sub(AGE_MIN);
        while self.0.get(1).is_some_and(|next| next.at.slot() <= old_enough) {
            self.0.pop_front();
        }
        self.0.push_back(sample);
    }

    /// The time that the ratios of the slot speak of, in whole slots.
    pub(crate) fn span(&self, at: Moment) -> Option<Duration> {
        let slots = at.slot().checked_sub(self.before(at)?.at.slot())?;
        Some(SAMPLE_GRID.saturating_mul(u32::try_from(slots).unwrap_or(u32::MAX)))
    }

    /// A share of the CPUs' time up to this slot's sample.
    pub(crate) fn cpu(&self, what: CpuShare, at: Moment) -> Result<Value<'static>, Absent> {
        let (before, now) = self.both(at, |sample| sample.ticks)?;
        cpu_share(what, &before, &now)
    }

    /// The disks' busy time up to this slot's sample, as a share, mean of all disks.
    pub(crate) fn disk(&self, at: Moment) -> Result<Value<'static>, Absent> {
        let (before, now) = self.both(at, |sample| sample.disks.map(|disks| (sample.at, disks)))?;
        let elapsed = u64::try_from(now.0.since(before.0).as_millis()).unwrap_or(u64::MAX);
        let busy = now.1.millis.saturating_sub(before.1.millis);
        Ok(Value::ratio(busy, elapsed.saturating_mul(now.1.disks)))
    }

    fn both<T>(&self, at: Moment, part: impl Fn(&Sample) -> Option<T>) -> Result<(T, T), Absent> {
        self.before(at).and_then(&part).zip(self.0.back().and_then(&part)).ok_or(Absent::AGAIN)
    }

    fn before(&self, at: Moment) -> Option<&Sample> {
        let old_enough = at.slot().checked_sub(AGE_MIN)?;
        self.0.iter().rev().find(|sample| sample.at.slot() <= old_enough)
    }
}

/// Guests' time is in user's, so busy is all but idle and iowait of the first eight.
fn cpu_share(what: CpuShare, before: &Ticks, now: &Ticks) -> Result<Value<'static>, Absent> {
    let gain: [Option<u64>; 10] =
        std::array::from_fn(|at| gain(before.get(at).copied()?, now.get(at).copied()?));
    let [user, nice, system, idle, iowait, irq, softirq, steal, ..] = gain;
    let sum = |parts: &[Option<u64>]| {
        parts.iter().flatten().fold(0u64, |sum, part| sum.saturating_add(*part))
    };
    let busy = sum(&[user, nice, system, irq, softirq, steal]);
    let all = busy.saturating_add(sum(&[idle, iowait]));
    let part = match what {
        CpuShare::Busy => idle.map(|_| busy),
        CpuShare::Iowait => iowait,
        CpuShare::Steal => steal,
    };
    match part {
        None => Err(stat::UNTOLD),
        // The counters began anew, or stood still: nothing can be said of this time.
        Some(_) if all == 0 => Err(Absent::AGAIN),
        Some(part) => Ok(Value::ratio(part, all)),
    }
}

/// A figure may fall a little: see `tally.rs`.
fn gain(before: Option<u64>, now: Option<u64>) -> Option<u64> {
    Some(now?.saturating_sub(before?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Moment {
        Moment::new(Duration::from_millis(millis))
    }

    fn ticks(busy: u64, idle: u64, iowait: u64, steal: u64) -> Ticks {
        let mut ticks = [Some(0); 10];
        (ticks[0], ticks[3], ticks[4], ticks[7]) =
            (Some(busy), Some(idle), Some(iowait), Some(steal));
        ticks
    }

    fn sample(millis: u64, busy: u64) -> Sample {
        Sample {
            at: at(millis),
            ticks: Some(ticks(busy, millis, 0, 0)),
            disks: Some(BusyTime { millis: busy, disks: 2 }),
        }
    }

    #[test]
    fn shares_are_of_the_time_since_the_newest_sample_that_is_a_second_old() {
        let mut window = Window::default();
        for (millis, busy) in [(0, 0), (1_000, 0), (1_500, 900), (2_050, 1_050)] {
            window.push(sample(millis, busy));
        }
        let now = at(2_050);
        assert_eq!(window.span(now), Some(Duration::from_secs(1)));
        assert_eq!(window.cpu(CpuShare::Busy, now), Ok(Value::Micro(500_000)));
        assert_eq!(window.disk(now), Ok(Value::Micro(500_000)));
    }

    #[test]
    fn who_asks_again_after_exactly_a_second_is_answered() {
        let mut window = Window::default();
        window.push(sample(99, 0));
        assert_eq!(window.cpu(CpuShare::Busy, at(99)), Err(Absent::AGAIN));
        assert_eq!(window.span(at(999)), None);
        window.push(sample(1_099, 100));
        assert_eq!(window.cpu(CpuShare::Busy, at(1_099)), Ok(Value::Micro(90_909)));
        assert_eq!(window.span(at(1_099)), Some(Duration::from_secs(1)));
    }

    #[test]
    fn where_nobody_asked_for_an_hour_the_window_is_an_hour() {
        let mut window = Window::default();
        window.push(sample(0, 0));
        window.push(sample(3_600_000, 0));
        assert_eq!(window.span(at(3_600_000)), Some(Duration::from_secs(3600)));
    }

    #[test]
    fn the_history_is_bounded() {
        let mut window = Window::default();
        for slot in 0..1_000 {
            window.push(sample(slot * 100, 0));
            assert!(window.0.len() <= 11);
            assert!(slot < 10 || window.span(at(slot * 100)) == Some(WINDOW_MIN));
        }
    }

    #[test]
    fn counters_that_began_anew_are_no_ratio() {
        let before = ticks(1_000, 1_000, 10, 10);
        for now in [before, ticks(0, 0, 0, 0)] {
            assert_eq!(cpu_share(CpuShare::Busy, &before, &now), Err(Absent::AGAIN));
        }
    }

    #[test]
    fn idle_time_that_falls_does_not_spoil_the_others() {
        let share = |what| cpu_share(what, &ticks(0, 100, 50, 0), &ticks(60, 99, 60, 30));
        assert_eq!(share(CpuShare::Busy), Ok(Value::Micro(900_000)));
        assert_eq!(share(CpuShare::Iowait), Ok(Value::Micro(100_000)));
        assert_eq!(share(CpuShare::Steal), Ok(Value::Micro(300_000)));
    }

    #[test]
    fn what_the_kernel_does_not_count_has_no_share() {
        let mut old = ticks(10, 10, 10, 0);
        old[7] = None;
        let zero = ticks(0, 0, 0, 0);
        assert_eq!(cpu_share(CpuShare::Steal, &zero, &old), Err(stat::UNTOLD));
        assert_eq!(cpu_share(CpuShare::Busy, &zero, &old), Ok(Value::Micro(333_333)));
    }

    #[test]
    fn disks_that_could_not_be_read_leave_the_cpus_shares() {
        let mut window = Window::default();
        window.push(Sample { disks: None, ..sample(0, 0) });
        window.push(sample(1_000, 1_000));
        assert_eq!(window.disk(at(1_000)), Err(Absent::AGAIN));
        assert_eq!(window.cpu(CpuShare::Busy, at(1_000)), Ok(Value::Micro(500_000)));
    }
}
