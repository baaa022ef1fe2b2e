//! How bad an incident was, kept as numbers. Words are made from them when a guest asks.

use std::time::Duration;

use hostinfo_catalog::source::Judged;
use serde::{Deserialize, Serialize};

use crate::lost::wanted;
use crate::sample::Disk;
use crate::sample::stats::{DELAY, DISK_LATENCY, OWN_PRESSURE, THROTTLED};
use crate::share::Share;
use crate::words::{is_device, millis};
use crate::{Interval, Permits, WAITED};

/// Sums are halved once they reach this, which preserves the mean: 35 years in microseconds.
const SUM_MAX: u64 = 1 << 50;

/// The mean over all samples of an incident.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Figure {
    /// Microseconds waited; for disks, the time that operations took.
    pub(crate) part: u64,
    /// Microseconds wanted; for disks, the number of operations. 0 if there is no figure.
    pub(crate) whole: u64,
    /// The disk that the figure is about.
    pub(crate) disk: Option<Box<str>>,
}

impl Figure {
    /// The figure of one interval.
    pub(crate) fn of(what: Judged, interval: &Interval<'_>) -> Self {
        let figure = match what {
            Judged::Cpu => cpu(interval),
            Judged::Memory => {
                let stall = interval.whole().time(|sample| sample.memory.stall);
                stall.map(|stall| Self::share(stall, interval.length))
            }
            Judged::Io => io(interval),
            Judged::Net => None,
        };
        figure.unwrap_or_default()
    }

    fn share(part: Duration, whole: Duration) -> Self {
        Self { part: micros(part), whole: micros(whole), disk: None }
    }

    /// Adds the figure of another interval. A disk's figure is added only if both are about the
    /// same disk.
    pub(crate) fn add(&mut self, other: &Self) {
        if self.whole == 0 {
            self.clone_from(other);
        } else if self.disk == other.disk {
            let is_large = self.part.max(self.whole) >= SUM_MAX;
            let halved = |sum: u64| if is_large { sum / 2 } else { sum };
            self.part = halved(self.part).saturating_add(other.part);
            self.whole = halved(self.whole).saturating_add(other.whole);
        }
    }

    /// Whether a figure read from a file is valid, as far as that can be checked.
    pub(crate) fn is_sound(&self) -> bool {
        self.disk.as_deref().is_none_or(is_device)
    }

    /// The figure in words, if the guest may see the statistics it comes from.
    pub(crate) fn words(&self, what: Judged, permits: Permits<'_>) -> Option<String> {
        if self.whole == 0 {
            return None;
        }
        let may_see = match what {
            Judged::Cpu => permits(DELAY, None) && permits(THROTTLED, None),
            Judged::Memory => permits(OWN_PRESSURE, None),
            Judged::Io => permits(DISK_LATENCY, self.disk.as_deref()),
            Judged::Net => false,
        };
        let share = Share::ratio(self.part.into(), self.whole.into());
        match &self.disk {
            _ if !may_see => None,
            Some(disk) => {
                let took = millis(Duration::from_micros(self.part / self.whole));
                Some(format!("an operation of {disk} took {took}"))
            }
            // Something else was wrong, such as steal: the host itself did not run.
            None if share < WAITED => None,
            None => Some(format!("{share} waited")),
        }
    }
}

/// The time that vCPUs waited, as a share of the time they wanted, as in a verdict.
fn cpu(interval: &Interval<'_>) -> Option<Figure> {
    let run = interval.whole().time(|sample| sample.cpu.run)?;
    let delay = interval.whole().time(|sample| sample.cpu.delay)?;
    let waited =
        delay.max(interval.whole().time(|sample| sample.cpu.throttled).unwrap_or_default());
    Some(Figure::share(waited, wanted(run.saturating_add(waited), interval.length)))
}

