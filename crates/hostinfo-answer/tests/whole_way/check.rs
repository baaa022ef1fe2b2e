//! What has to be true of every reply.

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::vhostmd::{Context, Figure, METRICS, Made, UUID};
use hostinfo_catalog::{Named, StatId, resolve};
use hostinfo_rules::Grant;
use hostinfo_wire::Code;
use hostinfo_wire::limits::REPLY_MAX;

/// A reply is complete, each of its lines has a code, and it reveals nothing that is denied.
pub(crate) fn reply(reply: &[u8], grant: &Grant) {
    assert!(reply.len() <= REPLY_MAX);
    let text = std::str::from_utf8(reply).expect("a reply is text");
    if let Some(text) = text.strip_prefix("<metrics>\n") {
        let text = text.strip_suffix("</metrics>\n\n").expect("a document ends");
        return text.split_terminator("</metric>\n").for_each(|text| check_metric(text, grant));
    }
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    assert!(!lines.is_empty());
    for (at, line) in lines.iter().enumerate() {
        let line = line.strip_suffix('\n').expect("a line ends");
        assert!(!line.contains(char::is_control), "{line:?}");
        let (code, rest) = line.split_at_checked(3).expect("a line has a code");
        let code = code.parse().ok().and_then(Code::from_number).expect("a code is known");
        let is_last = at + 1 == lines.len();
        let rest = rest.strip_prefix(if is_last { ' ' } else { '-' }).expect("the last says so");
        if code == Code::Done {
            check_line(rest, grant);
        }
    }
}

/// A metric of vhostmd's document: its element, its name and its value, each in a line.
fn check_metric(text: &str, grant: &Grant) {
    let permits = |stat: &StatId| grant.permits(*stat, None);
    let [element, name, value] = *text.lines().collect::<Vec<_>>() else { panic!("{text}") };
    let context = match element.contains(" context='vm'") {
        true => Context::Vm,
        false => Context::Host,
    };
    assert!(!element.contains("id='") || permits(&UUID), "{element}: the UUID is denied");
    let inner = |line: &str, tag: &str| {
        let inner = line.strip_prefix(&format!("<{tag}>"));
        let inner = inner.and_then(|inner| inner.strip_suffix(&format!("</{tag}>")));
        inner.expect("a line is an element").to_owned()
    };
    let (name, value) = (inner(name, "name"), inner(value, "value"));
    let known = METRICS.iter().find(|metric| metric.name == name && metric.context == context);
    let Some(metric) = known else { return permitted(&name, grant) };
    let is_permitted = match &metric.made {
        Made::Fixed(_, stat) | Made::OsName(stat) => permits(stat),
        Made::FirstOf(stats) => stats.iter().any(permits),
        Made::With(stat, behind) => permits(stat) && (permits(behind) || !value.contains(' ')),
        Made::Sum(plus, minus) => plus.iter().chain(*minus).all(|figure| match figure {
            Figure::Stat(stat) | Figure::SwapStat(stat) => permits(stat),
            Figure::Buffers | Figure::SwapCached => true,
        }),
    };
    assert!(is_permitted, "{name} is denied");
}

/// A line of values, of a list or of metrics names nothing that is denied.
fn check_line(text: &str, grant: &Grant) {
    if let Some(names) = text.strip_prefix('{') {
        let object: serde_json::Map<String, serde_json::Value> =
            serde_json::from_str(&format!("{{{names}")).expect("json is JSON");
        for name in object.keys().filter(|name| *name != "errors") {
            permitted(name, grant);
        }
    } else if let Some(metric) = text.strip_prefix("# TYPE ") {
        let name = metric.split(' ').next().expect("a type is some metric's");
        let is_it = |stat: &StatId| Metric::of(*stat).is_some_and(|metric| metric.family == name);
        assert!(StatId::all().filter(is_it).any(|stat| grant.may_permit(stat)), "{name} is denied");
    } else if let Some((name, _)) = text.split_once(['=', ' ']) {
        permitted(name, grant);
    }
}

/// Words that are not a statistic's name pass: `pong`, a line of help.
fn permitted(name: &str, grant: &Grant) {
    if let Some(Named::Stat(stat, instance)) = resolve(name) {
        assert!(grant.permits(stat, instance.as_deref()), "{name} is denied");
    }
}
