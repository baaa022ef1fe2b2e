//! What became of the guest's disks.

use std::cmp::Reverse;
use std::time::Duration;

use hostinfo_catalog::StatId;

use crate::interval::Span;
use crate::sample::stats::{DISK_LATENCY, DISK_LIMIT_BYTES, DISK_LIMIT_OPS};
use crate::sample::{Disk, Sample};
use crate::share::Share;
use crate::words::{Words, bytes, millis};

/// The mean time of an operation from which a disk is slow. Microsoft's and VMware's guides call
/// 20 and 25 ms bad for a database and a guest's disk; a single hard disk that is not overloaded
/// takes 5 to 10 ms.
pub(super) const SLOW: Duration = Duration::from_millis(20);

/// Who has fewer operations waiting at a time, in thousandths, does not queue up for itself.
const QUEUE: u128 = 2000;

/// The share in the operations of the host's disks from which nobody else hinders a guest.
const ALONE: Share = Share::percent(90);

/// The share of a limit at which a disk is at it: QEMU lets bursts through, and ends a little
/// below.
const AT_LIMIT: Share = Share::percent(90);

/// What became of a disk.
pub(super) struct Use<'a> {
    pub(super) span: Span<'a>,
    /// The time between the figures.
    pub(super) length: Duration,
    pub(super) name: &'a str,
    pub(super) ops: u64,
    /// What the operations took, each for itself.
    pub(super) time: Duration,
    pub(super) errors: u64,
    bytes: Option<u64>,
    limit_ops: Option<u64>,
    limit_bytes: Option<u64>,
}

/// A limit that a disk is at, in a second.
pub(super) enum Limit {
    Ops(u64),
    Bytes(u64),
}

/// All disks that there is something to tell of, that which was waited for most first.
pub(super) fn uses<'a>(span: &Span<'a>) -> Vec<Use<'a>> {
    let disks = span.after.io.disks.iter().enumerate();
    let mut uses: Vec<_> = disks.filter_map(|(at, disk)| Use::of(at, disk, span)).collect();
    uses.sort_by_key(|disk| Reverse(disk.time));
    uses
}

impl<'a> Use<'a> {
    /// `None` where it is not known at both ends, or only once.
    fn of(at: usize, now: &'a Disk, span: &Span<'a>) -> Option<Self> {
        let length = Some(span.of_devices()).filter(|length| !length.is_zero())?;
        let before = find(span.before, at, &now.name)?;
        let rise = |figure: fn(&Disk) -> Option<u64>| figure(now)?.checked_sub(figure(before)?);
        Some(Self {
            span: *span,
            length,
            name: &now.name,
            ops: rise(|disk| disk.ops)?,
            time: now.time?.checked_sub(before.time?)?,
            errors: rise(|disk| disk.errors).unwrap_or_default(),
            bytes: rise(|disk| disk.bytes),
            limit_ops: now.limit_ops,
            limit_bytes: now.limit_bytes,
        })
    }

    pub(super) fn latency(&self) -> Duration {
        mean(self.time, self.ops)
    }

    /// The limit that it is at.
    pub(super) fn limit(&self) -> Option<Limit> {
        let is_at = |used: Option<u64>, limit: &u64| {
            let allowed = u128::from(*limit).saturating_mul(self.length.as_nanos());
            let used = used.map(|used| u128::from(used).saturating_mul(1_000_000_000));
            allowed > 0 && used.is_some_and(|used| Share::ratio(used, allowed) >= AT_LIMIT)
        };
        let ops = self.limit_ops.filter(|limit| is_at(Some(self.ops), limit)).map(Limit::Ops);
        ops.or_else(|| self.limit_bytes.filter(|limit| is_at(self.bytes, limit)).map(Limit::Bytes))
    }

    /// How many operations waited at a time, on average, in thousandths (Little's law).
    pub(super) fn queue(&self) -> u128 {
        self.time.as_nanos().saturating_mul(1000) / self.length.as_nanos().max(1)
    }

    /// It would be fast enough if the guest gave it one operation after another, and hardly anybody
    /// else uses the host's disks.
    pub(super) fn queues_up_alone(&self) -> bool {
        let one_by_one = self.length.as_nanos() / u128::from(self.ops.max(1));
        let is_alone = self
            .span
            .rise(|s| s.io.host_ops)
            .is_some_and(|all| all > 0 && Share::ratio(self.ops.into(), all.into()) >= ALONE);
        is_alone && self.queue() >= QUEUE && one_by_one < SLOW.as_nanos()
    }

    pub(super) fn may_be_told(&self, words: Words<'_>) -> bool {
        words.may_name_of(DISK_LATENCY, self.name)
    }

    /// How a sentence about the disk ends.
    pub(super) fn took(&self, words: Words<'_>) -> String {
        let window = words.window();
        if self.may_be_told(words) {
            format!(": an operation took {} on average in {window}", millis(self.latency()))
        } else {
            format!(" in {window}")
        }
    }

    /// The limit in the words that the guest may read.
    pub(super) fn at_limit(&self, words: Words<'_>) -> String {
        let told = |stat: StatId, text: String| match words.may_name_of(stat, self.name) {
            true => format!(" of {text} a second"),
            false => String::new(),
        };
        match self.limit() {
            Some(Limit::Ops(limit)) => told(DISK_LIMIT_OPS, format!("{limit} operations")),
            Some(Limit::Bytes(limit)) => told(DISK_LIMIT_BYTES, bytes(limit)),
            None => String::new(),
        }
    }
}

/// The disk of that name, which most probably is where it was.
fn find<'s>(sample: &'s Sample, at: usize, name: &str) -> Option<&'s Disk> {
    let disks = &sample.io.disks;
    let same = disks.get(at).filter(|disk| disk.name == name);
    same.or_else(|| disks.iter().find(|disk| disk.name == name))
}

pub(crate) fn mean(time: Duration, ops: u64) -> Duration {
    let nanos = time.as_nanos() / u128::from(ops.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
