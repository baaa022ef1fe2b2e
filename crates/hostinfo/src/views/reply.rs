//! A reply by the names in it: its values, who the host and the guest are, and incidents.

use std::collections::BTreeMap;
use std::time::Duration;

use hostinfo_wire::Code;

use crate::reply::{Line, interval};
use crate::units;
use crate::verdict::{RESOURCES, State, Verdict, is_lasting};
use crate::views::dated::{PRESENT, ago};

/// As many characters of a host's id as git shows of a commit: no two of a guest's hosts share them.
const ID_SHOWN: usize = 8;

/// By how many seconds a host's account of an incident may begin before and after the guest's first
/// question, if the incident began with it: times are moved back by up to a minute and told to the minute, the
/// question's time is rounded down to 10 s, and the first sample takes 10 s more.
const BEGINS_BEFORE: i64 = -120;
const BEGINS_AFTER: i64 = 20;

/// A reply to `get`, by name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reply {
    values: BTreeMap<String, String>,
    refusals: BTreeMap<String, (Code, String)>,
}

impl Reply {
    pub(crate) fn of(lines: &[Line]) -> Self {
        let mut reply = Self::default();
        for line in lines {
            let end = if line.code == Code::Done { "=" } else { ": " };
            // The refusal of a guest that may not ask at all has no name.
            let (name, text) = line.text.split_once(end).unwrap_or(("verdict", &line.text));
            let (name, text) = (name.to_owned(), text.to_owned());
            if line.code == Code::Done {
                reply.values.insert(name, text);
            } else {
                reply.refusals.insert(name, (line.code, text));
            }
        }
        reply
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.values.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.text(name)?.parse().ok().filter(|number: &f64| number.is_finite())
    }

    /// How old its values were when it came.
    pub(crate) fn age(&self) -> Option<Duration> {
        Duration::try_from_secs_f64(self.number("sample.age")?).ok()
    }

    /// The time that must pass between two queries of this guest.
    pub(crate) fn interval(&self) -> Option<Duration> {
        interval(self.text("interval")?)
    }

    /// The same without verdicts on the present: of each that could be another by now, nothing is known, because of
    /// that `why`. Nor does an incident go on.
    pub(crate) fn without_verdicts(mut self, why: &str) -> Self {
        let age = self.age().unwrap_or_default();
        for (name, value) in &mut self.values {
            if RESOURCES.iter().any(|resource| *name == format!("verdict.{resource}")) {
                let is_lasting = is_lasting(Verdict::parse(value).reason);
                if !is_lasting {
                    *value = format!("{}: {why}", State::Unknown.word());
                }
            } else if name.starts_with("verdict.incident.") {
                *value = gone_on(value, age);
            }
        }
        self
    }

    /// The code and the words of a refusal.
    pub(super) fn refused(&self, name: &str) -> Option<&(Code, String)> {
        self.refusals.get(name)
    }

    /// Why there is no value.
    pub(crate) fn refusal(&self, name: &str) -> Option<&str> {
        self.refusals.get(name).map(|(_, why)| why.as_str())
    }

    /// `"rack7" (df1a367e), kvm`, as far as the host says it.
    pub(crate) fn host(&self) -> Option<String> {
        let id: Option<String> = self.text("host.id").map(|id| id.chars().take(ID_SHOWN).collect());
        let name = self.text("host.name").map(|name| format!("\"{name}\""));
        let host = match (name, id) {
            (Some(name), Some(id)) => Some(format!("{name} ({id})")),
            (name, id) => name.or(id),
        };
        let hypervisor = self.text("hypervisor").map(str::to_owned);
        let parts: Vec<String> = host.into_iter().chain(hypervisor).collect();
        (!parts.is_empty()).then(|| parts.join(", "))
    }

    /// `"web1" (9f0c...)`: the guest as its administrator knows it, by its name and UUID, as far as the host says it.
    pub(crate) fn guest(&self) -> Option<String> {
        let name = self.text("vm.name").map(|name| format!("\"{name}\""));
        match (name, self.text("vm.uuid")) {
            (Some(name), Some(uuid)) => Some(format!("{name} ({uuid})")),
            (name, uuid) => name.or(uuid.map(str::to_owned)),
        }
    }

    /// The newest incident, for people.
    pub(crate) fn incident(&self) -> Option<String> {
        let incident = self.text("verdict.incident.1")?;
        let first_asked = self.number("session.start");
        let since = begin(incident).zip(first_asked).map(|(begin, asked)| begin - asked);
        let from_the_start = since
            .is_some_and(|since| (as_f64(BEGINS_BEFORE)..=as_f64(BEGINS_AFTER)).contains(&since));
        let old = self.age().filter(|age| *age > PRESENT);
        let parts = incident.split_once(" from ");
        let parts = parts.and_then(|(what, rest)| Some((what, rest.split_once(' ')?.1)));
        Some(match parts.filter(|_| from_the_start) {
            Some((what, rest)) => {
                let from =
                    format!("{what} from this guest's first question on, or earlier, {rest}");
                as_told(&from, old)
            }
            None => as_told(incident, old),
        })
    }

