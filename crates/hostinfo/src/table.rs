//! What `hostinfo --all` shows: everything that the host lets this guest see, in readable form.

use std::borrow::Cow;

use anstyle::Style;
use hostinfo_catalog::stat::is_placeholder;

use crate::color;
use crate::diagnose::conclude::absent;
use crate::exit::Failure;
use crate::get;
use crate::host::Host;
use crate::listed::Listed;
use crate::output::{Shown, columns};
use crate::question::Question;
use crate::system::own_roots;
use crate::units;
use crate::verdict::Verdict;
use crate::wrap::{hanging, wrapped};

/// The groups that come first: the administrator's notices, and the verdicts.
const FIRST: [&str; 2] = ["notice", "verdict"];

/// Asks for everything.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(host: &mut Host<'_>) -> Result<Shown, Failure> {
    let list = host.ask(&Question::list_all())?;
    let listed = Listed::all(&list);
    if listed.is_empty() {
        return Ok(get::text(list));
    }
    let answered = get::text(get::with_verdicts(host, &Question::get(&["*"]))?);
    let columns = columns();
    let mut text = page(&with_absences(&answered.text, &own_roots().lacking()), &listed, columns);
    let more = more(&answered.text, &listed);
    text.extend(more.map(|more| match columns {
        Some(columns) => wrapped(&more, columns),
        None => more,
    }));
    Ok(Shown { text, ..answered })
}

/// The values, with what this guest does not have, the resources `lacking`, instead of verdicts that are unknown for
/// that reason.
fn with_absences(answered: &str, lacking: &[&str]) -> String {
    let line = |line: &str| {
        let (name, value) = line.split_once('=')?;
        let resource = name.strip_prefix("verdict.")?;
        let absent = absent(resource, Some(Verdict::parse(value).state), lacking)?;
        Some(format!("{name}={absent}\n"))
    };
    answered.lines().map(|told| line(told).unwrap_or_else(|| format!("{told}\n"))).collect()
}

/// How many listed statistics have no value here, if any. Texts that somebody adds, such as
/// notices, do not count: that there are none is not a lack.
fn more(answered: &str, listed: &[Listed<'_>]) -> Option<String> {
    let names: Vec<&str> =
        answered.lines().filter_map(|line| Some(line.split_once('=')?.0)).collect();
    let is_added = |l: &Listed<'_>| {
        l.kind == hostinfo_catalog::Kind::Info.word() && l.name.split('.').any(is_placeholder)
    };
    let has_value = |l: &Listed<'_>| names.iter().any(|name| l.describes(name));
    let without = listed.iter().filter(|l| !is_added(l) && !has_value(l)).count();
    let are = if without == 1 { "is" } else { "are" };
    (without > 0).then(|| {
        format!(
            "\n{without} more {are} not available here: see hostinfo list; hostinfo get NAME says why\n"
        )
    })
}

/// A statistic as shown.
struct Row<'a> {
    name: &'a str,
    value: String,
    /// Empty after a text, which needs no description.
    description: &'a str,
    style: Style,
}

impl<'a> Row<'a> {
    fn new(name: &'a str, value: &str, listed: &[Listed<'a>]) -> Self {
        let about = listed
            .iter()
            .find(|l| l.name == name)
            .or_else(|| listed.iter().find(|l| l.describes(name)))
            .copied()
            .unwrap_or_default();
        let is_text = about.kind == hostinfo_catalog::Kind::Info.word();
        Self {
            name,
            value: match name.split('.').next() {
                Some("verdict") if name.starts_with("verdict.incident.") => units::incident(value),
                Some("notice" | "verdict") => units::with_times(value),
                _ => units::human(value, about.kind, about.unit),
            },
            description: if is_text { "" } else { about.description },
            style: color::of(name, value),
        }
    }

    fn group(&self) -> &'a str {
        self.name.split('.').next().unwrap_or_default()
    }
}

/// The least room that is worth using: for a description, and beside a name for a value that is a sentence.
const ROOM_LEAST: usize = 20;

/// How far a sentence is indented that has no room beside its name.
const INDENT: usize = 4;

