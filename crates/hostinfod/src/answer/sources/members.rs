//! What there is for a guest, and how it is told of: no values.

use hostinfo_catalog::{Instances, Scope, StatId};
use hostinfo_render::Row;
use hostinfo_wire::Refusal;

use super::{NONE, Sources};
use crate::answer::select::permitted;

impl Sources<'_, '_> {
    /// A statistic as it is told of.
    pub(crate) fn row(&self, stat: StatId, instance: Option<String>) -> Row {
        let name = instance.as_deref();
        let about = name.and_then(|name| self.given.about(stat.stat().source, name));
        Row { stat, instance, about }
    }

    /// Why there is nothing in a scope: none of its rows has an instance.
    pub(crate) fn why_empty(&mut self, scope: &Scope) -> Refusal {
        let first = permitted(scope, &self.guest.grant).next();
        let why = first.and_then(|stat| self.value(stat, scope.instance()).err());
        why.unwrap_or(Refusal::Unavailable(NONE.into()))
    }

    /// What the guest may see of a scope: each row, of each instance that there is.
    pub(crate) fn members(&mut self, scope: &Scope) -> Vec<(StatId, Option<String>)> {
        let mut members = Vec::new();
        for stat in permitted(scope, &self.guest.grant) {
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
            scope.covers(stat, Some(instance)) && self.guest.grant.permits(stat, Some(instance))
        });
        instances
    }

    /// The instances of a row that there are, in order.
    pub(crate) fn instances(&mut self, stat: StatId) -> Vec<String> {
        match stat.stat().instances {
            Instances::None => Vec::new(),
            Instances::Vcpus => self.vcpus(),
            Instances::Disks => self.disks(),
            Instances::Nets => self.interfaces(),
            Instances::Notices => self.notice_numbers(),
            Instances::Incidents => self.incident_numbers(),
            given @ (Instances::Labels | Instances::Customs) => {
                self.given.names(given, "").map(str::to_owned).collect()
            }
        }
    }

    /// The numbers of the guest's vCPUs.
    fn vcpus(&mut self) -> Vec<String> {
        let vcpus = self.observed.vmm.as_mut().map(|vmm| vmm.vcpus(self.at));
        vcpus.unwrap_or_default().iter().map(u32::to_string).collect()
    }
}
