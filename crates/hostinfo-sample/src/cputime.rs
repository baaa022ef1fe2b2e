//! How the CPUs spent their time from one reading of `/proc/stat` to the next.
//!
//! The line of all CPUs falls when a CPU goes offline and takes its idle time with it, leaps when
//! the CPU comes back, and includes the absurd figures of any single CPU. The lines of single CPUs
//! tell these cases apart. So the gain of the line of all CPUs is counted as long as the same CPUs
//! are online and each gained what it can. Otherwise the count is what those CPUs gained that were
//! online before and still are.
//!
//! A ratio needs figures that belong together: idle time that was dropped would look like work. So
//! ratios use only the CPUs whose figures are all sound.

use std::collections::{HashMap, HashSet};
use std::ops::RangeInclusive;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::Moment;
use crate::counter::{Counter, NO_COUNT, Pace, Step};
use crate::cpulist::CPUS_MAX;

/// User, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice, in ticks. Guest time
/// is also part of user, and guest_nice of nice. `None`: this kernel does not count it.
pub(crate) type Line = [Option<u64>; 10];

/// The same without guests' time in user and nice, and with one figure for all guest time.
pub(crate) type Times = [Option<u64>; 9];

/// A figure may fall by the ticks of one second divided by this, and is still used for a ratio. Idle
/// and iowait waver by a few ticks, since the kernel estimates them.
const WAVER: u64 = 10;

/// How many figures of a line add up to all of a CPU's time: those before the guest figures.
const ALL_TIME: usize = 8;

/// Ticks of CPUs whose figures belong together, in the order of [`Line`]. They waver.
pub(crate) type Fit = [Option<i64>; 10];

/// Stands for the line of all CPUs if there are no lines of single CPUs.
const ALL: u32 = u32::MAX;

/// The CPU lines of `/proc/stat`.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct CpuLines {
    /// The line of all CPUs, including those that went offline.
    pub(crate) all: Line,
    /// The lines of single CPUs that are online, each with its number; at most [`CPUS_MAX`].
    pub(crate) single: Vec<(u32, Line)>,
}

/// The CPUs' times since boot as reported, and what is needed to continue from there.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct CpuTimes {
    all: Option<(Line, Moment)>,
    single: HashMap<u32, [Counter; 10], lru::DefaultHasher>,
    counted: [u64; 9],
    fit: [i64; 10],
}

/// Ticks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticks {
    /// Since boot; they never fall.
    pub(crate) times: Times,
    /// Since the first reading; used for ratios.
    pub(crate) fit: Fit,
}

impl CpuTimes {
    /// Whether nothing was read yet.
    pub(crate) fn is_new(&self) -> bool {
        self.all.is_none()
    }

    /// Takes the current reading. `up` is how long the host has been up, if known: no CPU has
    /// counted for longer.
    pub(crate) fn add(
        &mut self,
        lines: &CpuLines,
        at: Moment,
        ticks_per_second: u64,
        up: Option<Duration>,
    ) -> Ticks {
        let pace = |cpus: usize| {
            let cpus = u64::try_from(cpus).unwrap_or(u64::MAX);
            Pace(ticks_per_second.saturating_mul(cpus))
        };
        let alone = [(ALL, lines.all)];
        let (single, cpu, all) = match lines.single.as_slice() {
            // It is not known how many CPUs the figures cover.
            [] => (&alone[..], pace(CPUS_MAX), pace(CPUS_MAX)),
            single => (single, pace(1), pace(single.len())),
        };
        match self.all.replace((lines.all, at)) {
            None => {
                self.counted = without_guests(since_boot(&lines.all, single, up, cpu, all));
                for (number, times) in single {
                    self.single.insert(*number, counters(times, at));
                }
            }
            Some((before, then)) => {
                let most = signed(all.most(at.since(then)));
                let waver = -signed(ticks_per_second / WAVER);
                let whole = each(lines.all, before, change);
                let parts = self.step(single, at, cpu, waver);
                let counted = without_guests(parts.counted(whole, &(0..=most)));
                self.counted = each(self.counted, counted, u64::saturating_add);
                let fit = parts.fit(whole, &(waver..=most));
                self.fit = each(self.fit, fit, i64::saturating_add);
            }
        }
        let [all @ .., _] = lines.all;
        Ticks {
            times: each(all, self.counted, |told, ticks| told.map(|_| ticks)),
            fit: each(lines.all, self.fit, |told, ticks| told.map(|_| ticks)),
        }
    }

    /// What single CPUs gained. For a ratio, a figure may fall by `waver`.
    fn step(&mut self, single: &[(u32, Line)], at: Moment, pace: Pace, waver: i64) -> Parts {
        let mut parts = Parts { same: true, ..Parts::default() };
        for (number, times) in single {
            let Some(cpu) = self.single.get_mut(number) else {
                self.single.insert(*number, counters(times, at));
                parts.same = false;
                continue;
            };
            let mut steps = [Step::Doubted; 10];
            for ((step, counter), now) in steps.iter_mut().zip(cpu).zip(times) {
                *step = counter.step(now.unwrap_or(0), at, pace);
            }
            parts.add(steps, times, waver);
        }
        if self.single.len() != single.len() {
            let online: HashSet<u32> = single.iter().map(|(number, _)| *number).collect();
            self.single.retain(|number, _| online.contains(number));
            parts.same = false;
        }
        parts
    }
}

