//! What the guest lost between two samples, and for whose sake.

use std::time::Duration;

use hostinfo_sample::Used;

use super::fault::Faults;
use crate::interval::{Span, reaches};
use crate::lost::{self, Lost};
use crate::share::Share;
use crate::verdict::State;

/// The share of a limit at which a cgroup is at it: the kernel frees memory in steps.
const AT_LIMIT: Share = Share::percent(90);

/// Times a second that tasks of the host had to free memory before they got some: a host that has
/// enough frees it beforehand (kswapd) and counts none.
const RECLAIMS_PER_SECOND: u64 = 1;

/// The smallest page that a fault can bring back.
pub(super) const PAGE: u64 = 4096;

/// What makes memory missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    OwnLimit,
    /// One that the host set around the guest's own cgroup.
    LimitAround,
    Host,
    /// The guest is near its own limit and the host is short: nothing shows which of them it was.
    LimitOrHost,
    /// It was swapped out before anything was watched, for whatever reason.
    Earlier,
    Unexplained,
}

impl lost::Cause for Cause {
    fn state(self) -> State {
        match self {
            Self::OwnLimit => State::SelfLimited,
            Self::LimitAround | Self::Host => State::Contended,
            Self::LimitOrHost | Self::Earlier | Self::Unexplained => State::Unknown,
        }
    }
}

/// What the guest lost between two samples, as far as it was measured. `None` where nothing shows
/// whether it waited.
pub(super) fn lost(span: &Span<'_>) -> Option<Lost<Cause>> {
    let (stall, faults) = (stall(span), Faults::of(span));
    let for_faults = faults.map(Faults::at_least);
    // Either may be a part of the other.
    let waited = stall.into_iter().chain(for_faults).max()?;
    let mut lost = Lost::none(span.length, Duration::ZERO);
    lost.add(cause(span), waited);
    Some(lost)
}

/// Time that the guest's VMM waited for memory.
pub(super) fn stall(span: &Span<'_>) -> Option<Duration> {
    span.time(|s| s.memory.stall)
}

/// Page cache counts towards a limit, and a guest whose disks are cached is near its limit most of
/// the time: a limit is blamed where it was also reached in this time, if the kernel counts that.
fn cause(span: &Span<'_>) -> Cause {
    let (before, after) = (&span.before.memory, &span.after.memory);
    // What a limit made of the guest's memory is felt after it was raised, too.
    let is_near = |one: Option<Used>, other: Option<Used>| {
        one.into_iter().chain(other).any(|used| is_at_limit(&used))
    };
    let hits = span.rise(|s| s.memory.hits).map(|hits| hits > 0);
    let hits_around = span.rise(|s| s.memory.hits_around).map(|hits| hits > 0);
    let is_near_own = is_near(before.used, after.used);
    if is_near_own && hits == Some(true) {
        Cause::OwnLimit
    } else if is_near_own && hits.is_none() {
        if is_host_short(span) { Cause::LimitOrHost } else { Cause::OwnLimit }
    } else if is_near(before.used_around, after.used_around) && hits_around != Some(false) {
        Cause::LimitAround
    } else if is_host_short(span) || hits != Some(true) && is_swapped_out(span) {
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

/// Tasks had to free memory because all of the host had too little. Its pressure and what it swaps
/// out do not show that: both rise as well when some other guest is at a limit of its own.
pub(super) fn is_host_short(span: &Span<'_>) -> bool {
    let reclaims = span.rise(|s| s.memory.host_reclaims);
    reclaims.is_some_and(|reclaims| reaches(reclaims, RECLAIMS_PER_SECOND, span.length))
}

/// The host swaps out this guest: more of it than before, or at least half of what was read back
/// meanwhile. Without a limit that it reached, only the host does that.
fn is_swapped_out(span: &Span<'_>) -> bool {
    let (before, after) = (span.before.memory.swapped, span.after.memory.swapped);
    let Some((before, after)) = before.zip(after) else { return false };
    let is_replaced = || {
        let faults = Faults::of(span).map_or(0, |faults| faults.number);
        let freed = span.rise(|s| s.memory.freed_for_host).unwrap_or_default();
        // Each fault on swapped memory reads at least a page back.
        faults > 0 && freed >= faults && before.saturating_sub(after) / PAGE <= faults / 2
    };
    after > before || after > 0 && is_replaced()
}
