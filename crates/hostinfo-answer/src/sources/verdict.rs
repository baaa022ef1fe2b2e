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
        let are_devices_coming = self.are_devices_coming(what);
        let grant = &self.who.grant;
        let (now, interval) = (self.when.now, grant.interval());
        let watch = self.observed.watch.get_or_insert_with(|| Watch::begin(now, interval).into());
        watch.asked(now, interval);
        let permits = |stat, instance: Option<&str>| grant.permits(stat, instance);
        let verdict = match watch.interval(now) {
            Err(wait) => Verdict::ask_again(wait.max(interval)),
            Ok(window) => {
                self.times.verdicts = Some(window.window());
                let next = watch.next_sample().map(|next| next.saturating_duration_since(now));
                let window = window
                    .with_next(next.unwrap_or_default().max(interval))
                    .with_devices_coming(are_devices_coming);
                judge(what, &window, &permits)
            }
        };
        self.verdicts.push((what, verdict.clone()));
        Ok(verdict)
    }

    /// Whether libvirt can have figures of what is judged of the guest's devices, though it may not have given any
    /// yet, or for a while.
    fn are_devices_coming(&self, what: Judged) -> bool {
        let guest = match (self.libvirt.snapshot(), self.domain()) {
            (Err(absent), _) => return !absent.is_of_host(),
            (Ok(_), Err(_)) => return false,
            (Ok(_), Ok(guest)) => guest,
        };
        guest.figures.as_ref().is_none_or(|(figures, _)| match what {
            Judged::Io => !figures.disks.is_empty(),
            Judged::Net => !figures.nets.is_empty(),
            Judged::Cpu | Judged::Memory => false,
        })
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
