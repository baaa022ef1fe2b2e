//! A report as text.

use crate::report::read::Recording;
use crate::report::summary::{Summary, Times};
use crate::report::words::{because, span};
use crate::units::{self, counted};
use crate::wrap::ITEM;

/// The most incidents listed, choosing the newest.
pub(crate) const INCIDENTS_MAX: usize = 50;

/// All of it.
pub(crate) fn text(recording: &Recording) -> String {
    let summary = Summary::of(recording);
    let mut text = format!("{}\n{}\n\n", recorded(&summary), places(recording));
    for sentence in summary.sentences() {
        text += &format!("{sentence}\n");
    }
    text += &times(&summary);
    if !summary.episodes.is_empty() {
        text += "\nWhen it was not ok (from, in UTC, and for how long):\n";
    }
    text += &aligned(summary.episodes.iter().map(|episode| {
        let length = span(episode.end - episode.start);
        let verdict = format!("{}{}", episode.state.word(), because(&episode.reason));
        [summary.at(episode.start), length, episode.resource.to_owned(), verdict]
    }));
    let line = |line: String| line + "\n";
    text.extend(more(summary.more, "shorter time").map(line));
    let incidents = incidents(recording);
    if !incidents.is_empty() {
        text += "\nIncidents that the host recorded:\n";
    }
    for incident in incidents {
        text += &format!("{ITEM}{incident}\n");
    }
    let earlier = recording.incidents.len().saturating_sub(INCIDENTS_MAX);
    text.extend(more(earlier, "earlier incident").map(line));
    text.push('\n');
    text += NOTES;
    text.extend(damage(recording).map(line));
    text
}

/// How long each verdict held.
fn times(summary: &Summary) -> String {
    let cell = |seconds| if seconds == 0 { "-".to_owned() } else { summary.of_all(seconds) };
    let mut rows = vec![["", "contended", "self-limited", "ok", "unknown"].map(str::to_owned)];
    rows.extend(summary.present().map(|(_, resource, times)| {
        let Times { contended, self_limited, ok, unknown } = times;
        [resource.to_owned(), cell(contended), cell(self_limited), cell(ok), cell(unknown)]
    }));
    format!("\n{}", aligned(rows))
}

/// Rows in columns as wide as what stands in them: with fixed ones, a terminal of 80 columns would be too narrow.
fn aligned<const COLUMNS: usize>(rows: impl IntoIterator<Item = [String; COLUMNS]>) -> String {
    let rows: Vec<[String; COLUMNS]> = rows.into_iter().collect();
    let mut text = String::new();
    for row in &rows {
        let mut line = String::new();
        for (column, cell) in row.iter().enumerate() {
            let cells = rows.iter().filter_map(|row| row.get(column));
            let width = cells.map(String::len).max().unwrap_or(0);
            line += &format!("{cell:width$}  ");
        }
        text += line.trim_end();
        text.push('\n');
    }
    text
}

/// Notes for the reader. A line goes on for as long as the terminal is wide, or whoever reads it.
const NOTES: &str = "\
Verdicts come from the host; each covers the minute before it, or less.
contended: the host was short of it for this guest, or limited it.
self-limited: the guest's own limit or own work held it back.
ok: the guest got what it asked for.
unknown: the host could not tell, or there was no verdict.
";

/// When, how long, and how often.
pub(crate) fn recorded(summary: &Summary) -> String {
    let all = summary.end - summary.start;
    let gaps = match all - summary.recorded {
        0 => String::new(),
        gaps => format!(", without {} in which nothing was recorded", span(gaps)),
    };
    format!(
        "From {} to {} UTC ({}{gaps}), {}, one every {}.",
        summary.at(summary.start),
        summary.at(summary.end),
        span(all),
        counted(summary.samples, "sample"),
        span(summary.step)
    )
}

/// Of which guest, and on which hosts.
pub(crate) fn places(recording: &Recording) -> String {
    let guest = match recording.guests.as_slice() {
        [] => String::new(),
        guests => format!("The guest {}. ", guests.join(", then ")),
    };
    let hosts = match recording.hosts.as_slice() {
        [] => "The host did not identify itself.".to_owned(),
        [host] => format!("On the host {host}."),
        hosts => format!("On {} hosts, one after the other: {}.", hosts.len(), hosts.join(", ")),
    };
    guest + &hosts
}

