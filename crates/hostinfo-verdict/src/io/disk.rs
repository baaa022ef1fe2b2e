//! What the guest's disks did, and how long it took.

use std::cmp::Reverse;
use std::time::Duration;

use hostinfo_domains::{Limit, Limits};

use super::work::{Kind, Work};
use crate::interval::Span;
use crate::sample::stats::{DISK_LATENCY, DISK_LIMIT_BYTES, DISK_LIMIT_OPS};
use crate::sample::{Disk, Sample};
use crate::share::Share;
use crate::words::{Words, bytes, millis};

/// From this mean time of an operation on, a disk is slow. Microsoft's and VMware's guides call 20
/// and 25 ms bad for a database and a guest's disk; a single hard disk that is not overloaded takes
/// 5 to 10 ms.
pub(super) const SLOW: Duration = Duration::from_millis(20);

/// Up to this mean time nobody waited: a healthy hard disk takes as long.
pub(super) const FAST: Duration = Duration::from_millis(10);

/// A guest with fewer operations waiting at a time, in thousandths, is not held up by its own
/// queue.
const QUEUE: u128 = 2000;

/// From this share of all operations on the host's disks on, the guest counts as their only user: a
/// mirror makes two operations of one write, and the host writes some of its own.
const ALONE: Share = Share::percent(40);

/// A disk is at its limit from this share of the limit on: QEMU allows bursts, and settles slightly
/// below the limit.
pub(super) const AT_LIMIT: Share = Share::percent(90);

/// What a disk did between two samples.
pub(super) struct Use<'a> {
    pub(super) span: Span<'a>,
    /// The time between the disk's figures.
    pub(super) length: Duration,
    pub(super) name: &'a str,
    /// Reads, writes and flushes.
    work: [Work; 3],
    pub(super) errors: u64,
    pub(super) limits: Limits,
    /// Reads and writes of all disks of the guest.
    guest_ops: u64,
}

/// A limit that operations have reached, per second.
pub(super) struct AtLimit {
    unit: Unit,
    limit: u64,
    /// The kind of operation that it limits; `None` for all together.
    of: Option<Kind>,
}

#[derive(Clone, Copy)]
enum Unit {
    Ops,
    Bytes,
}

/// All disks that have usable figures, the one that was waited for most first.
pub(super) fn uses<'a>(span: &Span<'a>) -> Vec<Use<'a>> {
    let disks = span.after.io.disks.iter().enumerate();
    let mut uses: Vec<_> = disks.filter_map(|(at, disk)| Use::of(at, disk, span)).collect();
    let ops = uses.iter().map(|disk| disk.reads_and_writes().ops);
    let guest_ops = ops.fold(0, u64::saturating_add);
    for disk in &mut uses {
        disk.guest_ops = guest_ops;
    }
    uses.sort_by_key(|disk| Reverse(disk.all().time));
    uses
}

impl<'a> Use<'a> {
    /// `None` if the figures are unknown at either end, or are the same ones at both.
    fn of(at: usize, now: &'a Disk, span: &Span<'a>) -> Option<Self> {
        let length = Some(span.of_devices()).filter(|length| !length.is_zero())?;
        let before = find(span.before, at, &now.name)?;
        now.ops().and(now.time())?;
        let errors = now.errors.zip(before.errors);
        Some(Self {
            span: *span,
            length,
            name: &now.name,
            work: [
                Work::of(&now.read, &before.read)?,
                Work::of(&now.write, &before.write)?,
                Work::of(&now.flush, &before.flush)?,
            ],
            errors: errors.map_or(0, |(now, before)| now.saturating_sub(before)),
            limits: now.limits,
            guest_ops: 0,
        })
    }

    pub(super) fn of_kind(&self, kind: Kind) -> Work {
        let [read, write, flush] = self.work;
        match kind {
            Kind::Read => read,
            Kind::Write => write,
            Kind::Flush => flush,
        }
    }

    pub(super) fn all(&self) -> Work {
        self.work.into_iter().fold(Work::default(), Work::and)
    }

    /// Whether it completed nothing.
    pub(super) fn is_idle(&self) -> bool {
        self.all().ops == 0
    }

    fn reads_and_writes(&self) -> Work {
        self.of_kind(Kind::Read).and(self.of_kind(Kind::Write))
    }

