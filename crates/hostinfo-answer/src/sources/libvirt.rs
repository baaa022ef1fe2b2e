//! libvirt's values of a guest, as statistics. Those of the guest's disks and interfaces are in
//! `devices`.
//!
//! A query never waits for libvirt: it is answered with the latest figures, and requests newer
//! ones.

use std::sync::Arc;
use std::time::{Duration, Instant};

use hostinfo_catalog::StatId;
use hostinfo_catalog::source::{Host as HostSource, Kvm, Libvirt as Source, Topology};
use hostinfo_domains::limits::VCPUS_MAX;
use hostinfo_domains::{Figures, Guest, Vcpu};
use hostinfo_sample::Absent;
use hostinfo_wire::limits::SAMPLE_GRID;
use hostinfo_wire::{Refusal, Value};

use super::{Purpose, Sources, unavailable};
use crate::history::{FRESH, History, REFRESH};
use crate::standing::Standing;

const NO_DOMAIN: Absent = Absent::plain("this guest is not a domain of libvirt");
pub(super) const NOT_REPORTED: Absent =
    Absent::plain("libvirt does not report this for this guest");
const NO_KVM: Absent = Absent::plain("this guest does not run on KVM, which counts this");
const NOT_COUNTED: Absent = Absent::plain(
    "libvirt does not report this for this guest now: it needs libvirt 8.9, QEMU 7.1 and x86",
);

