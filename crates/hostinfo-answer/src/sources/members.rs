//! Which statistics and instances a guest has and how they are described, without their values.

use hostinfo_catalog::{Instances, Scope, StatId};
use hostinfo_render::Row;
use hostinfo_wire::Refusal;

use super::{NONE, Sources};
use crate::select::permitted;

impl Sources<'_, '_> {
    /// The description of a statistic for a reply.
    pub(crate) fn row(&self, stat: StatId, instance: Option<String>) -> Row {
        let name = instance.as_deref();
        let about = name.and_then(|name| self.admin_values.about(stat.stat().source, name));
        Row { stat, instance, about }
    }

    /// Why a scope is empty: none of its rows has an instance.
    pub(crate) fn why_empty(&mut self, scope: &Scope) -> Refusal {
        let first = permitted(scope, &self.who.grant).next();
        let why = first.and_then(|stat| self.value(stat, scope.instance()).err());
        why.unwrap_or(Refusal::Unavailable(NONE.into()))
    }

    /// The rows of a scope of which the guest may see something.
    pub(crate) fn rows(&self, scope: &Scope) -> Vec<StatId> {
        permitted(scope, &self.who.grant).collect()
    }

    /// What the guest may see of a row in a scope: the row itself, or each of its instances.
    pub(crate) fn members_of(
        &mut self,
        stat: StatId,
        scope: &Scope,
    ) -> impl Iterator<Item = Option<String>> + use<> {
        // Most rows have no instances, and need no vector.
        let (row, instances) = match stat.stat().has_instances() {
            true => (None, self.instances_in(scope, stat)),
            false => (Some(None), Vec::new()),
        };
        row.into_iter().chain(instances.into_iter().map(Some))
    }

    /// The instances of a row that are in the scope and that the guest may see.
    pub(super) fn instances_in(&mut self, scope: &Scope, stat: StatId) -> Vec<String> {
        let mut instances = match scope.instance() {
            // A custom statistic may have others below its name.
            Some(one) if !stat.stat().is_open() => self.one_instance(stat, one),
            _ => self.instances_beginning(stat, scope.beginning()),
        };
        instances.retain(|instance| {
            scope.covers(stat, Some(instance)) && self.who.grant.permits(stat, Some(instance))
        });
        instances
    }

    /// That instance, if it exists, without making a list of all, which may be long.
    fn one_instance(&mut self, stat: StatId, instance: &str) -> Vec<String> {
        let is_there = match stat.stat().instances {
            Instances::Vcpus => self.has_vcpu(instance) == Some(true),
            Instances::Disks => self.has_disk(instance),
            Instances::Nets => self.has_interface(instance),
            Instances::None
            | Instances::Notices
            | Instances::Incidents
            | Instances::Labels
            | Instances::Customs => return self.instances(stat),
        };
        if is_there { vec![instance.to_owned()] } else { Vec::new() }
    }

    /// Whether that instance of a VMM statistic may exist. True if it is not known which instances
    /// exist.
    pub(super) fn may_have(&mut self, stat: StatId, instance: &str) -> bool {
        stat.stat().instances != Instances::Vcpus || self.has_vcpu(instance).unwrap_or(true)
    }

    /// Whether there is a vCPU with that number; `None` if that is unknown.
    fn has_vcpu(&mut self, number: &str) -> Option<bool> {
        let vmm = self.observed.vmm().ok()?;
        number.parse().map_or(Some(false), |number| vmm.has_vcpu(number, self.at))
    }

    /// The sorted instances of a row that exist.
    pub(crate) fn instances(&mut self, stat: StatId) -> Vec<String> {
        self.instances_beginning(stat, "")
    }

    /// The same, where the administrator's names matter only with that beginning. There may be many, and a line may ask for
    /// many groups of them.
    fn instances_beginning(&mut self, stat: StatId, beginning: &str) -> Vec<String> {
        let instances = match stat.stat().instances {
            Instances::None => Vec::new(),
            Instances::Vcpus => self.vcpus(),
            Instances::Disks => self.disks(),
            Instances::Nets => self.interfaces(),
            Instances::Notices => self.notice_numbers(),
            Instances::Incidents => self.incident_numbers(),
            kind @ (Instances::Labels | Instances::Customs) => {
                self.admin_values.names(kind, beginning).map(str::to_owned).collect()
            }
        };
        *self.work = self.work.saturating_add(u32::try_from(instances.len()).unwrap_or(u32::MAX));
        instances
    }

    /// The numbers of the guest's vCPUs.
    fn vcpus(&mut self) -> Vec<String> {
        let vcpus = self.observed.vmm().map(|vmm| vmm.vcpus(self.at));
        vcpus.unwrap_or_default().iter().map(u32::to_string).collect()
    }
}
