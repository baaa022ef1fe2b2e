//! The guests as a table: narrow for a terminal, or wide with everything.

use std::path::Path;

use anstyle::{AnsiColor, Style};
use hostinfo_control::GuestState;
use hostinfo_wire::text::escaped;
use jiff::Timestamp;

use crate::row::{AppliedRule, Has, Queries, Row};
use crate::state::State;
use crate::table::{shortened, table};
use crate::time::ago;

/// The widest guest name in the narrow table: 80 columns less 55 for what is beside it.
const GUEST_WIDTH: usize = 25;

/// The column with the connection, in both tables.
const CONNECTION: usize = 3;

/// At most 80 columns.
pub(super) fn narrow(rows: &[Row], now: Timestamp) -> String {
    let heading = ["GUEST", "SAVED", "RUNNING", "CONNECTION", "RULE", "LAST"];
    let cells = |row: &Row| {
        let short = |has: &Option<Has>| match has {
            None => String::new(),
            Some(has) => has_words(has, |location| shortened(&location.short(), 7)),
        };
        let line = |rule: &AppliedRule| match rule.line {
            Some(line) => format!("line {line}"),
            None => "built-in".to_owned(),
        };
        let last = row.queries.as_ref().and_then(|queries| queries.last.as_ref());
        vec![
            shortened(&escaped(&row.guest), GUEST_WIDTH),
            short(&row.saved),
            short(&row.running),
            row.rule.as_ref().map(line).unwrap_or_default(),
            last.map(|last| ago(last.at, now)).unwrap_or_default(),
        ]
    };
    with_problems(&heading, rows, cells)
}

/// Everything.
pub(super) fn wide(rows: &[Row], now: Timestamp) -> String {
    let heading = [
        "GUEST",
        "SAVED",
        "RUNNING",
        "CONNECTION",
        "SOCKET",
        "VHOSTMD",
        "RULE",
        "INTERVAL",
        "ANSWERED",
        "REFUSED",
        "LAST",
    ];
    let cells = |row: &Row| {
        let long = |has: &Option<Has>| match has {
            None => String::new(),
            Some(has) => has_words(has, |location| location.device.clone()),
        };
        let (rule, interval) = row.rule.as_ref().map(rule_cells).unwrap_or_default();
        let mut cells = vec![
            row.guest.clone(),
            long(&row.saved),
            long(&row.running),
            row.socket.clone().unwrap_or_default(),
            row.vhostmd.clone().unwrap_or_default(),
            rule,
            interval,
        ];
        if let Some(Queries { answered, refused, last }) = &row.queries {
            let last = last.as_ref().map(|last| {
                let asked: String = last.asked.chars().take(30).collect();
                format!("{}: {asked} ({})", ago(last.at, now), last.code)
            });
            cells.extend([answered.to_string(), refused.to_string(), last.unwrap_or_default()]);
        }
        cells
    };
    with_problems(&heading, rows, cells)
}

fn with_problems(heading: &[&str], rows: &[Row], cells: impl Fn(&Row) -> Vec<String>) -> String {
    let cells = |row: &Row| {
        let mut cells: Vec<String> = cells(row).iter().map(|cell| escaped(cell)).collect();
        cells.insert(CONNECTION, connection(row));
        cells
    };
    let cells: Vec<Vec<String>> = rows.iter().map(cells).collect();
    let problem =
        |row: &Row| Some(format!("{}: {}\n", escaped(&row.guest), escaped(row.problem.as_ref()?)));
    table(heading, &cells) + &rows.iter().filter_map(problem).collect::<String>()
}

fn has_words(has: &Has, device: impl Fn(&crate::port_summary::PortLocation) -> String) -> String {
    match has {
        Has::Off => "off".to_owned(),
        Has::No => "none".to_owned(),
        Has::Wrong => "wrong".to_owned(),
        Has::Yes(location) => device(location),
    }
}

