//! What held the guest's disks up.

use std::time::Duration;

use super::disk::{SLOW, Use, mean, uses};
use crate::WAITED;
use crate::interval::Span;
use crate::share::Share;
use crate::verdict::State;

/// What holds a disk up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Failed,
    Limit,
    Host,
    /// The guest's own operations queue up on disks that hardly anybody else uses.
    OwnQueue,
    Unexplained,
}

impl Cause {
    pub(super) fn state(self) -> State {
        match self {
            Self::Failed | Self::Host => State::Contended,
            Self::Limit => State::SelfLimited,
            Self::OwnQueue | Self::Unexplained => State::Unknown,
        }
    }
}

/// The disk that was held up for the longest, if that was so much of the time.
pub(super) fn held_up<'a>(span: &Span<'a>, at_least: Share) -> Option<(Use<'a>, Cause)> {
    let mut disks = uses(span);
    if let Some(failed) = disks.iter().position(|disk| disk.errors > 0) {
        return Some((disks.swap_remove(failed), Cause::Failed));
    }
    disks.into_iter().find_map(|disk| {
        let waited = Share::of(disk.time, disk.length) >= at_least;
        let cause = cause(&disk).filter(|_| waited)?;
        Some((disk, cause))
    })
}

fn cause(disk: &Use<'_>) -> Option<Cause> {
    if disk.limit().is_some() {
        return Some(Cause::Limit);
    }
    if disk.latency() < SLOW {
        return None;
    }
    Some(if disk.queues_up_alone() {
        Cause::OwnQueue
    } else if are_disks_slow(&disk.span) {
        Cause::Host
    } else {
        Cause::Unexplained
    })
}

/// Others wait for I/O too, or the host's own disks take as long.
fn are_disks_slow(span: &Span<'_>) -> bool {
    let stall = span.time(|s| s.io.host_stall);
    let own = span.time(|s| s.io.stall).unwrap_or_default();
    stall.is_some_and(|stall| Share::of(stall.saturating_sub(own), span.length) >= WAITED)
        || host_latency(span).is_some_and(|latency| latency >= SLOW)
}

/// The mean time of an operation on the host's own disks.
pub(super) fn host_latency(span: &Span<'_>) -> Option<Duration> {
    let ops = span.rise(|s| s.io.host_ops).filter(|ops| *ops > 0)?;
    Some(mean(span.time(|s| s.io.host_time)?, ops))
}
