//! For whom some of the guest's threads waited, by who ran on the CPUs that they may use.
//!
//! A thread that wants to run and does not waits for somebody who runs on its CPU. How long it
//! would have waited for the guest's own threads, had nobody else been there, cannot be told from
//! how long they wanted to run, since waiting for others makes that longer: two vCPUs that each need
//! 30 % of one CPU beside a process that never sleeps want it 90 % of the time each. So the time
//! waited is shared out among all who ran, by how long they ran and how many waited meanwhile; and
//! where that does not come to as much, the rest has no explanation.

use std::time::Duration;

use crate::share::Share;

/// The least share of the CPUs' busy time that others are seen by. Threads' times are exact, but
/// those of a CPU are counted by ticks of 1 to 10 ms, and can be wrong by some percent.
const SEEN: Share = Share::percent(5);

/// CPUs that were busy for less than that have time to spare for whoever waits: that others ran on
/// some of them does not say that they ran where a thread waited.
const TO_SPARE: Share = Share::percent(50);

/// Threads of the guest, of one kind.
#[derive(Debug, Clone, Copy)]
pub(super) struct Waiting {
    pub(super) run: Duration,
    /// For a CPU.
    pub(super) waited: Duration,
    /// How many threads there are at the most.
    pub(super) threads: u64,
}

/// CPUs that they may use.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cpus {
    pub(super) number: u64,
    /// The host has more, which they may not use.
    pub(super) is_part: bool,
    pub(super) length: Duration,
    pub(super) busy: Duration,
    /// Time that the guest's threads of all kinds ran there, and those of another kind.
    pub(super) ours: Duration,
    pub(super) own: Duration,
}

/// Time waited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Blame {
    /// For whoever is not of this guest.
    pub(super) others: Duration,
    /// For the guest's threads of another kind.
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

    /// How much of their time the CPUs were busy.
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
        // As long as there is a CPU for each, they have no reason to wait for each other.
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
        // Threads that have pauses want to run at the same time more often than on average. What
        // nobody else can have caused, those did that are too many for the CPUs.
        let too_many = thousand_times(waiting.threads.saturating_sub(self.number));
        let more = times(waiting.run, too_many).saturating_sub(each_other).min(left);
        let each_other = each_other.saturating_add(more);
        Blame { others, own, each_other, unexplained: left - more }
    }

    /// CPUs of which some were idle: whoever waited is bound to others of them. Only what nobody
    /// else can have caused is blamed on anybody.
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

    /// How many threads wanted to run on average, in thousandths: one at least, since somebody
    /// waited.
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
