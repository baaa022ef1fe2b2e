//! CPU: whether the vCPUs ran when they wanted to, and what kept them from it.
//!
//! A vCPU waits in a run queue when others run, but also when its own quota is used up: a thread
//! that the kernel throttles stays runnable, so its run-queue delay grows with the time throttled
//! (cgroup's cpu.stat, for each CPU that the guest was held back on). What is left of the delay
//! is the waiting for a CPU. Where the host is itself a virtual machine, a vCPU can also have a CPU
//! of the host that does not run: that is steal, and nothing of the guest's own shows it.
//!
//! A quota may also be set around the guest's own cgroup, for several guests together. Its
//! throttling is theirs too, so it tells that the guest was held back and not for how long.

use std::time::Duration;

mod reason;

use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::Words;
use crate::{Interval, Permits, WAITED};

/// A guest that ran so much of its quota got what the quota allows: without neighbours it would
/// not have run more. The rest is what its VMM's own threads use of the same quota.
const QUOTA_USED: Share = Share::percent(90);

/// The share of the host's busy time at which a guest that waits has only itself to wait for:
/// pinned to fewer CPUs than it has vCPUs, or with more vCPUs than the host has CPUs.
const ALONE: Share = Share::percent(90);

/// Where nothing tells whether the guest was throttled, a host so busy is reason enough to wait.
/// Queues grow steeply from about there on.
const HOST_BUSY: Share = Share::percent(80);

/// A host whose CPUs were busy for less than that has some to spare for whoever waits: who waits
/// all the same, for long, is kept from them by something else than others' work.
const HOST_TO_SPARE: Share = Share::percent(50);

/// What keeps vCPUs waiting.
enum Cause {
    Host,
    Quota,
    /// The host's, for several guests together.
    SharedQuota,
    /// There are more vCPUs than CPUs that they may run on.
    EachOther,
    /// The host does not tell enough to say.
    Untold,
    /// The host tells all it can, and none of it is a reason.
    Unexplained,
}

/// Judges the vCPUs' run-queue delay against the guest's own throttling and the host's load.
pub fn cpu(interval: &Interval<'_>, permits: Permits<'_>) -> Verdict {
    let (run, delay) = (interval.time(|s| s.cpu.run), interval.time(|s| s.cpu.delay));
    let (Some(vcpus), Some(run), Some(delay)) = (interval.after.cpu.vcpus, run, delay) else {
        return Verdict::new(
            State::Unknown,
            "this host does not tell how long your vCPUs ran and waited",
        );
    };
    let times = Times {
        vcpus: u32::try_from(vcpus.max(1)).unwrap_or(u32::MAX),
        run,
        delay,
        throttled: interval.time(|s| s.cpu.throttled),
        throttled_around: interval.time(|s| s.cpu.throttled_around),
        busy: interval.time(|s| s.cpu.host_busy),
        idle: interval.time(|s| s.cpu.host_idle),
        stolen: interval.time(|s| s.cpu.host_stolen),
        quota: interval.after.cpu.quota,
        length: interval.length,
    };
    let words = Words::new(permits, interval.length);
    if times.share(times.waited()) < WAITED {
        return match times.stolen() {
            Some(share) => Verdict::new(State::Contended, reason::stolen(share, words)),
            None => Verdict::new(State::Ok, times.no_wait(words)),
        };
    }
    let host = interval.time(|s| s.cpu.host_stall);
    let (state, reason) = match times.cause() {
        Cause::Host => (State::Contended, times.host_wait(words, host)),
        Cause::SharedQuota => (State::Contended, times.shared_quota_wait(words)),
        Cause::Quota => (State::SelfLimited, times.quota_wait(words)),
        Cause::EachOther => (State::SelfLimited, times.wait_for_each_other(words)),
        Cause::Untold => (State::Unknown, times.untold_wait(words)),
        Cause::Unexplained => (State::Unknown, times.unexplained_wait(words)),
    };
    Verdict::new(state, reason)
}

struct Times {
    vcpus: u32,
    run: Duration,
    delay: Duration,
    throttled: Option<Duration>,
    throttled_around: Option<Duration>,
    busy: Option<Duration>,
    idle: Option<Duration>,
    stolen: Option<Duration>,
    quota: Option<Duration>,
    length: Duration,
}

impl Times {
    fn held(&self) -> Duration {
        self.throttled.unwrap_or_default()
    }

    /// By a quota for several guests: of all of them, and on every CPU.
    fn held_around(&self) -> Duration {
        self.throttled_around.unwrap_or_default()
    }

    fn is_held_around(&self) -> bool {
        self.share(self.held_around()) >= WAITED
    }

    /// What is left of the delay without the throttling that is in it.
    fn for_cpu(&self) -> Duration {
        self.delay.saturating_sub(self.held())
    }

    fn waited(&self) -> Duration {
        self.delay.max(self.held())
    }

    /// The share in the time of as many vCPUs as wanted to run: one busy vCPU of eight that waits
    /// half of the time waits 50 %, and a guest with little to do waits little.
    fn share(&self, part: Duration) -> Share {
        let wanted = self.run.saturating_add(self.waited()).as_nanos();
        let wanting = wanted.div_ceil(self.length.as_nanos().max(1));
        let wanting = u32::try_from(wanting).unwrap_or(u32::MAX).clamp(1, self.vcpus);
        Share::of(part, self.length.saturating_mul(wanting))
    }

    fn cause(&self) -> Cause {
        // vCPUs that are held back on one CPU together count once as throttled and each for itself
        // as delayed. So whoever got all of its quota waited for that, however the two compare.
        if self.throttled.is_some()
            && (self.held() >= self.for_cpu()
                || self.share(self.held()) >= WAITED && self.used_quota())
        {
            return Cause::Quota;
        }
        let busy = self.host_busy();
        if self.is_held_around()
            && (self.held_around() >= self.for_cpu() / 2
                || busy.is_none_or(|busy| busy < HOST_BUSY))
        {
            return Cause::SharedQuota;
        }
        if self.throttled.is_none() && busy.is_none_or(|busy| busy < HOST_BUSY) {
            return Cause::Untold;
        }
        if self.busy.is_some_and(|busy| Share::of(self.run, busy) >= ALONE) {
            Cause::EachOther
        } else if busy.is_some_and(|busy| busy < HOST_TO_SPARE) {
            Cause::Unexplained
        } else {
            Cause::Host
        }
    }

    fn host_busy(&self) -> Option<Share> {
        self.busy.zip(self.idle).map(|(b, i)| Share::of(b, b.saturating_add(i)))
    }

    /// The share of its busy time in which the host did not run: the guest's part of that is taken
    /// to be the same, if it ran at all.
    fn stolen(&self) -> Option<Share> {
        let share = Share::of(self.stolen?, self.busy?);
        (share >= WAITED && self.share(self.run) >= WAITED).then_some(share)
    }

    fn used_quota(&self) -> bool {
        self.quota.is_some_and(|quota| {
            let allowed = quota.as_nanos().saturating_mul(self.length.as_nanos()) / 1_000_000_000;
            allowed > 0 && Share::ratio(self.run.as_nanos(), allowed) >= QUOTA_USED
        })
    }
}

#[cfg(test)]
mod tests;
