//! `list`: what this guest may ask for.

use anstyle::Style;
use hostinfo_wire::Code;
use serde_json::{Value, json};

use crate::args::Format;
use crate::complete::keep;
use crate::exit::Failure;
use crate::host::Host;
use crate::listed::Listed;
use crate::output::Shown;
use crate::question::Question;

/// Asks what this guest may ask for.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(host: &mut Host<'_>, format: Format, names: &[String]) -> Result<Shown, Failure> {
    let render = match format {
        Format::Text => table,
        Format::Json => array,
        Format::Openmetrics | Format::Prometheus | Format::Nagios => {
            return Err(Failure::Usage("list has only the formats text and json".to_owned()));
        }
    };
    let lines = host.ask(&Question::list(names))?;
    if names.is_empty() {
        keep(&lines);
    }
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
}
