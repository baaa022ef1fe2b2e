//! A line of `list`: the host's description of a statistic.

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::stat::{fits, is_placeholder};
use hostinfo_catalog::{Named, StatId, resolve};
use hostinfo_wire::Code;

use crate::reply::Line;

/// The host's description of a statistic. It may have kinds and units that this program does not
/// know.
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
    pub(crate) fn parse(text: &'a str) -> Self {
        let mut words = text.splitn(4, ' ');
        let mut word = || words.next().unwrap_or_default();
        Self { name: word(), kind: word(), unit: word(), description: word() }
    }

    /// Its name in `metrics`. `None` if it is not a metric, because its text changes or because
    /// only a newer host knows it.
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
        let (kind, unit) = (self.kind.parse().ok()?, self.unit.parse().ok()?);
        let own = self.name.strip_prefix("custom.")?;
        Some(Metric::of_custom(own, kind, unit).sample)
    }

    /// Whether it describes the statistic `name`: that one itself, or one for each instance
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

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: &str = "loadavg.1 gauge - load average of the host over 1 minute";

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
