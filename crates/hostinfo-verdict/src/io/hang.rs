//! Whether disks hang: an operation counts once it is completed, and one that hangs never is.

use std::time::Duration;

use super::disk::{Use, uses};
use crate::WAITED;
use crate::interval::{Interval, Span};
use crate::lost::{BURST, burst};
use crate::share::Share;

/// Why disks that completed nothing may hang.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Hang {
    /// The guest's process waited for I/O.
    Own,
    /// Tasks of the host waited for I/O. The guest's process does not show it where the kernel does
    /// its I/O for it (`io='native'` and `io='io_uring'`).
    Host,
}

/// In all of the window, or in a part of it in which the guest's process waited.
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

/// For how long the guest's process waited for I/O other than the operations that its disks completed, where
/// one of them completed nothing. Beside a disk that works, what it waited for memory may be all of the
/// rest: the kernel counts reading swapped memory back as waiting for both.
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
