//! Where a reply's values come from: the one place that knows every source.

mod ahead;
mod custom;
mod devices;
mod incidents;
mod libvirt;
mod members;
mod notices;
mod own;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_catalog::source::{Host as HostSource, Judged, Source, Vmm as VmmSource};
use hostinfo_notices::Notice;
use hostinfo_sample::{Absent, Host, Moment, Spare};
use hostinfo_verdict::Verdict;
use hostinfo_wire::limits::SAMPLE_GRID;
use hostinfo_wire::{Refusal, Value};

use crate::allowance::Cost;
use crate::backend::Backend;
use crate::given::Given;
use crate::libvirt::Libvirt;
use crate::observed::Observed;
use crate::pending::When;
use crate::select::{Pick, select};
use crate::sources::devices::Devices;
use crate::who::Who;

/// The reason behind 503 if the host has nothing in that group.
const NONE: &str = "this host has none";

/// The guest's ratio.
const CONTENTION: StatId = StatId::named("vm.cpu.contention");

/// All sources for one reply to one guest.
pub(crate) struct Sources<'a, 's> {
    who: &'a Who,
    host: &'s mut Host,
    libvirt: &'s mut dyn Libvirt,
    given: &'s mut Given,
    observed: &'s mut Observed,
    when: When,
    at: Moment,
    /// Adds up units of work.
    work: &'s mut u32,
    /// The reply has ratios of the guest, so the host's ratios have to cover the same time.
    by_guest: bool,
    extent: Extent,
    /// A sample is taken and no query answered, so nothing may be requested for it.
    is_sample: bool,
    found: Found,
    /// The guest's notices, once they were looked up: the same throughout the reply.
    notices: Option<Vec<Arc<Notice>>>,
    incidents: Option<Vec<String>>,
    /// Verdicts that were asked for so far.
    verdicts: Vec<(Judged, Verdict)>,
    /// Where the guest's devices are in libvirt's values, once one was looked up.
    devices: Option<Devices>,
}

/// What `sample.age` and `window` report about the rest of their reply.
#[derive(Default)]
struct Extent {
    /// The largest age.
    age: Duration,
    window: Option<Duration>,
    /// The window of verdicts, which is used if there are no ratios.
    verdicts: Option<Duration>,
}

/// How many values were looked up, by outcome.
#[derive(Clone, Copy, Default)]
pub(crate) struct Found {
    values: u32,
    soon: u32,
    nothing: u32,
}

impl<'a, 's> Sources<'a, 's> {
    /// The current sources for a reply to a guest.
    pub(crate) fn new<L: Libvirt>(
        backend: &'s mut Backend<L>,
        who: &'a Who,
        observed: &'s mut Observed,
        when: When,
    ) -> Self {
        let at = backend.moment(when.now);
        let Backend { host, libvirt, given, start: _, work } = backend;
        Self {
            who,
            host,
            libvirt,
            given,
            observed,
            when,
            at,
            work,
            by_guest: false,
            extent: Extent::default(),
            is_sample: false,
            found: Found::default(),
            notices: None,
            incidents: None,
            verdicts: Vec::new(),
            devices: None,
        }
    }
}

