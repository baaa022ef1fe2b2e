//! OpenMetrics names, computed from name, unit and kind.

use std::sync::LazyLock;

use crate::id::StatId;
use crate::source::Source;
use crate::stat::{Kind, Stat, Unit, is_placeholder};

/// The words of a verdict, which are the states of its metric.
pub const STATES: [&str; 4] = ["ok", "contended", "self-limited", "unknown"];

/// The words of `host.state`, which are the states of its metric.
pub const HOST_STATES: [&str; 3] = ["normal", "draining", "degraded"];

/// The OpenMetrics names of a statistic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Metric {
    /// The metric family's name: without the `_total` of a counter's samples, but with the `_info`
    /// of an info, which is exposed as a gauge of value 1.
    pub family: String,
    /// The first row of that family: `vm.cpu.seconds` and `vm.cpu.N.seconds` are one family.
    pub lead: StatId,
    /// The name of the family's samples.
    pub sample: String,
    /// The unit, if the family's name ends in it.
    pub unit: Option<&'static str>,
    /// The label that distinguishes instances, if there are any.
    pub label: Option<&'static str>,
    /// The states of a state set, which has a sample for each state: 1 for the current one, 0 for
    /// the others. Empty for everything else. It is exposed as a gauge: the native OpenMetrics type
    /// requires the label to have the metric's name, and collectors refuse that.
    pub states: &'static [&'static str],
}