impl Sources<'_, '_> {
    /// The value of a statistic whose source is libvirt.
    pub(super) fn of_libvirt(
        &mut self,
        stat: StatId,
        what: Source,
        instance: Option<&str>,
    ) -> Result<Value<'static>, Refusal> {
        let value = match what {
            Source::HypervisorVersion | Source::GuestsRunning | Source::Overcommit => {
                self.of_all(what)
            }
            Source::Uuid => self.domain().map(|guest| Value::text(guest.domain.uuid.to_string())),
            Source::VcpusMax => self.domain().map(|guest| Value::Whole(guest.domain.vcpus_max)),
            Source::Paused => self.paused(stat),
            Source::Migrating => {
                // libvirt has no event for the start of a migration, so it is seen when figures
                // arrive.
                let seen = self.with_figures(|_, _| ());
                seen.and_then(|()| self.domain()).map(|guest| Value::truth(guest.domain.migrating))
            }
            Source::BlockJob => self.figure(|figures| figures.block_job.map(Value::truth)),
            Source::MemoryCurrent => {
                self.figure(|figures| figures.memory_current.map(Value::Whole))
            }
            Source::MemoryMaximum => {
                self.figure(|figures| figures.memory_maximum.map(Value::Whole))
            }
            Source::BalloonTaken => self.figure(|figures| {
                let taken = figures.memory_maximum?.saturating_sub(figures.memory_current?);
                Some(Value::Whole(taken))
            }),
            Source::Kvm(what) => self.of_kvm(stat, what),
            Source::Disk(..) | Source::DiskErrors | Source::DiskLimit(_) | Source::DiskLatency => {
                return self.of_disk(stat, what, instance);
            }
            Source::Net(..) | Source::NetLimit(_) => return self.of_net(stat, what, instance),
        };
        value.map_err(unavailable)
    }

    /// Number of online vCPUs, if libvirt knows the guest.
    pub(super) fn libvirt_vcpus(&self) -> Option<Value<'static>> {
        self.domain().ok().map(|guest| Value::Whole(guest.domain.vcpus))
    }

    /// Age of libvirt's figures of the guest.
    pub(super) fn figures_age(&self) -> Duration {
        let figures = self.domain().ok().and_then(|guest| guest.figures.as_ref());
        figures.map(|(_, at)| self.when.now.saturating_duration_since(*at)).unwrap_or_default()
    }

    fn of_all(&mut self, what: Source) -> Result<Value<'static>, Absent> {
        let known = Arc::clone(self.libvirt.snapshot()?);
        match what {
            Source::HypervisorVersion => {
                let hypervisor = known.hypervisor().ok_or(Absent::AGAIN)?;
                Ok(Value::text(hypervisor.version.clone()))
            }
            Source::Overcommit => {
                let cpus = self.of_host(HostSource::Topology(Topology::Online))?;
                let Value::Whole(cpus @ 1..) = cpus else { return Err(NOT_REPORTED) };
                let millionths = u128::from(known.vcpus()) * 1_000_000 / u128::from(cpus);
                Ok(Value::Micro(i64::try_from(millionths).unwrap_or(i64::MAX)))
            }
            _ => Ok(Value::Whole(known.running())),
        }
    }

    /// The sum over all vCPUs that existed in this session. A vCPU that is unplugged stays in the
    /// sum.
    fn of_kvm(&mut self, stat: StatId, what: Kvm) -> Result<Value<'static>, Absent> {
        if !self.domain()?.domain.is_kvm {
            return Err(NO_KVM);
        }
        let sum = self.with_figures(|figures, history| {
            let each =
                figures.vcpus.iter().filter_map(|vcpu| Some((vcpu.number, kvm(vcpu, what)?)));
            let mut each = each.take(VCPUS_MAX).peekable();
            if each.peek().is_some() {
                return Some(history.count_parts(stat, each));
            }
            let of_all = figures.halt_poll.filter(|_| what == Kvm::HaltPoll)?;
            Some(history.count(stat, None, of_all))
        })?;
        let sum = sum.ok_or(NOT_COUNTED)?;
        Ok(if what == Kvm::HaltPoll { nanos(sum) } else { Value::Whole(sum) })
    }

    fn paused(&mut self, stat: StatId) -> Result<Value<'static>, Absent> {
        let paused = self.domain()?.paused(self.when.now).as_nanos();
        let paused = u64::try_from(paused).unwrap_or(u64::MAX);
        Ok(nanos(self.observed.history().count(stat, None, paused)))
    }

    fn figure(
        &mut self,
        pick: impl FnOnce(&Figures) -> Option<Value<'static>>,
    ) -> Result<Value<'static>, Absent> {
        self.with_figures(|figures, _| pick(figures))?.ok_or(NOT_REPORTED)
    }

    /// What libvirt knows of the guest.
    pub(super) fn domain(&self) -> Result<&Arc<Guest>, Absent> {
        let known = self.libvirt.snapshot()?;
        match &self.who.standing {
            Standing::Domain(uuid, _) => known.guest(*uuid).ok_or(NO_DOMAIN),
            Standing::Unnamed | Standing::Refused(_) | Standing::Awaited => Err(NO_DOMAIN),
        }
    }

    /// Picks from the latest figures, and requests newer ones.
    pub(super) fn with_figures<T>(
        &mut self,
        pick: impl FnOnce(&Figures, &mut History) -> T,
    ) -> Result<T, Absent> {
        let guest = Arc::clone(self.domain()?);
        let age = |at: Instant| self.when.now.saturating_duration_since(at);
        let (longest, every) = match self.purpose {
            Purpose::Query => (FRESH, Some(REFRESH)),
            // Devices have the same names for longer than they have the same values.
            Purpose::List => (Duration::MAX, Some(REFRESH.max(self.who.grant.interval()))),
            Purpose::Sample => (FRESH, None),
        };
        let fresh = guest.figures.as_ref().filter(|(_, at)| age(*at) <= longest);
        let history = self.observed.history();
        let age = fresh.map(|(_, at)| history.age(*at, self.when.now));
        if every.is_some_and(|every| history.may_refresh(every, self.when.now)) {
            self.libvirt.refresh(guest.domain.uuid, self.when.now);
        }
        let ((figures, at), age) = fresh.zip(age).ok_or(Absent::AGAIN)?;
        let steps = age.as_nanos().div_ceil(SAMPLE_GRID.as_nanos());
        let steps = u32::try_from(steps).unwrap_or(u32::MAX);
        self.times.age = self.times.age.max(SAMPLE_GRID.saturating_mul(steps));
        let history = self.observed.history();
        history.record(&figures.disks, *at);
        Ok(pick(figures, history))
    }
}

fn kvm(vcpu: &Vcpu, what: Kvm) -> Option<u64> {
    match what {
        Kvm::Exits => vcpu.exits,
        Kvm::IoExits => vcpu.io_exits,
        Kvm::MmioExits => vcpu.mmio_exits,
        Kvm::HaltExits => vcpu.halt_exits,
        Kvm::Irqs => vcpu.irqs,
        Kvm::HaltPoll => vcpu.halt_poll,
    }
}

pub(super) fn nanos(nanos: u64) -> Value<'static> {
    Value::seconds(Duration::from_nanos(nanos))
}
