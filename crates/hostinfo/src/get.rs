//! `get`: statistics as text, JSON or metrics.

mod age;

use std::time::Duration;

use hostinfo_render::openmetrics;
use hostinfo_wire::reply::{Refusal, ReplyLine};
use hostinfo_wire::{Code, Reply, prometheus};
use serde_json::{Value, json};

use crate::args::Format;
use crate::exit::{Failure, TOO_SOON};
use crate::exposition;
use crate::get::age::Asked;
use crate::host::Host;
use crate::listed::Listed;
use crate::nearest::correct;
use crate::output::{Shown, json_line};
use crate::question::Question;
use crate::reply::Line;
use crate::verdict;

/// Asks for statistics. An unknown name may be a misspelt name of one of `commands`.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(
    host: &mut Host<'_>,
    format: Format,
    names: &[String],
    commands: &[&str],
) -> Result<Shown, Failure> {
    if format == Format::Nagios {
        return Err(Failure::Usage("nagios is a format of hostinfo diagnose".to_owned()));
    }
    let asked = Asked::of(host, names)?;
    let names = &asked.names;
    Ok(match format {
        Format::Text => {
            if host.is_patient() && host.is_awaited() {
                host.announce_wait();
            }
            let mut lines = with_verdicts(host, &Question::get(names))?;
            let status = still_unknown(host, &lines);
            let remark = asked.take(&mut lines);
            correct(host, &mut lines, commands);
            Shown { remark, status, ..text(lines) }
        }
        Format::Json => {
            let lines = with_verdicts(host, &Question::json(names))?;
            let status = still_unknown(host, &lines);
            let mut unknown = unknown(&lines);
            correct(host, &mut unknown, commands);
            let mut shown = object(lines)?;
            shown.refusals.extend(unknown.into_iter().map(|line| line.text));
            Shown { status, ..shown }
        }
        Format::Openmetrics | Format::Prometheus | Format::Nagios => {
            let mut lines = with_verdicts(host, &Question::get(names))?;
            let status = still_unknown(host, &lines);
            correct(host, &mut lines, commands);
            let is_own = |line: &Line| line.text.starts_with("custom.") && line.code == Code::Done;
            let listed = match lines.iter().any(is_own) {
                true => host.ask(&Question::list(&["custom"]))?,
                false => Vec::new(),
            };
            let mut shown = metrics(lines, &listed);
            if format == Format::Prometheus {
                shown.text = prometheus::classic(&shown.text);
            }
            Shown { status, ..shown }
        }
    })
}

/// The reply to `get` or `json`. A patient caller gets verdicts, however long the host needs for
/// them.
///
/// # Errors
/// [`Failure`].
pub(crate) fn with_verdicts(
    host: &mut Host<'_>,
    question: &Question,
) -> Result<Vec<Line>, Failure> {
    let patience = if host.is_patient() { None } else { Some(Duration::ZERO) };
    host.ask_for_verdicts(question, patience)
}

/// The exit status for a patient user where the host still has no verdict, or another value, that it promised.
fn still_unknown(host: &Host<'_>, lines: &[Line]) -> Option<u8> {
    (host.is_patient() && verdict::again(lines).is_some()).then_some(TOO_SOON)
}

/// The unknown names in a reply to `json`, each as the line that refuses it. Programs find them in the object; a
/// person who misspelt one wants to be told.
fn unknown(lines: &[Line]) -> Vec<Line> {
    const CODE: Code = Code::NoSuchStatistic;
    let names = lines.iter().flat_map(|Line { code, text }| match *code {
        Code::Done => {
            let object: Value = serde_json::from_str(text).unwrap_or_default();
            let errors = object.get("errors").and_then(Value::as_object);
            let is_unknown = |code: &Value| code.as_u64() == Some(CODE as u64);
            let unknown = errors.into_iter().flatten().filter(|(_, code)| is_unknown(code));
            unknown.map(|(name, _)| name.clone()).collect::<Vec<_>>()
        }
        CODE => text.split_once(": ").map(|(name, _)| name.to_owned()).into_iter().collect(),
        _ => Vec::new(),
    });
    names
        .map(|name| Line { code: CODE, text: format!("{name}: {}", Refusal::NoSuchStatistic) })
        .collect()
}

/// The answers without codes, one per line; and what was refused.
pub(crate) fn text(lines: Vec<Line>) -> Shown {
    let mut shown = Shown::default();
    for Line { code, text } in lines {
        if code == Code::Done {
            shown.text.push_str(&text);
            shown.text.push('\n');
        } else {
            shown.refusals.push(text);
        }
    }
    shown
}

/// The host's object, or one of the same form if everything was refused.
fn object(lines: Vec<Line>) -> Result<Shown, Failure> {
    let mut shown = Shown::default();
    let mut errors = serde_json::Map::new();
    for Line { code, text } in lines {
        if code == Code::Done {
            let object: Value =
                serde_json::from_str(&text).map_err(|_| Failure::Unexpected("json"))?;
            shown.partial |= object.get("errors").is_some();
            shown.text = json_line(&text);
        } else if let Some((name, _)) = text.split_once(": ") {
            errors.insert(name.to_owned(), Value::from(code as u16));
        } else {
            shown.refusals.push(text);
        }
    }
    if !errors.is_empty() {
        shown.text = json_line(&json!({ "errors": errors }));
        shown.partial = true;
    }
    Ok(shown)
}

