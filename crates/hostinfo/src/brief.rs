//! What plain `hostinfo` shows: is it me or my host? At most eight lines. One with a long reason of the host's takes
//! several rows of 80 columns, because no fact is cut.

mod answer;

use std::time::Duration;

use anstyle::Style;
use hostinfo_wire::Code;
use hostinfo_wire::reply::BLOCKED;

use crate::brief::answer::{Judged, answer, judged};
use crate::color;
use crate::diagnose::conclude::Conclusion;
use crate::diagnose::status;
use crate::exit::Failure;
use crate::host::Host;
use crate::output::Shown;
use crate::question::Question;
use crate::reply::Line;
use crate::system::own_roots;
use crate::units;
use crate::verdict::Verdict;
use crate::views::dated::{PRESENT, ago};
use crate::views::reply::Reply;

/// The names in its only query, since the host limits how often a guest may ask. `host` stands for what this guest may
/// see of it: a host whose rules do not show its name would log that the guest asked for it.
const NAMES: [&str; 7] =
    ["notice", "sample.age", "verdict", "hypervisor", "host", "session.start", "interval"];

/// How long to wait for the host's verdicts without `--wait`; it needs 5 s.
const WAIT_MAX: Duration = Duration::from_secs(10);

/// Asks what matters most.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(host: &mut Host<'_>) -> Result<Shown, Failure> {
    let patience = (!host.is_patient()).then_some(WAIT_MAX);
    let lines = host.ask_for_verdicts(&Question::get(&NAMES), patience)?;
    Ok(page(&lines, &own_roots().lacking()))
}

/// The whole page, for a guest that has no device of the resources `lacking`: a line of notices,
/// four resources, an incident, the host and the answer are eight lines.
fn page(lines: &[Line], lacking: &[&str]) -> Shown {
    if let [Line { code: Code::NotPermitted, text }] = lines
        && text == BLOCKED
    {
        return Shown { refusals: vec![BLOCKED.to_owned()], ..Shown::default() };
    }
    let reply = Reply::of(lines);
    let judged = judged(&reply, lacking);
    let ago = reply.age().filter(|age| *age > PRESENT).map(ago);
    let partial = judged.is_empty();
    let mut rows: Vec<Row> = notices(lines).into_iter().collect();
    rows.extend(if partial {
        vec![without_verdicts(&reply, lines)]
    } else {
        judged.iter().map(|judged| Row::verdict(judged, ago.as_deref())).collect()
    });
    rows.extend(reply.incident().map(|incident| Row::plain("incident", incident)));
    rows.extend(host_of(&reply));
    let mut text: String = rows.iter().map(Row::line).collect();
    if !partial {
        text += &format!("{}\n", answer(&judged, ago.as_deref()));
    }
    // As of `diagnose`, for the same reason.
    let is_refused = lines.iter().any(|line| {
        line.code == Code::NotPermitted
            && line.subject().is_some_and(|name| name.starts_with("verdict"))
    });
    let status = (partial && !is_refused).then(|| status(Conclusion::Unknown));
    Shown { text, is_prose: true, partial, status, ..Shown::default() }
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

    fn verdict(judged: &Judged<'_>, ago: Option<&str>) -> Self {
        if let Some(absent) = judged.absent {
            return Self::plain(judged.resource, absent);
        }
        let ago = ago.filter(|_| !judged.verdict.is_of_no_time());
        let ago = ago.map_or_else(String::new, |ago| format!(" ({ago})"));
        let Verdict { state, reason } = judged.verdict;
        let colon = if reason.is_empty() { "" } else { ": " };
        Self {
            label: judged.resource.to_owned(),
            text: format!("{}{ago}{colon}{reason}", state.word()),
            style: color::of(&format!("verdict.{}", judged.resource), state.word()),
        }
    }

    fn line(&self) -> String {
        /// The longest label and two blanks.
        const WIDTH: usize = "incident".len() + 2;
        let (bold, style) = (Style::new().bold(), self.style);
        format!("{bold}{:WIDTH$}{bold:#}{style}{}{style:#}\n", self.label, self.text)
    }
}

