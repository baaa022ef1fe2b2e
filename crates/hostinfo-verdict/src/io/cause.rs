//! What held the guest's disks up.

use std::time::Duration;

use super::cgroup::{self, NEAR_LIMIT, Whose};
use super::disk::{AT_LIMIT, FAST, SLOW, Use, uses};
use super::work::{Kind, mean};
use crate::WAITED;
use crate::interval::Span;
use crate::share::Share;
use crate::verdict::State;

/// What holds a disk up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Failed,
    Limit,
    /// A limit of a cgroup on the host's disks.
    Cgroup(Whose),
    Host,
    /// The disk has a limit that cannot be compared with its figures.
    UnclearLimit,
    /// The guest's own operations queue up on disks that nobody else was seen to use.
    OwnQueue,
    /// Slower than a healthy disk and not yet slow, while others wait for I/O.
    Slowed,
    Unexplained,
}

impl Cause {
    pub(super) fn state(self) -> State {
        match self {
            Self::Failed | Self::Host | Self::Cgroup(Whose::Hosts) => State::Contended,
            Self::Limit | Self::Cgroup(Whose::Own) => State::SelfLimited,
            Self::UnclearLimit | Self::OwnQueue | Self::Slowed | Self::Unexplained => {
                State::Unknown
            }
        }
    }
}

/// A disk that was held up.
pub(super) struct HeldUp<'a> {
    pub(super) disk: Use<'a>,
    /// The kind of operation that was held up, if known.
    pub(super) kind: Option<Kind>,
    pub(super) cause: Cause,
}

/// The disk that was held up the longest, if that was at least this share of the time.
pub(super) fn held_up<'a>(span: &Span<'a>, at_least: Share) -> Option<HeldUp<'a>> {
    let mut disks = uses(span);
    if let Some(failed) = disks.iter().position(|disk| disk.errors > 0) {
        let disk = disks.swap_remove(failed);
        return Some(HeldUp { disk, kind: None, cause: Cause::Failed });
    }
    disks.into_iter().find_map(|disk| {
        let (kind, cause) = leading(&disk, at_least)?;
        Some(HeldUp { disk, kind: Some(kind), cause })
    })
}

/// The kind of operation that was held up the longest, if all kinds together were held up for at
/// least this share of the time. Kinds whose cause is known come first if they alone reach that
/// share.
fn leading(disk: &Use<'_>, at_least: Share) -> Option<(Kind, Cause)> {
    let time = |kind| disk.of_kind(kind).time;
    let is_felt = |time| Share::of(time, disk.length) >= at_least;
    let kinds = Kind::ALL.into_iter().filter_map(|kind| Some((kind, cause(disk, kind)?)));
    let held_up: Vec<(Kind, Cause)> = kinds.collect();
    let all = held_up.iter().fold(Duration::ZERO, |sum, (kind, _)| sum.saturating_add(time(*kind)));
    let most = held_up.into_iter().max_by_key(|(kind, cause)| {
        (cause.state() != State::Unknown && is_felt(time(*kind)), time(*kind))
    });
    most.filter(|_| is_felt(all))
}

fn cause(disk: &Use<'_>, kind: Kind) -> Option<Cause> {
    if disk.limit(kind).is_some() {
        return Some(Cause::Limit);
    }
    let latency = disk.of_kind(kind).latency();
    if latency < SLOW {
        let may_be_slowed = latency > FAST && are_disks_slow(&disk.span);
        return may_be_slowed.then_some(Cause::Slowed);
    }
    let of_cgroup = |at_least| cgroup::reached(&disk.span, kind, at_least).map(Cause::Cgroup);
    if let Some(cause) = of_cgroup(AT_LIMIT) {
        return Some(cause);
    }
    Some(if disk.limits.is_unclear && kind != Kind::Flush {
        Cause::UnclearLimit
    } else if disk.queues_up() {
        Cause::OwnQueue
    } else if are_disks_slow(&disk.span) {
        Cause::Host
    } else {
        of_cgroup(NEAR_LIMIT).unwrap_or(Cause::Unexplained)
    })
}

/// Whether others wait for I/O too, or the host's own disks are as slow.
fn are_disks_slow(span: &Span<'_>) -> bool {
    let stall = span.time(|s| s.io.host_stall);
    let own = span.time(|s| s.io.stall).unwrap_or_default();
    stall.is_some_and(|stall| Share::of(stall.saturating_sub(own), span.length) >= WAITED)
        || host_latency(span).is_some_and(|latency| latency >= SLOW)
}

/// Mean time of an operation on the host's own disks.
pub(super) fn host_latency(span: &Span<'_>) -> Option<Duration> {
    let ops = span.rise(|s| s.io.host_ops).filter(|ops| *ops > 0)?;
    Some(mean(span.time(|s| s.io.host_time)?, ops))
}
