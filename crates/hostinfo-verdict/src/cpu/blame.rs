//! What some of the guest's threads waited for, judged by who ran on the CPUs they may use.
//!
//! A runnable thread waits for whoever runs on its CPU. How long it would have waited for the
//! guest's own threads alone cannot be worked out from how long they wanted to run, because waiting
//! for others makes that time longer: two vCPUs that each need 30 % of one CPU beside a process
//! that never sleeps want it 90 % of the time each. So the waiting is divided among all who ran, by
//! how long they ran and how many threads waited meanwhile. Waiting beyond that sum is unexplained.

use std::time::Duration;

use crate::share::Share;

/// Others count as seen from this share of the CPUs' busy time on. The times of threads are exact,
/// but those of a CPU are counted in ticks of 1 to 10 ms and can be wrong by a few percent.
const SEEN: Share = Share::percent(5);

/// CPUs that were busy for less than this have time left for whoever waits. If others ran on some
/// of them, that does not show that they ran where a thread waited.
const TO_SPARE: Share = Share::percent(50);

/// Threads of the guest, all of one kind: vCPUs or the VMM's other threads.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) run: Duration,
    /// Time they waited for a CPU.
    pub(super) waited: Duration,
    /// The number of vCPUs; for the VMM's other threads, how many wanted to run on average, rounded up.
    pub(super) threads: u64,
}

/// The CPUs these threads may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpus {
    pub(super) number: u64,
    /// Whether the host has more CPUs, which they may not use.
    pub(super) is_part: bool,
    pub(super) length: Duration,
    pub(super) busy: Duration,
    /// Time that the guest's threads of both kinds ran there.
    pub(super) ours: Duration,
    /// Time that the guest's threads of the other kind ran there.
    pub(super) own: Duration,
}

/// Time waited, divided by cause.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Blame {
    /// For anything outside this guest.
    pub(super) others: Duration,
    /// For the guest's threads of the other kind.
    pub(super) own: Duration,
    /// For each other.
    pub(super) each_other: Duration,
    pub(super) unexplained: Duration,
}

impl Cpus {
    fn others(&self) -> Duration {
        let others = self.busy.saturating_sub(self.ours);
        if Share::of(others, self.busy) >= SEEN { others } else { Duration::ZERO }
    }

    /// The share of their time in which the CPUs were busy.
    pub(super) fn busy(&self) -> Share {
        let capacity = self.length.as_nanos().saturating_mul(self.number.into());
        Share::ratio(self.busy.as_nanos(), capacity)
    }

    pub(super) fn blame(&self, waiting: Waiting) -> Blame {
        if self.others().is_zero() || self.busy() >= TO_SPARE {
            self.by_use(waiting)
        } else if self.is_part {
            self.by_exclusion(waiting)
        } else {
            Blame { unexplained: waiting.waited, ..Blame::default() }
        }
    }

    fn by_use(&self, waiting: Waiting) -> Blame {
        let wanting = self.wanting(waiting);
        let others = times(self.others(), wanting);
        let own = times(self.own, wanting);
        // While each thread has a CPU of its own, threads have no reason to wait for each other.
        let each_other = times(waiting.run, wanting.saturating_sub(thousand_times(self.number)));
        let all = others.saturating_add(own).saturating_add(each_other);
        let mut left = waiting.waited;
        let explained = all.min(left);
        let mut take = |time: Duration| {
            let taken = portion(explained, time, all).min(left);
            left -= taken;
            taken
        };
        let [others, own, each_other] = [take(others), take(own), take(each_other)];
        // Threads that pause want to run at the same time more often than on average. Waiting that
        // nobody else can have caused is blamed on the threads that exceed the number of CPUs.
        let too_many = thousand_times(waiting.threads.saturating_sub(self.number));
        let more = times(waiting.run, too_many).saturating_sub(each_other).min(left);
        let each_other = each_other.saturating_add(more);
        Blame { others, own, each_other, unexplained: left - more }
    }

    /// For CPUs of which some were idle: a thread that waited must be bound to others of them.
    /// Blames each party only for what no other can have caused.
    fn by_exclusion(&self, waiting: Waiting) -> Blame {
        let wanting = self.wanting(waiting);
        let [others, own] = [self.others(), self.own].map(|time| times(time, wanting));
        let each_other = times(waiting.run, wanting.saturating_sub(1000));
        let without =
            |others: Duration| waiting.waited.saturating_sub(others).saturating_sub(each_other);
        let (others, own) = (without(own).min(others), without(others).min(own));
        let unexplained = waiting.waited.saturating_sub(others).saturating_sub(own);
        Blame { others, own, each_other: Duration::ZERO, unexplained }
    }

    /// Mean number of threads that wanted to run, in thousandths. At least one thread, since
    /// somebody waited.
    fn wanting(&self, waiting: Waiting) -> u64 {
        let wanted = waiting.run.saturating_add(waiting.waited).as_nanos();
        let wanting = wanted.saturating_mul(1000) / self.length.as_nanos().max(1);
        let most = thousand_times(waiting.threads.max(1));
        u64::try_from(wanting).unwrap_or(u64::MAX).clamp(1000, most)
    }
}

fn thousand_times(number: u64) -> u64 {
    number.saturating_mul(1000)
}

fn times(time: Duration, thousandths: u64) -> Duration {
    nanos(time.as_nanos().saturating_mul(thousandths.into()) / 1000)
}

fn portion(of: Duration, part: Duration, whole: Duration) -> Duration {
    nanos(of.as_nanos().saturating_mul(part.as_nanos()) / whole.as_nanos().max(1))
}

fn nanos(nanos: u128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn all_that_was_waited_is_shared_out_and_none_of_it_to_those_who_did_not_run(
            number: u64, is_part: bool, threads: u64,
            [length, busy, ours, own, run, waited] in any::<[u64; 6]>(), shift in 0..60u32,
        ) {
            let [busy, ours, own, run, waited] =
                [busy, ours, own, run, waited].map(|time| nanos((time >> shift).into()));
            let cpus = Cpus { number, is_part, length: nanos((length >> shift).into()), busy, ours, own };
            let blame = cpus.blame(Waiting { run, waited, threads });
            let blamed = [blame.others, blame.own, blame.each_other, blame.unexplained];
            prop_assert_eq!(blamed.into_iter().sum::<Duration>(), waited);
            if ours >= busy {
                prop_assert!(blame.others.is_zero());
            }
            if own.is_zero() {
                prop_assert!(blame.own.is_zero());
            }
            if threads <= 1 {
                prop_assert!(blame.each_other.is_zero());
            }
        }
    }
}
