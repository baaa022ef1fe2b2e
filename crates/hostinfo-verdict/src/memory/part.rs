//! What the guest lost between two samples, and for whose sake.

use std::time::Duration;

use hostinfo_sample::Used;

use crate::WAITED;
use crate::interval::{Span, reaches};
use crate::lost::{self, Lost};
use crate::share::Share;
use crate::verdict::State;

/// What a major fault costs at the least: the 5 to 10 ms that a disk takes. Ten a second are
/// [`WAITED`]. Where the kernel tells how long the guest waited, that counts as well.
const FAULT: Duration = Duration::from_millis(5);

/// The share of a limit at which a cgroup is at it: the kernel frees memory in steps.
const AT_LIMIT: Share = Share::percent(90);

/// Times a second that tasks of the host had to free memory before they got some: a host that has
/// enough frees it beforehand (kswapd) and counts none.
const RECLAIMS_PER_SECOND: u64 = 1;

/// What makes memory missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    OwnLimit,
    /// One that the host set around the guest's own cgroup.
    LimitAround,
    Host,
    /// It was swapped out before anything was watched, for whatever reason.
    Earlier,
    Unexplained,
}

impl lost::Cause for Cause {
    fn state(self) -> State {
        match self {
            Self::OwnLimit => State::SelfLimited,
            Self::LimitAround | Self::Host => State::Contended,
            Self::Earlier | Self::Unexplained => State::Unknown,
        }
    }
}

/// What the guest lost between two samples. `None` where that is not known.
pub(super) fn lost(span: &Span<'_>) -> Option<Lost<Cause>> {
    let (stall, faults) = (stall(span), faults(span));
    let for_faults = faults.map(cost);
    // Either may be a part of the other.
    let waited = stall.into_iter().chain(for_faults).max()?;
    let mut lost = Lost::none(span.length, Duration::ZERO);
    lost.add(cause(span), waited);
    Some(lost)
}

/// What so many major faults cost at the least.
pub(super) fn cost(faults: u64) -> Duration {
    FAULT.saturating_mul(u32::try_from(faults).unwrap_or(u32::MAX))
}

/// Time that the guest's VMM waited for memory.
pub(super) fn stall(span: &Span<'_>) -> Option<Duration> {
    span.time(|s| s.memory.stall)
}

/// Major faults, whoever took them.
pub(super) fn faults(span: &Span<'_>) -> Option<u64> {
    let all = span.rise(|s| s.memory.all_faults);
    all.into_iter().chain(span.rise(|s| s.memory.faults)).max()
}

fn cause(span: &Span<'_>) -> Cause {
    let (before, after) = (&span.before.memory, &span.after.memory);
    // What a limit made of the guest's memory is felt after it was raised, too.
    let is_reached = |one: Option<Used>, other: Option<Used>| {
        one.into_iter().chain(other).any(|used| is_at_limit(&used))
    };
    if is_reached(before.used, after.used) {
        Cause::OwnLimit
    } else if is_reached(before.used_around, after.used_around) {
        Cause::LimitAround
    } else if is_host_short(span) || swaps_out(span) {
        Cause::Host
    } else if after.swapped.max(before.swapped) > Some(0) {
        Cause::Earlier
    } else {
        Cause::Unexplained
    }
}

pub(super) fn is_at_limit(used: &Used) -> bool {
    Share::ratio(used.bytes.into(), used.limit.into()) >= AT_LIMIT
}

/// Tasks of the host wait for memory that are not this guest's.
pub(super) fn is_host_short(span: &Span<'_>) -> bool {
    let host = span.time(|s| s.memory.host_stall);
    let others = host.map(|host| host.saturating_sub(stall(span).unwrap_or_default()));
    let reclaims = span.rise(|s| s.memory.host_reclaims);
    others.is_some_and(|stall| Share::of(stall, span.length) >= WAITED)
        || reclaims.is_some_and(|reclaims| reaches(reclaims, RECLAIMS_PER_SECOND, span.length))
}

/// The host swaps out just now, and has swapped out some of the guest. What it reads back may have
/// been swapped out for a limit that was raised since.
fn swaps_out(span: &Span<'_>) -> bool {
    let swapped = span.after.memory.swapped;
    swapped > Some(0)
        && (swapped > span.before.memory.swapped
            || span.rise(|s| s.memory.host_swap_out).is_some_and(|bytes| bytes > 0))
}
