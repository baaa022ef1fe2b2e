//! CPU: whether the vCPUs ran when they wanted to, and what kept them from it.
//!
//! A vCPU waits in a run queue when others run, but also when its own quota is used up: a thread
//! that the kernel throttles stays runnable, so its run-queue delay grows with the time throttled
//! (cgroup's cpu.stat, for each CPU that the guest was held back on). What is left of the delay
//! is the waiting for a CPU. Where the host is itself a virtual machine, a vCPU can also have a CPU
//! of the host that does not run: that is steal, and nothing of the guest's own shows it.

use std::time::Duration;

use crate::sample::stats::{BUSY, CPU_PRESSURE, DELAY, QUOTA, RUN, STEAL, THROTTLED};
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

/// vCPUs that ran for so much of the time had no time left over.
const GUEST_BUSY: Share = Share::percent(90);

/// What keeps vCPUs waiting.
enum Cause {
    Host,
    Quota,
    /// There are more vCPUs than CPUs that they may run on.
    EachOther,
    Untold,
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
        busy: interval.time(|s| s.cpu.host_busy),
        idle: interval.time(|s| s.cpu.host_idle),
        stolen: interval.time(|s| s.cpu.host_stolen),
        quota: interval.after.cpu.quota,
        length: interval.length,
    };
    let words = Words::new(permits, interval.length);
    if times.share(times.waited()) < WAITED {
        return match times.stolen() {
            Some(share) => Verdict::new(State::Contended, stolen(share, words)),
            None => Verdict::new(State::Ok, times.no_wait(words)),
        };
    }
    let host = interval.time(|s| s.cpu.host_stall);
    match times.cause() {
        Cause::Host => Verdict::new(State::Contended, times.host_wait(words, host)),
        Cause::Quota => Verdict::new(State::SelfLimited, times.quota_wait(words)),
        Cause::EachOther => Verdict::new(
            State::SelfLimited,
            format!(
                "your vCPUs waited {} for each other: there are more of them than CPUs of the \
                 host that they may run on",
                words.share(times.share(times.for_cpu()), &[DELAY, THROTTLED])
            ),
        ),
        Cause::Untold => Verdict::new(
            State::Unknown,
            format!(
                "your vCPUs waited {}, but this host does not tell whether for a host CPU or for \
                 your own CPU quota",
                words.share(times.share(delay), &[DELAY])
            ),
        ),
    }
}

struct Times {
    vcpus: u32,
    run: Duration,
    delay: Duration,
    throttled: Option<Duration>,
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
        let busy = self.busy.zip(self.idle).map(|(b, i)| Share::of(b, b.saturating_add(i)));
        if self.throttled.is_none() && busy.is_none_or(|busy| busy < HOST_BUSY) {
            return Cause::Untold;
        }
        match self.busy {
            Some(busy) if Share::of(self.run, busy) >= ALONE => Cause::EachOther,
            _ => Cause::Host,
        }
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

    fn no_wait(&self, words: Words<'_>) -> String {
        let got = "your vCPUs got the time that they asked for";
        let ran = Share::of(self.run, self.length.saturating_mul(self.vcpus));
        if !words.may_name(&[RUN]) {
            return format!("{got} in {}", words.window());
        }
        let ran_of = words.share(ran, &[RUN]);
        if ran >= GUEST_BUSY {
            format!("{got}; your own work kept them busy {ran_of}")
        } else if words.may_name(&[DELAY, THROTTLED]) {
            format!("{got}: they ran {ran_of} and waited {}", self.share(self.waited()))
        } else {
            format!("{got}: they ran {ran_of}")
        }
    }

    fn host_wait(&self, words: Words<'_>, host: Option<Duration>) -> String {
        let waited = words.share(self.share(self.for_cpu()), &[DELAY, THROTTLED]);
        let held = self.share(self.held());
        let quota = match held >= WAITED {
            true if words.may_name(&[THROTTLED]) => {
                format!("; your own CPU quota held them back a further {held}")
            }
            true => "; your own CPU quota held them back too".to_owned(),
            false => String::new(),
        };
        let host = match self.busy.zip(self.idle) {
            Some((busy, idle)) if words.may_name(&[BUSY]) => {
                let share = Share::of(busy, busy.saturating_add(idle));
                format!("; the host's CPUs were {share} busy")
            }
            _ => words.pressure(host, "a CPU", CPU_PRESSURE),
        };
        format!("your vCPUs waited {waited} for a host CPU{quota}{host}")
    }

    fn quota_wait(&self, words: Words<'_>) -> String {
        let quota = match self.quota {
            Some(quota) if words.may_name(&[QUOTA]) => {
                let hundredths = quota.as_millis() / 10;
                format!(" of {}.{:02} CPUs", hundredths / 100, hundredths % 100)
            }
            _ => String::new(),
        };
        let held = words.share(self.share(self.held()), &[THROTTLED]);
        let for_cpu = self.share(self.for_cpu());
        let too = match for_cpu >= WAITED {
            true if words.may_name(&[DELAY, THROTTLED]) => {
                format!("; they waited a further {for_cpu} for a host CPU")
            }
            true => "; they waited for a host CPU too".to_owned(),
            false => String::new(),
        };
        format!("your own CPU quota{quota} held your vCPUs back {held}{too}")
    }
}

fn stolen(share: Share, words: Words<'_>) -> String {
    let lost = match words.may_name(&[STEAL]) {
        true => share.to_string(),
        false => "part".to_owned(),
    };
    let window = words.window();
    format!(
        "the host is itself a virtual machine, and did not get {lost} of the CPU time that it \
         wanted in {window}"
    )
}

#[cfg(test)]
mod tests;
