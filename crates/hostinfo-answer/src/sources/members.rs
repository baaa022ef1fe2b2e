//! What there is for a guest, and how it is told of: no values.

use hostinfo_catalog::source::{Source, Vmm};
use hostinfo_catalog::{Scope, StatId};
use hostinfo_render::Row;
use hostinfo_wire::Refusal;

use super::{NONE, Sources};
use crate::select::permitted;

impl Sources<'_, '_> {
    /// A statistic as it is told of.
    pub(crate) fn row(&self, stat: StatId, instance: Option<String>) -> Row {
        let name = instance.as_deref();
        let about = name.and_then(|name| self.given.about(stat.stat().source, name));
        Row { stat, instance, about }
    }

    /// Why there is nothing in a scope: none of its rows has an instance.
    pub(crate) fn why_empty(&mut self, scope: &Scope) -> Refusal {
        let first = permitted(scope, &self.who.grant).next();
        let why = first.and_then(|stat| self.value(stat, scope.instance()).err());
        why.unwrap_or(Refusal::Unavailable(NONE.into()))
    }

    /// The rows of a scope of which the guest may see something.
    pub(crate) fn rows(&self, scope: &Scope) -> impl Iterator<Item = StatId> + use<> {
        permitted(scope, &self.who.grant).collect::<Vec<_>>().into_iter()
    }

    /// What the guest may see of a row in a scope: the row, or each instance that there is.
    pub(crate) fn members_of(&mut self, stat: StatId, scope: &Scope) -> Vec<Option<String>> {
        if !stat.stat().has_instances() {
            return vec![None];
        }
        self.instances_in(scope, stat).into_iter().map(Some).collect()
    }

    /// The instances of a row that are in the scope and that the guest may see.
    pub(super) fn instances_in(&mut self, scope: &Scope, stat: StatId) -> Vec<String> {
        let mut instances = match scope.instance() {
            // The administrator's own may have others below it.
            Some(one) if !stat.stat().is_open() => self.one_instance(stat, one),
            _ => self.instances(stat),
        };
        instances.retain(|instance| {
            scope.covers(stat, Some(instance)) && self.who.grant.permits(stat, Some(instance))
        });
        instances
    }

    /// That instance, where there is one: without a list of all, which may be long.
    fn one_instance(&mut self, stat: StatId, instance: &str) -> Vec<String> {
        let is_there = match stat.stat().source {
            Source::Vmm(_) => self.has_vcpu(instance) == Some(true),
            Source::Libvirt(what) => self.has_device(what, instance),
            _ => return self.instances(stat),
        };
        if is_there { vec![instance.to_owned()] } else { Vec::new() }
    }

    /// Whether there may be that instance of a statistic of the VMM: where none can be told, it is not
    /// known that there is not.
    pub(super) fn may_have(&mut self, stat: StatId, instance: &str) -> bool {
        match stat.stat().source {
            Source::Vmm(Vmm::OneVcpuTime | Vmm::OneVcpuDelay) => {
                self.has_vcpu(instance).unwrap_or(true)
            }
            _ => true,
        }
    }

    /// Whether there is a vCPU of that number; `None` where that cannot be told.
    fn has_vcpu(&mut self, number: &str) -> Option<bool> {
        let vmm = self.observed.vmm.as_mut().ok()?;
        number.parse().map_or(Some(false), |number| vmm.has_vcpu(number, self.at))
    }

    /// The instances of a row that there are, in order.
    pub(crate) fn instances(&mut self, stat: StatId) -> Vec<String> {
        let instances: Vec<String> = match (stat.stat().source, &mut self.observed.vmm) {
            (Source::Vmm(Vmm::OneVcpuTime | Vmm::OneVcpuDelay), Ok(vmm)) => {
                vmm.vcpus(self.at).into_iter().map(|vcpu| vcpu.to_string()).collect()
            }
            (Source::Libvirt(what), _) => self.devices(what),
            (Source::Notice, _) => self.notice_numbers(),
            (Source::Incident, _) => self.incident_numbers(),
            (source, _) => self.given.names(source, "").map(str::to_owned).collect(),
        };
        *self.work = self.work.saturating_add(u32::try_from(instances.len()).unwrap_or(u32::MAX));
        instances
    }
}
