//! CPU: whether the vCPUs ran when they wanted to, and what kept them from running.
//!
//! A vCPU waits in a run queue while others run, but also after its own quota is used up: a thread
//! that the kernel throttles stays runnable, so its run-queue delay includes the throttled time
//! (cgroup's cpu.stat counts that once for each CPU the guest was held back on). The rest of the
//! delay is waiting for a CPU. If the host is itself a virtual machine, a vCPU can also be on a
//! host CPU that is not running. That is steal, and none of the guest's own figures show it.
//!
//! The host may also set a quota around the guest's own cgroup. Its throttling counts all guests
//! under it, so it shows that the guest was held back but not for how long.
//!
//! One of many vCPUs may wait while the others do not, and so does the work in the guest that needs
//! it. So if all vCPUs together lost little, the one that waited most is judged on its own.
//!
//! A guest whose vCPUs did not wait is still slow if the threads that serve its devices
//! waited, so these are judged after the vCPUs.

mod blame;
mod part;
mod pools;
mod reason;

use std::time::Duration;

use part::{Cause, Part};
use reason::{Report, Whose};

use crate::lost::{Lost, to_report};
use crate::share::Share;
use crate::verdict::Verdict;
use crate::words::Words;
use crate::{Interval, Permits, WAITED};

/// Judges the run-queue delay of the guest's threads, separately in each part of the window:
/// neighbours that were busy before the guest became busy are not a reason.
pub(crate) fn cpu(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    let interval = interval.with(|s| {
        let of_all = s.cpu.vcpus.is_some() && s.cpu.run.is_some() && s.cpu.delay.is_some();
        of_all && s.cpu.vcpu_delays.is_some()
    });
    let parts: Option<Vec<_>> = interval.parts().map(Part::of).collect();
    let parts = parts.filter(|parts| !parts.is_empty());
    let (Some(parts), Some(whole)) = (parts, Part::of(interval.whole())) else {
        return interval.too_few(|| {
            "this host does not measure how long your vCPUs ran and waited".to_owned()
        });
    };
    let words = Words::new(permits, interval.length);
    let vcpus: Vec<_> = parts.iter().map(Part::vcpus).collect();
    let threads: Vec<_> = parts.iter().map(Part::threads).collect();
    let are_threads_known = threads.iter().all(Option::is_some);
    // If it is not known whether the threads waited in a part, the part counts as one without
    // waiting. Other parts can still show that they waited, and no verdict then says that they did
    // not.
    let threads = parts.iter().zip(threads);
    let threads: Vec<_> = threads
        .map(|(part, lost)| lost.unwrap_or_else(|| Lost::none(part.span.length, Duration::ZERO)))
        .collect();
    let judged = |whose: Whose, lost: &[Lost<Cause>]| {
        let (lost, burst) = to_report(lost)?;
        let told = match burst {
            None => Report { lost, part: whole, words, whose },
            Some(burst) => {
                let words = words.of_burst(lost.length, words.may_name(whose.stats()));
                Report { lost, part: interval.span(burst).and_then(Part::of)?, words, whose }
            }
        };
        Some(told.verdict())
    };
    let one_vcpu = || {
        let lost = whole.worst_vcpu(&Lost::sum(&vcpus))?;
        Some(Report { lost, part: whole, words, whose: Whose::OneVcpu }.verdict())
    };
    judged(Whose::Vcpus, &vcpus)
        .or_else(|| Some(reason::stolen(stolen(&interval, &whole)?, words)))
        .or_else(|| judged(Whose::Threads, &threads))
        .or_else(one_vcpu)
        .unwrap_or_else(|| reason::no_wait(&whole, &Lost::sum(&vcpus), are_threads_known, words))
}

/// The share of its busy time in which the host did not run. The guest's share is assumed to be the
/// same, if it ran at all.
fn stolen(interval: &Interval<'_>, whole: &Part<'_>) -> Option<Share> {
    let stolen = interval.time(|s| s.cpu.host_stolen)?;
    let share = Share::of(stolen, interval.time(|s| s.cpu.host_busy)?);
    (share >= WAITED && whole.vcpus().share_of(whole.run) >= WAITED).then_some(share)
}

#[cfg(test)]
mod tests;
