//! The operations that a disk completed, by kind.

use std::time::Duration;

use crate::sample::Done;

/// A kind of operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Read,
    Write,
    Flush,
}

/// Completed operations.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Work {
    pub(super) ops: u64,
    pub(super) bytes: u64,
    /// Sum of the times of the single operations.
    pub(super) time: Duration,
}

impl Kind {
    pub(super) const ALL: [Self; 3] = [Self::Read, Self::Write, Self::Flush];

    /// One operation of this kind, in words.
    pub(super) fn one(self) -> &'static str {
        match self {
            Self::Read => "a read",
            Self::Write => "a write",
            Self::Flush => "a flush",
        }
    }

    pub(super) fn many(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
            Self::Flush => "flushes",
        }
    }
}

impl Work {
    /// Zero if the kind has no figures; `None` if a figure is unknown at either end.
    pub(super) fn of(now: &Done, before: &Done) -> Option<Self> {
        let (Some(ops), Some(time)) = (now.ops, now.time) else { return Some(Self::default()) };
        let bytes = |done: &Done| done.bytes.unwrap_or_default();
        Some(Self {
            ops: ops.checked_sub(before.ops?)?,
            bytes: bytes(now).saturating_sub(before.bytes.unwrap_or_else(|| bytes(now))),
            time: time.checked_sub(before.time?)?,
        })
    }

    pub(super) fn and(self, other: Self) -> Self {
        Self {
            ops: self.ops.saturating_add(other.ops),
            bytes: self.bytes.saturating_add(other.bytes),
            time: self.time.saturating_add(other.time),
        }
    }

    pub(super) fn latency(&self) -> Duration {
        mean(self.time, self.ops)
    }
}

pub(crate) fn mean(time: Duration, ops: u64) -> Duration {
    let nanos = time.as_nanos() / u128::from(ops.max(1));
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}