    /// The limit that operations of this kind have reached.
    pub(super) fn limit(&self, kind: Kind) -> Option<AtLimit> {
        let both = self.reads_and_writes();
        let own = self.of_kind(kind);
        let of = |limit: &Limit| match kind {
            Kind::Read => limit.read,
            Kind::Write => limit.write,
            Kind::Flush => None,
        };
        // QEMU does not throttle flushes.
        let total = |limit: &Limit| limit.total.filter(|_| kind != Kind::Flush);
        let Limits { ops, bytes, .. } = &self.limits;
        let limits = [
            (Unit::Ops, both.ops, total(ops), None),
            (Unit::Ops, own.ops, of(ops), Some(kind)),
            (Unit::Bytes, both.bytes, total(bytes), None),
            (Unit::Bytes, own.bytes, of(bytes), Some(kind)),
        ];
        limits.into_iter().find_map(|(unit, used, limit, of)| {
            let limit = limit.filter(|limit| part_of(*limit, used, self.length) >= AT_LIMIT)?;
            Some(AtLimit { unit, limit, of })
        })
    }

    /// Mean number of operations waiting at a time, in thousandths (Little's law).
    pub(super) fn queue(&self) -> u128 {
        self.all().time.as_nanos().saturating_mul(1000) / self.length.as_nanos().max(1)
    }

    /// Whether the disk would be fast enough if the guest issued one operation after another, while
    /// nobody else was seen to use the host's disks.
    pub(super) fn queues_up(&self) -> bool {
        let one_by_one = self.length.as_nanos() / u128::from(self.all().ops.max(1));
        let are_others_seen = self
            .span
            .rise(|s| s.io.host_ops)
            .is_some_and(|all| Share::ratio(self.guest_ops.into(), all.into()) < ALONE);
        !are_others_seen && self.queue() >= QUEUE && one_by_one < SLOW.as_nanos()
    }

    pub(super) fn may_be_named(&self, words: Words<'_>) -> bool {
        words.may_name_of(DISK_LATENCY, self.name)
    }

    /// How a sentence about the disk, or about one kind of operation on it, ends.
    pub(super) fn took(&self, kind: Option<Kind>, words: Words<'_>) -> String {
        let window = words.window();
        if !self.may_be_named(words) {
            return format!(" in {window}");
        }
        let work = kind.map_or_else(|| self.all(), |kind| self.of_kind(kind));
        let one = kind.map_or("an operation", Kind::one);
        format!(": {one} took {} on average in {window}", millis(work.latency()))
    }

    /// The same where nothing is wrong.
    pub(super) fn mean(&self, words: Words<'_>) -> String {
        let window = words.window();
        match self.may_be_named(words) {
            true => format!(": {} on average in {window}", millis(self.all().latency())),
            false => format!(" in {window}"),
        }
    }

    /// The limit, in as many words as the guest may read.
    pub(super) fn at_limit(&self, kind: Option<Kind>, words: Words<'_>) -> String {
        let Some(AtLimit { unit, limit, of }) = kind.and_then(|kind| self.limit(kind)) else {
            return String::new();
        };
        match unit {
            Unit::Ops if words.may_name_of(DISK_LIMIT_OPS, self.name) => {
                format!(" of {limit} {} a second", of.map_or("operations", Kind::many))
            }
            Unit::Bytes if words.may_name_of(DISK_LIMIT_BYTES, self.name) => {
                let of = of.map(|kind| format!(" for {}", kind.many())).unwrap_or_default();
                format!(" of {} a second{of}", bytes(limit))
            }
            _ => String::new(),
        }
    }
}

/// Which share of a limit of `limit` per second was used by `used` in `length`. A limit of 0 counts as unused.
pub(super) fn part_of(limit: u64, used: u64, length: Duration) -> Share {
    let allowed = u128::from(limit).saturating_mul(length.as_nanos());
    let used = u128::from(used).saturating_mul(1_000_000_000);
    if allowed > 0 { Share::ratio(used, allowed) } else { Share::default() }
}

/// The disk with that name. It is most likely still at the same index.
fn find<'s>(sample: &'s Sample, at: usize, name: &str) -> Option<&'s Disk> {
    let disks = &sample.io.disks;
    let same = disks.get(at).filter(|disk| disk.name == name);
    same.or_else(|| disks.iter().find(|disk| disk.name == name))
}
