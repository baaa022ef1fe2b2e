//! The kernel's values: of the host and of the guest's VMM. Their ratios cover the same time.

use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_catalog::source::{Host, Source, Vmm};
use hostinfo_sample::{Absent, Spare};
use hostinfo_wire::Value;

use super::Sources;
use crate::select::Pick;

/// The guest's ratio.
const CONTENTION: StatId = StatId::named("vm.cpu.contention");

impl Sources<'_, '_> {
    /// Must come before any value of a reply with ratios. All ratios have to cover the same time,
    /// which is the guest's if one of them is the guest's.
    pub(crate) fn sample_ratios(&mut self, picks: &[Pick<'_>]) {
        if picks.iter().any(|pick| pick.includes(CONTENTION, &self.who.grant))
            && let Ok(vmm) = self.observed.vmm()
            && vmm.value(Vmm::Vcpus, None, self.at).is_ok()
        {
            vmm.sample_ratios(self.host, self.at);
            self.by_guest = true;
        }
    }

    /// The time that this reply's ratios cover.
    pub(super) fn window(&self) -> Option<Duration> {
        match self.observed.asked_vmm() {
            Some(vmm) if self.by_guest => vmm.window(self.at),
            _ => self.observed.host_window.span(self.at),
        }
    }

    pub(super) fn of_host(&mut self, what: Host) -> Result<Value<'static>, Absent> {
        let by_guest = match self.observed.asked_vmm() {
            Some(vmm) if self.by_guest => vmm.host_ratio(what, self.at),
            _ => None,
        };
        let window = &mut self.observed.host_window;
        by_guest.unwrap_or_else(|| self.host.value(what, window, self.at))
    }

    pub(super) fn of_vmm(
        &mut self,
        what: Vmm,
        vcpu: Option<&str>,
    ) -> Result<Value<'static>, Absent> {
        let vcpu = vcpu.and_then(|number| number.parse().ok());
        let value = match self.observed.vmm() {
            Ok(vmm) => vmm.value(what, vcpu, self.at),
            Err(absent) => Err(absent.clone()),
        };
        self.note(Source::Vmm(what), value)
    }

    pub(super) fn energy(&mut self) -> Result<Value<'static>, Absent> {
        let value = match self.observed.vmm() {
            Ok(vmm) => vmm.energy(self.host, self.at),
            Err(absent) => Err(absent.clone()),
        };
        self.note(Source::Energy, value)
    }

    fn note(
        &mut self,
        what: Source,
        value: Result<Value<'static>, Absent>,
    ) -> Result<Value<'static>, Absent> {
        self.host.note_of(self.who.name.whole(), what, value.as_ref().err());
        value
    }

    /// See [`Host::failures`](hostinfo_sample::Host::failures).
    pub(crate) fn failures(&self) -> u64 {
        self.host.failures()
    }

    /// Figures for vhostmd's sums that are not statistics.
    pub(crate) fn spare_memory(&mut self) -> Spare {
        self.host.spare_memory(self.at)
    }
}

/// Whether it covers a time.
pub(crate) fn is_ratio(source: Source) -> bool {
    matches!(
        source,
        Source::Host(Host::CpuShare(_) | Host::DiskBusy) | Source::Vmm(Vmm::Contention)
    )
}
