//! Why a guest is slow, as statistics: samples of it are taken while it asks.

use hostinfo_catalog::source::{Resource, Vmm};
use hostinfo_sample::Absent;
use hostinfo_verdict::{Devices, Sample, Verdict, Watch};
use hostinfo_wire::Value;

use super::Sources;

impl Sources<'_, '_> {
    /// Judges the last minute. Who asks is watched from then on, for a while; only where there is
    /// a process to be watched, with what a verdict cannot do without.
    pub(super) fn verdict(&mut self, resource: Resource) -> Result<Value<'static>, Absent> {
        match resource {
            Resource::Cpu => self.of_vmm(Vmm::VcpuDelay, None)?,
            Resource::Memory | Resource::Io => self.of_vmm(Vmm::Resident, None)?,
        };
        let grant = &self.guest.grant;
        let (now, interval) = (self.when.now, grant.interval());
        let watch = self.observed.watch.get_or_insert_with(|| Watch::begin(now, interval));
        watch.asked(now, interval);
        let permits = |stat, instance: Option<&str>| grant.permits(stat, instance);
        let verdict = match (watch.interval(now), resource) {
            (Err(wait), _) => Verdict::ask_again(wait),
            (Ok(interval), Resource::Cpu) => hostinfo_verdict::cpu(&interval, &permits),
            (Ok(interval), Resource::Memory) => hostinfo_verdict::memory(&interval, &permits),
            (Ok(interval), Resource::Io) => hostinfo_verdict::io(&interval, &permits),
        };
        Ok(Value::text(verdict.to_string()))
    }

    /// A sample for verdicts, of whatever the host knows.
    pub(crate) fn sample(&mut self) -> Sample {
        let (disks, interfaces) = (self.disks(), self.interfaces());
        let devices = Devices { disks: &disks, interfaces: &interfaces, age: self.figures_age() };
        let vmm = self.observed.vmm.as_mut().ok();
        let bounds = vmm.map(|vmm| vmm.bounds(self.at)).unwrap_or_default();
        Sample::take(devices, bounds, |stat, instance| self.value(stat, instance).ok())
    }
}
