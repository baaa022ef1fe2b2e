//! `metrics`: OpenMetrics text (RFC draft "OpenMetrics 1.0"), one line of it per line of the reply.

use std::borrow::Cow;
use std::fmt;

use hostinfo_catalog::Kind;
use hostinfo_catalog::metric::Metric;
use hostinfo_wire::{Code, Reply, Value};

use crate::{Answer, Row, refused, values};

/// Adds the refusals, then the metrics, family by family, and `# EOF`. If there are only refusals,
/// it adds just those.
pub fn openmetrics(answers: &[Answer<'_>], reply: &mut Reply) {
    for (name, refusal) in refused(answers) {
        reply.refuse(name, refusal);
    }
    if values(answers).next().is_none() {
        return;
    }
    let mut samples: Vec<Sample<'_>> = Vec::new();
    for (row, value) in values(answers) {
        let Some(metric) = row.metric() else { continue };
        let sample = |state| Sample { row, metric, value, state };
        match metric.states {
            [] => samples.push(sample(None)),
            states => samples.extend(states.iter().map(|state| sample(Some(*state)))),
        }
    }
    // A family's samples must be adjacent, but a guest may ask in any order.
    samples.sort_by_key(|sample| sample.metric.lead);
    let mut family = None;
    for sample in &samples {
        if family != Some(&sample.metric.family) {
            head(sample, reply);
            family = Some(&sample.metric.family);
        }
        reply.line(Code::Done, sample);
    }
    reply.line(Code::Done, "# EOF");
}

fn head(sample: &Sample<'_>, reply: &mut Reply) {
    let family = &sample.metric.family;
    let word = match sample.row.kind() {
        Kind::Info | Kind::Gauge => Kind::Gauge.word(),
        Kind::Counter => Kind::Counter.word(),
    };
    reply.line(Code::Done, format_args!("# TYPE {family} {word}"));
    if let Some(unit) = sample.metric.unit {
        reply.line(Code::Done, format_args!("# UNIT {family} {unit}"));
    }
    reply.line(Code::Done, format_args!("# HELP {family} {}", sample.help()));
}

struct Sample<'a> {
    row: &'a Row,
    metric: &'a Metric,
    value: &'a Value<'a>,
    /// The state that the sample is about, if the metric has states.
    state: Option<&'static str>,
}

impl Sample<'_> {
    /// The help of its family's first row, or the administrator's.
    fn help(&self) -> Cow<'_, str> {
        match &self.row.about {
            Some(about) => escaped(&about.help),
            None => Cow::Borrowed(self.metric.lead.stat().help),
        }
    }
}

impl fmt::Display for Sample<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.value {
            Value::Text(text) => Some(&**text),
            Value::Whole(_) | Value::Micro(_) => None,
        };
        let own = match self.state {
            Some(_) => (Some("state"), self.state),
            None => (Some("value"), text),
        };
        let labels = [(self.metric.label, self.row.instance.as_deref()), own];
        out.write_str(&self.metric.sample)?;
        let mut before = '{';
        for (label, value) in labels {
            if let (Some(label), Some(value)) = (label, value) {
                write!(out, "{before}{label}=\"{}\"", escaped(value))?;
                before = ',';
            }
        }
        if before == ',' {
            out.write_str("}")?;
        }
        match (text, self.state) {
            (Some(text), Some(state)) => write!(out, " {}", u8::from(text == state)),
            (Some(_), None) => out.write_str(" 1"),
            (None, _) => write!(out, " {}", self.value),
        }
    }
}

