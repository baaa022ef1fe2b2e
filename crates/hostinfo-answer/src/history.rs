//! libvirt's values of a guest over time: counters that do not fall, and the latency of its disks.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::time::{Duration, Instant};

use hostinfo_catalog::StatId;
use hostinfo_domains::Disk;
use hostinfo_domains::limits::VCPUS_MAX;
use hostinfo_handover::instant;
use hostinfo_sample::{Absent, gain};
use hostinfo_wire::limits::{SAMPLE_GRID, WINDOW_MIN};
use serde::{Deserialize, Serialize};

/// A guest's figures are requested at most once in this time: they cost libvirt and the guest's
/// QEMU some milliseconds of CPU time.
pub(crate) const REFRESH: Duration = WINDOW_MIN;

/// Older figures are not used. A guest that asks once a minute, as monitoring does, gets the
/// figures that its previous query requested; one that asks less often has to ask again.
pub(crate) const FRESH: Duration = Duration::from_secs(75);

/// What is kept for one session of a guest.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct History {
    #[serde(with = "by_name")]
    counters: HashMap<(StatId, String), Counter>,
    /// By vCPU number. There are at most [`VCPUS_MAX`] vCPUs: 32 bytes for each of six statistics,
    /// 800 KB for the largest guest that KVM can run.
    #[serde(with = "parts_by_name")]
    parts: HashMap<StatId, BTreeMap<u32, Counter>>,
    /// At most one for each step of the grid in the last [`WINDOW_MIN`], and one before.
    readings: VecDeque<Reading>,
    /// When the guest last had newer figures requested.
    #[serde(with = "instant::option")]
    asked: Option<Instant>,
    /// The first request since `answered` that has no answer yet.
    #[serde(with = "instant::option")]
    unanswered: Option<Instant>,
    /// The last request that was answered.
    #[serde(with = "instant::option")]
    answered: Option<Instant>,
}

#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Counter {
    sum: u64,
    last: u64,
}

impl Counter {
    fn count(&mut self, now: u64) -> u64 {
        self.sum = self.sum.saturating_add(gain(self.last, now));
        self.last = now;
        self.sum
    }
}

/// What each disk had completed at one time.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Reading {
    #[serde(with = "hostinfo_handover::instant")]
    at: Instant,
    disks: HashMap<String, Completed>,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct Completed {
    ops: u64,
    nanos: u64,
}

impl History {
    /// The value to report for a counter that reads `now`. The counter of a device that was removed
    /// and plugged in again continues.
    pub(crate) fn count(&mut self, stat: StatId, instance: Option<&str>, now: u64) -> u64 {
        let key = (stat, instance.unwrap_or_default().to_owned());
        self.counters.entry(key).or_default().count(now)
    }

    /// The sum of counters that read `now`, each with the number of its vCPU. A vCPU that was
    /// removed stays in the sum, and one that returns continues.
    pub(crate) fn count_parts(
        &mut self,
        stat: StatId,
        now: impl Iterator<Item = (u32, u64)>,
    ) -> u64 {
        let parts = self.parts.entry(stat).or_default();
        for (number, now) in now {
            if parts.len() < VCPUS_MAX || parts.contains_key(&number) {
                parts.entry(number).or_default().count(now);
            }
        }
        parts.values().fold(0, |sum, part| sum.saturating_add(part.sum))
    }

    /// Whether newer figures may be requested now: once in `every`. If so, they count as requested.
    pub(crate) fn may_refresh(&mut self, every: Duration, now: Instant) -> bool {
        let is_due = self.asked.is_none_or(|asked| now.saturating_duration_since(asked) >= every);
        if is_due {
            self.asked = Some(now);
            self.unanswered.get_or_insert(now);
        }
        is_due
    }

    /// The age of figures from `at`, as this guest may know it: since its own request for them.
    /// They can be newer because others asked, which this guest must not learn. Figures older than
    /// [`FRESH`] are not used, so no age exceeds it.
    pub(crate) fn age(&mut self, at: Instant, now: Instant) -> Duration {
        if let Some(asked) = self.unanswered.take_if(|asked| *asked <= at) {
            self.answered = Some(asked);
        }
        let age = self.answered.map(|asked| now.saturating_duration_since(asked));
        age.unwrap_or(FRESH).min(FRESH)
    }

