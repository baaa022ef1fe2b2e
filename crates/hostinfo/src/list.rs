//! `list`: what this guest may ask for.

use anstyle::Style;
use hostinfo_wire::Code;
use serde_json::{Value, json};

use crate::args::Format;
use crate::complete::keep;
use crate::exit::Failure;
use crate::host::Host;
use crate::listed::Listed;
use crate::nearest::correct;
use crate::output::{Shown, columns, json_line};
use crate::question::Question;
use crate::wrap::hanging;

/// Asks what this guest may ask for.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(host: &mut Host<'_>, format: Format, names: &[String]) -> Result<Shown, Failure> {
    let render = match format {
        Format::Text => |listed: &[Listed<'_>]| table(listed, columns()),
        Format::Json => array,
        Format::Openmetrics | Format::Prometheus | Format::Nagios => {
            return Err(Failure::Usage("list has only the formats text and json".to_owned()));
        }
    };
    let mut lines = host.ask(&Question::list(names))?;
    correct(host, &mut lines, &[]);
    if names.is_empty() {
        keep(&lines);
    }
    let listed = Listed::all(&lines);
    let refused = lines.iter().filter(|line| line.code != Code::Done);
    let refusals = refused.map(|line| line.text.clone()).collect();
    Ok(Shown { text: render(&listed), refusals, ..Shown::default() })
}

/// With less room than this behind its other columns, a description has lines of its own: names of metrics have
/// up to 50 characters.
const ROOM_LEAST: usize = 60;

/// How far those lines are indented.
const INDENT: usize = 4;

/// A line for each, or as many as a terminal of so many `columns` needs to show whole words.
fn table(listed: &[Listed<'_>], columns: Option<usize>) -> String {
    let width = |field: fn(&Listed<'_>) -> usize| listed.iter().map(field).max().unwrap_or(0);
    let (name, kind, unit) =
        (width(|l| l.name.len()), width(|l| l.kind.len()), width(|l| l.unit.len()));
    let indent = name + kind + unit + 6;
    let (bold, faint) = (Style::new().bold(), Style::new().dimmed());
    let row = |l: &Listed<'_>| {
        let begin = format!("{bold}{:name$}{bold:#}  {:kind$}  {:unit$}  ", l.name, l.kind, l.unit);
        let metric = l.metric().unwrap_or_else(|| "-".to_owned());
        let text = format!("{}  {faint}{metric}{faint:#}", l.description);
        match columns {
            None => format!("{begin}{text}\n"),
            Some(columns) if columns >= indent + ROOM_LEAST => {
                hanging(&begin, &text, indent, columns)
            }
            Some(columns) => {
                let blanks = " ".repeat(INDENT);
                format!("{}\n{}", begin.trim_end(), hanging(&blanks, &text, INDENT, columns))
            }
        }
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
    json_line(&Value::from_iter(listed.iter().map(row)))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOAD: &str = "loadavg.1 gauge - load average of the host over 1 minute";

    #[test]
    fn columns_are_aligned() {
        let listed = ["physcpus gauge cpus online logical CPUs", LOAD].map(Listed::parse);
        let shown = |columns| anstream::adapter::strip_str(&table(&listed, columns)).to_string();
        let whole = "physcpus   gauge  cpus  online logical CPUs  hostinfo_physcpus_cpus\n\
                     loadavg.1  gauge  -     load average of the host over 1 minute  hostinfo_loadavg_1\n";
        assert_eq!([shown(None), shown(Some(200))], [whole; 2]);
        assert_eq!(
            shown(Some(40)),
            "physcpus   gauge  cpus\n\
             \x20   online logical CPUs\n\
             \x20   hostinfo_physcpus_cpus\n\
             loadavg.1  gauge  -\n\
             \x20   load average of the host over 1\n\
             \x20   minute  hostinfo_loadavg_1\n"
        );
        let long = Listed { description: "a b c d e f g h i j k l m n o p q r s t", ..listed[1] };
        let told = anstream::adapter::strip_str(&table(&[long], Some(80))).to_string();
        assert_eq!(
            told.lines().next(),
            Some("loadavg.1  gauge  -"),
            "there is too little room behind it"
        );
        let told = anstream::adapter::strip_str(&table(&[long], Some(84))).to_string();
        let behind =
            "loadavg.1  gauge  -  a b c d e f g h i j k l m n o p q r s t  hostinfo_loadavg_1";
        assert_eq!(told.lines().next(), Some(behind));
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