/// A label's value: of the characters that OpenMetrics escapes, a value on the wire can only
/// contain these two.
fn escaped(value: &str) -> Cow<'_, str> {
    if value.contains(['\\', '"']) {
        Cow::Owned(value.replace('\\', "\\\\").replace('"', "\\\""))
    } else {
        Cow::Borrowed(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    use hostinfo_catalog::{About, Unit};

    use crate::examples::{none_here, refused, shown, value};

    #[test]
    fn each_family_has_its_help_type_and_unit_once_and_eof_is_last() {
        let answers = [
            value("vm.cpu.1.seconds", Value::Whole(3)),
            value("host.name", Value::text("a\\b\"c")),
            value("vm.cpu.seconds", Value::Whole(4)),
            value("vm.cpu.0.seconds", Value::Whole(1)),
        ];
        assert_eq!(
            shown(openmetrics, &answers),
            "200-# TYPE hostinfo_host_name_info gauge\n\
             200-# HELP hostinfo_host_name_info the host's name\n\
             200-hostinfo_host_name_info{value=\"a\\\\b\\\"c\"} 1\n\
             200-# TYPE hostinfo_vm_cpu_seconds counter\n\
             200-# UNIT hostinfo_vm_cpu_seconds seconds\n\
             200-# HELP hostinfo_vm_cpu_seconds CPU time that this guest's vCPUs got\n\
             200-hostinfo_vm_cpu_seconds_total{vcpu=\"1\"} 3\n\
             200-hostinfo_vm_cpu_seconds_total 4\n\
             200-hostinfo_vm_cpu_seconds_total{vcpu=\"0\"} 1\n\
             200 # EOF\n"
        );
    }

    #[test]
    fn a_state_is_1_and_the_others_are_0_and_texts_that_change_have_no_series() {
        let answers = [
            value("verdict.cpu", Value::text("contended: 31% waited")),
            value("verdict.cpu.state", Value::text("contended")),
            value("notice.1", Value::text("info at 2026-01-05T22:00:00Z: x")),
            value("verdict.incident.1", Value::text("x")),
        ];
        assert_eq!(
            shown(openmetrics, &answers),
            "200-# TYPE hostinfo_verdict_cpu gauge\n\
             200-# HELP hostinfo_verdict_cpu verdict.cpu in one word: ok, contended, self-limited or unknown\n\
             200-hostinfo_verdict_cpu{state=\"ok\"} 0\n\
             200-hostinfo_verdict_cpu{state=\"contended\"} 1\n\
             200-hostinfo_verdict_cpu{state=\"self-limited\"} 0\n\
             200-hostinfo_verdict_cpu{state=\"unknown\"} 0\n\
             200 # EOF\n"
        );
        assert_eq!(shown(openmetrics, &answers[..1]), "200 # EOF\n");
    }

    #[test]
    fn the_administrators_own_have_their_own_head_and_one_without_a_name_is_left_out() {
        let custom = |name: &str, metric| {
            let Answer::Value { mut row, value } = value(name, Value::Whole(7)) else { panic!() };
            let (kind, unit) = (Kind::Counter, Unit::Bytes);
            let about = About { kind, unit, help: "\"in\" it".to_owned(), metric };
            row.about = Some(Arc::new(about));
            Answer::Value { row, value }
        };
        let metric = Metric::of_custom("a-b", Kind::Counter, Unit::Bytes);
        assert_eq!(
            shown(openmetrics, &[custom("custom.a-b", Some(metric)), custom("custom.a.b", None)]),
            "200-# TYPE hostinfo_custom_a_b_bytes counter\n\
             200-# UNIT hostinfo_custom_a_b_bytes bytes\n\
             200-# HELP hostinfo_custom_a_b_bytes \\\"in\\\" it\n\
             200-hostinfo_custom_a_b_bytes_total 7\n200 # EOF\n"
        );
        assert_eq!(shown(openmetrics, &[custom("custom.a.b", None)]), "200 # EOF\n");
    }

    #[test]
    fn refusals_come_first_and_alone_where_there_is_nothing_else() {
        let none = refused("swap", none_here());
        assert_eq!(
            shown(openmetrics, std::slice::from_ref(&none)),
            "503 swap: this host has none\n"
        );
        let mixed = shown(openmetrics, &[value("physcpus", Value::Whole(1)), none]);
        assert!(mixed.starts_with("503-swap: this host has none\n200-# TYPE"));
        assert!(mixed.ends_with("200-hostinfo_physcpus_cpus 1\n200 # EOF\n"));
    }
}
