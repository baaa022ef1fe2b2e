//! The CPUs that the guest's threads may use, and who else used them.

use std::time::Duration;

use super::blame::{Cpus, Waiting};
use super::part::Part;
use crate::share::Share;

/// If it is not known which CPUs the guest may use, it has only itself to wait for from this share
/// of the host's busy time on.
const ALONE: Share = Share::percent(90);

/// CPUs that are busy for less than this count as idle while threads wait for others.
const IDLE: Share = Share::percent(50);

/// How the CPUs that the vCPUs may use were used.
struct Used {
    number: u64,
    online: u64,
    busy: Duration,
    /// What the host's own sums have of these CPUs: their busy and idle time.
    in_sums: (Duration, Duration),
    /// Time that the VMM's other threads ran there.
    own: Duration,
    own_delay: Duration,
}

impl Part<'_> {
    /// The CPUs of the vCPUs. `None` if nothing shows how busy they were.
    pub(super) fn cpus(&self, waiting: Waiting) -> Option<Cpus> {
        let Some(used) = self.used() else {
            return self.cpus_of_host(waiting, self.threads_run().unwrap_or_default());
        };
        Some(Cpus {
            number: used.number,
            is_part: used.is_part(),
            length: self.span.length,
            busy: used.busy,
            ours: waiting.run.saturating_add(used.own),
            own: used.own,
        })
    }

    /// The CPUs of the VMM's other threads: those of the vCPUs if the threads waited there, or else
    /// all others.
    pub(super) fn cpus_of_threads(&self, waiting: Waiting) -> Option<Cpus> {
        let Some(used) = self.used() else {
            return self.cpus_of_host(waiting, self.run);
        };
        let length = self.span.length;
        if used.own_delay >= waiting.waited / 2 {
            return Some(Cpus {
                number: used.number,
                is_part: used.is_part(),
                length,
                busy: used.busy,
                ours: self.run.saturating_add(used.own),
                own: self.run,
            });
        }
        let (busy, _) = self.host()?;
        let run = self.span.time(|s| s.cpu.threads_run)?;
        Some(Cpus {
            number: used.online.checked_sub(used.number).filter(|number| *number > 0)?,
            is_part: true,
            length,
            busy: busy.saturating_sub(used.in_sums.0),
            ours: run.saturating_sub(used.own),
            own: Duration::ZERO,
        })
    }

    /// All CPUs of the host, for when it is not known which of them the guest's threads may use.
    fn cpus_of_host(&self, waiting: Waiting, own: Duration) -> Option<Cpus> {
        let (busy, idle) = self.host()?;
        let length = self.span.length;
        let ours = waiting.run.saturating_add(own);
        let cpus = busy.saturating_add(idle).saturating_add(length / 2).as_nanos();
        let number = cpus.checked_div(length.as_nanos()).unwrap_or_default();
        let number = u64::try_from(number).unwrap_or(u64::MAX).max(1);
        let all = Cpus { number, is_part: false, length, busy, ours, own };
        let is_alone = Share::of(ours, busy) >= ALONE;
        // Nobody else ran on any CPU, so they waited for each other, on however few CPUs.
        Some(if is_alone { Cpus { number: 1, busy: ours, ..all } } else { all })
    }

    /// Time that the VMM's threads other than vCPUs ran, on all CPUs for which that is known.
    pub(super) fn threads_run(&self) -> Option<Duration> {
        let here = || Some(self.used()?.own);
        self.span.time(|s| s.cpu.threads_run).or_else(here)
    }

    /// Busy and idle time of all CPUs of the host.
    fn host(&self) -> Option<(Duration, Duration)> {
        Some((self.span.time(|s| s.cpu.host_busy)?, self.span.time(|s| s.cpu.host_idle)?))
    }

    pub(super) fn host_busy(&self) -> Option<Share> {
        let (busy, idle) = self.host()?;
        Some(Share::of(busy, busy.saturating_add(idle)))
    }

    /// Whether the host restricts the vCPUs to some of its CPUs while others were idle.
    pub(super) fn is_kept_from_idle_cpus(&self) -> bool {
        let rest = || {
            let (used, (busy, idle)) = (self.used()?, self.host()?);
            let busy = busy.saturating_sub(used.in_sums.0);
            let rest = busy.saturating_add(idle.saturating_sub(used.in_sums.1));
            Some(used.is_part() && !rest.is_zero() && Share::of(busy, rest) < IDLE)
        };
        rest().unwrap_or(false)
    }

    /// `None` if the CPUs are not known or have changed.
    fn used(&self) -> Option<Used> {
        let (before, after) =
            (self.span.before.cpu.cpus.as_ref()?, self.span.after.cpu.cpus.as_ref()?);
        (before.cpus == after.cpus).then_some(())?;
        Some(Used {
            number: u64::try_from(after.cpus.len()).unwrap_or(u64::MAX),
            online: after.online.into(),
            busy: after.busy.checked_sub(before.busy)?,
            in_sums: (
                after.counted_busy.checked_sub(before.counted_busy)?,
                after.counted_idle.checked_sub(before.counted_idle)?,
            ),
            own: after.own_others.checked_sub(before.own_others)?,
            own_delay: after.own_others_delay.checked_sub(before.own_others_delay)?,
        })
    }
}

impl Used {
    fn is_part(&self) -> bool {
        self.number < self.online
    }
}
