//! What has to be true of every reply.

use hostinfo_catalog::metric::Metric;
use hostinfo_catalog::{Named, StatId, resolve};
use hostinfo_rules::Grant;
use hostinfo_wire::Code;
use hostinfo_wire::limits::REPLY_MAX;

/// A reply is complete, each of its lines has a code, and it reveals nothing that is denied. Of vhostmd's document, only
/// its beginning and its end are looked at.
pub(crate) fn reply(reply: &[u8], grant: &Grant) {
    assert!(reply.len() <= REPLY_MAX);
    let text = std::str::from_utf8(reply).expect("a reply is text");
    if text.starts_with("<metrics>\n") {
        assert!(text.ends_with("</metrics>\n\n"), "{text}");
        return;
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