/// The values as complete OpenMetrics text, with what `list` says of the administrator's own; and what was refused.
fn metrics(lines: Vec<Line>, listed: &[Line]) -> Shown {
    let (values, mut others): (Vec<Line>, Vec<Line>) =
        lines.into_iter().partition(|line| line.code == Code::Done);
    if values.is_empty() {
        return text(others);
    }
    let values = values.iter().filter_map(|line| line.text.split_once('='));
    let values = values.map(|(name, value)| (name, value.into()));
    let mut reply = Reply::new();
    openmetrics(&exposition::answers(values, &Listed::all(listed)), &mut reply);
    // It may be too long for a reply.
    let parsed = reply.end().split(|byte| *byte == b'\n').filter_map(ReplyLine::parse);
    others.extend(parsed.map(|line| Line { code: line.code, text: line.text.to_owned() }));
    text(others)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(reply: &[(Code, &str)]) -> Vec<Line> {
        reply.iter().map(|(code, text)| Line { code: *code, text: (*text).to_owned() }).collect()
    }

    #[test]
    fn a_refused_name_is_not_among_the_answers() {
        let shown = text(lines(&[
            (Code::Done, "physcpus=64"),
            (Code::NotPermitted, "host.name: not permitted"),
            (Code::Done, "loadavg.1=0.42"),
        ]));
        assert_eq!(shown.text, "physcpus=64\nloadavg.1=0.42\n");
        assert_eq!(shown.refusals, ["host.name: not permitted"]);
    }

    #[test]
    fn the_hosts_json_is_shown_as_it_came_but_for_what_a_terminal_would_not_show() {
        let whole = "{\"z\":1,\"a\":\"\\u001b\"}";
        let shown = object(lines(&[(Code::Done, whole)])).unwrap();
        assert_eq!(shown, Shown { text: format!("{whole}\n"), ..Shown::default() });
        let shown = object(lines(&[(Code::Done, "{\"a\":\"\u{202e}\"}")])).unwrap();
        assert_eq!(shown.text, "{\"a\":\"\\u202e\"}\n");
        let partial = "{\"z\":1,\"errors\":{\"a\":403}}";
        let shown = object(lines(&[(Code::Done, partial)])).unwrap();
        assert_eq!(
            shown,
            Shown { text: format!("{partial}\n"), partial: true, ..Shown::default() }
        );
        assert!(object(lines(&[(Code::Done, "{\"z\":")])).is_err());
    }

    #[test]
    fn json_is_an_object_even_if_all_is_refused() {
        let shown = object(lines(&[(Code::NotPermitted, "host.name: not permitted")])).unwrap();
        assert_eq!(shown.text, "{\"errors\":{\"host.name\":403}}\n");
        assert!(shown.partial);
        let blocked = object(lines(&[(Code::NotPermitted, "this guest may not ask")])).unwrap();
        assert_eq!((blocked.text.as_str(), blocked.refusals.len()), ("", 1));
    }

    #[test]
    fn an_unknown_name_in_an_object_is_told_and_a_refused_one_is_not() {
        let names = |reply: &[(Code, &str)]| -> Vec<String> {
            unknown(&lines(reply)).into_iter().map(|line| line.text).collect()
        };
        let object = "{\"z\":1,\"errors\":{\"a\":403,\"lodavg\":404}}";
        assert_eq!(names(&[(Code::Done, object)]), ["lodavg: no such statistic"]);
        let alone = [(Code::NoSuchStatistic, "x: no such statistic")];
        assert_eq!(names(&alone), ["x: no such statistic"]);
        assert!(names(&[(Code::NotPermitted, "this guest may not ask")]).is_empty());
        assert!(names(&[(Code::Done, "{\"errors\":1}"), (Code::Done, "{")]).is_empty());
    }

    #[test]
    fn metrics_are_made_of_the_values_that_have_some() {
        let shown = metrics(
            lines(&[
                (Code::Done, "loadavg.1=0.42"),
                (Code::NotPermitted, "host.name: not permitted"),
                (Code::Done, "loadavg.5=no number"),
                (Code::Done, "custom.rack=7"),
            ]),
            &lines(&[(Code::Done, "custom.rack gauge - which")]),
        );
        let samples: Vec<&str> =
            shown.text.lines().filter(|line| !line.starts_with("# ")).collect();
        assert_eq!(samples, ["hostinfo_loadavg_1 0.42", "hostinfo_custom_rack 7"]);
        assert!(shown.text.ends_with("\n# EOF\n"));
        assert_eq!(shown.refusals, ["host.name: not permitted"]);
        let refused = metrics(lines(&[(Code::NotPermitted, "a: not permitted")]), &[]);
        assert_eq!((refused.text.as_str(), refused.refusals.len()), ("", 1));
    }
}
