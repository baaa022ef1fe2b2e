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

    /// What the guest may see of a scope: each row, of each instance that there is.
    pub(crate) fn members(&mut self, scope: &Scope) -> Vec<(StatId, Option<String>)> {
        let mut members = Vec::new();
        for stat in permitted(scope, &self.who.grant) {
            if !stat.stat().has_instances() {
                members.push((stat, None));
                continue;
            }
            let instances = self.instances_in(scope, stat).into_iter();
            members.extend(instances.map(|instance| (stat, Some(instance))));
        }
        members
    }

    /// The instances of a row that are in the scope and that the guest may see.
    pub(super) fn instances_in(&mut self, scope: &Scope, stat: StatId) -> Vec<String> {
        let mut instances = self.instances(stat);
        instances.retain(|instance| {
            scope.covers(stat, Some(instance)) && self.who.grant.permits(stat, Some(instance))
        });
        instances
    }

    /// The instances of a row that there are, in order.
    pub(crate) fn instances(&mut self, stat: StatId) -> Vec<String> {
        match (stat.stat().source, &mut self.observed.vmm) {
            (Source::Vmm(Vmm::OneVcpuTime | Vmm::OneVcpuDelay), Ok(vmm)) => {
                vmm.vcpus(self.at).into_iter().map(|vcpu| vcpu.to_string()).collect()
            }
            (Source::Libvirt(what), _) => self.devices(what),
            (Source::Notice, _) => self.notice_numbers(),
            (Source::Incident, _) => self.incident_numbers(),
            (source, _) => self.given.names(source, "").map(str::to_owned).collect(),
        }
    }
}