    /// Whether an incident on that resource goes on.
    pub(crate) fn has_open_incident(&self, resource: &str) -> bool {
        let is_incident = |name: &str| name.starts_with("verdict.incident.");
        self.values.iter().any(|(name, text)| {
            let is_about_it = text.split(' ').next() == Some(resource);
            is_incident(name) && is_about_it && text.contains(" to now")
        })
    }

    /// The instances of a statistic: the values of `*` in `vm.disk.*.latency`.
    pub(super) fn instances(&self, before: &str, behind: &str) -> BTreeMap<String, f64> {
        let names = self.values.keys().filter_map(|name| {
            let instance = name.strip_prefix(before)?.strip_suffix(behind)?;
            Some((instance.to_owned(), self.number(name)?))
        });
        names.collect()
    }
}

/// When an incident began, in seconds since 1970:
/// `cpu contended from 2026-11-28T10:02Z to now: 34% waited`
fn begin(incident: &str) -> Option<f64> {
    let from = incident.split_once(" from ")?.1.split(' ').next()?;
    Some(as_f64(from.parse::<jiff::Timestamp>().ok()?.as_second()))
}

/// An incident for people, as the host told it so long ago if that is `old`.
pub(crate) fn as_told(incident: &str, old: Option<Duration>) -> String {
    units::incident(&old.map_or_else(|| incident.to_owned(), |age| gone_on(incident, age)))
}

/// An incident that went on when the host said so, that long ago.
fn gone_on(incident: &str, age: Duration) -> String {
    let (open, going_on) = (" to now", format!(", and going on {}", ago(age)));
    // Behind a time of its own, there is a comma already.
    incident.replacen(&format!(",{open}"), &going_on, 1).replacen(open, &going_on, 1)
}

/// Exact up to 2^53: until the year 285,000,000.
#[allow(clippy::cast_precision_loss)]
fn as_f64(seconds: i64) -> f64 {
    seconds as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(values: &[&str]) -> Reply {
        let line = |text: &&str| Line { code: Code::Done, text: (*text).to_owned() };
        Reply::of(&values.iter().map(line).collect::<Vec<_>>())
    }

    #[test]
    fn a_host_is_told_in_one_form_and_its_name_in_quotes() {
        let host = |values: &[&str]| reply(values).host();
        let all = ["host.name=vm", "host.id=df1a367eaff5239f", "hypervisor=kvm"];
        assert_eq!(host(&all).as_deref(), Some("\"vm\" (df1a367e), kvm"));
        assert_eq!(host(&all[1..]).as_deref(), Some("df1a367e, kvm"));
        assert_eq!(host(&[]), None);
    }

    #[test]
    fn a_guest_is_told_by_its_name_and_its_uuid() {
        let guest = |values: &[&str]| reply(values).guest();
        let both = ["vm.name=web1", "vm.uuid=9f0c"];
        assert_eq!(guest(&both).as_deref(), Some("\"web1\" (9f0c)"));
        assert_eq!(guest(&both[1..]).as_deref(), Some("9f0c"));
        assert_eq!(guest(&["host.name=x"]), None);
    }

    #[test]
    fn an_incident_from_the_first_question_on_may_be_older_and_the_text_says_so() {
        let incident_since = |start: &str| {
            let incident = "verdict.incident.1=cpu contended from 2026-11-28T10:02Z to now: x";
            let told: Vec<&str> = std::iter::once(incident).chain(start.lines()).collect();
            reply(&told).incident().unwrap()
        };
        let plain = "cpu contended from about 2026-11-28 10:02 UTC to now: x";
        // 10:02:10 is 1795860130.
        let first = "cpu contended from this guest's first question on, or earlier, to now: x";
        assert_eq!(incident_since("session.start=1795860130"), first);
        let kept = incident_since("session.start=1795860130\nsample.age=25");
        assert_eq!(kept, first.replace(", to now", ", and going on 25 s ago"));
        for other in ["session.start=1795860000", "session.start=1795860300", "x=1"] {
            assert_eq!(incident_since(other), plain, "{other}");
        }
        let open = reply(&["verdict.incident.2=cpu contended from 1 to now"]);
        assert!(open.has_open_incident("cpu") && !open.has_open_incident("io"));
        assert!(!reply(&["verdict.incident.1=cpu contended from 1 to 2"]).has_open_incident("cpu"));
    }
}
