//! Whether disks hang. An operation is counted when it completes, so one that hangs is never
//! counted.

use std::time::Duration;

use super::disk::{Use, uses};
use crate::WAITED;
use crate::interval::{Interval, Span};
use crate::lost::{BURST, burst};
use crate::share::Share;

/// What shows that disks that completed nothing may hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hang {
    /// The guest's process waited for I/O.
    Own,
    /// Tasks of the host waited for I/O. The guest's process does not show it if the kernel does
    /// its I/O for it (`io='native'` and `io='io_uring'`).
    Host,
}

/// A hang in the whole window, or in a part of it in which the guest's process waited.
pub(super) fn hang<'a>(interval: &Interval<'a>) -> Option<(Hang, Span<'a>)> {
    let whole = interval.whole();
    let waited = |span: &Span<'a>, at_least| {
        unexplained(span).is_some_and(|stall| Share::of(stall, span.length) >= at_least)
    };
    if waited(&whole, WAITED) {
        return Some((Hang::Own, whole));
    }
    let parts = interval.parts().map(|part| (part.length, waited(&part, BURST)));
    if let Some(span) = burst(parts).and_then(|burst| interval.span(burst)) {
        return Some((Hang::Own, span));
    }
    let stall = whole.time(|s| s.io.host_stall).unwrap_or_default();
    let is_pressed = Share::of(stall, whole.length) >= WAITED;
    let disks = uses(&whole);
    let are_idle = !disks.is_empty() && disks.iter().all(Use::is_idle);
    (are_idle && is_pressed).then_some((Hang::Host, whole))
}

/// How long the guest's process waited for I/O beyond the operations that its disks completed, if
/// one of them completed nothing. Beside a disk that works, time waited for memory may account for
/// all of the rest: the kernel counts reading swapped memory back as both kinds of waiting.
fn unexplained(span: &Span<'_>) -> Option<Duration> {
    let disks = uses(span);
    disks.iter().any(Use::is_idle).then_some(())?;
    let stall = span.time(|s| s.io.stall)?;
    if disks.iter().all(Use::is_idle) {
        return Some(stall);
    }
    let memory = span.time(|s| s.memory.stall).unwrap_or_default();
    let completed = disks.iter().map(|disk| disk.all().time);
    Some(stall.saturating_sub(completed.fold(memory, Duration::saturating_add)))
}
