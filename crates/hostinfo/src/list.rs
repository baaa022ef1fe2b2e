//! `list`: what this guest may ask.

use anstyle::Style;
use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::stat::{fits, is_placeholder};
use hostinfo_catalog::{Kind, Named, StatId, Unit, resolve};
use hostinfo_wire::Code;
use serde_json::{Value, json};

use crate::args::Format;
use crate::exit::Failure;
use crate::host::Host;
use crate::output::Shown;
use crate::question::Question;
use crate::reply::Line;

/// What the host says about a statistic. Its kinds and units may be more than this program
/// knows.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Listed<'a> {
    pub(crate) name: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) unit: &'a str,
    pub(crate) description: &'a str,
}

impl<'a> Listed<'a> {
    /// The lines that describe a statistic.
    pub(crate) fn all(lines: &'a [Line]) -> Vec<Self> {
        lines.iter().filter(|line| line.code == Code::Done).map(|l| Self::parse(&l.text)).collect()
    }

    /// `physcpus gauge cpus online logical CPUs of the host`
    fn parse(text: &'a str) -> Self {
        let mut words = text.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        Self { name: word(), kind: word(), unit: word(), description: word() }
    }

    /// What `metrics` calls it. `None` where it is no metric, because its text changes, or where only
    /// a newer host knows it.
    pub(crate) fn metric(&self) -> Option<String> {
        const CUSTOM: StatId = StatId::named("custom.NAME");
        let row = StatId::all().find(|row| row.stat().name == self.name);
        let stat = row.or_else(|| match resolve(self.name)? {
            Named::Stat(stat, _) => Some(stat),
            Named::Group(_) | Named::Below(..) => None,
        })?;
        if stat != CUSTOM || row.is_some() {
            return Metric::of(stat).map(|metric| metric.sample.clone());
        }
        let kind = Kind::ALL.into_iter().find(|kind| kind.word() == self.kind)?;
        let unit = Unit::ALL.into_iter().find(|unit| unit.word() == self.unit)?;
        let own = self.name.strip_prefix("custom.")?;
        Some(Metric::of_custom(own, kind, unit).sample)
    }

    /// Whether it describes the statistic `name`: that one, or one of each instance
    /// (`vm.disk.DEV.latency`).
    pub(crate) fn describes(&self, name: &str) -> bool {
        let mut words = name.split('.');
        for segment in self.name.split('.') {
            match words.next() {
                // One or more words.
                Some(_) if segment == "NAME" => return true,
                Some(word) if word == segment => {}
                Some(word) if is_placeholder(segment) && fits(segment, word) => {}
                _ => return false,
            }
        }
        words.next().is_none()
    }
}

/// Asks what may be asked.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(host: &mut Host<'_>, format: Format, names: &[String]) -> Result<Shown, Failure> {
    let render = match format {
        Format::Text => table,
        Format::Json => array,
        Format::Openmetrics | Format::Prometheus | Format::Nagios => {
            return Err(Failure::Usage("list is written as text or json".to_owned()));
        }
    };
    let lines = host.ask(&Question::list(names))?;
    let listed = Listed::all(&lines);
    let refused = lines.iter().filter(|line| line.code != Code::Done);
    let refusals = refused.map(|line| line.text.clone()).collect();
    Ok(Shown { text: render(&listed), refusals, ..Shown::default() })
}

fn table(listed: &[Listed<'_>]) -> String {
    let width = |field: fn(&Listed<'_>) -> usize| listed.iter().map(field).max().unwrap_or(0);
    let (name, kind, unit) =
        (width(|l| l.name.len()), width(|l| l.kind.len()), width(|l| l.unit.len()));
    let faint = Style::new().dimmed();
    let row = |l: &Listed<'_>| {
        let metric = l.metric().unwrap_or_else(|| "-".to_owned());
        format!(
            "{:name$}  {:kind$}  {:unit$}  {}  {faint}{metric}{faint:#}\n",
            l.name, l.kind, l.unit, l.description
        )
    };
    listed.iter().map(row).collect()
}

fn array(listed: &[Listed<'_>]) -> String {
    let row = |l: &Listed<'_>| {
        json!({
            "name": l.name,
            "kind": l.kind,
            "unit": (l.unit != "-").then_some(l.unit),
            "description": l.description,
            "metric": l.metric(),
        })
    };
    Value::from_iter(listed.iter().map(row)).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: &str = "loadavg.1 gauge - load average of the host over 1 minute";

    #[test]
    fn columns_are_aligned() {
        let listed = ["physcpus gauge cpus online CPUs", LOAD].map(Listed::parse);
        assert_eq!(
            anstream::adapter::strip_str(&table(&listed)).to_string(),
            "physcpus   gauge  cpus  online CPUs  hostinfo_physcpus_cpus\n\
             loadavg.1  gauge  -     load average of the host over 1 minute  hostinfo_loadavg_1\n"
        );
    }

    #[test]
    fn json_has_an_object_for_each_and_no_unit_is_null() {
        assert_eq!(
            array(&[Listed::parse(LOAD)]),
            "[{\"description\":\"load average of the host over 1 minute\",\"kind\":\"gauge\",\
             \"metric\":\"hostinfo_loadavg_1\",\"name\":\"loadavg.1\",\"unit\":null}]\n"
        );
        assert_eq!(array(&[]), "[]\n");
    }

    #[test]
    fn a_line_with_too_few_words_is_taken_as_it_is() {
        assert_eq!(Listed::parse("x"), Listed { name: "x", ..Listed::default() });
    }

    #[test]
    fn each_statistic_has_the_name_of_its_metric() {
        for (row, metric) in [
            (LOAD, Some("hostinfo_loadavg_1")),
            ("vm.cpu.N.delay counter seconds x", Some("hostinfo_vm_cpu_delay_seconds_total")),
            ("vm.disk.vda.read.bytes counter bytes x", Some("hostinfo_vm_disk_read_bytes_total")),
            ("custom.rack-1 gauge seconds x", Some("hostinfo_custom_rack_1_seconds")),
            ("newer.thing gauge kelvins x", None),
        ] {
            assert_eq!(Listed::parse(row).metric().as_deref(), metric, "{row}");
        }
    }

    #[test]
    fn a_row_with_a_placeholder_describes_its_instances() {
        let describes = |listed: &str, name: &str| Listed::parse(listed).describes(name);
        assert!(describes("vm.cpu.N.delay", "vm.cpu.11.delay"));
        assert!(describes("vm.disk.DEV.latency", "vm.disk.vda.latency"));
        assert!(describes("custom.NAME", "custom.rack.temperature"));
        assert!(describes("loadavg.1", "loadavg.1"));
        for (listed, name) in [
            ("vm.cpu.N.delay", "vm.cpu.x.delay"),
            ("vm.cpu.N.delay", "vm.cpu.1"),
            ("vm.cpu.N.delay", "vm.cpu.1.delay.x"),
            ("custom.NAME", "custom"),
            ("loadavg.1", "loadavg.15"),
        ] {
            assert!(!describes(listed, name), "{listed} {name}");
        }
    }
}
