//! `list`: every guest, whether it can ask, and which rule applies to it.

use std::path::Path;

use jiff::Timestamp;

use crate::args::Options;
use crate::daemon::{self, Known};
use crate::exit::{DONE, Failure, Status, complain, sum};
use crate::output::{printable, write, write_json};
use crate::present::Present;
use crate::row::{AppliedRule, Queries, Row};
use crate::rules::RulesOf;
use crate::table::table;
use crate::time::ago;
use crate::uri::is_remote;

/// Lists the guests that the words match; without words, all.
///
/// # Errors
/// [`Failure::Output`].
pub(crate) fn run(options: &Options, words: &[String]) -> Result<Status, Failure> {
    let known = daemon::known(options);
    let present = Present::find(options, words, known.as_ref());
    let mut statuses = present.complain();
    let is_complete = present.is_complete() && statuses.is_empty();
    let mut rows = present.rows;
    if !is_remote(&options.connect) {
        match RulesOf::in_force(options, known.as_ref()) {
            Ok(rules) => rows.iter_mut().for_each(|row| row.add_rule(&rules)),
            Err(failure) => {
                complain(&failure);
                statuses.push(failure.status());
            }
        }
    }
    if let Some(Known { guests, rules, .. }) = &known {
        for row in &mut rows {
            if let Some(guest) = guests.get(&row.id()) {
                row.add_daemons(guest, &rules.state.path);
            }
        }
    }
    if options.json {
        write_json(&rows)?;
    } else if !rows.is_empty() {
        write(&listing(&rows, Timestamp::now()))?;
    } else if is_complete {
        write("There are no guests.\n")?;
    }
    Ok(sum(statuses.into_iter().chain([DONE])))
}

fn listing(rows: &[Row], now: Timestamp) -> String {
    let heading = [
        "GUEST", "DRIVER", "STATE", "DEVICE", "SOCKET", "VHOSTMD", "RULE", "INTERVAL", "ANSWERED",
        "REFUSED", "LAST",
    ];
    let cells: Vec<Vec<String>> = rows.iter().map(|row| row_cells(row, now)).collect();
    let problems = rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}\n", printable(&row.guest), row.problem.as_ref()?)));
    table(&heading, &cells) + &problems.collect::<String>()
}

fn row_cells(row: &Row, now: Timestamp) -> Vec<String> {
    let (rule, interval) = row.rule.as_ref().map(rule_cells).unwrap_or_default();
    let mut cells = vec![
        printable(&row.guest),
        row.driver.clone(),
        row.state.words().to_owned(),
        row.location.as_ref().map(|location| location.device.clone()).unwrap_or_default(),
        row.socket.as_deref().map(printable).unwrap_or_default(),
        row.vhostmd.clone().unwrap_or_default(),
        rule,
        interval,
    ];
    if let Some(Queries { answered, refused, last }) = &row.queries {
        let last = last.as_ref().map(|last| {
            let asked: String = printable(&last.asked).chars().take(30).collect();
            format!("{}: {asked} ({})", ago(last.at, now), last.code)
        });
        cells.extend([answered.to_string(), refused.to_string(), last.unwrap_or_default()]);
    }
    cells
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

    #[test]
    fn a_row_tells_its_rule_and_what_it_asked_last() {
        let mut row = Row::of_socket("qemu", "a");
        row.rule = Some(AppliedRule {
            file: "/etc/h.conf".to_owned(),
            line: Some(3),
            pattern: Some("*".to_owned()),
            enabled: true,
            interval: 0.5,
        });
        let now: Timestamp = "2026-11-22T21:30:00Z".parse().unwrap();
        let last = hostinfo_control::LastQuery {
            at: "2026-11-22T21:29:48Z".parse().unwrap(),
            asked: "loadavg".to_owned(),
            code: 200,
        };
        row.queries = Some(Queries { answered: 7, refused: 1, last: Some(last) });
        assert_eq!(
            listing(&[row], now),
            "GUEST  DRIVER  STATE      RULE      INTERVAL  ANSWERED  REFUSED  LAST\n\
             a      qemu    no domain  h.conf:3  0.5 s     7         1        12 s ago: loadavg (200)\n"
        );
    }
}
