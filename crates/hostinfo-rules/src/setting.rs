//! Settings: which keys there are, and what their values may be.

use std::time::Duration;

use hostinfo_catalog::Scope;
use hostinfo_catalog::resolve::scopes;
use hostinfo_wire::duration;
use hostinfo_wire::limits::INTERVAL_MAX;

use crate::value::truth;

/// The keys that select no statistics.
static OWN: [(&str, Key); 4] = [
    ("enabled", Key::Enabled),
    ("interval", Key::Interval),
    ("watch", Key::Watch),
    ("vhostmd-disk", Key::VhostmdDisk),
];

/// The keys that are not names in the catalog.
pub(crate) fn keys() -> impl Iterator<Item = &'static str> {
    OWN.iter().map(|(word, _)| *word).chain(["all", "vhostmd"])
}

/// The part before `=`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Key {
    Enabled,
    Interval,
    Watch,
    VhostmdDisk,
    /// A statistic, a group, `all` or `vhostmd`.
    Select(Vec<Scope>),
}

/// A key with its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Setting {
    /// Whether the guest may ask at all.
    Enabled(bool),
    /// The time between two queries.
    Interval(Duration),
    /// Whether the guest is watched for its verdicts while it does not ask.
    Watch(bool),
    /// Whether the guest has a metrics disk.
    VhostmdDisk(bool),
    /// Whether statistics may be seen.
    Select(Vec<Scope>, bool),
}

impl Key {
    /// The key of that name, in upper or lower case. `interval` is the setting; the statistic of that name
    /// cannot be selected on its own.
    pub(crate) fn find(name: &str) -> Option<Self> {
        match OWN.iter().find(|(word, _)| name.eq_ignore_ascii_case(word)) {
            Some((_, key)) => Some(key.clone()),
            None => Some(Self::Select(scopes(name))).filter(|key| *key != Self::Select(vec![])),
        }
    }

    /// Whether it names one instance of something: a disk, a label. Whether that exists is not known here.
    pub(crate) fn names_an_instance(&self) -> bool {
        matches!(self, Self::Select(scopes) if scopes.iter().any(|s| s.instance().is_some()))
    }

    /// The setting with that value. `None` if the value is invalid: see [`Key::expected`].
    pub(crate) fn with(&self, value: &str) -> Option<Setting> {
        Some(match self {
            Self::Enabled => Setting::Enabled(truth(value)?),
            Self::Interval => Setting::Interval(duration::parse(value, ..=INTERVAL_MAX)?),
            Self::Watch => Setting::Watch(truth(value)?),
            Self::VhostmdDisk => Setting::VhostmdDisk(truth(value)?),
            Self::Select(scopes) => Setting::Select(scopes.clone(), truth(value)?),
        })
    }

    /// What the key's value must be.
    pub(crate) fn expected(&self) -> String {
        match self {
            Self::Interval => format!(
                "expected seconds (`60`, `0.5`), or a number with a unit (`500ms`, `5m`, `1h`), \
                 from 0 to {} hours",
                INTERVAL_MAX.as_secs() / 3600
            ),
            Self::Enabled | Self::Watch | Self::VhostmdDisk | Self::Select(_) => {
                "expected `0` or `1` (or `no`, `yes`, `off`, `on`, `false`, `true`)".to_owned()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(key: &str) -> usize {
        match Key::find(key) {
            Some(Key::Select(scopes)) => scopes.iter().map(|scope| scope.rows().count()).sum(),
            other => panic!("{key}: {other:?}"),
        }
    }

    #[test]
    fn keys_are_not_case_sensitive() {
        assert_eq!(Key::find("ENABLED"), Some(Key::Enabled));
        assert_eq!(Key::find("Interval"), Some(Key::Interval));
        assert_eq!(Key::find("Watch"), Some(Key::Watch));
        assert_eq!(Key::find("VHostMD-Disk"), Some(Key::VhostmdDisk));
        assert_eq!(Key::find("LoadAvg"), Key::find("loadavg"));
        assert_eq!(Key::find("ALL"), Some(Key::Select(vec![Scope::ALL])));
        assert_eq!(Key::find("VHOSTMD"), Key::find("vhostmd"));
    }

    #[test]
    fn interval_is_always_the_setting_also_where_a_statistic_has_that_name() {
        assert!(hostinfo_catalog::resolve("interval").is_some());
        assert_eq!(Key::find("interval"), Some(Key::Interval));
    }

    #[test]
    fn a_statistic_or_group_means_itself_and_all_below_it() {
        assert_eq!(rows("physcpus"), 1);
        assert_eq!(rows("loadavg"), 3);
        assert_eq!(rows("session"), 2, "session.start is below session");
        assert!(rows("vm") > rows("vm.cpu"));
    }

    #[test]
    fn well_formed_names_of_instances_are_keys_and_others_are_not() {
        for key in
            ["custom.rack", "custom.a.b", "label.rack", "notice.1", "vm.disk.vda", "vm.cpu.0"]
        {
            assert!(Key::find(key).is_some_and(|key| key.names_an_instance()), "{key}");
        }
        for key in ["custom", "label", "vm.disk", "all", "vhostmd", "physcpus", "interval"] {
            assert!(Key::find(key).is_some_and(|key| !key.names_an_instance()), "{key}");
        }
        for key in
            ["", "custom.", "custom.a..b", "label.ü", "notice.x", "vm.cpu.N", "*", "vm.*", "a b"]
        {
            assert_eq!(Key::find(key), None, "{key}");
        }
    }

    #[test]
    fn an_interval_is_at_most_24_hours() {
        assert_eq!(Key::Interval.with("24h"), Some(Setting::Interval(INTERVAL_MAX)));
        assert_eq!(Key::Interval.with("25h"), None);
        assert!(Key::Interval.expected().contains("24 hours"));
    }
}
