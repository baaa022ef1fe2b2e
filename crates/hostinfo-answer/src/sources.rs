//! Where a reply's values come from: the one place that knows every source.

mod ahead;
mod custom;
mod devices;
mod incidents;
mod kernel;
mod libvirt;
mod lookups;
mod members;
mod notices;
mod own;
mod verdict;

use std::sync::Arc;
use std::time::Duration;

use hostinfo_catalog::StatId;
use hostinfo_catalog::source::{Judged, Source, Vmm};
use hostinfo_notices::Notice;
use hostinfo_sample::{Absent, Host, Moment};
use hostinfo_verdict::Verdict;
use hostinfo_wire::limits::SAMPLE_GRID;
use hostinfo_wire::{Refusal, Value};

use crate::admin_values::AdminValues;
use crate::backend::Backend;
use crate::libvirt::Libvirt;
use crate::observed::Observed;
use crate::pending::When;
use crate::requester::Requester;
use crate::select::{Pick, select};

use devices::Devices;

pub(crate) use kernel::is_ratio;
pub(crate) use lookups::Lookups;

/// The reason behind 503 if the host has nothing in that group.
const NONE: &str = "this host has none";

/// All sources for one reply to one guest.
pub(crate) struct Sources<'a, 's> {
    who: &'a Requester,
    host: &'s mut Host,
    libvirt: &'s mut dyn Libvirt,
    admin_values: &'s mut AdminValues,
    observed: &'s mut Observed,
    when: When,
    at: Moment,
    /// Adds up units of work.
    work: &'s mut u32,
    /// The reply has ratios of the guest, so the host's ratios have to cover the same time.
    by_guest: bool,
    times: ReplyTimes,
    purpose: Purpose,
    lookups: Lookups,
    /// The guest's notices, once they were looked up: the same throughout the reply.
    notices: Option<Vec<Arc<Notice>>>,
    incidents: Option<Vec<String>>,
    /// Verdicts that were asked for so far.
    verdicts: Vec<(Judged, Verdict)>,
    /// Where the guest's devices are in libvirt's values, once one was looked up.
    devices: Option<Devices>,
}

/// What is made of the values, and so what may be requested for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Purpose {
    /// A reply to a query.
    Query,
    /// A reply to `list`, which does not count against the interval.
    List,
    /// A sample for verdicts. Nothing may be requested for it.
    Sample,
}

/// What `sample.age` and `window` report about the rest of their reply.
#[derive(Default)]
struct ReplyTimes {
    /// The largest age.
    age: Duration,
    window: Option<Duration>,
    /// The window of verdicts, which is used if there are no ratios.
    verdicts: Option<Duration>,
}

impl<'a, 's> Sources<'a, 's> {
    /// The current sources for a reply to a guest.
    pub(crate) fn new<L: Libvirt>(
        backend: &'s mut Backend<L>,
        who: &'a Requester,
        observed: &'s mut Observed,
        when: When,
    ) -> Self {
        let at = backend.moment(when.now);
        let Backend { host, libvirt, admin_values, start: _, work } = backend;
        Self {
            who,
            host,
            libvirt,
            admin_values,
            observed,
            when,
            at,
            work,
            by_guest: false,
            times: ReplyTimes::default(),
            purpose: Purpose::Query,
            lookups: Lookups::default(),
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
        select(std::iter::once(name), &self.who.grant, self.admin_values)
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
        self.lookups.count(&value);
        value
    }

    /// The step of the samples' grid that the values belong to.
    pub(crate) fn slot(&self) -> u64 {
        self.at.slot()
    }

    fn look_up(&mut self, stat: StatId, instance: Option<&str>) -> Result<Value<'a>, Refusal> {
        let source = stat.stat().source;
        let value = match source {
            Source::Own(own) => return self.own(own),
            Source::Host(what) => self.of_host(what),
            Source::Libvirt(what) => return self.of_libvirt(stat, what, instance),
            Source::Vmm(Vmm::Vcpus) => match self.libvirt_vcpus() {
                Some(vcpus) => Ok(vcpus),
                None => self.of_vmm(Vmm::Vcpus, None),
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
            Source::Label => match instance.and_then(|name| self.admin_values.labels.get(name)) {
                Some(text) => return Ok(Value::text(text.to_owned())),
                None => return Err(Refusal::Unavailable(NONE.into())),
            },
            Source::Notice => return self.notice(instance),
            Source::HostState => return Ok(Value::text(self.admin_values.host_state().word())),
            Source::Custom => {
                let value = self.custom(instance.unwrap_or_default()).at_once();
                return value.map_err(unavailable);
            }
            Source::Energy => self.energy(),
        };
        if value.is_ok() {
            self.times.age = self.times.age.max(SAMPLE_GRID);
            if is_ratio(source) {
                self.times.window = self.window();
            }
        }
        value.map_err(unavailable)
    }

    /// The guest's number on this host, for vhostmd's document.
    pub(crate) fn number(&self) -> u32 {
        self.who.host_id.number
    }
}

fn unavailable(absent: Absent) -> Refusal {
    Refusal::Unavailable(absent.reason)
}
