//! The samples of a VMM's cgroups, part by part: a part is read when a statistic needs it.

use hostinfo_catalog::source::Resource;
use serde::{Deserialize, Serialize};

use super::cgroup::Cgroups;
use super::cpu::{self, Cpu, HeldBack};
use super::file_counters::FileCounters;
use super::process::Process;
use super::{memory, psi};
use crate::cached::Cached;
use crate::pressure::Pressure;
use crate::{Absent, Moment};

/// The samples: half of a [`Vmm`](super::Vmm), for the guests whose cgroups were asked for.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(super) struct OfCgroups {
    pub(super) cpu: Cached<Cpu, HeldBack>,
    pressure_cpu: Cached<Pressure, FileCounters<2>>,
    pressure_memory: Cached<Pressure, FileCounters<2>>,
    pressure_io: Cached<Pressure, FileCounters<2>>,
    #[serde(skip)]
    pub(super) memory_limit: Cached<u64>,
}

/// What is read together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    Cpu,
    Pressure(Resource),
    MemoryLimit,
}

impl OfCgroups {
    pub(super) fn pressure_of(
        &mut self,
        resource: Resource,
    ) -> &mut Cached<Pressure, FileCounters<2>> {
        match resource {
            Resource::Cpu => &mut self.pressure_cpu,
            Resource::Memory => &mut self.pressure_memory,
            Resource::Io => &mut self.pressure_io,
        }
    }

    /// Whether the moment's slot has the part's sample.
    pub(super) fn has(&mut self, part: Part, at: Moment) -> bool {
        match part {
            Part::Cpu => self.cpu.has(at),
            Part::Pressure(resource) => self.pressure_of(resource).has(at),
            Part::MemoryLimit => self.memory_limit.has(at),
        }
    }

    /// Takes the part's sample, or finds out why there is none. It counts only if [`Cgroups::check`] succeeds afterwards.
    pub(super) fn read(
        &mut self,
        part: Part,
        cgroups: &Cgroups,
        process: &Process,
        at: Moment,
        buffer: &mut Vec<u8>,
    ) {
        let roots = &process.roots;
        // What there is instead of a sample is kept with it.
        match part {
            Part::Cpu => drop(self.cpu.at(at, |held| {
                let branch = cgroups.cpu.as_ref().map_err(Absent::clone)?;
                Ok(cpu::read(branch, roots, buffer, held))
            })),
            Part::Pressure(resource) => drop(self.pressure_of(resource).at(at, |counters| {
                let branch = cgroups.pressure.as_ref().map_err(Absent::clone)?;
                psi::read(&branch.own()?, resource, roots, buffer, counters)
            })),
            Part::MemoryLimit => drop(self.memory_limit.at(at, |()| {
                let branch = cgroups.memory.as_ref().map_err(Absent::clone)?;
                memory::limit(branch, roots, buffer)
            })),
        }
    }

    /// The moment's slot has no sample of the part.
    pub(super) fn set_absent(&mut self, part: Part, at: Moment, why: &Absent) {
        match part {
            Part::Cpu => self.cpu.set_absent(at, why.clone()),
            Part::Pressure(resource) => self.pressure_of(resource).set_absent(at, why.clone()),
            Part::MemoryLimit => self.memory_limit.set_absent(at, why.clone()),
        }
    }
}
