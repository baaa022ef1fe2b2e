//! Which parts of a VMM's sample are read, and which other parts they depend on. Each is read at most once in a
//! slot.

use std::iter::once;
use std::time::Duration;

use hostinfo_catalog::source::{self, Resource};

use super::bounds::{self, Bounds};
use super::cgroup::{self, Cgroups};
use super::cpu::Cpu;
use super::cpus::{self, Cpus};
use super::numa::{self, Placement};
use super::of_cgroups::{OfCgroups, Part};
use super::process::Process;
use super::status::{self, Status};
use super::threads::Threads;
use super::value::Origin;
use super::{ForVerdicts, NO_VMM, Vmm};
use crate::cached::Cached;
use crate::pressure::Pressure;
use crate::{Absent, CpuUse, Host, Moment};

/// How far a reading has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ahead {
    /// How many threads this step read.
    pub read: usize,
    /// Whether all are read: the slot has its sample, or cannot get one.
    pub is_done: bool,
}

/// How long a reading of threads may take, including others' turns in between.
const READING_MAX: Duration = Duration::from_secs(1);

/// How often a reading may start before the slot goes without its sample: who asked once must not have threads read
/// without end, where the guest has too many of them or the host is too busy.
const STARTS_MAX: u32 = 3;

/// A reading of threads that is split into several steps.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reading {
    since: Moment,
    /// Which start of it that was.
    start: u32,
}

impl Vmm {
    /// Checks that the process exists and is a VMM, by its name or by its threads' names.
    pub(super) fn require_vmm(&mut self, at: Moment) -> Result<(), Absent> {
        if self.status(at)?.is_vmm || self.threads(at)?.are_named() { Ok(()) } else { Err(NO_VMM) }
    }

    /// Whether only its threads' names can show that it is a VMM.
    pub(super) fn is_known_by_its_threads(&mut self, at: Moment) -> bool {
        self.status(at).is_ok_and(|status| !status.is_vmm)
    }

    /// A list asks for the moment of its last look: if a query has read the status since then, that one is as good.
    pub(super) fn status(&mut self, at: Moment) -> Result<&Status, Absent> {
        let later = self.status.slot().filter(|slot| *slot > at.slot());
        let at = later.map_or(at, Moment::of_slot);
        let process = &mut self.process;
        self.status.at(at, |counters| {
            let buffer = &mut process.roots.buffer();
            status::read(process, buffer, counters)
        })
    }

    pub(super) fn threads(&mut self, at: Moment) -> Result<&Threads, Absent> {
        if !self.threads_read.has(at) {
            let (count, wants_cpus) = (self.count_threads(at), self.wants_cpus());
            let Self { threads, process, affinities, threads_read, .. } = self;
            let affinities = wants_cpus.then_some(affinities);
            let buffer = &mut process.roots.buffer();
            let read = threads.read(count, affinities, at, process, buffer);
            let _ = threads_read.at(at, |()| read);
        }
        self.threads_read.at(at, |()| Err(Absent::AGAIN))?;
        Ok(&self.threads)
    }

    /// The moment for which the vCPUs were last looked for, if it was less than `age` before `at`: asking for them at that
    /// moment reads nothing.
    pub fn last_look(&self, age: Duration, at: Moment) -> Option<Moment> {
        let look = Moment::of_slot(self.threads_read.slot()?);
        (at.since(look) < age).then_some(look)
    }

    /// How many threads the process has; `None` if that is not known.
    fn count_threads(&mut self, at: Moment) -> Option<u64> {
        self.status(at).ok()?.threads
    }

    /// Whether the CPUs that the vCPUs may run on were sampled along with the threads last time. Then they are wanted
    /// this time as well.
    fn wants_cpus(&self) -> bool {
        self.cpus.slot().is_some_and(|slot| self.threads_read.slot() == Some(slot))
    }

