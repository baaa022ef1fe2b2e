//! Why threads waited, or that they did not, in words.

use std::time::Duration;

use hostinfo_catalog::StatId;

use super::part::{Cause, Part};
use crate::WAITED;
use crate::lost::{Cause as _, Lost};
use crate::sample::stats::{
    BUSY, CPU_PRESSURE, DELAY, QUOTA, RUN, STEAL, THREADS_DELAY, THROTTLED, VCPUS,
};
use crate::share::Share;
use crate::verdict::{State, Verdict};
use crate::words::Words;

/// vCPUs that ran for this share of the time had none left over.
const GUEST_BUSY: Share = Share::percent(90);

/// The VMM's threads other than vCPUs, in words for somebody who may not know what a VMM is.
const THREADS: &str = "the threads that serve your devices";

/// Whose waiting a sentence is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Whose {
    Vcpus,
    /// The vCPU that waited most.
    OneVcpu,
    Threads,
}

impl Whose {
    /// The statistics it is known from.
    pub(super) fn stats(self) -> &'static [StatId] {
        match self {
            Self::Vcpus | Self::OneVcpu => &[DELAY, THROTTLED],
            Self::Threads => &THREADS_DELAY,
        }
    }

    fn is_one(self) -> bool {
        self == Self::OneVcpu
    }
}

/// Waiting that is long enough to report.
pub(super) struct Report<'a> {
    pub(super) lost: Lost<Cause>,
    /// All of the time that the sentence is about.
    pub(super) part: Part<'a>,
    pub(super) words: Words<'a>,
    pub(super) whose: Whose,
}

impl Report<'_> {
    pub(super) fn verdict(&self) -> Verdict {
        let cause = self.lost.leading().unwrap_or(Cause::Unexplained);
        let (them, waited) = (self.them(), self.share(cause));
        let reason = match cause {
            Cause::Quota => format!("your own CPU quota{} held {them} back {waited}", self.quota()),
            Cause::QuotaAround => {
                let they = if self.whose.is_one() { "it" } else { "they" };
                format!("{} held {them} back: {they} waited {waited}", self.quota_around())
            }
            Cause::Others => format!("{them} waited {waited} for a host CPU"),
            Cause::OwnThreads => format!("{them} waited {waited} for {}", self.own_threads()),
            Cause::EachOther if self.whose.is_one() => format!(
                "{them} waited {waited} for your other vCPUs: there are more of them than host \
                 CPUs that they may run on"
            ),
            Cause::EachOther => format!(
                "{them} waited {waited} for each other: there are more of them than host CPUs \
                 that they may run on"
            ),
            Cause::Unmeasured => format!(
                "{them} waited {waited}, for a host CPU or because of your own CPU quota: this host \
                 does not measure which"
            ),
            Cause::Unexplained if self.whose.is_one() => format!(
                "{them} waited {waited}, although all together hardly did; what it waited for is \
                 unknown"
            ),
            Cause::Unexplained => format!(
                "{them} waited {waited}, but neither a CPU limit nor the host's load explains it: \
                 they may be pinned to a few of its CPUs"
            ),
        };
        let (further, host) = (self.further(cause), self.host(cause));
        self.words.verdict(cause.state(), format!("{reason}{further}{host}"))
    }

    fn them(&self) -> String {
        match self.whose {
            Whose::Vcpus => "your vCPUs".to_owned(),
            Whose::OneVcpu if self.words.may_name(&[VCPUS]) => {
                format!("one of your {} vCPUs", self.part.vcpus)
            }
            Whose::OneVcpu => "one of your vCPUs".to_owned(),
            Whose::Threads => THREADS.to_owned(),
        }
    }

    /// The share that was waited; for all causes together if nobody is to blame.
    fn share(&self, cause: Cause) -> String {
        let share = match cause.state() {
            State::Unknown => self.lost.total_share(),
            _ => self.lost.share(cause),
        };
        self.words.share(share, self.whose.stats())
    }

    /// The other cause they waited for most.
    fn further(&self, cause: Cause) -> String {
        if cause.state() == State::Unknown {
            return String::new();
        }
        let causes =
            [Cause::Quota, Cause::QuotaAround, Cause::Others, Cause::OwnThreads, Cause::EachOther];
        let others = causes.into_iter().filter(|other| *other != cause);
        let most = others.max_by_key(|other| self.lost.share(*other));
        let felt = most.filter(|other| self.lost.share(*other) >= WAITED);
        felt.map(|other| format!("; {}", self.also(other))).unwrap_or_default()
    }

    fn also(&self, cause: Cause) -> String {
        let stats = if cause == Cause::Quota { &[THROTTLED] } else { self.whose.stats() };
        let share = match self.words.may_name(stats) {
            true => format!("a further {}", self.lost.share(cause)),
            false => "too".to_owned(),
        };
        match cause {
            Cause::Quota => format!("your own CPU quota held them back {share}"),
            // No share is named, since it is that of several guests.
            Cause::QuotaAround => format!("{} held them back too", self.quota_around()),
            Cause::OwnThreads => format!("they waited {share} for {}", self.own_threads()),
            Cause::EachOther => format!("they waited {share} for each other"),
            _ => format!("they waited {share} for a host CPU"),
        }
    }

    fn quota(&self) -> String {
        // For other threads no figure is named: they may have been held back by a quota of their
        // own.
        let is_told = self.whose != Whose::Threads && self.words.may_name(&[QUOTA]);
        self.part.span.after.cpu.quota.filter(|_| is_told).map(of_cpus).unwrap_or_default()
    }

    /// The figure is named only if `vm.cpu.quota` is the same: how much several guests may use
    /// together, when each may use less, is not for the guest.
    fn quota_around(&self) -> String {
        let cpu = &self.part.span.after.cpu;
        let is_told = cpu.quota_around == cpu.quota && self.words.may_name(&[QUOTA]);
        let figure = cpu.quota.filter(|_| is_told).map(of_cpus).unwrap_or_default();
        let whom = match cpu.is_quota_around_shared {
            true => "for several guests",
            false => "around your guest",
        };
        format!("a CPU limit{figure} that your host sets {whom}")
    }

    fn own_threads(&self) -> &'static str {
        match self.whose {
            Whose::Vcpus | Whose::OneVcpu => "the threads that serve your devices on the same CPUs",
            Whose::Threads => "your own vCPUs, which run on the same CPUs",
        }
    }

    /// What the host's CPUs were doing.
    fn host(&self, cause: Cause) -> String {
        if cause != Cause::Others {
            return String::new();
        }
        if self.whose == Whose::Vcpus && self.part.is_kept_from_idle_cpus() {
            return "; your host keeps them on some of its CPUs, which other work uses too, while \
                    the rest are mostly idle"
                .to_owned();
        }
        match self.part.host_busy() {
            Some(share) if self.words.may_name(&[BUSY]) => {
                format!("; the host's CPUs were {share} busy")
            }
            _ => {
                let stall = self.part.span.time(|s| s.cpu.host_stall);
                self.words.pressure(stall, "a CPU", CPU_PRESSURE)
            }
        }
    }
}

