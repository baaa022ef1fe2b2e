//! The host's ratios over a window: shares of its CPUs' and its disks' time.

use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::source::{self, CpuShare};
use hostinfo_wire::Value;
use serde::{Deserialize, Serialize};

use crate::cputime::Fit;
use crate::diskstats::BusyTime;
use crate::stat;
use crate::window::{Pair, Window};
use crate::{Absent, Host, Moment};

/// What the host's ratios are made of.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct HostSample {
    pub(crate) ticks: Result<Fit, Absent>,
    pub(crate) disks: Result<BusyTime, Absent>,
}

/// The samples of a host that the ratios of one guest's replies are compared with. Each guest has its own, so that the
/// window does not show when another guest asked. It refers to at most 11 samples, which guests that asked in the same
/// slot share; for a guest that never asks for a ratio, there is none.
#[derive(Clone, Default, Serialize, Deserialize)]
pub struct HostWindow(Window<Arc<HostSample>>);

impl HostWindow {
    /// The window of the slot's ratios, a multiple of the grid's step. `None` if they have no sample to compare
    /// with, or the slot has no sample yet.
    pub fn span(&self, at: Moment) -> Option<Duration> {
        self.0.span(at)
    }

    /// The share over the window that ends now; takes the slot's sample if there is none yet.
    pub(crate) fn share(
        &mut self,
        what: Share,
        host: &mut Host,
        at: Moment,
    ) -> Result<Value<'static>, Absent> {
        if !self.0.has(at) {
            self.0.push(at, host.sample(at));
        }
        what.value(&self.0, |sample| sample, at)
    }
}

/// A ratio of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Share {
    Cpu(CpuShare),
    Disk,
}

impl Share {
    /// `None` for a source that is not a ratio over a window.
    pub(crate) fn of(what: source::Host) -> Option<Self> {
        match what {
            source::Host::CpuShare(what) => Some(Self::Cpu(what)),
            source::Host::DiskBusy => Some(Self::Disk),
            _ => None,
        }
    }

    /// The share over the window that ends now. `host` is the host's part of a sample.
    pub(crate) fn value<T>(
        self,
        window: &Window<T>,
        host: impl Fn(&T) -> &HostSample,
        at: Moment,
    ) -> Result<Value<'static>, Absent> {
        match self {
            Self::Cpu(what) => cpu(what, window.pair(at, |sample| &host(sample).ticks)?),
            Self::Disk => Ok(disk(window.pair(at, |sample| &host(sample).disks)?)),
        }
    }
}

/// User time includes guests' time, so busy is the sum of the first eight without idle and iowait.
fn cpu(what: CpuShare, Pair { before, now, .. }: Pair<Fit>) -> Result<Value<'static>, Absent> {
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
        // No CPU had figures in this time that belong together.
        Some(_) if all == 0 => Err(Absent::AGAIN),
        Some(part) => Ok(Value::ratio(part, all)),
    }
}

/// The disks' busy time, as a mean over all disks.
fn disk(Pair { before, now, elapsed }: Pair<BusyTime>) -> Value<'static> {
    let elapsed = u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX);
    Value::ratio(now.millis.saturating_sub(before.millis), elapsed.saturating_mul(now.disks))
}

/// A figure may have fallen a little.
fn gain(before: Option<i64>, now: Option<i64>) -> Option<u64> {
    Some(u64::try_from(now?.saturating_sub(before?)).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(busy: i64, idle: i64, iowait: i64, steal: i64) -> Fit {
        let mut ticks = [Some(0); 10];
        (ticks[0], ticks[3], ticks[4], ticks[7]) =
            (Some(busy), Some(idle), Some(iowait), Some(steal));
        ticks
    }

    fn share(what: CpuShare, before: Fit, now: Fit) -> Result<Value<'static>, Absent> {
        cpu(what, Pair { before, now, elapsed: Duration::from_secs(1) })
    }

    #[test]
    fn shares_are_of_the_time_since_the_sample_that_is_compared_with() {
        let mut window = Window::default();
        let at = |millis| Moment::new(Duration::from_millis(millis));
        for (millis, busy) in [(0u64, 0), (1_000, 0), (2_050, 1_050)] {
            let ticks = Ok(ticks(busy, millis.try_into().unwrap(), 0, 0));
            let disks = Ok(BusyTime { millis: busy.try_into().unwrap(), disks: 2 });
            window.push(at(millis), HostSample { ticks, disks });
        }
        let told = |share: Share| share.value(&window, |sample| sample, at(2_050));
        assert_eq!(told(Share::Cpu(CpuShare::Busy)), Ok(Value::Micro(500_000)));
        assert_eq!(told(Share::Disk), Ok(Value::Micro(500_000)));
    }

    #[test]
    fn idle_time_that_falls_a_little_does_not_spoil_the_others() {
        let share = |what| share(what, ticks(0, 100, 50, 0), ticks(60, 99, 60, 30));
        assert_eq!(share(CpuShare::Busy), Ok(Value::Micro(900_000)));
        assert_eq!(share(CpuShare::Iowait), Ok(Value::Micro(100_000)));
        assert_eq!(share(CpuShare::Steal), Ok(Value::Micro(300_000)));
    }

    #[test]
    fn counters_that_stood_still_are_no_ratio() {
        let before = ticks(1_000, 1_000, 10, 10);
        assert_eq!(share(CpuShare::Busy, before, before), Err(Absent::AGAIN));
    }

    #[test]
    fn a_time_that_the_kernel_does_not_count_has_no_share() {
        let mut old = ticks(10, 10, 10, 0);
        old[7] = None;
        let zero = ticks(0, 0, 0, 0);
        assert_eq!(share(CpuShare::Steal, zero, old), Err(stat::UNTOLD));
        assert_eq!(share(CpuShare::Busy, zero, old), Ok(Value::Micro(333_333)));
    }
}