/// The newest incidents. The end of one that another followed, or that went on when the recording ended, is not
/// in the recording.
pub(crate) fn incidents(recording: &Recording) -> Vec<String> {
    let all = recording.incidents.as_slice();
    let newest = all.get(all.len().saturating_sub(INCIDENTS_MAX)..).unwrap_or_default();
    let told =
        |incident: &String| units::incident(incident).replace(" to now", ", its end not recorded");
    newest.iter().map(told).collect()
}

/// How many were left out of a list.
pub(crate) fn more(number: usize, what: &str) -> Option<String> {
    (number > 0).then(|| format!("and {}", counted(number, what)))
}

/// What could not be read.
pub(crate) fn damage(recording: &Recording) -> Option<String> {
    match recording.damaged {
        0 => None,
        1 => Some("1 line could not be read and was left out.".to_owned()),
        lines => Some(format!("{lines} lines could not be read and were left out.")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::recording::HEAD;

    #[test]
    fn a_report_says_when_where_how_long_and_why() {
        let recording = format!(
            "{HEAD}#columns waited\n\
             g 1795852940 \"web1\" .\nh 1795852940 df1a367e, kvm .\ns 1795852940 oo-- - .\ns 1795852950 co-- 340 .\n\
             v 1795852950 cpu contended your vCPUs waited 34% .\ns 1795852960 co-- 320 .\n\
             i 1795852960 cpu contended from 2026-11-28T08:02Z to now: 34% waited .\ns 17958"
        );
        let text = text(&Recording::read(recording.as_bytes()).unwrap());
        assert_eq!(
            text,
            "From 2026-11-28 08:02:10 to 2026-11-28 08:02:40 UTC (30 s), 3 samples, one every 10 s.\n\
             The guest \"web1\". On the host df1a367e, kvm.\n\n\
             The host gave this guest less CPU time than it wanted for 20 s (67%).\n\
             While CPU time was contended, its vCPUs waited 33% of the time in which they wanted to run, by the host's count.\n\
             Show this to whoever runs the host.\n\n\
             \x20       contended   self-limited  ok           unknown\n\
             cpu     20 s (67%)  -             10 s (33%)   -\n\
             memory  -           -             30 s (100%)  -\n\
             io      -           -             -            30 s (100%)\n\
             net     -           -             -            30 s (100%)\n\n\
             When it was not ok (from, in UTC, and for how long):\n\
             2026-11-28 08:02:20  20 s  cpu  contended: your vCPUs waited 34%\n\n\
             Incidents that the host recorded:\n\
             - cpu contended from about 2026-11-28 08:02 UTC, its end not recorded: 34% waited\n\n"
                .to_owned()
                + NOTES
                + "1 line could not be read and was left out.\n"
        );
    }

    #[test]
    fn what_the_guest_does_not_have_is_in_no_table() {
        let reason = "v 1 io unknown no disk in this guest .\n";
        let recording = format!("{HEAD}{}{reason}", "s 1 oouo .\ns 2 oouo .\ns 3 oouo .\n");
        let recording = Recording::read(recording.as_bytes()).unwrap();
        let text = text(&recording);
        assert!(text.contains("There is no disk in this guest.\n"), "{text}");
        assert!(!text.contains("\nio ") && text.contains("\nnet "), "{text}");
        let page = crate::report::page::page(&recording);
        assert!(!page.contains("Disk I/O") && page.contains("Network"), "{page}");
    }

    #[test]
    fn only_the_newest_of_many_incidents_are_told() {
        let line = |number| format!("i 1 cpu contended from {number} to 9 .\n");
        let text = format!("{HEAD}#columns\ns 1 oooo .\n{}", (0..60).map(line).collect::<String>());
        let recording = Recording::read(text.replace("#columns\n", "").as_bytes()).unwrap();
        assert_eq!(incidents(&recording).len(), INCIDENTS_MAX);
        let text = super::text(&recording);
        assert!(text.contains("from 59 to 9\nand 10 earlier incidents\n"), "{text}");
        assert_eq!(more(1, "shorter time").as_deref(), Some("and 1 shorter time"));
        assert_eq!(more(0, "shorter time"), None);
    }
}
