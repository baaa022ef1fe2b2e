//! Major faults on a guest's memory, and what they cost.

use std::time::Duration;

use super::part::is_host_short;
use crate::interval::Span;
use crate::io::mean;

/// Most that one major fault is counted with, however slow the disk: a hard disk takes at least 5 ms.
/// A longer mean includes operations larger than a page.
const FAULT: Duration = Duration::from_millis(5);

/// Most that one costs on a disk whose times are unknown, if the host is short of memory: its swap
/// has many readers and writers, and a queue of ten on a hard disk takes 50 ms.
const FAULT_OF_SHORT_HOST: Duration = Duration::from_millis(50);

/// The major faults of a span.
#[derive(Debug, Clone, Copy)]
pub(super) struct Faults {
    pub(super) number: u64,
    /// Number of reads that the host's disks completed, and the sum of their times.
    reads: Option<(u64, Duration)>,
    /// Most that one fault costs if `reads` is unknown.
    untimed: Duration,
}

impl Faults {
    /// All faults, whoever took them. `None` if they are not counted.
    pub(super) fn of(span: &Span<'_>) -> Option<Self> {
        let all = span.rise(|s| s.memory.all_faults);
        let number = all.into_iter().chain(span.rise(|s| s.memory.faults)).max()?;
        Some(Self::so_many(number, span))
    }

    /// The faults if this many pages were waited for.
    pub(super) fn so_many(number: u64, span: &Span<'_>) -> Self {
        let reads = span.rise(|s| s.memory.host_reads).filter(|reads| *reads > 0);
        let reads = reads.zip(span.time(|s| s.memory.host_read_time));
        let untimed = match is_host_short(span) {
            true => FAULT_OF_SHORT_HOST,
            false => FAULT,
        };
        Self { number, reads, untimed }
    }

    /// Least time that they cost. Zero if the host's disks read nothing or do not show their times:
    /// compressed memory returns a page in microseconds.
    pub(super) fn at_least(self) -> Duration {
        let Some((reads, took)) = self.reads else { return Duration::ZERO };
        // Each read brings back at least the page that one fault waits for.
        times(mean(took, reads).min(FAULT), self.number.min(reads))
    }

    /// Most time that they may have cost.
    pub(super) fn at_most(self) -> Duration {
        match self.reads {
            Some((reads, took)) if reads >= self.number => times(mean(took, reads), self.number),
            _ => times(self.untimed, self.number),
        }
    }
}

fn times(one: Duration, number: u64) -> Duration {
    one.saturating_mul(u32::try_from(number).unwrap_or(u32::MAX))
}
