//! Why a guest is slow, as statistics. The guest is sampled while it asks.

use hostinfo_catalog::source::{Judged, Vmm};
use hostinfo_sample::Absent;
use hostinfo_verdict::{Devices, Sample, Verdict, Watch, judge};

use super::{Purpose, Sources};

impl Sources<'_, '_> {
    /// Judges up to the last minute, each resource once for a reply. From then on the guest is
    /// watched for a while. That needs a process to watch, with the figures that a verdict cannot
    /// do without.
    pub(super) fn verdict(&mut self, what: Judged) -> Result<Verdict, Absent> {
        if let Some((_, verdict)) = self.verdicts.iter().find(|(judged, _)| *judged == what) {
            return Ok(verdict.clone());
        }
        match what {
            Judged::Cpu => self.of_vmm(Vmm::VcpuDelay, None)?,
            Judged::Memory | Judged::Io | Judged::Net => self.of_vmm(Vmm::Resident, None)?,
        };
        let grant = &self.who.grant;
        let (now, interval) = (self.when.now, grant.interval());
        let watch = self.observed.watch.get_or_insert_with(|| Watch::begin(now, interval).into());
        watch.asked(now, interval);
        let permits = |stat, instance: Option<&str>| grant.permits(stat, instance);
        let verdict = match watch.interval(now) {
            Err(wait) => Verdict::ask_again(wait.max(interval)),
            Ok(window) => {
                self.times.verdicts = Some(window.window());
                judge(what, &window, &permits)
            }
        };
        self.verdicts.push((what, verdict.clone()));
        Ok(verdict)
    }

    /// A sample for verdicts, with everything the host knows.
    pub(crate) fn sample(&mut self) -> Sample {
        self.purpose = Purpose::Sample;
        let (disks, interfaces) = (self.limited_disks(), self.interfaces());
        let devices = Devices { disks: &disks, interfaces: &interfaces, age: self.figures_age() };
        let vmm = self.observed.vmm().ok();
        let bounds = vmm.map(|vmm| vmm.bounds(self.host, self.at)).unwrap_or_default();
        Sample::take(devices, bounds, |stat, instance| self.value(stat, instance).ok())
    }
}