    /// Reads at most this many of the guest's threads, ahead of their use in the moment's slot. A guest with
    /// thousands of threads is read in several steps, so that others get their turns in between. A reading
    /// continues for up to a second and then starts over, since all times in a sample should be from about the
    /// same moment. After three starts it is given up: the slot goes without its sample.
    pub fn read_threads(&mut self, most: usize, at: Moment) -> Ahead {
        if self.threads_read.has(at) {
            return Ahead { read: 0, is_done: true };
        }
        let last = self.reading.filter(|_| self.threads.has_unread());
        let is_begun = last.is_some_and(|last| at.since(last.since) < READING_MAX);
        // One that nobody waited for to the end, long ago, says nothing of this one.
        let recent = last.filter(|last| at.since(last.since) < READING_MAX * STARTS_MAX);
        let start = recent.map_or(0, |last| last.start) + 1;
        if !is_begun && start > STARTS_MAX {
            self.threads.give_up();
            self.threads_read.set_absent(at, Absent::AGAIN);
            return Ahead { read: 0, is_done: true };
        }
        let count = if is_begun { None } else { self.count_threads(at) };
        let wants_cpus = self.wants_cpus();
        let Self { threads, process, threads_read, affinities, reading, .. } = self;
        if !is_begun {
            *reading = Some(Reading { since: at, start });
            if let Err(absent) = threads.begin(count, process) {
                let _ = threads_read.at(at, |()| Err(absent));
                return Ahead { read: 0, is_done: true };
            }
        }
        let buffer = &mut process.roots.buffer();
        let affinities = wants_cpus.then_some(affinities);
        let read = threads.go_on(most, affinities, at, process, buffer);
        let is_done = !threads.has_unread();
        if is_done {
            let _ = threads_read.at(at, |()| threads.end(process, buffer));
        }
        Ahead { read, is_done }
    }

    /// Reads what these statistics need from the guest's cgroups, ahead of their use in the moment's slot: whether the VMM
    /// was in them the whole time is then checked once for all, and not for each.
    pub fn read_cgroups(&mut self, needed: impl Iterator<Item = source::Vmm>, at: Moment) {
        let of_cgroups = |what| match Origin::of(what) {
            Origin::Cgroups(part) => Some(part),
            Origin::Threads | Origin::Status => None,
        };
        let mut parts = needed.filter_map(of_cgroups).peekable();
        if parts.peek().is_some() && self.require_vmm(at).is_ok() {
            self.of_cgroups(parts, at);
        }
    }

    /// The samples of the cgroups, with those of `parts`.
    fn of_cgroups(&mut self, parts: impl Iterator<Item = Part>, at: Moment) -> &mut OfCgroups {
        let all = self.of_cgroups.get_or_insert_default();
        let mut unread = Vec::new();
        for part in parts {
            if !all.has(part, at) && !unread.contains(&part) {
                unread.push(part);
            }
        }
        if !unread.is_empty() {
            let read =
                look(&mut self.cgroups, &mut self.process, at, |cgroups, process, buffer| {
                    for part in &unread {
                        all.read(*part, cgroups, process, at, buffer);
                    }
                    Ok(())
                });
            if let Err(absent) = read {
                unread.into_iter().for_each(|part| all.set_absent(part, at, &absent));
            }
        }
        all
    }

    pub(super) fn cpu(&mut self, at: Moment) -> Result<&Cpu, Absent> {
        self.of_cgroups(once(Part::Cpu), at).cpu.at(at, |_| Err(Absent::AGAIN))
    }

    pub(super) fn cpus(&mut self, at: Moment) -> Result<&Cpus, Absent> {
        self.threads(at)?;
        let Self { cpus, affinities, threads, process, .. } = self;
        cpus.at(at, |()| {
            let buffer = &mut process.roots.buffer();
            affinities.renew(threads.of_vcpus().into_iter().flatten(), at, process, buffer);
            cpus::read(threads, affinities, at, process, buffer)
        })
    }

