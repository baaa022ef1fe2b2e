//! What held the guest's interfaces up.

use std::time::Duration;

use super::way::{Use, Way, uses};
use crate::interval::{Span, reaches};
use crate::sample::Passed;
use crate::share::Share;
use crate::verdict::State;

/// From this share of packets on, losing them is felt: if one of a thousand is lost, TCP gets at
/// most 45 Mbit/s through a path of 10 ms (Mathis and others, 1997).
const LOSSY: Share = Share::per_mille(1);

/// Fewer drops a second than this are not felt, whatever their share.
const DROPS_PER_SECOND: u64 = 1;

/// What holds an interface up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Limit,
    /// The host drops packets.
    Host,
    /// The guest did not take them fast enough, for an unknown reason.
    NotTaken,
}

impl Cause {
    pub(super) fn state(self) -> State {
        match self {
            Self::Limit => State::SelfLimited,
            Self::Host => State::Contended,
            Self::NotTaken => State::Unknown,
        }
    }
}

/// The direction that lost the most packets, or else one that is at its limit.
pub(super) fn held_up<'a>(span: &Span<'a>) -> Option<(Use<'a>, Cause)> {
    uses(span).into_iter().find_map(|at| {
        let drops = at.drops.unwrap_or_default();
        let cause = if at.limit().is_some() {
            Cause::Limit
        } else if !is_lossy(at.packets.unwrap_or_default(), drops, LOSSY, at.length) {
            return None;
        } else if at.way == Way::Tx || drops_on_host(span, at.way, LOSSY) {
            Cause::Host
        } else {
            Cause::NotTaken
        };
        Some((at, cause))
    })
}

fn is_lossy(packets: u64, drops: u64, share: Share, length: Duration) -> bool {
    let all = u128::from(packets) + u128::from(drops);
    drops > 0
        && reaches(drops, DROPS_PER_SECOND, length)
        && Share::ratio(drops.into(), all) >= share
}

/// Whether the host drops this share of packets at its own interfaces.
pub(super) fn drops_on_host(span: &Span<'_>, way: Way, share: Share) -> bool {
    let of = |figure: fn(&Passed) -> Option<u64>| {
        span.rise(|s| figure(if way == Way::Rx { &s.net.host_rx } else { &s.net.host_tx }))
    };
    let (packets, drops) = (of(|passed| passed.packets), of(|passed| passed.drops));
    drops.is_some_and(|drops| is_lossy(packets.unwrap_or_default(), drops, share, span.length))
}
