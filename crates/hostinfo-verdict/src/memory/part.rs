//! What the guest lost between two samples, and to what.

use std::time::Duration;

use hostinfo_sample::Used;

use super::fault::Faults;
use crate::interval::{Span, reaches};
use crate::lost::{self, Lost};
use crate::share::Share;
use crate::verdict::State;

/// A cgroup is at its limit from this share of the limit on: the kernel frees memory in steps.
const AT_LIMIT: Share = Share::percent(90);

/// From this rate on, the host is short of memory: times a second that its tasks had to free memory
/// before they got some. A host with enough frees it beforehand (kswapd) and counts none.
const RECLAIMS_PER_SECOND: u64 = 1;

/// The smallest page that a fault can bring back.
pub(super) const PAGE: u64 = 4096;

/// Why memory was missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    OwnLimit,
    /// A limit that the host set around the guest's own cgroup.
    LimitAround,
    Host,
    /// The guest is near its own limit and the host is short. Nothing shows which of them it was.
    LimitOrHost,
    /// The memory was swapped out before the guest was watched, for an unknown reason.
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

/// What the guest lost between two samples, as far as it was measured. `None` if nothing shows
/// whether it waited.
pub(super) fn lost(span: &Span<'_>) -> Option<Lost<Cause>> {
    let (stall, faults) = (stall(span), Faults::of(span));
    let for_faults = faults.map(Faults::at_least);
    // Either may be contained in the other.
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
/// the time. So if the kernel counts how often a limit was reached, a limit is blamed only if it
/// was reached in this time.
fn cause(span: &Span<'_>) -> Cause {
    let (before, after) = (&span.before.memory, &span.after.memory);
    // Memory that a limit pushed out is still missed after the limit was raised.
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

/// Whether tasks had to free memory because the whole host had too little. The host's pressure and
/// the amount it swaps out do not show that: both also rise if some other guest is at a limit of
/// its own.
pub(super) fn is_host_short(span: &Span<'_>) -> bool {
    let reclaims = span.rise(|s| s.memory.host_reclaims);
    reclaims.is_some_and(|reclaims| reaches(reclaims, RECLAIMS_PER_SECOND, span.length))
}

/// Whether the host swaps out this guest: more of it is swapped out than before, or at least half
/// of what was read back meanwhile was replaced. If the guest reached no limit, only the host does
/// that.
fn is_swapped_out(span: &Span<'_>) -> bool {
    let (before, after) = (span.before.memory.swapped, span.after.memory.swapped);
    let Some((before, after)) = before.zip(after) else { return false };
    let is_replaced = || {
        let faults = Faults::of(span).map_or(0, |faults| faults.number);
        let freed = span.rise(|s| s.memory.freed_for_host).unwrap_or_default();
        // Each fault on swapped memory reads back at least one page.
        faults > 0 && freed >= faults && before.saturating_sub(after) / PAGE <= faults / 2
    };
    after > before || after > 0 && is_replaced()
}