/// The time that operations took, for the disk on which they took the most.
fn io(interval: &Interval<'_>) -> Option<Figure> {
    fn done(disk: &Disk) -> Option<(Duration, u64)> {
        Some((disk.time()?, disk.ops()?))
    }
    let before = &interval.before.io.disks;
    let named = interval.after.io.disks.iter().filter(|disk| is_device(&disk.name));
    let uses = named.filter_map(|now| {
        let (before, ops_before) = done(before.iter().find(|disk| disk.name == now.name)?)?;
        let (after, ops) = done(now)?;
        let (time, ops) = (after.checked_sub(before)?, ops.checked_sub(ops_before)?);
        let disk = Some(now.name.as_str().into());
        (ops > 0).then(|| Figure { part: micros(time), whole: ops, disk })
    });
    uses.max_by_key(|disk| disk.part)
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Sample;
    use crate::sample::Done;

    const LENGTH: Duration = Duration::from_secs(10);

    fn figure(what: Judged, change: impl Fn(&mut Sample, u32)) -> Figure {
        let [mut before, mut after] = [Sample::default(), Sample::default()];
        change(&mut before, 0);
        change(&mut after, 1);
        Figure::of(what, &Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]))
    }

    fn words(what: Judged, figure: &Figure) -> Option<String> {
        figure.words(what, &|_, _| true)
    }

    #[test]
    fn a_guest_that_waits_a_third_of_the_time_reads_so_whichever_of_its_vcpus_wait() {
        let waits = figure(Judged::Cpu, |sample, at| {
            sample.cpu.vcpus = Some(8);
            sample.cpu.run = Some(Duration::from_millis(6_600) * at);
            sample.cpu.delay = Some(Duration::from_millis(3_400) * at);
        });
        assert_eq!(words(Judged::Cpu, &waits).as_deref(), Some("34% waited"));
        let hardly = figure(Judged::Cpu, |sample, at| {
            sample.cpu.vcpus = Some(8);
            sample.cpu.run = Some(Duration::from_secs(9) * at);
            sample.cpu.delay = Some(Duration::from_millis(400) * at);
        });
        assert_eq!(words(Judged::Cpu, &hardly), None, "it was something else");
    }

    #[test]
    fn the_disk_that_was_waited_for_most_is_named_with_its_mean() {
        let disk = |name: &str, ops, millis| Disk {
            name: name.to_owned(),
            read: Done {
                ops: Some(ops),
                time: Some(Duration::from_millis(millis)),
                ..Done::default()
            },
            ..Disk::default()
        };
        let slow = figure(Judged::Io, |sample, at| {
            let at = u64::from(at);
            sample.io.disks = vec![disk("vda", at * 10, at * 20), disk("vdb", at * 40, at * 1812)];
        });
        assert_eq!(words(Judged::Io, &slow).as_deref(), Some("an operation of vdb took 45.3 ms"));
        let hidden = slow.words(Judged::Io, &|_, disk| disk != Some("vdb"));
        assert_eq!(hidden, None);
    }

    #[test]
    fn a_figure_is_the_mean_of_all_its_samples_and_of_one_disk() {
        let share = |part| Figure { part, whole: 100, disk: None };
        let mut figure = Figure::default();
        for part in [10, 20, 60] {
            figure.add(&share(part));
        }
        assert_eq!(words(Judged::Memory, &figure).as_deref(), Some("30% waited"));
        let mut vda = Figure { part: 1000, whole: 1, disk: Some("vda".into()) };
        vda.add(&Figure { part: 9000, whole: 1, disk: Some("vdb".into()) });
        vda.add(&Figure { part: 3000, whole: 1, disk: Some("vda".into()) });
        assert_eq!(words(Judged::Io, &vda).as_deref(), Some("an operation of vda took 2.0 ms"));
    }

    #[test]
    fn an_unknown_number_is_no_figure() {
        for what in Judged::ALL {
            let none = figure(what, |_, _| {});
            assert_eq!((words(what, &none), none), (None, Figure::default()));
        }
    }
}