/// The statistics in groups, separated by empty lines, in aligned columns; descriptions are cut to
/// fit `columns`, and values that are sentences go on below where they begin.
fn page(answered: &str, listed: &[Listed<'_>], columns: Option<usize>) -> String {
    let mut rows: Vec<Row<'_>> = answered
        .lines()
        .filter_map(|line| line.split_once('='))
        .filter(|(name, _)| !is_told_already(name))
        .map(|(name, value)| Row::new(name, value, listed))
        .collect();
    rows.sort_by_key(|row| FIRST.iter().position(|first| *first == row.group()).unwrap_or(2));

    let name = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    let described = rows.iter().filter(|row| !row.description.is_empty());
    let value = described.map(|row| row.value.chars().count()).max().unwrap_or(0);
    let room = columns.map_or(usize::MAX, |columns| columns.saturating_sub(name + value + 4));

    let mut text = String::new();
    let mut length_before = 0;
    for group in rows.chunk_by(|a, b| a.group() == b.group()) {
        // Groups of a single row are not separated.
        if length_before > 1 || (length_before == 1 && group.len() > 1) {
            text.push('\n');
        }
        length_before = group.len();
        for row in group {
            let (bold, faint, style) = (Style::new().bold(), Style::new().dimmed(), row.style);
            let begin = format!("{bold}{:name$}{bold:#}  ", row.name);
            if row.description.is_empty() || room < ROOM_LEAST {
                let value = format!("{style}{}{style:#}", row.value);
                text.push_str(&match columns {
                    Some(columns) if columns >= name + 2 + ROOM_LEAST => {
                        hanging(&begin, &value, name + 2, columns)
                    }
                    Some(columns) => hanging(&begin, &value, INDENT, columns),
                    None => format!("{begin}{value}\n"),
                });
            } else {
                let description = cut(row.description, room);
                let value = format!("{:value$}", row.value);
                let value = format!("{style}{value}{style:#}  {faint}{description}{faint:#}");
                text.push_str(&format!("{begin}{value}\n"));
            }
        }
    }
    text
}

/// The word of a verdict is repeated at the beginning of the verdict itself.
fn is_told_already(name: &str) -> bool {
    name.starts_with("verdict.") && name.ends_with(".state")
}

/// As many of its words as there is room for.
fn cut(text: &str, room: usize) -> Cow<'_, str> {
    if text.chars().count() <= room {
        return Cow::Borrowed(text);
    }
    let kept: String = text.chars().take(room).collect();
    let words = kept.rsplit_once(' ').map_or("", |(words, _)| words);
    Cow::Owned(format!("{}…", words.trim_end_matches([',', ';', ':'])))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::Line;
    use hostinfo_wire::Code;

    const LIST: [&str; 8] = [
        "time gauge seconds the host's clock",
        "window gauge seconds the time that ratios speak of",
        "notice.N info - a notice",
        "loadavg.1 gauge - load average over 1 minute",
        "loadavg.5 gauge - load average over 5 minutes",
        "memory.total gauge bytes memory of the host",
        "vm.cpu.N.delay counter seconds time that this vCPU waited",
        "verdict.cpu info - CPU of the last minute",
    ];

    const ANSWERED: &str = "\
time=1763794623.25
window=60
notice.1=maintenance at 2026-01-05T22:00:00Z: a=b
loadavg.1=0.42
loadavg.5=12
memory.total=16773406720
vm.cpu.0.delay=1.5
newer.thing=7
verdict.cpu=contended: 31% waited
";

    fn plain(columns: Option<usize>) -> String {
        let lines = LIST.map(|text| Line { code: Code::Done, text: text.to_owned() });
        let page = page(ANSWERED, &Listed::all(&lines), columns);
        anstream::adapter::strip_str(&page).to_string()
    }

    #[test]
    fn a_verdict_on_a_device_that_the_guest_does_not_have_says_so() {
        let told = "verdict.net=unknown: this host has no figures\nverdict.io=ok: x\nverdict.net.state=unknown\n";
        assert_eq!(with_absences(told, &[]), told);
        assert_eq!(
            with_absences(told, &["io", "net"]),
            told.replace("unknown: this host has no figures", "no network interface in this guest")
        );
    }

    #[test]
    fn notices_and_verdicts_come_first_and_groups_stand_apart() {
        assert_eq!(
            plain(None),
            "\
notice.1        maintenance at 2026-01-05 22:00:00 UTC: a=b
verdict.cpu     contended: 31% waited
time            2025-11-22 06:57:03 UTC  the host's clock
window          1 min                    the time that ratios speak of

loadavg.1       0.42                     load average over 1 minute
loadavg.5       12                       load average over 5 minutes

memory.total    15.6 GiB                 memory of the host
vm.cpu.0.delay  1.5 s                    time that this vCPU waited
newer.thing     7
"
        );
    }

    #[test]
    fn statistics_that_are_listed_without_a_value_are_counted() {
        let listed = [
            "loadavg.1 gauge - x",
            "swap.free gauge bytes x",
            "vm.disk.DEV.latency gauge seconds x",
            "notice.N info - x",
        ];
        let listed = listed.map(Listed::parse);
        let told = more("loadavg.1=1\n", &listed).unwrap();
        assert!(told.starts_with("\n2 more are not available here: see hostinfo list;"), "{told}");
        let one = more("loadavg.1=1\nvm.disk.vda.latency=1\n", &listed).unwrap();
        assert!(one.starts_with("\n1 more is not"), "{one}");
        assert_eq!(more("loadavg.1=1\nvm.disk.vda.latency=1\nswap.free=1\n", &listed), None);
    }

    #[test]
    fn a_verdicts_word_is_shown_once_and_incidents_stand_below_verdicts() {
        let incident = "verdict.incident.1=cpu contended from 2026-11-28T10:02Z to now";
        let answered =
            format!("verdict.cpu=contended: x\nverdict.cpu.state=contended\n{incident}\n");
        let page = page(&answered, &[], None);
        assert_eq!(
            anstream::adapter::strip_str(&page).to_string(),
            "verdict.cpu         contended: x\n\
             verdict.incident.1  cpu contended from about 2026-11-28 10:02 UTC to now\n"
        );
    }

    #[test]
    fn descriptions_are_cut_to_the_terminal_and_values_are_not() {
        let narrow = plain(Some(65));
        assert!(narrow.contains("  load average over 1…\n"), "{narrow}");
        assert!(narrow.contains("  memory of the host\n"), "{narrow}");
        let narrower = plain(Some(60));
        assert!(narrower.contains("\nmemory.total    15.6 GiB\n"), "{narrower}");
        assert!(narrower.contains("maintenance at 2026-01-05 22:00:00 UTC: a=b\n"));
    }

    #[test]
    fn a_value_that_is_a_sentence_goes_on_in_whole_words_below_where_it_begins() {
        let narrow = plain(Some(40));
        let told = "notice.1        maintenance at\n\
                    \x20               2026-01-05 22:00:00\n\
                    \x20               UTC: a=b\n";
        assert!(narrow.starts_with(told), "{narrow}");
        let narrower = plain(Some(30));
        assert!(narrower.contains("\nverdict.cpu     contended:\n    31% waited\n"), "{narrower}");
    }
}
