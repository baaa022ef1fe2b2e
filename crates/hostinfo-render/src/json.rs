//! `json`: everything on one line.

use std::fmt;

use hostinfo_wire::{Code, Reply, Value};

use crate::{Answer, refused, values};

/// Adds one line: the object, or the first refusal if there are only refusals.
pub fn json(answers: &[Answer<'_>], reply: &mut Reply) {
    let mut refusals = refused(answers);
    if values(answers).next().is_some() {
        reply.line(Code::Done, Object(answers));
    } else if let Some((name, refusal)) = refusals.next() {
        reply.refuse(name, refusal);
    }
    refusals.for_each(|(_, other)| reply.count(other.code()));
}

struct Object<'a>(&'a [Answer<'a>]);

impl fmt::Display for Object<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut before = '{';
        for (row, value) in values(self.0) {
            write!(out, "{before}{}:", quoted(&row.name()))?;
            match value {
                Value::Text(text) => write!(out, "{}", quoted(text))?,
                Value::Whole(_) | Value::Micro(_) => write!(out, "{value}")?,
            }
            before = ',';
        }
        let mut before = ",\"errors\":{";
        for (name, refusal) in refused(self.0) {
            write!(out, "{before}{}:{}", quoted(name), refusal.code())?;
            before = ",";
        }
        out.write_str(if before == "," { "}}" } else { "}" })
    }
}

fn quoted(text: &str) -> impl fmt::Display {
    serde_json::Value::from(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::examples::{none_here, refused, shown, value};
    use hostinfo_wire::Refusal;

    #[test]
    fn info_is_a_string_and_figures_are_numbers() {
        let model = value("cpu.model", Value::text("A \"B\" \\ ü"));
        assert_eq!(
            shown(json, &[value("physcpus", Value::Whole(64)), model]),
            "200 {\"physcpus\":64,\"cpu.model\":\"A \\\"B\\\" \\\\ ü\"}\n"
        );
    }

    #[test]
    fn refused_names_stand_under_errors_which_is_there_only_where_there_are_any() {
        let answers = [
            refused("host.name", Refusal::NotPermitted),
            value("loadavg.1", Value::Micro(420_000)),
            refused("swap", none_here()),
        ];
        assert_eq!(
            shown(json, &answers),
            "200 {\"loadavg.1\":0.42,\"errors\":{\"host.name\":403,\"swap\":503}}\n"
        );
    }

    #[test]
    fn if_all_is_refused_the_reply_is_one_line_as_for_get() {
        let answers = [refused("swap", none_here()), refused("x", Refusal::NoSuchStatistic)];
        assert_eq!(shown(json, &answers), "503 swap: this host has none\n");
    }

    #[test]
    fn one_line_for_all_refusals_is_nonsense_only_where_all_of_them_are() {
        let mut reply = Reply::new();
        let unknown = refused("x", Refusal::NoSuchStatistic);
        json(&[unknown.clone(), refused("host.name", Refusal::NotPermitted)], &mut reply);
        assert!(!reply.is_nonsense());
        reply.clear();
        json(&[unknown.clone(), unknown], &mut reply);
        assert!(reply.is_nonsense());
    }

    #[test]
    fn an_object_with_odd_characters_is_json_to_a_parser_of_json() {
        let answers = [
            value("time", Value::Micro(-1)),
            value("host.name", Value::text("\u{2028}\u{7f}\"")),
            refused("\u{1F600}\"", Refusal::NoSuchStatistic),
        ];
        let line = shown(json, &answers);
        let parsed: serde_json::Value =
            serde_json::from_str(line.strip_prefix("200 ").unwrap()).unwrap();
        assert_eq!(parsed["errors"]["\u{1F600}\""], 404);
    }
}