    /// Records the disks' figures from `at`.
    pub(crate) fn record(&mut self, disks: &[Disk], at: Instant) {
        if self.readings.back().is_some_and(|last| at < last.at + SAMPLE_GRID) {
            return;
        }
        let is_old_enough = |reading: &Reading| reading.at + WINDOW_MIN <= at;
        while self.readings.get(1).is_some_and(is_old_enough) {
            self.readings.pop_front();
        }
        let disks = disks.iter().rev().map(|disk| (disk.dev.clone(), completed(disk))).collect();
        self.readings.push_back(Reading { at, disks });
    }

    /// The time that a latency covers.
    pub(crate) fn window(&self) -> Option<Duration> {
        let (before, now) = self.pair()?;
        Some(now.at.saturating_duration_since(before.at))
    }

    /// Mean time of an operation on a disk, between the last reading and one that is old enough.
    ///
    /// # Errors
    /// There is no such reading yet, or nothing was completed.
    pub(crate) fn latency(&self, dev: &str) -> Result<Duration, Absent> {
        let (before, now) = self.pair().ok_or(Absent::AGAIN)?;
        let (before, now) =
            (before.of(dev).ok_or(Absent::AGAIN)?, now.of(dev).ok_or(Absent::AGAIN)?);
        let nanos = now.nanos.saturating_sub(before.nanos);
        let mean = nanos.checked_div(now.ops.saturating_sub(before.ops));
        mean.map(Duration::from_nanos).ok_or(IDLE)
    }

    fn pair(&self) -> Option<(&Reading, &Reading)> {
        let now = self.readings.back()?;
        let mut before = self.readings.iter().rev();
        Some((before.find(|reading| reading.at + WINDOW_MIN <= now.at)?, now))
    }
}

const IDLE: Absent = Absent::plain("no operation was completed between the host's last readings");

impl Reading {
    fn of(&self, dev: &str) -> Option<&Completed> {
        self.disks.get(dev)
    }
}

fn completed(disk: &Disk) -> Completed {
    let all = [disk.read, disk.write, disk.flush];
    let sum = |parts: [Option<u64>; 3]| parts.into_iter().flatten().fold(0, u64::saturating_add);
    Completed { ops: sum(all.map(|io| io.ops)), nanos: sum(all.map(|io| io.nanos)) }
}

/// The row of that name; `None` in a release that has none.
fn named(name: &str) -> Option<StatId> {
    StatId::all().find(|row| row.stat().name == name)
}

