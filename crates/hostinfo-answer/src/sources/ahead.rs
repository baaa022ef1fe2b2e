//! Reading that is done before a reply is begun, in as many turns as it needs.

use hostinfo_catalog::source::{Judged, Source, Vmm};
use hostinfo_catalog::{Instances, StatId};
use hostinfo_rules::Grant;
use hostinfo_sample::Ahead;
use hostinfo_wire::limits::{THREAD_WORK, TURN_THREADS};

use super::{Purpose, Sources};
use crate::pending::Pending;
use crate::select::{Pick, permitted};

impl Sources<'_, '_> {
    /// Reads some of the threads of the guest's VMM, if any of the picks needs them.
    ///
    /// # Errors
    /// More threads are left, for the next turn.
    pub(crate) fn read_ahead_of(&mut self, picks: &[Pick<'_>]) -> Result<(), Pending> {
        let grant: &Grant = &self.who.grant;
        self.read_ahead(picks.iter().flat_map(|pick| pick.rows(grant)))
    }

    /// The same for a list of the picks. It needs no values, but the numbers of vCPUs. A list does not count against the
    /// guest's interval, so they are read for lists at most once in it: `list` sees those that were there then.
    ///
    /// # Errors
    /// As [`Sources::read_ahead_of`].
    pub(crate) fn read_ahead_of_list(&mut self, picks: &[Pick<'_>]) -> Result<(), Pending> {
        self.purpose = Purpose::List;
        let grant: &Grant = &self.who.grant;
        let has_vcpus = |stat: StatId| stat.stat().instances == Instances::Vcpus;
        let needs = picks.iter().any(|pick| match pick {
            Pick::Refused(..) | Pick::Stat(..) => false,
            Pick::Group(_, scope) => permitted(scope, grant).any(has_vcpus),
        });
        if !needs {
            return Ok(());
        }
        let (interval, now) = (grant.interval(), self.at);
        let vmm = self.observed.vmm().ok();
        self.at = vmm.and_then(|vmm| vmm.last_look(interval, now)).unwrap_or(now);
        self.read_threads()
    }

    /// Reads what the picks need from the cgroups of the guest's VMM, all of it together.
    pub(crate) fn read_cgroups_of(&mut self, picks: &[Pick<'_>]) {
        let grant: &Grant = &self.who.grant;
        let rows = picks.iter().flat_map(|pick| pick.rows(grant));
        let of_vmm = rows.filter_map(|row| match row.stat().source {
            Source::Vmm(what) => Some(what),
            _ => None,
        });
        let mut of_vmm = of_vmm.peekable();
        // Nothing is known yet of the VMM of a guest that asks only about its host.
        if of_vmm.peek().is_some()
            && let Ok(vmm) = self.observed.vmm()
        {
            vmm.read_cgroups(of_vmm, self.at);
        }
    }

    /// The same as [`Sources::read_ahead_of`] for single statistics without instances.
    ///
    /// # Errors
    /// As [`Sources::read_ahead_of`].
    pub(crate) fn read_ahead(
        &mut self,
        mut stats: impl Iterator<Item = StatId>,
    ) -> Result<(), Pending> {
        let needs = stats.any(|stat| self.needs_threads(stat));
        if needs { self.read_threads() } else { Ok(()) }
    }

    /// Reads some of the threads of the guest's VMM.
    ///
    /// # Errors
    /// As [`Sources::read_ahead_of`].
    pub(crate) fn read_threads(&mut self) -> Result<(), Pending> {
        let Ok(vmm) = self.observed.vmm() else { return Ok(()) };
        let Ahead { read, is_done } = vmm.read_threads(TURN_THREADS, self.at);
        let read = u32::try_from(read).unwrap_or(u32::MAX);
        *self.work = self.work.saturating_add(read.saturating_mul(THREAD_WORK));
        if is_done {
            return Ok(());
        }
        Err(Pending { asked: self.when.asked, until: self.when.now, on: String::new() })
    }

    fn needs_threads(&mut self, stat: StatId) -> bool {
        let what = match stat.stat().source {
            Source::Vmm(Vmm::Vcpus) if self.libvirt_vcpus().is_some() => return false,
            Source::Vmm(what) => what,
            Source::Energy | Source::Verdict(Judged::Cpu) | Source::State(Judged::Cpu) => {
                Vmm::VcpuDelay
            }
            Source::Verdict(_) | Source::State(_) => Vmm::Resident,
            Source::Own(_)
            | Source::Host(_)
            | Source::Libvirt(_)
            | Source::Incident
            | Source::Label
            | Source::Notice
            | Source::HostState
            | Source::Custom => return false,
        };
        let at = self.at;
        self.observed.vmm().is_ok_and(|vmm| vmm.needs_threads(what, at))
    }
}