impl<'a> Sources<'a, '_> {
    /// Looks up one name.
    pub(crate) fn select<'n>(&self, name: &'n str) -> Vec<Pick<'n>> {
        select(std::iter::once(name), &self.who.grant, self.given)
    }

    /// Must come before any value of a reply with ratios. All ratios have to cover the same time,
    /// which is the guest's if one of them is the guest's.
    pub(crate) fn sample_ratios(&mut self, picks: &[Pick<'_>]) {
        if picks.iter().any(|pick| pick.means(CONTENTION, &self.who.grant))
            && let Ok(vmm) = self.observed.vmm()
            && vmm.value(VmmSource::Vcpus, None, self.at).is_ok()
        {
            vmm.sample_ratios(self.host, self.at);
            self.by_guest = true;
        }
    }

    /// The value of a statistic that the guest may see.
    ///
    /// # Errors
    /// Why there is none.
    pub(crate) fn value(
        &mut self,
        stat: StatId,
        instance: Option<&str>,
    ) -> Result<Value<'a>, Refusal> {
        *self.work = self.work.saturating_add(1);
        let value = self.look_up(stat, instance);
        *match &value {
            Ok(_) => &mut self.found.values,
            Err(Refusal::Unavailable(why)) if *why == Absent::AGAIN.reason => &mut self.found.soon,
            Err(_) => &mut self.found.nothing,
        } += 1;
        value
    }

    /// The step of the samples' grid that the values belong to.
    pub(crate) fn slot(&self) -> u64 {
        self.at.slot()
    }

    /// Runs `look`, and returns its result and what it found, without counting that.
    pub(crate) fn finding<T>(&mut self, look: impl FnOnce(&mut Self) -> T) -> (T, Found) {
        let before = std::mem::take(&mut self.found);
        let what = look(self);
        (what, std::mem::replace(&mut self.found, before))
    }

    /// Counts what was found, now or for another reply of this step.
    pub(crate) fn has_found(&mut self, Found { values, soon, nothing }: Found) {
        self.found.values += values;
        self.found.soon += soon;
        self.found.nothing += nothing;
    }

    /// The cost of the reply so far.
    pub(crate) fn cost(&self) -> Cost {
        match self.found {
            Found { values: 0, soon: 0, nothing: 0 } => Cost::Nothing,
            Found { values: 0, soon: 1.., .. } => Cost::Soon,
            Found { .. } => Cost::Read,
        }
    }

    fn look_up(&mut self, stat: StatId, instance: Option<&str>) -> Result<Value<'a>, Refusal> {
        let source = stat.stat().source;
        let value = match source {
            Source::Own(own) => return self.own(own),
            Source::Host(what) => self.of_host(what),
            Source::Libvirt(what) => return self.of_libvirt(stat, what, instance),
            Source::Vmm(VmmSource::Vcpus) => match self.told_vcpus() {
                Some(told) => Ok(told),
                None => self.of_vmm(VmmSource::Vcpus, None),
            },
            Source::Vmm(what) => {
                if instance.is_some_and(|instance| !self.may_have(stat, instance)) {
                    return Err(Refusal::NoSuchStatistic);
                }
                self.of_vmm(what, instance)
            }
            Source::Verdict(what) => {
                let verdict = self.verdict(what).map_err(unavailable)?;
                return Ok(Value::text(verdict.to_string()));
            }
            Source::State(what) => {
                let verdict = self.verdict(what).map_err(unavailable)?;
                return Ok(Value::text(verdict.state.word()));
            }
            Source::Incident => return self.incident(instance),
            Source::Label => match instance.and_then(|name| self.given.labels.get(name)) {
                Some(text) => return Ok(Value::text(text.to_owned())),
                None => return Err(Refusal::Unavailable(NONE.into())),
            },
            Source::Notice => return self.notice(instance),
            Source::HostState => return Ok(Value::text(self.given.host_state().word())),
            Source::Custom => {
                let value = self.custom(instance.unwrap_or_default()).at_once();
                return value.map_err(unavailable);
            }
            Source::Energy => self.energy(),
        };
        if value.is_ok() {
            self.extent.age = self.extent.age.max(SAMPLE_GRID);
            if is_ratio(source) {
                self.extent.window = self.window();
            }
        }
        value.map_err(unavailable)
    }

    /// The time that this reply's ratios cover.
    fn window(&self) -> Option<Duration> {
        match self.observed.asked_vmm() {
            Some(vmm) if self.by_guest => vmm.window(self.at),
            _ => self.host.window(self.at),
        }
    }

    fn of_host(&mut self, what: HostSource) -> Result<Value<'static>, Absent> {
        let by_guest = match self.observed.asked_vmm() {
            Some(vmm) if self.by_guest => vmm.host_ratio(what, self.at),
            _ => None,
        };
        by_guest.unwrap_or_else(|| self.host.value(what, self.at))
    }

    fn of_vmm(&mut self, what: VmmSource, vcpu: Option<&str>) -> Result<Value<'static>, Absent> {
        let vcpu = vcpu.and_then(|number| number.parse().ok());
        let value = match self.observed.vmm() {
            Ok(vmm) => vmm.value(what, vcpu, self.at),
            Err(absent) => Err(absent.clone()),
        };
        self.note(Source::Vmm(what), value)
    }

    fn energy(&mut self) -> Result<Value<'static>, Absent> {
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

    /// vhostmd's number of the host for this guest.
    pub(crate) fn number(&self) -> u32 {
        self.who.host_id.number
    }

    /// Figures for vhostmd's sums that are not statistics.
    pub(crate) fn spare_memory(&mut self) -> Spare {
        self.host.spare_memory(self.at)
    }
}

fn unavailable(absent: Absent) -> Refusal {
    Refusal::Unavailable(absent.reason)
}

fn is_ratio(source: Source) -> bool {
    matches!(
        source,
        Source::Host(HostSource::CpuShare(_) | HostSource::DiskBusy)
            | Source::Vmm(VmmSource::Contention)
    )
}
