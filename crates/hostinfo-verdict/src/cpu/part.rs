//! What the guest's threads waited for in one part of the window.

use std::iter;
use std::time::Duration;

use super::blame::{Blame, Cpus, Waiting};
use crate::WAITED;
use crate::interval::Span;
use crate::lost::{self, Lost};
use crate::sample::Sample;
use crate::share::Share;
use crate::verdict::State;

/// A guest that ran so much of its quota got what the quota allows: without neighbours it would
/// not have run more.
const QUOTA_USED: Share = Share::percent(90);

/// Where nothing tells whether the guest was throttled, CPUs so busy are reason enough to wait.
/// Queues grow steeply from about there on.
const BUSY: Share = Share::percent(80);

/// What keeps threads waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Quota,
    /// One that the host set around the guest's own cgroup.
    QuotaAround,
    /// Whoever runs on the host's CPUs and is not of this guest.
    Others,
    /// Of vCPUs the VMM's other threads, and of those the vCPUs.
    OwnThreads,
    /// There are more of them than CPUs that they may run on.
    EachOther,
    /// The host does not tell enough to say.
    Untold,
    /// The host tells all it can, and none of it is a reason.
    Unexplained,
}

impl lost::Cause for Cause {
    fn state(self) -> State {
        match self {
            Self::QuotaAround | Self::Others => State::Contended,
            Self::Quota | Self::OwnThreads | Self::EachOther => State::SelfLimited,
            Self::Untold | Self::Unexplained => State::Unknown,
        }
    }
}

#[derive(Clone, Copy)]
pub(super) struct Part<'a> {
    pub(super) span: Span<'a>,
    pub(super) vcpus: u64,
    pub(super) run: Duration,
    delay: Duration,
}

/// Quotas that held threads back.
struct Held {
    /// It is known for how long the guest's own did.
    is_known: bool,
    own: Duration,
    around: Duration,
}

impl<'a> Part<'a> {
    /// `None` where it is not known how long vCPUs ran and waited.
    pub(super) fn of(span: Span<'a>) -> Option<Self> {
        Some(Self {
            span,
            vcpus: span.after.cpu.vcpus?.max(1),
            run: span.time(|s| s.cpu.run)?,
            delay: span.time(|s| s.cpu.delay)?,
        })
    }

    /// What its vCPUs lost.
    pub(super) fn vcpus(&self) -> Lost<Cause> {
        let throttled = self.throttled();
        let held = throttled.unwrap_or_default();
        let waited = self.delay.max(held);
        let mut lost = Lost::none(self.span.length, self.run);
        // vCPUs that are held back on one CPU together count once as throttled and each for itself
        // as delayed. So whoever got all of its quota waited for that, however the two compare.
        if self.share(held, self.run, waited) >= WAITED && self.used_quota() {
            lost.add(Cause::Quota, waited);
            return lost;
        }
        let waiting = Waiting { run: self.run, waited, threads: self.vcpus };
        let is_known = throttled.is_some();
        let held = Held { is_known, own: held, around: self.throttled_around() };
        self.blame(&mut lost, waiting, held, self.cpus(waiting));
        lost
    }

    /// What the vCPU that waited most lost, where all of them together `lost` that: many that do not
    /// wait are not to hide one that does. Its cause is known only for the time by which it waited
    /// longer than all of them did for every other cause.
    pub(super) fn worst_vcpu(&self, lost: &Lost<Cause>) -> Option<Lost<Cause>> {
        let delays = |sample: &'a Sample| sample.cpu.vcpu_delays.as_deref();
        let (before, after) = (delays(self.span.before)?, delays(self.span.after)?);
        let before = before.iter().chain(iter::repeat(&0));
        let rises = after.iter().zip(before).map(|(after, before)| after.wrapping_sub(*before));
        let waited = Duration::from_micros(rises.max()?.into()).min(self.span.length);
        let (cause, known) = lost.known_of(waited).unwrap_or((Cause::Unexplained, Duration::ZERO));
        let mut worst = Lost::none(self.span.length, Duration::ZERO);
        worst.add(cause, known);
        worst.add(Cause::Unexplained, waited.saturating_sub(known));
        (worst.total_share() >= WAITED).then_some(worst)
    }