/// The soonest, and how many others there are.
fn notices(lines: &[Line]) -> Option<Row> {
    let done = lines.iter().filter(|line| line.code == Code::Done);
    let mut notices = done
        .filter_map(|line| line.text.split_once('='))
        .filter(|(name, _)| name.starts_with("notice."))
        .map(|(_, text)| units::with_times(text));
    let soonest = notices.next()?;
    let text = match notices.count() {
        0 => soonest,
        more => format!("{soonest} (and {more} more: hostinfo notice)"),
    };
    Some(Row { style: color::of("notice.1", ""), ..Row::plain("notice", text) })
}

/// Why there is no verdict, and what there is instead.
fn without_verdicts(reply: &Reply, lines: &[Line]) -> Row {
    let why = reply.refusal("verdict").unwrap_or("this host gives none");
    let next = match lines.iter().all(|line| line.code == Code::NotPermitted) {
        true => "ask whoever runs the host to permit verdict.*",
        false => "hostinfo --all shows what this guest may see",
    };
    Row::plain("verdict", format!("{why} ({next})"))
}

/// Which host this is.
fn host_of(reply: &Reply) -> Option<Row> {
    let state = reply.text("host.state").filter(|state| *state != "normal");
    let parts: Vec<String> = reply.host().into_iter().chain(state.map(str::to_owned)).collect();
    let style = state.map_or(Style::new(), |state| color::of("host.state", state));
    (!parts.is_empty()).then(|| Row { style, ..Row::plain("host", parts.join(", ")) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wrap::wrapped;
    use hostinfo_catalog::{Named, StatId, resolve};
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
        let shown = page(&reply(&WHOLE), &[]);
        assert_eq!(
            plain(&shown),
            "\
notice    maintenance at 2026-12-01 22:00:00 UTC: new memory (and 2 more: hostinfo notice)
cpu       contended: your vCPUs waited 34% of the last 60 s for a host CPU
memory    ok: nothing waited for memory
io        unknown: ask again in 60 s
net       ok: nothing was dropped
incident  cpu contended from about 2026-11-28 10:02 UTC to now: 34% waited
host      \"rack7\" (df1a367e), kvm, draining
It is the host (CPU time). To show whoever runs it: hostinfo diagnose
"
        );
        assert!(!shown.partial && shown.refusals.is_empty());
    }

    #[test]
    fn where_all_is_well_a_resource_takes_one_row_of_80_columns() {
        let told = include_str!("../../hostinfo-verdict/fixtures/sentences.txt");
        let well = told.lines().filter(|line| line.starts_with("ok: "));
        // That some of its memory is swapped out is not the usual case.
        let well: Vec<&str> = well.filter(|line| !line.contains(" but ")).collect();
        assert_eq!(well.len(), 4);
        for told in well {
            let rows = wrapped(&format!("memory    {told}\n"), 80).lines().count();
            assert_eq!(rows, 1, "{told}");
        }
    }

    #[test]
    fn without_rules_of_an_administrators_a_host_refuses_none_of_its_names() {
        for name in NAMES {
            let is_shown = match resolve(name).unwrap() {
                Named::Stat(stat, _) => stat.stat().default,
                Named::Group(scope) => {
                    StatId::all().any(|stat| stat.stat().default && scope.covers(stat, None))
                }
                Named::Below(..) => false,
            };
            assert!(is_shown, "{name}");
        }
    }

    #[test]
    fn values_that_a_host_does_not_have_or_tell_leave_no_line() {
        let lines = reply(&[
            "503 notice: there are no notices",
            "200 verdict.cpu=ok: your vCPUs ran",
            "200 hypervisor=qemu",
            "200 host.id=df1a367eaff5239f",
        ]);
        let shown = page(&lines, &[]);
        assert_eq!(
            plain(&shown),
            "cpu       ok: your vCPUs ran\nhost      df1a367e, qemu\n\
             It is not the host. What this guest's own kernel counts: hostinfo diagnose\n"
        );
        assert!(!shown.partial, "the verdict is what was asked for");
    }

    #[test]
    fn without_verdicts_it_says_why() {
        let shown = page(&reply(&["403 verdict: not permitted", "200 host.state=normal"]), &[]);
        assert_eq!(
            plain(&shown),
            "verdict   not permitted (hostinfo --all shows what this guest may see)\n"
        );
        assert!(shown.partial);
        let nothing = reply(&["403 verdict: not permitted", "403 host.state: not permitted"]);
        assert_eq!(
            plain(&page(&nothing, &[])),
            "verdict   not permitted (ask whoever runs the host to permit verdict.*)\n",
            "--all would be refused as well"
        );
    }

    #[test]
    fn a_guest_that_may_not_ask_is_told_only_that() {
        let shown = page(&reply(&["403 this guest may not ask"]), &[]);
        assert_eq!((shown.text.as_str(), shown.refusals.len()), ("", 1));
    }

    #[test]
    fn the_last_line_answers_and_says_what_to_do_next() {
        let last = |verdicts: &[&str]| {
            let lines: Vec<String> =
                verdicts.iter().map(|verdict| format!("200 verdict.{verdict}")).collect();
            let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
            page(&reply(&lines), &[]).text.lines().last().unwrap_or_default().to_owned()
        };
        let lasting = "io=unknown: this host has no figures of your disks: they come from libvirt";
        for (verdicts, told) in [
            (
                &["cpu=self-limited: x", lasting][..],
                "It is this guest itself (CPU time), not other guests. Details: hostinfo diagnose",
            ),
            (
                &["cpu=contended: x", "io=contended: x", "memory=self-limited: x"],
                "It is the host (CPU time and disk I/O), and this guest itself as well (memory). To show whoever \
                 runs it: hostinfo diagnose",
            ),
            (
                &["cpu=ok: x", "memory=ok: x", lasting],
                "For CPU time and memory, it is not the host; for disk I/O, that is unknown: only whoever \
                 runs the host can change that",
            ),
            (
                &["cpu=unknown: ask again in 60 s"],
                "Whether it is the host is unknown yet: ask again in 60 s, or with --wait",
            ),
            (
                &["cpu=unknown: your vCPUs waited 50% of the last 60 s"],
                "Whether it is the host is unknown. To look for longer: hostinfo diagnose",
            ),
        ] {
            assert_eq!(last(verdicts), told);
        }
    }

    #[test]
    fn what_a_broker_was_told_a_while_ago_is_not_shown_as_if_it_were_of_now() {
        let told = |age: &str| {
            let kept = [age, "200 verdict.net=unknown: this host has no limits of yours"];
            plain(&page(&reply(&[&WHOLE[3..12], &kept[..]].concat()), &[]))
        };
        let text = told("200 sample.age=25.3");
        for part in [
            "cpu       contended (25 s ago): your vCPUs waited 34% of the last 60 s for a host CPU\n",
            "memory    ok (25 s ago): nothing waited for memory\n",
            "io        unknown: ask again in 60 s\n",
            "net       unknown: this host has no limits of yours\n",
            "incident  cpu contended from about 2026-11-28 10:02 UTC, and going on 25 s ago: 34% waited\n",
            "25 s ago, it was the host (CPU time). To show whoever runs it: hostinfo diagnose\n",
        ] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
        let ok = ["200 verdict.cpu=ok: x", "200 verdict.io=unknown: x", "200 sample.age=65"];
        let text = plain(&page(&reply(&ok), &[]));
        assert!(
            text.contains("For CPU time, it was not the host 1 min 5 s ago; for disk"),
            "{text}"
        );
        for age in ["200 sample.age=5", "403 sample.age: not permitted"] {
            assert!(!told(age).contains(" ago"), "{age}");
        }
    }

    #[test]
    fn a_guest_without_a_disk_is_not_told_that_its_disk_is_unknown() {
        let lines = reply(&["200 verdict.cpu=ok: x", "200 verdict.io=unknown: this host x"]);
        let text = plain(&page(&lines, &["io"]));
        assert!(text.contains("io        no disk in this guest\nIt is not the host."), "{text}");
        let ok = reply(&["200 verdict.io=ok: your disks answered in time"]);
        assert!(plain(&page(&ok, &["io"])).contains("io        ok: "), "the host knows of one");
    }

    proptest! {
        #[test]
        fn the_page_never_has_more_than_eight_lines(
            lines in proptest::collection::vec(
                ("(notice|verdict|verdict\\.incident|host)\\.(cpu|memory|io|net|id|name|[0-9])=\\PC{0,20}", 0..2usize),
                0..40,
            ),
        ) {
            let codes = [Code::Done, Code::Unavailable];
            let lines: Vec<Line> =
                lines.into_iter().map(|(text, code)| Line { code: codes[code], text }).collect();
            prop_assert!(page(&lines, &[]).text.lines().count() <= 8);
        }
    }
}
