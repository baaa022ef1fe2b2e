//! I/O: whether the guest's disks answered in time, and what held them up.
//!
//! QEMU measures an operation from the moment the guest issues it, so the latency includes the time
//! that its own throttling holds an operation back. So limits are checked first. QEMU counts
//! completed operations, so a disk that hangs has no figures. Only the guest's I/O pressure then
//! shows that the guest waits.
//!
//! Time that a healthy disk takes for an operation does not count as waiting: an operation is never
//! slow up to `FAST`, and between `FAST` and `SLOW` only if others wait for I/O too.
//!
//! The whole window is judged first, and a burst in it only if the whole was not slow.

mod cause;
mod cgroup;
mod disk;
mod hang;
mod reason;
mod work;

use cause::held_up;
use disk::{Use, uses};
use hang::hang;
pub(crate) use work::mean;

use crate::lost::{BURST, burst};
use crate::verdict::{State, Verdict};
use crate::words::Words;
use crate::{Interval, Permits, WAITED};

/// Judges the disk that the guest waited for most, against its limits and the host's disks.
pub(crate) fn io(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    // libvirt does not always answer in time for a sample.
    let told = interval.with(|s| s.io.has_figures());
    let (whole, disks) = (told.whole(), uses(&told.whole()));
    let Some(most) = disks.first() else {
        return told.too_few(|| reason::untold(interval, permits));
    };
    let (interval, words) = (&told, Words::new(permits, told.length));
    if let Some(held_up) = held_up(&whole, WAITED) {
        return reason::held_up(&held_up, words);
    }
    let parts = interval.parts().map(|part| (part.length, held_up(&part, BURST).is_some()));
    let span = burst(parts).and_then(|burst| interval.span(burst));
    if let Some(held_up) = span.and_then(|span| held_up(&span, BURST)) {
        let disk = &held_up.disk;
        let words = words.of_burst(disk.span.length, disk.may_be_named(words));
        return reason::held_up(&held_up, words);
    }
    match hang(interval) {
        Some((hang, span)) => reason::hang(hang, &span, words),
        None if disks.iter().all(Use::is_idle) => words
            .verdict(State::Ok, format!("your disks completed no operation in {}", words.window())),
        None => {
            let reason = format!("your disks answered in time{}", most.mean(words));
            words.verdict(State::Ok, reason)
        }
    }
}

#[cfg(test)]
mod tests;
