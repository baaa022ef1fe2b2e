//! What the guest's interfaces sent, received and dropped.

use std::cmp::Reverse;
use std::time::Duration;

use hostinfo_catalog::StatId;

use crate::interval::Span;
use crate::sample::stats::{RX_DROPS, RX_LIMIT, TX_DROPS, TX_LIMIT};
use crate::sample::{self, Interface, Sample};
use crate::share::Share;
use crate::words::{Words, bytes};

/// An interface is at its limit from this share of the limit on: libvirt allows bursts, and packets
/// sent again after a drop do not count.
const AT_LIMIT: Share = Share::percent(90);

/// A direction, as the guest sees it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Rx,
    Tx,
}

/// What happened in one direction of an interface.
#[derive(Debug)]
pub(super) struct Use<'a> {
    pub(super) number: &'a str,
    pub(super) way: Way,
    /// The time between the interface's figures.
    pub(super) length: Duration,
    pub(super) packets: Option<u64>,
    pub(super) drops: Option<u64>,
    bytes: Option<u64>,
    limit: Option<u64>,
}

/// All directions that have usable figures, those with the most drops first.
pub(super) fn uses<'a>(span: &Span<'a>) -> Vec<Use<'a>> {
    let interfaces = span.after.net.interfaces.iter().enumerate();
    let mut uses: Vec<_> = interfaces
        .flat_map(|(at, now)| [Way::Rx, Way::Tx].map(|way| Use::of(at, now, way, span)))
        .flatten()
        .collect();
    uses.sort_by_key(|at| Reverse(at.drops));
    uses
}

impl<'a> Use<'a> {
    /// `None` if nothing is known about it at both ends.
    fn of(at: usize, now: &'a Interface, way: Way, span: &Span<'a>) -> Option<Self> {
        let length = Some(span.of_devices()).filter(|length| !length.is_zero())?;
        let before = find(span.before, at, &now.number)?.way(way);
        let after = now.way(way);
        let rise =
            |figure: fn(&sample::Way) -> Option<u64>| figure(after)?.checked_sub(figure(before)?);
        let (packets, drops) = (rise(|way| way.passed.packets), rise(|way| way.passed.drops));
        packets.or(drops)?;
        Some(Self {
            number: &now.number,
            way,
            length,
            packets,
            drops,
            bytes: rise(|way| way.bytes),
            limit: after.limit,
        })
    }

    /// The limit that it has reached, in bytes a second.
    pub(super) fn limit(&self) -> Option<u64> {
        let limit = self.limit.filter(|limit| *limit > 0)?;
        let allowed = u128::from(limit).saturating_mul(self.length.as_nanos());
        let used = u128::from(self.bytes?).saturating_mul(1_000_000_000);
        (Share::ratio(used, allowed) >= AT_LIMIT).then_some(limit)
    }

    /// The limit, in as many words as the guest may read.
    pub(super) fn at_limit(&self, words: Words<'_>) -> String {
        let stat = match self.way {
            Way::Rx => RX_LIMIT,
            Way::Tx => TX_LIMIT,
        };
        match self.limit().filter(|_| words.may_name_of(stat, self.number)) {
            Some(limit) => format!(" of {} a second", bytes(limit)),
            None => String::new(),
        }
    }

    pub(super) fn may_be_named(&self, words: Words<'_>) -> bool {
        words.may_name_of(self.drops_stat(), self.number)
    }

    pub(super) fn name(&self, words: Words<'_>) -> String {
        words.device("interface", self.number, self.drops_stat())
    }

    fn drops_stat(&self) -> StatId {
        match self.way {
            Way::Rx => RX_DROPS,
            Way::Tx => TX_DROPS,
        }
    }
}

impl Interface {
    fn way(&self, way: Way) -> &sample::Way {
        match way {
            Way::Rx => &self.rx,
            Way::Tx => &self.tx,
        }
    }
}

/// The interface with that number. It is most likely still at the same index.
fn find<'s>(sample: &'s Sample, at: usize, number: &str) -> Option<&'s Interface> {
    let interfaces = &sample.net.interfaces;
    let same = interfaces.get(at).filter(|interface| interface.number == number);
    same.or_else(|| interfaces.iter().find(|interface| interface.number == number))
}
