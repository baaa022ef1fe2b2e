//! How another grant would change what a guest may ask for.

use std::collections::BTreeSet;
use std::time::Duration;

use hostinfo_catalog::resolve::{known_names, scopes};
use hostinfo_catalog::{Scope, StatId};

use super::Grant;

/// The differences. If a guest may not ask under either grant, nothing is reported.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Whether it may ask now.
    pub enabled: Option<bool>,
    /// The time between two queries, before and now.
    pub interval: Option<(Duration, Duration)>,
    /// Whether it is watched now while it does not ask.
    pub watch: Option<bool>,
    /// Whether it has a metrics disk now.
    pub vhostmd_disk: Option<bool>,
    /// What it may see now: statistics, groups that are entirely new to it, or `all`.
    pub opened: Vec<String>,
    /// What it may no longer see.
    pub closed: Vec<String>,
}

impl Changes {
    /// The changes from one grant to the other.
    pub fn between(old: &Grant, new: &Grant) -> Self {
        if !old.enabled() && !new.enabled() {
            return Self::default();
        }
        // Destructured without `..`, so that a new field does not compile until it is compared. The
        // lines of the settings may differ; the result of the selections is compared for each
        // statistic.
        let Grant { origin: _, disabled, interval, watch, vhostmd_disk, selections: _, table: _ } =
            new;
        Self {
            enabled: changed(old.disabled.is_none(), disabled.is_none()),
            interval: changed(old.interval, *interval).map(|now| (old.interval, now)),
            watch: changed(old.watch, *watch),
            vhostmd_disk: changed(old.vhostmd_disk, *vhostmd_disk),
            opened: gained(old, new),
            closed: gained(new, old),
        }
    }

    /// Whether there is no change to report.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn changed<T: PartialEq>(old: T, new: T) -> Option<T> {
    (old != new).then_some(new)
}

/// What `to` permits and `from` does not.
fn gained(from: &Grant, to: &Grant) -> Vec<String> {
    let is_gained =
        |stat, instance: Option<&str>| to.permits(stat, instance) && !from.permits(stat, instance);
    let rows: BTreeSet<StatId> = StatId::all().filter(|stat| is_gained(*stat, None)).collect();
    let mut names = in_groups(rows.clone());
    let mut instances: BTreeSet<(StatId, &str)> = BTreeSet::new();
    instances.extend(from.instances());
    instances.extend(to.instances());
    for (stat, instance) in instances {
        if is_gained(stat, Some(instance)) && !rows.contains(&stat) {
            names.push(stat.stat().name_of(Some(instance)).into_owned());
        }
    }
    names
}

/// The broadest names that cover exactly these rows, in the order of the catalog.
fn in_groups(mut rows: BTreeSet<StatId>) -> Vec<String> {
    let mut groups: Vec<&str> = std::iter::once("all").chain(known_names()).collect();
    groups.sort_by_key(|name| (*name != "all", name.split('.').count(), *name));
    let mut names: Vec<(StatId, String)> = Vec::new();
    for group in groups {
        let of: BTreeSet<StatId> = scopes(group).iter().flat_map(Scope::rows).collect();
        if let Some(first) = of.first()
            && of.is_subset(&rows)
        {
            names.push((*first, group.to_owned()));
            rows.retain(|row| !of.contains(row));
        }
    }
    // A row with instances is not a name by itself.
    names.extend(rows.into_iter().map(|row| (row, row.stat().name.to_owned())));
    names.sort();
    names.into_iter().map(|(_, name)| name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::parse;

    fn grant(settings: &str) -> std::sync::Arc<Grant> {
        parse(format!("*:\n{settings}").as_bytes()).unwrap().rules.decide("qemu-a")
    }

    fn changes(old: &str, new: &str) -> Changes {
        Changes::between(&grant(old), &grant(new))
    }

    #[test]
    fn the_same_in_other_words_and_other_lines_is_no_change() {
        let same = changes("interval = 60", "\nloadavg = 1\ninterval = 1m");
        assert!(same.is_empty(), "{same:?}");
    }

    #[test]
    fn changed_statistics_are_named_by_the_widest_group_that_changed() {
        let closed = changes("all = 1", "all = 1\nmemory = 0\nloadavg.5 = 0");
        assert_eq!(closed.closed, ["loadavg.5", "memory"]);
        assert!(closed.opened.is_empty() && closed.interval.is_none());
        assert_eq!(changes("all = 0", "all = 1").opened, ["all"]);
        assert_eq!(changes("all = 0", "physcpus = 1\nall = 0\nvm.cpu = 1").opened, ["vm.cpu"]);
    }

    #[test]
    fn an_instance_that_a_setting_names_is_reported_by_its_name() {
        let one = changes("all = 1", "all = 1\nvm.disk.vda.latency = 0");
        assert_eq!((one.opened.len(), &*one.closed), (0, &["vm.disk.vda.latency".to_owned()][..]));
        let custom = changes("custom.rack = 1", "custom.rack = 0\ncustom.door = 1");
        assert_eq!((&*custom.closed[0], &*custom.opened[0]), ("custom.rack", "custom.door"));
    }

    #[test]
    fn whether_a_guest_is_watched_is_a_change() {
        let told = changes("watch = 0", "watch = on");
        assert_eq!((told.watch, told.vhostmd_disk), (Some(true), None));
    }

    #[test]
    fn a_guest_that_may_not_ask_before_and_after_sees_no_change() {
        assert!(changes("enabled = 0", "enabled = 0\ninterval = 7").is_empty());
        assert_eq!(changes("enabled = 0", "enabled = 1").enabled, Some(true));
    }
}