/// In colour: what is connected, what is waited for, what is wrong.
fn connection(row: &Row) -> String {
    let plain = Style::new();
    let (words, style) = match (row.state, row.connection) {
        (State::Error, _) => ("error", AnsiColor::Red.on_default()),
        (_, Some(GuestState::Connected)) => ("connected", AnsiColor::Green.on_default()),
        (_, Some(GuestState::Waiting)) => ("waiting", AnsiColor::Yellow.on_default()),
        (_, Some(GuestState::Disabled)) => ("closed", plain),
        (_, Some(GuestState::Failed | GuestState::Refused)) => {
            ("error", AnsiColor::Red.on_default())
        }
        (_, Some(GuestState::Absent) | None) => match row.running {
            // Only the daemon knows.
            Some(Has::Yes(_)) => ("unknown", plain),
            _ => ("-", plain),
        },
    };
    format!("{style}{words}{style:#}")
}

fn rule_cells(rule: &AppliedRule) -> (String, String) {
    let file = Path::new(&rule.file).file_name().unwrap_or_default().to_string_lossy();
    let place = rule.line.map_or_else(|| "built-in".to_owned(), |line| format!("{file}:{line}"));
    let interval = match rule.enabled {
        true => format!("{} s", rule.interval),
        false => "may not ask".to_owned(),
    };
    (place, interval)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::port_summary::PortLocation;
    use anstream::adapter::strip_str;
    use hostinfo_domains::Target;
    use unicode_width::UnicodeWidthStr;

    fn now() -> Timestamp {
        "2026-11-22T21:30:00Z".parse().unwrap()
    }

    fn row(name: &str) -> Row {
        let last = hostinfo_control::LastQuery {
            at: "2026-11-22T21:29:48Z".parse().unwrap(),
            asked: "loadavg".to_owned(),
            code: 200,
        };
        let rule = AppliedRule {
            file: "/etc/h.conf".to_owned(),
            line: Some(3),
            pattern: Some("*".to_owned()),
            enabled: true,
            interval: 0.5,
        };
        Row {
            saved: Some(Has::No),
            running: Some(Has::Yes(PortLocation::of(&Target::Serial(1)))),
            state: State::Connected,
            connection: Some(GuestState::Connected),
            rule: Some(rule),
            queries: Some(Queries { answered: 7, refused: 1, last: Some(last) }),
            ..Row::of_socket("qemu", name)
        }
    }

    fn plain(text: &str) -> String {
        strip_str(text).to_string()
    }

    #[test]
    fn a_guest_that_was_disabled_while_it_runs_is_shown_so() {
        assert_eq!(
            plain(&narrow(&[row("a")], now())),
            "GUEST   SAVED  RUNNING  CONNECTION  RULE    LAST\n\
             qemu-a  none   ttyS1    connected   line 3  12 s ago\n"
        );
        assert_eq!(
            plain(&wide(&[row("a")], now())),
            "GUEST   SAVED  RUNNING     CONNECTION  RULE      INTERVAL  ANSWERED  REFUSED  LAST\n\
             qemu-a  none   /dev/ttyS1  connected   h.conf:3  0.5 s     7         1        12 s ago: loadavg (200)\n"
        );
    }

    #[test]
    fn the_narrow_table_fits_eighty_columns_whatever_there_is() {
        let mut longest = row(&"x".repeat(100));
        let other = PortLocation::of(&Target::Other("spapr-vio-serial".to_owned()));
        (longest.saved, longest.running) = (Some(Has::Yes(other.clone())), Some(Has::Yes(other)));
        if let Some(rule) = &mut longest.rule {
            rule.line = Some(99_999);
        }
        let at = "2026-11-22T19:31:00Z".parse().unwrap();
        if let Some(last) = longest.queries.as_mut().and_then(|queries| queries.last.as_mut()) {
            last.at = at;
        }
        let text = plain(&narrow(&[longest], now()));
        assert!(text.contains("119 min ago"), "{text}");
        let widest = text.lines().map(UnicodeWidthStr::width).max();
        assert_eq!(widest, Some(80), "{text}");
    }

    #[test]
    fn states_have_colours_and_no_other_cell_has() {
        let text = narrow(&[row("a")], now());
        assert!(text.contains("\u{1b}[32mconnected\u{1b}[0m"), "{text:?}");
        assert_eq!(text.matches('\u{1b}').count(), 2, "{text:?}");
    }
}
