//! Network: whether the host passed on what the guest sent and should have received.
//!
//! Only the host drops what the guest sends. Packets to the guest are dropped when the queue that
//! the guest takes them from is full: they came faster than the guest took them, and either side
//! may be to blame. libvirt's limits delay packets, or drop them without counting it, so an
//! interface at its limit is held up whether or not drops are seen.
//!
//! Drops at the host's own interfaces affect everybody, and some packets there are meant for nobody
//! on the host. They show that the host drops packets, but not whose.

mod cause;
mod reason;
mod way;

use cause::{drops_on_host, held_up};
use way::{Way, uses};

use crate::lost::burst;
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::Words;
use crate::{Interval, Permits};

/// If the host drops at least this share of packets, for whatever reason, no guest can be sure of
/// its own.
const HOST_LOSSY: Share = Share::percent(1);

/// Judges drops at the guest's interfaces against their limits and the host's drops.
pub(crate) fn net(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    // libvirt does not always answer in time for a sample.
    let told = interval.with(|s| s.net.has_figures());
    let words = Words::new(permits, told.length);
    let (whole, uses) = (told.whole(), uses(&told.whole()));
    if uses.is_empty() {
        let words = Words::new(permits, interval.length);
        return told.too_few(|| words.untold("network interfaces", interval));
    }
    if let Some((at, cause)) = held_up(&whole) {
        return reason::held_up(&at, cause, words);
    }
    let parts = told.parts().map(|part| (part.length, held_up(&part).is_some()));
    let span = burst(parts).and_then(|burst| told.span(burst));
    if let Some((span, (at, cause))) = span.and_then(|span| Some((span, held_up(&span)?))) {
        let words = words.of_burst(span.length, at.may_be_named(words));
        return reason::held_up(&at, cause, words);
    }
    let host_drops =
        [Way::Rx, Way::Tx].into_iter().any(|way| drops_on_host(&whole, way, HOST_LOSSY));
    if host_drops {
        return words.verdict(State::Unknown, reason::host_drops(words));
    }
    if uses.iter().any(|at| at.drops.is_none()) {
        return words.verdict(State::Unknown, reason::drops_uncounted(words));
    }
    words.verdict(State::Ok, reason::passed(&uses, words))
}

#[cfg(test)]
mod tests;
