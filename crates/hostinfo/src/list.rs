//! `list`: what this guest may ask.

use hostinfo_catalog::stat::{fits, is_placeholder};
use hostinfo_wire::Code;
use serde_json::{Value, json};

use crate::args::Format;
use crate::exit::{Failure, Outcome};
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

/// Asks what may be asked and shows it.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(
    host: &mut Host<'_>,
    format: Format,
    names: &[String],
) -> Result<Outcome, Failure> {
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
    Shown { text: render(&listed), refusals, partial: false }.write()
}

fn table(listed: &[Listed<'_>]) -> String {
    let width = |field: fn(&Listed<'_>) -> usize| listed.iter().map(field).max().unwrap_or(0);
    let (name, kind, unit) =
        (width(|l| l.name.len()), width(|l| l.kind.len()), width(|l| l.unit.len()));
    listed
        .iter()
        .map(|l| {
            format!("{:name$}  {:kind$}  {:unit$}  {}\n", l.name, l.kind, l.unit, l.description)
        })
        .collect()
}

fn array(listed: &[Listed<'_>]) -> String {
    let rows: Vec<Value> = listed
        .iter()
        .map(|l| {
            let unit = (l.unit != "-").then_some(l.unit);
            json!({ "name": l.name, "kind": l.kind, "unit": unit, "description": l.description })
        })
        .collect();
    Value::from(rows).to_string() + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: &str = "loadavg.1 gauge - load average of the host over 1 minute";

    #[test]
    fn columns_are_aligned() {
        let listed = ["physcpus gauge cpus online CPUs", LOAD].map(Listed::parse);
        assert_eq!(
            table(&listed),
            "physcpus   gauge  cpus  online CPUs\n\
             loadavg.1  gauge  -     load average of the host over 1 minute\n"
        );
    }

    #[test]
    fn json_has_an_object_for_each_and_no_unit_is_null() {
        assert_eq!(
            array(&[Listed::parse(LOAD)]),
            "[{\"description\":\"load average of the host over 1 minute\",\"kind\":\"gauge\",\
             \"name\":\"loadavg.1\",\"unit\":null}]\n"
        );
        assert_eq!(array(&[]), "[]\n");
    }

    #[test]
    fn a_line_with_too_few_words_is_taken_as_it_is() {
        assert_eq!(Listed::parse("x"), Listed { name: "x", ..Listed::default() });
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
