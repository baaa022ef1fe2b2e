//! Which part of a VMM each statistic comes from.

use hostinfo_catalog::source;
use hostinfo_wire::Value;

use super::of_cgroups::Part;
use super::threads::Times;
use super::{Vmm, psi};
use crate::units::micro;
use crate::window::Pair;
use crate::{Absent, Moment};

impl Vmm {
    /// The statistic's value in the moment's slot; for the vCPU `instance`, if the statistic has one for each.
    /// The files are read at the first use in the slot; all later uses in it get the same sample. Call
    /// [`Self::sample_ratios`] before asking for `vm.cpu.contention`.
    ///
    /// # Errors
    ///
    /// The process is gone, is not a VMM or cannot be seen, or the host does not report this statistic for it.
    /// Nothing is logged: see [`Host::note_of`](crate::Host::note_of).
    pub fn value(
        &mut self,
        what: source::Vmm,
        instance: Option<u32>,
        at: Moment,
    ) -> Result<Value<'static>, Absent> {
        use source::Vmm as Source;
        self.require_vmm(at)?;
        match what {
            Source::Vcpus => {
                let vcpus = self.threads(at)?.of_vcpus()?.count();
                Ok(Value::Whole(u64::try_from(vcpus).unwrap_or(u64::MAX)))
            }
            Source::VcpuTime => Ok(nanos(self.threads(at)?.all_vcpus()?.run)),
            Source::VcpuDelay => Ok(nanos(self.threads(at)?.all_vcpus()?.delay)),
            Source::OneVcpuTime => Ok(nanos(self.threads(at)?.vcpu(instance)?.run)),
            Source::OneVcpuDelay => Ok(nanos(self.threads(at)?.vcpu(instance)?.delay)),
            Source::Contention => {
                self.threads(at)?.all_vcpus()?;
                self.window.pair(at, |sample| &sample.vcpus).map(|pair| contention(&pair))
            }
            Source::EmulatorDelay => Ok(nanos(self.threads(at)?.emulator()?.delay)),
            Source::IothreadDelay => Ok(nanos(self.threads(at)?.iothreads()?.delay)),
            Source::Throttled => self.cpu(at)?.throttled.clone().map(nanos),
            Source::Quota => self.cpu(at)?.quota.clone().map(micro),
            Source::Weight => self.cpu(at)?.weight.clone().map(Value::Whole),
            Source::Pinned => Ok(Value::Whole(self.cpus(at)?.count())),
            Source::Pressure(resource, stall, figure) => {
                psi::value(self.pressure(resource, at)?, resource, stall, figure)
            }
            Source::Resident => self.status(at)?.resident().map(Value::Whole),
            Source::Swapped => self.status(at)?.swapped().map(Value::Whole),
            Source::MajorFaults => self.status(at)?.major_faults().map(Value::Whole),
            Source::MemoryLimit => self.memory_limit(at).map(Value::Whole),
            Source::NumaLocal => Ok(Value::Whole(self.placement(at)?.local)),
            Source::NumaRemote => Ok(Value::Whole(self.placement(at)?.remote)),
        }
    }

    /// Whether the value of a statistic requires reading every thread: [`Self::read_threads`] reads those
    /// ahead.
    pub fn needs_threads(&mut self, what: source::Vmm, at: Moment) -> bool {
        matches!(Origin::of(what), Origin::Threads) || self.is_known_by_its_threads(at)
    }
}

/// What is read for a statistic.
pub(super) enum Origin {
    /// Every thread.
    Threads,
    /// The process's own `status`.
    Status,
    /// That part of its cgroups.
    Cgroups(Part),
}

impl Origin {
    pub(super) fn of(what: source::Vmm) -> Self {
        use source::Vmm as Source;
        match what {
            Source::Vcpus
            | Source::VcpuTime
            | Source::VcpuDelay
            | Source::OneVcpuTime
            | Source::OneVcpuDelay
            | Source::Contention
            | Source::EmulatorDelay
            | Source::IothreadDelay
            | Source::Pinned
            | Source::NumaLocal
            | Source::NumaRemote => Self::Threads,
            Source::Resident | Source::Swapped | Source::MajorFaults => Self::Status,
            Source::Throttled | Source::Quota | Source::Weight => Self::Cgroups(Part::Cpu),
            Source::Pressure(resource, ..) => Self::Cgroups(Part::Pressure(resource)),
            Source::MemoryLimit => Self::Cgroups(Part::MemoryLimit),
        }
    }
}

/// Of the time in which the vCPUs wanted to run, the share in which they did not. If they never wanted to run,
/// it is zero.
fn contention(Pair { before, now, .. }: &Pair<Times>) -> Value<'static> {
    let delay = now.delay.saturating_sub(before.delay);
    let run = now.run.saturating_sub(before.run);
    Value::ratio(delay, delay.saturating_add(run))
}

/// Nanoseconds, in seconds.
fn nanos(nanos: u64) -> Value<'static> {
    micro(nanos / 1000)
}
