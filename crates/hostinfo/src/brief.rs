//! What plain `hostinfo` shows: is it me or my host? At most eight lines.

use std::collections::HashMap;
use std::time::Duration;

use anstyle::Style;
use hostinfo_wire::Code;
use hostinfo_wire::reply::BLOCKED;

use crate::color;
use crate::exit::Failure;
use crate::host::Host;
use crate::output::Shown;
use crate::question::Question;
use crate::reply::Line;
use crate::verdict::{RESOURCES, Verdict};

/// The names in its only query, since the host limits how often a guest may ask.
const NAMES: [&str; 6] = ["notice", "verdict", "hypervisor", "host.id", "host.name", "host.state"];

/// How long to wait for the host's verdicts without `--wait`; it needs 5 s.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// The most lines of notices: together with four resources, an incident and the host, that makes
/// eight lines.
const NOTICES_MAX: usize = 2;

/// Asks what matters most.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(host: &mut Host<'_>) -> Result<Shown, Failure> {
    let patience = (!host.is_patient()).then_some(WAIT_MAX);
    Ok(page(&host.ask_for_verdicts(&Question::get(&NAMES), patience)?))
}

/// The whole page.
fn page(lines: &[Line]) -> Shown {
    if let [Line { code: Code::NotPermitted, text }] = lines
        && text == BLOCKED
    {
        return Shown { refusals: vec![BLOCKED.to_owned()], ..Shown::default() };
    }
    let told = Told::of(lines);
    let mut rows = notices(lines);
    let verdicts = told.verdicts();
    let partial = verdicts.is_empty();
    rows.extend(if partial { vec![told.without_verdicts()] } else { verdicts });
    rows.extend(told.value("verdict.incident.1").map(|incident| Row::plain("incident", incident)));
    rows.extend(told.host());
    Shown { text: rows.iter().map(Row::line).collect(), partial, ..Shown::default() }
}

/// A line that is shown.
struct Row {
    label: String,
    text: String,
    style: Style,
}

impl Row {
    fn plain(label: &str, text: impl Into<String>) -> Self {
        Self { label: label.to_owned(), text: text.into(), style: Style::new() }
    }

    fn line(&self) -> String {
        /// The longest label and two blanks.
        const WIDTH: usize = "incident".len() + 2;
        let (bold, style) = (Style::new().bold(), self.style);
        format!("{bold}{:WIDTH$}{bold:#}{style}{}{style:#}\n", self.label, self.text)
    }
}

/// The soonest first, in the host's order.
fn notices(lines: &[Line]) -> Vec<Row> {
    let done = lines.iter().filter(|line| line.code == Code::Done);
    let notices: Vec<&str> = done
        .filter_map(|line| line.text.split_once('='))
        .filter(|(name, _)| name.starts_with("notice."))
        .map(|(_, text)| text)
        .collect();
    let shown = if notices.len() > NOTICES_MAX { NOTICES_MAX - 1 } else { notices.len() };
    let style = color::of("notice.1", "");
    let row = |text: String| Row { label: "notice".to_owned(), text, style };
    let mut rows: Vec<Row> =
        notices.iter().take(shown).map(|text| row((*text).to_owned())).collect();
    if notices.len() > shown {
        rows.push(row(format!("and {} more: hostinfo notice", notices.len() - shown)));
    }
    rows
}

/// A reply, accessible by name.
struct Told<'a> {
    values: HashMap<&'a str, &'a str>,
    refusals: HashMap<&'a str, &'a str>,
}

impl<'a> Told<'a> {
    fn of(lines: &'a [Line]) -> Self {
        let (mut values, mut refusals) = (HashMap::new(), HashMap::new());
        for line in lines {
            let (end, map) = match line.code {
                Code::Done => ("=", &mut values),
                _ => (": ", &mut refusals),
            };
            map.extend(line.text.split_once(end));
        }
        Self { values, refusals }
    }