    /// What the VMM's other threads lost. `None` where it is not known how long they waited.
    pub(super) fn threads(&self) -> Option<Lost<Cause>> {
        let waited = self.span.time(|s| s.cpu.threads_delay)?;
        let run = self.threads_run().unwrap_or_default();
        let mut lost = Lost::none(self.span.length, run);
        // What held the vCPUs back is in their delay.
        let throttled = self.throttled();
        let own = throttled.unwrap_or_default().saturating_sub(self.delay);
        let alone = self.span.time(|s| s.cpu.threads_throttled);
        let own = own.saturating_add(alone.unwrap_or_default());
        let around = self.throttled_around().saturating_sub(self.delay);
        let wanted = run.saturating_add(waited).as_nanos();
        let threads = wanted.div_ceil(self.span.length.as_nanos().max(1));
        let threads = u64::try_from(threads).unwrap_or(u64::MAX).max(1);
        let waiting = Waiting { run, waited, threads };
        let is_known = throttled.is_some() && alone.is_some();
        let held = Held { is_known, own, around };
        self.blame(&mut lost, waiting, held, self.cpus_of_threads(waiting));
        Some(lost)
    }

    /// Shares out what threads waited: what quotas held them back is certain, and who ran on their
    /// CPUs instead is no reason for that.
    fn blame(&self, lost: &mut Lost<Cause>, waiting: Waiting, held: Held, cpus: Option<Cpus>) {
        let own = held.own.min(waiting.waited);
        let left = waiting.waited.saturating_sub(own);
        // What a limit held back several guests is of all of them. So it explains no more than what
        // nobody else was seen to.
        let is_shared = self.span.after.cpu.is_quota_around_shared;
        let around = if is_shared { Duration::ZERO } else { held.around.min(left) };
        let for_cpu = left.saturating_sub(around);
        let blame = match cpus {
            Some(cpus) if held.is_known || cpus.busy() >= BUSY => {
                cpus.blame(Waiting { waited: for_cpu, ..waiting })
            }
            _ => Blame { unexplained: for_cpu, ..Blame::default() },
        };
        // The rest is that of quotas that were felt, as far as several waited while one was counted.
        let others = u32::try_from(waiting.threads.saturating_sub(1)).unwrap_or(u32::MAX);
        let more = |held: Duration| match self.share(held, waiting.run, waiting.waited) {
            share if share >= WAITED => held.saturating_mul(others),
            _ => Duration::ZERO,
        };
        let more_own = more(own).min(blame.unexplained);
        let left = blame.unexplained.saturating_sub(more_own);
        let shared = if is_shared { held.around } else { Duration::ZERO };
        let more_around = more(held.around).saturating_add(shared).min(left);
        lost.add(Cause::Quota, own.saturating_add(more_own));
        lost.add(Cause::QuotaAround, around.saturating_add(more_around));
        lost.add(Cause::Others, blame.others);
        lost.add(Cause::OwnThreads, blame.own);
        lost.add(Cause::EachOther, blame.each_other);
        let unknown = if held.is_known { Cause::Unexplained } else { Cause::Untold };
        lost.add(unknown, left.saturating_sub(more_around));
    }

    fn share(&self, part: Duration, run: Duration, waited: Duration) -> Share {
        Share::of(part, run.saturating_add(waited).max(self.span.length))
    }

    fn throttled(&self) -> Option<Duration> {
        self.span.time(|s| s.cpu.throttled)
    }

    /// Of all guests under that quota: an upper bound of what this one was held back.
    fn throttled_around(&self) -> Duration {
        self.span.time(|s| s.cpu.throttled_around).unwrap_or_default()
    }

    /// The VMM's other threads may have used some of it.
    fn used_quota(&self) -> bool {
        self.span.after.cpu.quota.is_some_and(|quota| {
            let length = self.span.length.as_nanos();
            let allowed = quota.as_nanos().saturating_mul(length) / 1_000_000_000;
            let run = self.run.saturating_add(self.threads_run().unwrap_or_default());
            allowed > 0 && Share::ratio(run.as_nanos(), allowed) >= QUOTA_USED
        })
    }
}
