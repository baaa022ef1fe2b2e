//! I/O: whether the guest's disks answered in time, and what they were held up by.
//!
//! QEMU counts an operation from when the guest gave it, so the time that its own throttling holds
//! an operation back is in the latency: the limits are looked at first. Only what was completed is
//! counted.

use std::cmp::Reverse;
use std::time::Duration;

use crate::sample::stats::{DISK_LATENCY, DISK_LIMIT_BYTES, DISK_LIMIT_OPS, IO_PRESSURE};
use crate::sample::{Disk, Sample};
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::{Words, bytes, millis};
use crate::{Interval, Permits, WAITED};

/// The mean time of an operation from which a disk is slow. Microsoft's and VMware's guides call
/// 20 and 25 ms bad for a database and a guest's disk; a single hard disk that is not overloaded
/// takes 5 to 10 ms.
const SLOW: Duration = Duration::from_millis(20);

/// The share of a limit at which a disk is at it: QEMU lets bursts through, and ends a little
/// below.
const AT_LIMIT: Share = Share::percent(90);

/// Judges the disk that the guest waited for most, against its limits and the host's pressure.
pub fn io(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    let words = Words::new(permits, interval.length);
    let disks = &interval.after.io.disks;
    let mut uses: Vec<Use<'_>> = disks.iter().filter_map(|disk| Use::of(disk, interval)).collect();
    uses.sort_by_key(|disk| Reverse(disk.time));
    let Some(most) = uses.first() else {
        return Verdict::new(State::Unknown, "this host does not tell how your disks answer");
    };
    if uses.iter().all(|disk| disk.ops == 0) {
        let reason = format!("your disks completed no operation in {}", words.window());
        return Verdict::new(State::Ok, reason);
    }
    let host = interval.time(|s| s.io.host_stall);
    let is_host_short = host.is_some_and(|stall| Share::of(stall, interval.length) >= WAITED);
    let held_up = uses.iter().find_map(|disk| {
        if Share::of(disk.time, interval.length) < WAITED {
            return None;
        }
        let took = disk.took(words);
        let name = words.disk(disk.name);
        if let Some(limit) = disk.limit(interval, words) {
            let reason = format!("{name} was at its own limit{limit}{took}");
            Some(Verdict::new(State::SelfLimited, reason))
        } else if disk.latency() < SLOW {
            None
        } else if is_host_short {
            let pressure = words.pressure(host, "I/O", IO_PRESSURE);
            let reason = format!("{name} was slow on the host{took}{pressure}");
            Some(Verdict::new(State::Contended, reason))
        } else {
            let reason = format!(
                "{name} was slow{took}; neither its own limits nor the host's pressure say why"
            );
            Some(Verdict::new(State::Unknown, reason))
        }
    });
    held_up.unwrap_or_else(|| {
        Verdict::new(State::Ok, format!("your disks answered in time{}", most.took(words)))
    })
}

/// What became of a disk.
struct Use<'a> {
    name: &'a str,
    ops: u64,
    /// What the operations took, each for itself.
    time: Duration,
    bytes: Option<u64>,
    limit_ops: Option<u64>,
    limit_bytes: Option<u64>,
}

impl<'a> Use<'a> {
    /// `None` where it is not known at both ends.
    fn of(disk: &'a Disk, interval: &Interval<'_>) -> Option<Self> {
        fn find<'s>(sample: &'s Sample, name: &str) -> Option<&'s Disk> {
            sample.io.disks.iter().find(|disk| disk.name == name)
        }
        let rise = |figure: fn(&Disk) -> Option<u64>| {
            interval.rise(|sample| find(sample, &disk.name).and_then(figure))
        };
        Some(Self {
            name: &disk.name,
            ops: rise(|disk| disk.ops)?,
            time: interval.time(|sample| find(sample, &disk.name)?.time)?,
            bytes: rise(|disk| disk.bytes),
            limit_ops: disk.limit_ops,
            limit_bytes: disk.limit_bytes,
        })
    }

    fn latency(&self) -> Duration {
        let nanos = self.time.as_nanos() / u128::from(self.ops.max(1));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// The limit that it is at, in the words that the guest may read.
    fn limit(&self, interval: &Interval<'_>, words: Words<'_>) -> Option<String> {
        let at = |used: Option<u64>, limit: Option<u64>| {
            let limit = limit.filter(|limit| *limit > 0)?;
            let allowed = u128::from(limit).saturating_mul(interval.length.as_nanos());
            let used = u128::from(used?).saturating_mul(1_000_000_000);
            (allowed > 0 && Share::ratio(used, allowed) >= AT_LIMIT).then_some(limit)
        };
        let told = |stat, text: String| match words.may_name_of(stat, self.name) {
            true => format!(" of {text} a second"),
            false => String::new(),
        };
        at(Some(self.ops), self.limit_ops)
            .map(|limit| told(DISK_LIMIT_OPS, format!("{limit} operations")))
            .or_else(|| {
                at(self.bytes, self.limit_bytes).map(|limit| told(DISK_LIMIT_BYTES, bytes(limit)))
            })
    }

    /// How a sentence about the disk ends.
    fn took(&self, words: Words<'_>) -> String {
        let window = words.window();
        if words.may_name_of(DISK_LATENCY, self.name) {
            format!(": an operation took {} on the mean of {window}", millis(self.latency()))
        } else {
            format!(" in {window}")
        }
    }
}

#[cfg(test)]
mod tests;