impl Metric {
    /// The metric of a row. `None` for texts that change during a session: each text would become a
    /// series of its own.
    pub fn of(row: StatId) -> Option<&'static Self> {
        static METRICS: LazyLock<Vec<Option<Metric>>> = LazyLock::new(|| {
            let mut metrics: Vec<Option<Metric>> = Vec::with_capacity(StatId::COUNT);
            for row in StatId::all() {
                let mut metric = Metric::of_row(row, row.stat());
                if let Some(metric) = &mut metric
                    && let Some(lead) =
                        metrics.iter().flatten().find(|lead| lead.family == metric.family)
                {
                    metric.lead = lead.lead;
                }
                metrics.push(metric);
            }
            metrics
        });
        METRICS.get(row.index())?.as_ref()
    }

    fn of_row(row: StatId, stat: &'static Stat) -> Option<Self> {
        match stat.source {
            Source::Verdict(_) | Source::Incident | Source::Notice => None,
            Source::State(_) => {
                let name = stat.name.strip_suffix(".state").unwrap_or(stat.name);
                let metric = Self::compute(row, name, Kind::Gauge, Unit::None);
                Some(Self { states: &STATES, ..metric })
            }
            Source::HostState => {
                let metric = Self::compute(row, stat.name, Kind::Gauge, Unit::None);
                Some(Self { states: &HOST_STATES, ..metric })
            }
            _ => {
                let metric = Self::compute(row, stat.name, stat.kind, stat.unit);
                Some(Self { label: stat.instances.label(), ..metric })
            }
        }
    }

    /// The metric of one of the administrator's own statistics; `name` is the part after `custom.`,
    /// in lower case.
    pub fn of_custom(name: &str, kind: Kind, unit: Unit) -> Self {
        const CUSTOM: StatId = StatId::named("custom.NAME");
        Self::compute(CUSTOM, &CUSTOM.stat().name_of(Some(name)), kind, unit)
    }

    /// Every name that OpenMetrics reserves for it: no two metrics may share one.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![self.family.clone()];
        if self.sample != self.family {
            names.extend([self.sample.clone(), format!("{}_created", self.family)]);
        }
        names
    }

    fn compute(lead: StatId, name: &str, kind: Kind, unit: Unit) -> Self {
        let mut family = "hostinfo".to_owned();
        for segment in name.split('.').filter(|segment| !is_placeholder(segment)) {
            family.push('_');
            family.push_str(&segment.replace('-', "_"));
        }
        let unit = (unit != Unit::None).then(|| unit.word());
        if let Some(unit) = unit
            && !name.split(['.', '-', '_']).any(|word| word == unit)
        {
            family.push('_');
            family.push_str(unit);
        }
        let unit = unit.filter(|unit| family.ends_with(&format!("_{unit}")));
        if kind == Kind::Info {
            family.push_str("_info");
        }
        let sample = match kind {
            Kind::Counter => format!("{family}_total"),
            Kind::Info | Kind::Gauge => family.clone(),
        };
        Self { family, lead, sample, unit, label: None, states: &[] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metric(name: &str) -> (String, Option<&'static str>) {
        let row = StatId::all().find(|row| row.stat().name == name).unwrap();
        let metric = Metric::of(row).unwrap();
        (metric.sample.clone(), metric.unit)
    }

    #[test]
    fn rows_of_one_family_are_of_one_kind_and_unit_and_all_but_the_lead_have_a_label() {
        for (row, metric) in StatId::all().filter_map(|row| Some((row, Metric::of(row)?))) {
            let (stat, lead) = (row.stat(), metric.lead.stat());
            assert_eq!((stat.kind, stat.unit), (lead.kind, lead.unit), "{}", stat.name);
            assert!(metric.lead == row || metric.label.is_some(), "{}", stat.name);
        }
    }

    #[test]
    fn states_are_metrics_and_texts_that_change_are_none() {
        let metric = |name| Metric::of(StatId::named(name));
        let state = metric("verdict.io.state").unwrap();
        assert_eq!(
            (&*state.family, &*state.sample),
            ("hostinfo_verdict_io", "hostinfo_verdict_io")
        );
        assert_eq!((state.states, state.unit, state.label), (&STATES[..], None, None));
        let state = metric("host.state").unwrap();
        assert_eq!((&*state.sample, state.states), ("hostinfo_host_state", &HOST_STATES[..]));
        for name in ["verdict.io", "verdict.incident.N", "notice.N"] {
            assert_eq!(metric(name), None, "{name}");
        }
        assert!(metric("host.name").unwrap().states.is_empty());
    }

    #[test]
    fn a_statistic_of_the_administrators_is_named_by_the_same_rule() {
        for (name, kind, unit, sample) in [
            ("rack.inlet-1", Kind::Gauge, Unit::None, "hostinfo_custom_rack_inlet_1"),
            ("backup.age", Kind::Gauge, Unit::Seconds, "hostinfo_custom_backup_age_seconds"),
            ("sent_bytes", Kind::Counter, Unit::Bytes, "hostinfo_custom_sent_bytes_total"),
            ("site", Kind::Info, Unit::None, "hostinfo_custom_site_info"),
        ] {
            assert_eq!(Metric::of_custom(name, kind, unit).sample, sample);
        }
    }

    #[test]
    fn a_counter_keeps_the_names_of_its_samples_too() {
        let counter = Metric::of_custom("x", Kind::Counter, Unit::None).names();
        for name in ["x", "x.total", "x-created"] {
            let gauge = Metric::of_custom(name, Kind::Gauge, Unit::None).names();
            assert!(gauge.iter().any(|name| counter.contains(name)), "{name}");
        }
    }

    #[test]
    fn a_name_ends_in_its_unit_unless_that_is_a_word_of_it_already() {
        for (name, sample, unit) in [
            ("memory.total", "hostinfo_memory_total_bytes", Some("bytes")),
            ("loadavg.1", "hostinfo_loadavg_1", None),
            ("physcpus", "hostinfo_physcpus_cpus", Some("cpus")),
            ("cpu.seconds.user", "hostinfo_cpu_seconds_user_total", None),
            ("disk.read.bytes", "hostinfo_disk_read_bytes_total", Some("bytes")),
            (
                "pressure.io.some.seconds",
                "hostinfo_pressure_io_some_seconds_total",
                Some("seconds"),
            ),
            ("pressure.io.some.avg60", "hostinfo_pressure_io_some_avg60_ratio", Some("ratio")),
            ("host.name", "hostinfo_host_name_info", None),
            ("vm.cpu.N.delay", "hostinfo_vm_cpu_delay_seconds_total", Some("seconds")),
        ] {
            assert_eq!(metric(name), (sample.to_owned(), unit), "{name}");
        }
    }
}
