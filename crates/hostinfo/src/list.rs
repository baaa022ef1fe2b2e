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

/// With less room than this behind its other columns, a description has lines of its own: names of metrics, which
/// begin where it does, have up to 50 characters.
const ROOM_LEAST: usize = 60;

/// How far those lines are indented.
const INDENT: usize = 4;

/// A line for each, whose last column is the metric's name or `-`. If a terminal of so many `columns` does not show
/// that in one line, whole words go on below, and the metric's name has a line of its own.
fn table(listed: &[Listed<'_>], columns: Option<usize>) -> String {
    let width = |field: fn(&Listed<'_>) -> usize| listed.iter().map(field).max().unwrap_or(0);
    let (name, kind, unit) =
        (width(|l| l.name.len()), width(|l| l.kind.len()), width(|l| l.unit.len()));
    let indent = name + kind + unit + 6;
    let (bold, faint) = (Style::new().bold(), Style::new().dimmed());
    let row = |l: &Listed<'_>| {
        let begin = format!("{bold}{:name$}{bold:#}  {:kind$}  {:unit$}  ", l.name, l.kind, l.unit);
        let metric = l.metric();
        let in_a_row = metric.as_deref().unwrap_or("-");
        let length = indent + l.description.chars().count() + 2 + in_a_row.len();
        let Some(columns) = columns.filter(|columns| length >= *columns) else {
            return format!("{begin}{}  {faint}{in_a_row}{faint:#}\n", l.description);
        };
        let blanks = |indent| " ".repeat(indent);
        let (mut text, indent) = match columns >= indent + ROOM_LEAST {
            true => (hanging(&begin, l.description, indent, columns), indent),
            false => {
                let description = hanging(&blanks(INDENT), l.description, INDENT, columns);
                (format!("{}\n{description}", begin.trim_end()), INDENT)
            }
        };
        text.extend(metric.map(|metric| format!("{}{faint}{metric}{faint:#}\n", blanks(indent))));
        text
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
             \x20   minute\n\
             \x20   hostinfo_loadavg_1\n"
        );
        let only =
            |listed, columns| anstream::adapter::strip_str(&table(&[listed], columns)).to_string();
        let long =
            Listed { description: "a b c d e f g h i j k l m n o p q r s t u v w", ..listed[1] };
        let whole = only(long, None);
        assert_eq!((whole.len(), only(long, Some(87))), (87, whole), "the last column is free");
        let behind = "loadavg.1  gauge  -  a b c d e f g h i j k l m n o p q r s t u v w\n\
                      \x20                    hostinfo_loadavg_1\n";
        assert_eq!(only(long, Some(86)), behind);
        assert!(only(long, Some(80)).starts_with("loadavg.1  gauge  -\n    a b "), "little room");
        let text = Listed { name: "verdict.cpu", kind: "info", unit: "-", description: "a text" };
        assert_eq!(only(text, None), "verdict.cpu  info  -  a text  -\n");
        assert_eq!(only(text, Some(20)), "verdict.cpu  info  -\n    a text\n", "it is no metric");
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
