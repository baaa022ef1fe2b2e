//! Memory: whether the guest waited for memory it did not have, and who took it.
//!
//! If a guest reaches a limit, the kernel reclaims from that cgroup however much memory the host
//! has. So the guest's own limit is checked first, and then those around it. The host's pressure
//! and the amount it swaps out also count any guest at a limit of its own. So the host is blamed
//! only if it had to free memory for all.
//!
//! Most pages that the host swapped out are fetched by a kernel thread on the guest's behalf while
//! its vCPU does something else or idles (KVM's asynchronous page faults). Neither the VMM's own
//! faults nor its pressure show them, but the faults on its cgroup's memory do. One fault costs as
//! much time as the host's disks took for a read just then: 0.1 ms on flash, and 5 ms on a hard
//! disk.
//!
//! If memory that the balloon took is missed, it is missed inside the guest, which no host can see.

mod fault;
mod part;
mod reason;

use reason::Report;

use crate::lost::to_report;
use crate::verdict::Verdict;
use crate::words::Words;
use crate::{Interval, Permits};

/// Judges stalls and major faults against limits and the host's reclaim, separately in each part of
/// the window.
pub(crate) fn memory(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    let interval = interval.with(|s| {
        s.memory.stall.is_some() || s.memory.faults.is_some() || s.memory.all_faults.is_some()
    });
    let parts: Option<Vec<_>> = interval.parts().map(|part| part::lost(&part)).collect();
    let Some(parts) = parts.filter(|parts| !parts.is_empty()) else {
        return interval
            .too_few(|| "this host does not measure how long you waited for memory".to_owned());
    };
    let whole = interval.whole();
    let words = Words::new(permits, interval.length);
    let Some((lost, burst)) = to_report(&parts) else {
        return reason::no_wait(&whole, words);
    };
    let (span, words) = match burst.and_then(|burst| interval.span(burst)) {
        Some(span) => (span, words.of_burst(span.length, words.may_name(reason::WAITS))),
        None => (whole, words),
    };
    Report { span, words }.verdict(&lost)
}

#[cfg(test)]
mod tests;