/// ` of 0.50 CPUs`, for the CPU time allowed per second.
fn of_cpus(quota: Duration) -> String {
    let hundredths = quota.as_millis() / 10;
    format!(" of {}.{:02} CPUs", hundredths / 100, hundredths % 100)
}

/// `are_threads_known`: whether it is known that the other threads did not wait either.
pub(super) fn no_wait(
    whole: &Part<'_>,
    lost: &Lost<Cause>,
    are_threads_known: bool,
    words: Words<'_>,
) -> Verdict {
    let vcpus = u32::try_from(whole.vcpus).unwrap_or(u32::MAX);
    let ran = Share::of(whole.run, whole.span.length.saturating_mul(vcpus));
    let ran_of = words.share(ran, &[RUN]);
    let reason = if !words.may_name(&[RUN]) {
        format!("your vCPUs got the time that they asked for in {}", words.window())
    } else if ran >= GUEST_BUSY {
        format!("your own work kept your vCPUs busy {ran_of}")
    } else if words.may_name(&[DELAY, THROTTLED]) {
        format!("your vCPUs ran {ran_of} and waited {}", lost.total_share())
    } else {
        format!("your vCPUs got the time that they asked for: {ran_of}")
    };
    let unseen = match are_threads_known {
        true => String::new(),
        false => format!("; this host does not measure whether {THREADS} waited"),
    };
    words.verdict(State::Ok, format!("{reason}{unseen}"))
}

pub(super) fn stolen(share: Share, words: Words<'_>) -> Verdict {
    let lost = match words.may_name(&[STEAL]) {
        true => share.to_string(),
        false => "part".to_owned(),
    };
    let window = words.window();
    let reason = format!(
        "the host is itself a virtual machine, and did not get {lost} of the CPU time that it \
         wanted in {window}"
    );
    words.verdict(State::Contended, reason)
}