/// What the CPUs gained that were online before and still are.
#[derive(Debug, Default)]
struct Parts {
    /// The same CPUs are online as before.
    same: bool,
    /// A CPU's figure rose by more than it can, now or at the last reading.
    doubted: [bool; 10],
    counted: [u64; 10],
    fit: [i64; 10],
}

impl Parts {
    /// Adds a CPU with its current figures.
    fn add(&mut self, steps: [Step; 10], now: &Line, waver: i64) {
        // Nearly always, each figure rose by what it can: then all of it counts.
        if let Some(gains) = gains(steps) {
            self.counted = each(self.counted, gains, u64::saturating_add);
            self.fit = each(self.fit, gains, |sum, gain| sum.saturating_add(signed(gain)));
            return;
        }
        self.counted = each(self.counted, steps, |sum, step| match step {
            Step::Gained(gain) | Step::Settled(gain) => sum.saturating_add(gain),
            Step::Fell(_) | Step::Doubted => sum,
        });
        let changes = each(steps, *now, |step, now| match step {
            Step::Gained(gain) => Some(signed(gain)),
            Step::Fell(from) => Some(change(now, Some(from))),
            Step::Settled(_) | Step::Doubted => None,
        });
        self.doubted = each(self.doubted, changes, |doubted, change| doubted || change.is_none());
        if changes.iter().take(ALL_TIME).all(|change| change.is_some_and(|change| change >= waver))
        {
            self.fit =
                each(self.fit, changes, |sum, change| sum.saturating_add(change.unwrap_or(0)));
        }
    }

    /// What is counted, given that the line of all CPUs changed by `whole`.
    fn counted(&self, whole: [i64; 10], sound: &RangeInclusive<i64>) -> [u64; 10] {
        let whole = each(whole, self.doubted, |change, doubted| {
            let is_sound = self.same && !doubted && sound.contains(&change);
            u64::try_from(change).ok().filter(|_| is_sound)
        });
        each(whole, self.counted, Option::unwrap_or)
    }

    /// What a ratio is made of.
    fn fit(&self, whole: [i64; 10], sound: &RangeInclusive<i64>) -> [i64; 10] {
        let is_sound = self.same
            && !self.doubted.iter().take(ALL_TIME).any(|doubted| *doubted)
            && whole.iter().take(ALL_TIME).all(|change| sound.contains(change));
        if is_sound { whole } else { self.fit }
    }
}

/// What all figures gained; `None` if one did anything else.
fn gains(steps: [Step; 10]) -> Option<[u64; 10]> {
    let mut gains = [0; 10];
    for (gain, step) in gains.iter_mut().zip(steps) {
        let Step::Gained(of_it) = step else { return None };
        *gain = of_it;
    }
    Some(gains)
}

fn change(now: Option<u64>, before: Option<u64>) -> i64 {
    let (now, before) = (now.unwrap_or(0), before.unwrap_or(0));
    now.checked_sub(before).map_or_else(|| -signed(before - now), signed)
}

fn signed(ticks: u64) -> i64 {
    i64::try_from(ticks).unwrap_or(i64::MAX)
}

/// The first values reported: the line of all CPUs. A figure that no host can have reached by then
/// is replaced by the sum over the CPUs whose figure is possible.
fn since_boot(
    all: &Line,
    single: &[(u32, Line)],
    up: Option<Duration>,
    cpu: Pace,
    most: Pace,
) -> [u64; 10] {
    let bound = |pace: Pace| up.map_or(NO_COUNT - 1, |up| pace.most(up));
    let mut sums = [0u64; 10];
    for (_, times) in single {
        sums = each(sums, *times, |sum, ticks| {
            sum.saturating_add(ticks.filter(|ticks| *ticks <= bound(cpu)).unwrap_or(0))
        });
    }
    each(*all, sums, |ticks, sum| match ticks {
        Some(ticks) if ticks > bound(most) => sum,
        ticks => ticks.unwrap_or(0),
    })
}

fn counters(line: &Line, at: Moment) -> [Counter; 10] {
    line.map(|ticks| Counter::new(ticks.unwrap_or(0), at))
}

/// Takes guests' time out of user and nice. The kernel updates the two one after the other, so
/// guest time may exceed the total for an instant.
fn without_guests(ticks: [u64; 10]) -> [u64; 9] {
    let [user, nice, system, idle, iowait, irq, softirq, steal, guest, guest_nice] = ticks;
    let (user, nice) = (user.saturating_sub(guest), nice.saturating_sub(guest_nice));
    let guests = guest.saturating_add(guest_nice);
    [user, nice, system, idle, iowait, irq, softirq, steal, guests]
}

/// Combines each figure of one with that of the other.
fn each<A: Copy, B: Copy, C: Copy + Default, const N: usize>(
    left: [A; N],
    right: [B; N],
    both: impl Fn(A, B) -> C,
) -> [C; N] {
    let mut made = [C::default(); N];
    for ((made, left), right) in made.iter_mut().zip(left).zip(right) {
        *made = both(left, right);
    }
    made
}

#[cfg(test)]
mod tests;
