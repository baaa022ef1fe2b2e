//! What the guest's threads waited for, in one part of the window.

use std::iter;
use std::time::Duration;

use super::blame::{Blame, Cpus, Waiting};
use crate::WAITED;
use crate::interval::Span;
use crate::lost::{self, Lost};
use crate::sample::Sample;
use crate::share::Share;
use crate::verdict::State;

/// A guest that used this share of its quota got what the quota allows: it would not have run more
/// without neighbours.
const QUOTA_USED: Share = Share::percent(90);

/// If it is not known whether the guest was throttled, CPUs this busy are reason enough to wait.
/// Queues grow steeply from about here on.
const BUSY: Share = Share::percent(80);

/// What kept threads waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cause {
    Quota,
    /// A quota that the host set around the guest's own cgroup.
    QuotaAround,
    /// Anything outside this guest that runs on the host's CPUs.
    Others,
    /// For vCPUs the VMM's other threads, and for those the vCPUs.
    OwnThreads,
    /// There are more of these threads than CPUs they may run on.
    EachOther,
    /// The host does not measure enough to tell.
    Unmeasured,
    /// The host measures everything needed, and nothing explains the waiting.
    Unexplained,
}

impl lost::Cause for Cause {
    fn state(self) -> State {
        match self {
            Self::QuotaAround | Self::Others => State::Contended,
            Self::Quota | Self::OwnThreads | Self::EachOther => State::SelfLimited,
            Self::Unmeasured | Self::Unexplained => State::Unknown,
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

/// Time that quotas held threads back.
struct HeldBack {
    /// Whether the time of the guest's own quota is known.
    is_known: bool,
    own: Duration,
    around: Duration,
}

impl<'a> Part<'a> {
    /// `None` if it is not known how long the vCPUs ran and waited.
    pub(super) fn of(span: Span<'a>) -> Option<Self> {
        Some(Self {
            span,
            vcpus: span.after.cpu.vcpus?.max(1),
            run: span.time(|s| s.cpu.run)?,
            delay: span.time(|s| s.cpu.delay)?,
        })
    }

    /// Time that the guest's vCPUs lost.
    pub(super) fn vcpus(&self) -> Lost<Cause> {
        let throttled = self.throttled();
        let held = throttled.unwrap_or_default();
        let waited = self.delay.max(held);
        let mut lost = Lost::none(self.span.length, self.run);
        // vCPUs that are held back together on one CPU count once as throttled, but each of them
        // counts as delayed. So if the guest got all of its quota, all of the waiting was for the
        // quota, whatever the ratio of the two figures.
        if self.share(held, self.run, waited) >= WAITED && self.used_quota() {
            lost.add(Cause::Quota, waited);
            return lost;
        }
        let waiting = Waiting { run: self.run, waited, threads: self.vcpus };
        let is_known = throttled.is_some();
        let held = HeldBack { is_known, own: held, around: self.throttled_around() };
        self.blame(&mut lost, waiting, held, self.cpus(waiting));
        lost
    }

    /// Time lost by the vCPU that waited most; `lost` is what all of them together lost. Many vCPUs
    /// that do not wait must not hide one that does. Its cause is known only for the time by which
    /// it waited longer than all of them together waited for every other cause.
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

    /// Time that the VMM's other threads lost. `None` if it is not known how long they waited.
    pub(super) fn threads(&self) -> Option<Lost<Cause>> {
        let waited = self.span.time(|s| s.cpu.threads_delay)?;
        let run = self.threads_run().unwrap_or_default();
        let mut lost = Lost::none(self.span.length, run);
        // The time that the vCPUs were held back is contained in their delay.
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
        let held = HeldBack { is_known, own, around };
        self.blame(&mut lost, waiting, held, self.cpus_of_threads(waiting));
        Some(lost)
    }

    /// Divides the waiting among its causes. Time held back by quotas is certain, and whoever ran
    /// on the CPUs instead does not explain it.
    fn blame(&self, lost: &mut Lost<Cause>, waiting: Waiting, held: HeldBack, cpus: Option<Cpus>) {
        let own = held.own.min(waiting.waited);
        let left = waiting.waited.saturating_sub(own);
        // The throttling of a limit on several guests counts all of them. So it explains only the
        // waiting for which nobody else was seen.
        let is_shared = self.span.after.cpu.is_quota_around_shared;
        let around = if is_shared { Duration::ZERO } else { held.around.min(left) };
        let for_cpu = left.saturating_sub(around);
        let blame = match cpus {
            Some(cpus) if held.is_known || cpus.busy() >= BUSY => {
                cpus.blame(Waiting { waited: for_cpu, ..waiting })
            }
            _ => Blame { unexplained: for_cpu, ..Blame::default() },
        };
        // A quota that was felt also explains the rest, up to one such time for each further
        // thread: several can wait while one is counted.
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
        let unknown = if held.is_known { Cause::Unexplained } else { Cause::Unmeasured };
        lost.add(unknown, left.saturating_sub(more_around));
    }

    fn share(&self, part: Duration, run: Duration, waited: Duration) -> Share {
        Share::of(part, run.saturating_add(waited).max(self.span.length))
    }

    fn throttled(&self) -> Option<Duration> {
        self.span.time(|s| s.cpu.throttled)
    }

    /// Counts all guests under that quota: an upper bound of the time this guest was held back.
    fn throttled_around(&self) -> Duration {
        self.span.time(|s| s.cpu.throttled_around).unwrap_or_default()
    }

    /// Counts the VMM's other threads too, since they may have used some of the quota.
    fn used_quota(&self) -> bool {
        self.span.after.cpu.quota.is_some_and(|quota| {
            let length = self.span.length.as_nanos();
            let allowed = quota.as_nanos().saturating_mul(length) / 1_000_000_000;
            let run = self.run.saturating_add(self.threads_run().unwrap_or_default());
            allowed > 0 && Share::ratio(run.as_nanos(), allowed) >= QUOTA_USED
        })
    }
}
