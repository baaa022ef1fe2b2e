//! CPU: whether the vCPUs ran when they wanted to, and what kept them from it.
//!
//! A vCPU waits in a run queue when others run, but also when its own quota is used up: a thread
//! that the kernel throttles stays runnable, so its run-queue delay grows with the time throttled
//! (cgroup's cpu.stat, for each CPU that the guest was held back on). What is left of the delay
//! is the waiting for a CPU. Where the host is itself a virtual machine, a vCPU can also have a CPU
//! of the host that does not run: that is steal, and nothing of the guest's own shows it.
//!
//! A quota may also be set around the guest's own cgroup. Its throttling is that of all guests in
//! there, so it tells that the guest was held back and not for how long.
//!
//! One vCPU of many may wait while the others do not, and work in the guest that needs it waits as
//! well: where all together lost little, the one that waited most is judged for itself.
//!
//! A guest whose vCPUs did not wait is slow all the same when the threads that serve its disks and
//! its network did, so these are judged after them.

mod blame;
mod part;
mod pools;
mod reason;

use std::time::Duration;

use part::{Cause, Part};
use reason::{Told, Whose};

use crate::lost::{Lost, worth_telling};
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::Words;
use crate::{Interval, Permits, WAITED};

/// Judges the run-queue delay of the guest's threads, in each part of the window for itself:
/// neighbours that were busy before the guest was are no reason.
pub fn cpu(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    let interval = interval.with(|s| {
        let of_all = s.cpu.vcpus.is_some() && s.cpu.run.is_some() && s.cpu.delay.is_some();
        of_all && s.cpu.vcpu_delays.is_some()
    });
    let parts: Option<Vec<_>> = interval.parts().map(Part::of).collect();
    let parts = parts.filter(|parts| !parts.is_empty());
    let (Some(parts), Some(whole)) = (parts, Part::of(interval.whole())) else {
        return Verdict::new(
            State::Unknown,
            "this host does not measure how long your vCPUs ran and waited",
        );
    };
    let words = Words::new(permits, interval.length);
    let vcpus: Vec<_> = parts.iter().map(Part::vcpus).collect();
    let threads: Vec<_> = parts.iter().map(Part::threads).collect();
    let are_threads_known = threads.iter().all(Option::is_some);
    // A part in which their waiting is not known counts as one without: the other parts can show that
    // they waited, and no verdict then says that they did not.
    let threads = parts.iter().zip(threads);
    let threads: Vec<_> = threads
        .map(|(part, lost)| lost.unwrap_or_else(|| Lost::none(part.span.length, Duration::ZERO)))
        .collect();
    let judged = |whose: Whose, lost: &[Lost<Cause>]| {
        let (lost, burst) = worth_telling(lost)?;
        let told = match burst {
            None => Told { lost, part: whole, words, whose },
            Some(burst) => {
                let words = words.of_burst(lost.length, words.may_name(whose.stats()));
                Told { lost, part: interval.span(burst).and_then(Part::of)?, words, whose }
            }
        };
        Some(told.verdict())
    };
    let one_vcpu = || {
        let lost = whole.worst_vcpu(&Lost::sum(&vcpus))?;
        Some(Told { lost, part: whole, words, whose: Whose::OneVcpu }.verdict())
    };
    judged(Whose::Vcpus, &vcpus)
        .or_else(|| Some(reason::stolen(stolen(&interval, &whole)?, words)))
        .or_else(|| judged(Whose::Threads, &threads))
        .or_else(one_vcpu)
        .unwrap_or_else(|| reason::no_wait(&whole, &Lost::sum(&vcpus), are_threads_known, words))
}

/// The share of its busy time in which the host did not run: the guest's part of that is taken to
/// be the same, if it ran at all.
fn stolen(interval: &Interval<'_>, whole: &Part<'_>) -> Option<Share> {
    let stolen = interval.time(|s| s.cpu.host_stolen)?;
    let share = Share::of(stolen, interval.time(|s| s.cpu.host_busy)?);
    (share >= WAITED && whole.vcpus().share_of(whole.run) >= WAITED).then_some(share)
}

#[cfg(test)]
mod tests;