    fn value(&self, name: &str) -> Option<&'a str> {
        self.values.get(name).copied()
    }

    fn verdicts(&self) -> Vec<Row> {
        let told = RESOURCES.into_iter().filter_map(|resource| {
            let name = format!("verdict.{resource}");
            Some((resource, self.value(&name)?, color::of(&name, self.value(&name)?)))
        });
        told.map(|(resource, value, style)| {
            let Verdict { state, reason } = Verdict::parse(value);
            let colon = if reason.is_empty() { "" } else { ": " };
            let text = format!("{}{colon}{reason}", state.word());
            Row { label: resource.to_owned(), text, style }
        })
        .collect()
    }

    /// Why there is no verdict, and what there is instead.
    fn without_verdicts(&self) -> Row {
        let why = self.refusals.get("verdict").copied().unwrap_or("this host gives none");
        Row::plain("verdict", format!("{why} (hostinfo --all shows what this guest may see)"))
    }

    /// Which host this is.
    fn host(&self) -> Option<Row> {
        /// As many characters as git shows of a commit: no two of a guest's hosts share them.
        const ID_SHOWN: usize = 8;
        let id: Option<String> =
            self.value("host.id").map(|id| id.chars().take(ID_SHOWN).collect());
        let name = self.value("host.name").map(str::to_owned);
        let host = match (name, id) {
            (Some(name), Some(id)) => Some(format!("{name} ({id})")),
            (name, id) => name.or(id),
        };
        let state = self.value("host.state").filter(|state| *state != "normal");
        let hypervisor = self.value("hypervisor");
        let parts: Vec<String> = [host, hypervisor.map(str::to_owned), state.map(str::to_owned)]
            .into_iter()
            .flatten()
            .collect();
        let style = state.map_or(Style::new(), |state| color::of("host.state", state));
        (!parts.is_empty()).then(|| Row { label: "host".to_owned(), text: parts.join(", "), style })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn reply(lines: &[&str]) -> Vec<Line> {
        let line = |line: &&str| {
            let (code, text) = line.split_once(' ').unwrap();
            let code = Code::from_number(code.parse().unwrap()).unwrap();
            Line { code, text: text.to_owned() }
        };
        lines.iter().map(line).collect()
    }

    fn plain(shown: &Shown) -> String {
        anstream::adapter::strip_str(&shown.text).to_string()
    }

    const WHOLE: [&str; 17] = [
        "200 notice.1=maintenance at 2026-12-01T22:00:00Z: new memory",
        "200 notice.2=info at 2026-12-02T00:00:00Z: a=b",
        "200 notice.3=info at 2026-12-03T00:00:00Z: more",
        "200 verdict.cpu=contended: your vCPUs waited 34% of the last 60 s for a host CPU",
        "200 verdict.cpu.state=contended",
        "200 verdict.memory=ok: nothing waited for memory",
        "200 verdict.memory.state=ok",
        "200 verdict.io=unknown: ask again in 60 s",
        "200 verdict.io.state=unknown",
        "200 verdict.net=ok: nothing was dropped",
        "200 verdict.net.state=ok",
        "200 verdict.incident.1=cpu contended from 2026-11-28T10:02Z to now: 34% waited",
        "200 verdict.incident.2=cpu contended from 2026-11-27T10:02Z to 2026-11-27T10:05Z: 9% waited",
        "200 hypervisor=kvm",
        "200 host.id=df1a367eaff5239faff34c4dd585c243",
        "200 host.name=rack7",
        "200 host.state=draining",
    ];

    #[test]
    fn all_that_matters_is_in_eight_lines() {
        let shown = page(&reply(&WHOLE));
        assert_eq!(
            plain(&shown),
            "\
notice    maintenance at 2026-12-01T22:00:00Z: new memory
notice    and 2 more: hostinfo notice
cpu       contended: your vCPUs waited 34% of the last 60 s for a host CPU
memory    ok: nothing waited for memory
io        unknown: ask again in 60 s
net       ok: nothing was dropped
incident  cpu contended from 2026-11-28T10:02Z to now: 34% waited
host      rack7 (df1a367e), kvm, draining
"
        );
        assert!(!shown.partial && shown.refusals.is_empty());
    }

    #[test]
    fn what_a_host_does_not_have_or_tell_leaves_no_line() {
        let shown = page(&reply(&[
            "503 notice: there are no notices",
            "200 verdict.cpu=ok: your vCPUs ran",
            "200 hypervisor=qemu",
            "200 host.id=df1a367eaff5239f",
            "403 host.name: not permitted",
            "404 host.state: no such statistic",
        ]));
        assert_eq!(plain(&shown), "cpu       ok: your vCPUs ran\nhost      df1a367e, qemu\n");
        assert!(!shown.partial, "the verdict is what was asked for");
    }

    #[test]
    fn without_verdicts_it_says_why() {
        let shown = page(&reply(&["403 verdict: not permitted", "200 host.state=normal"]));
        assert_eq!(
            plain(&shown),
            "verdict   not permitted (hostinfo --all shows what this guest may see)\n"
        );
        assert!(shown.partial);
    }

    #[test]
    fn a_guest_that_may_not_ask_is_told_only_that() {
        let shown = page(&reply(&["403 this guest may not ask"]));
        assert_eq!((shown.text.as_str(), shown.refusals.len()), ("", 1));
    }

    proptest! {
        #[test]
        fn it_never_has_more_than_eight_lines(
            lines in proptest::collection::vec(
                ("(notice|verdict|verdict\\.incident|host)\\.(cpu|memory|io|net|id|name|[0-9])=\\PC{0,20}", 0..2usize),
                0..40,
            ),
        ) {
            let codes = [Code::Done, Code::Unavailable];
            let lines: Vec<Line> =
                lines.into_iter().map(|(text, code)| Line { code: codes[code], text }).collect();
            prop_assert!(page(&lines).text.lines().count() <= 8);
        }
    }
}