/// Counters by the names of their rows, whose numbers differ between releases.
mod by_name {
    use super::{Counter, Deserialize, HashMap, StatId, named};
    use serde::{Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(
        counters: &HashMap<(StatId, String), Counter>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        let named =
            counters.iter().map(|((row, instance), count)| (row.stat().name, instance, count));
        serializer.collect_seq(named)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<(StatId, String), Counter>, D::Error> {
        let counters: Vec<(String, String, Counter)> = Deserialize::deserialize(deserializer)?;
        let counters = counters.into_iter();
        Ok(counters
            .filter_map(|(row, instance, count)| Some(((named(&row)?, instance), count)))
            .collect())
    }
}

/// The same for counters of each vCPU.
mod parts_by_name {
    use super::{BTreeMap, Counter, Deserialize, HashMap, StatId, named};
    use serde::{Deserializer, Serializer};

    type Parts = BTreeMap<u32, Counter>;

    pub(super) fn serialize<S: Serializer>(
        parts: &HashMap<StatId, Parts>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(parts.iter().map(|(row, parts)| (row.stat().name, parts)))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<HashMap<StatId, Parts>, D::Error> {
        let parts: Vec<(String, Parts)> = Deserialize::deserialize(deserializer)?;
        Ok(parts.into_iter().filter_map(|(row, parts)| Some((named(&row)?, parts))).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_domains::Io;

    const READS: StatId = StatId::named("vm.disk.DEV.read.ops");

    const EXITS: StatId = StatId::named("vm.exits");

    fn disk(ops: u64, millis: u64) -> Disk {
        let io = Io { bytes: None, ops: Some(ops), nanos: Some(millis * 1_000_000) };
        Disk { dev: "vda".to_owned(), read: io, ..Disk::default() }
    }

    #[test]
    fn a_disk_that_is_taken_out_and_put_in_again_counts_on() {
        let mut history = History::default();
        let values: Vec<u64> =
            [70, 100, 4, 6].iter().map(|now| history.count(READS, Some("vda"), *now)).collect();
        assert_eq!(values, [70, 100, 104, 106]);
        assert_eq!(history.count(READS, Some("vdb"), 1), 1);
    }

    #[test]
    fn a_vcpu_that_is_unplugged_stays_in_the_sum_and_counts_on_when_it_is_back() {
        let mut history = History::default();
        let mut sum = |now: &[(u32, u64)]| history.count_parts(EXITS, now.iter().copied());
        assert_eq!(sum(&[(0, 100), (1, 1000)]), 1100);
        assert_eq!(sum(&[(0, 110)]), 1110);
        assert_eq!(sum(&[(0, 110), (1, 1005)]), 1115);
        assert_eq!(sum(&[(0, 120), (1, 3)]), 1128, "a new one in its place");
    }

    #[test]
    fn a_helper_that_makes_numbers_up_does_not_fill_the_memory() {
        let mut history = History::default();
        for round in 0..100 {
            history.count_parts(EXITS, (round * 1000..round * 1000 + 1000).map(|at| (at, 1)));
        }
        assert_eq!(history.parts[&EXITS].len(), VCPUS_MAX);
    }

    #[test]
    fn the_latency_is_that_since_a_look_that_is_at_least_a_second_old() {
        let (mut history, start) = (History::default(), Instant::now());
        let at = |millis| start + Duration::from_millis(millis);
        assert_eq!(history.latency("vda"), Err(Absent::AGAIN));
        history.record(&[disk(10, 100)], at(0));
        history.record(&[disk(20, 300)], at(900));
        assert_eq!(history.latency("vda"), Err(Absent::AGAIN));
        history.record(&[disk(30, 600)], at(1900));
        assert_eq!(history.latency("vda"), Ok(Duration::from_millis(30)));
        assert_eq!(history.window(), Some(Duration::from_secs(1)));
        history.record(&[disk(30, 600)], at(5000));
        assert_eq!(history.latency("vda"), Err(IDLE));
        assert_eq!(history.latency("vdb"), Err(Absent::AGAIN));
    }

    #[test]
    fn newer_figures_are_asked_for_once_a_second_however_much_is_asked() {
        let (mut history, start) = (History::default(), Instant::now());
        let at = (0..3000).map(|millis| start + Duration::from_millis(millis));
        assert_eq!(at.filter(|now| history.may_refresh(REFRESH, *now)).count(), 3);
    }

    #[test]
    fn figures_are_as_old_as_the_guests_own_request_whoever_else_asked() {
        let (mut history, start) = (History::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let age = |history: &mut History, values, now| history.age(at(values), at(now)).as_secs();
        assert_eq!(age(&mut history, 0, 0), 75, "it has asked for none");
        assert!(history.may_refresh(REFRESH, at(10)));
        assert_eq!(age(&mut history, 9, 10), 75, "these are not the ones");
        assert_eq!(age(&mut history, 11, 12), 2);
        assert_eq!(age(&mut history, 39, 40), 30, "another asked");
        assert!(history.may_refresh(REFRESH, at(40)));
        assert_eq!(age(&mut history, 39, 40), 30);
        assert!(history.may_refresh(REFRESH, at(42)));
        assert_eq!(age(&mut history, 43, 44), 4, "the answer may be that to the first request");
        assert_eq!(age(&mut history, 300, 301), 75);
    }

    #[test]
    fn few_looks_are_kept_however_often_somebody_looks() {
        let (mut history, start) = (History::default(), Instant::now());
        for millis in 0..20_000 {
            history.record(&[disk(1, 1)], start + Duration::from_millis(millis));
        }
        assert!(history.readings.len() <= 12, "{}", history.readings.len());
    }
}