    pub(super) fn cpu_use(&mut self, host: &mut Host, at: Moment) -> Result<CpuUse, Absent> {
        let each = host.of_each_cpu(at)?;
        let cpus = self.cpus(at)?.clone();
        let Self { cgroups, process, threads, for_verdicts, .. } = self;
        let ForVerdicts { affinities_of_others, counted, .. } =
            &mut **for_verdicts.get_or_insert_default();
        let buffer = &mut process.roots.buffer();
        affinities_of_others.renew(threads.others().map(|(task, _)| task), at, process, buffer);
        let cgroups = cgroups.at(at, |()| cgroup::read(process, at, buffer));
        let workers = cgroups.map(|cgroups| cgroups.workers.as_slice()).unwrap_or_default();
        counted.add_cpus(each, &cpus, at, process.units);
        cpus.usage((threads, affinities_of_others), workers, counted, process, buffer)
    }

    pub(super) fn bounds_of_cgroups(&mut self, at: Moment) -> Result<Bounds, Absent> {
        let Self { cgroups, process, for_verdicts, .. } = self;
        let kept = &mut for_verdicts.get_or_insert_default().bounds;
        look(cgroups, process, at, |cgroups, process, buffer| {
            Ok(bounds::read(cgroups, at, kept, process, buffer))
        })
    }

    pub(super) fn pressure(&mut self, resource: Resource, at: Moment) -> Result<&Pressure, Absent> {
        let all = self.of_cgroups(once(Part::Pressure(resource)), at);
        all.pressure_of(resource).at(at, |_| Err(Absent::AGAIN))
    }

    pub(super) fn memory_limit(&mut self, at: Moment) -> Result<u64, Absent> {
        let all = self.of_cgroups(once(Part::MemoryLimit), at);
        all.memory_limit.at(at, |()| Err(Absent::AGAIN)).copied()
    }

    pub(super) fn placement(&mut self, at: Moment) -> Result<Placement, Absent> {
        let now = if self.placement.has(at) { None } else { Some(self.place(at)) };
        self.placement.at(at, |()| now.unwrap_or(Err(Absent::AGAIN))).copied()
    }

    fn place(&mut self, at: Moment) -> Result<Placement, Absent> {
        let nodes = numa::nodes(&self.process.roots, at, &mut self.process.roots.buffer())?;
        let status = self.status(at)?;
        // With a single node, all memory is local.
        let Some(nodes) = nodes.filter(|nodes| nodes.len() > 1) else {
            return Ok(Placement { local: status.resident()?, remote: 0 });
        };
        let holds = status.holds();
        self.threads(at)?;
        let (cgroups, process, threads) = (&mut self.cgroups, &mut self.process, &self.threads);
        look(cgroups, process, at, |cgroups, process, buffer| {
            let memory = cgroups.memory.as_ref().map_err(Absent::clone)?.own()?;
            let hugetlb = cgroups.hugetlb.as_ref().ok().and_then(|branch| branch.own().ok());
            let vcpus = numa::nodes_of(threads.of_vcpus()?, &nodes, process, at, buffer)?;
            numa::read(&memory, hugetlb.as_ref(), holds, &vcpus, process, buffer)
        })
    }
}

/// Reads something from the slot's cgroups with `read`. The result counts only if the VMM was in them the whole
/// time.
fn look<T>(
    cgroups: &mut Cached<Box<Cgroups>>,
    process: &mut Process,
    at: Moment,
    read: impl FnOnce(&Cgroups, &Process, &mut Vec<u8>) -> Result<T, Absent>,
) -> Result<T, Absent> {
    let buffer = &mut process.roots.buffer();
    let cgroups = cgroups.at(at, |()| cgroup::read(process, at, buffer))?;
    let told = read(cgroups, process, buffer)?;
    cgroups.check(process, buffer)?;
    Ok(told)
}
