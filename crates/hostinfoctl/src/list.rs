//! `list`: every guest, whether it can ask, and under which rule.

use std::collections::{BTreeMap, HashSet};
use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use hostinfo_control::{Guest, GuestState};
use hostinfo_domains::Access;
use hostinfo_rules::Pattern;
use jiff::Timestamp;

use crate::args::Options;
use crate::daemon::{connect_if_there, without};
use crate::exit::{DONE, Failure, Status, complain, sum};
use crate::facts::Facts;
use crate::guests::select;
use crate::libvirt::{Libvirt, is_remote};
use crate::output::{printable, write, write_json};
use crate::row::{Queries, Row, Ruled};
use crate::rules;
use crate::table::table;
use crate::time::ago;

/// Lists the guests that the words mean, all without any.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, words: &[String]) -> Result<Status, Failure> {
    let mut statuses = Vec::new();
    let mut soft = |failure: Failure| {
        complain(&failure);
        statuses.push(failure.status());
    };
    let told = daemons(options);
    let (mut rows, unknown) = match domains(options, words) {
        Ok(found) => found,
        Err(failure) => {
            // A host may have guests without libvirt.
            match told {
                Some(_) => complain(format!("note: without what libvirt knows: {failure}")),
                None => soft(failure),
            }
            let unknown = |word: &String| Failure::NoGuest { name: word.clone(), nearest: None };
            (Vec::new(), words.iter().map(unknown).collect())
        }
    };
    let sockets = match &told {
        Some(told) => told.sockets(),
        None if is_remote(&options.connect) => Vec::new(),
        None => sockets(&options.directory),
    };
    let (strangers, unknown) = strange(&sockets, &rows, words, unknown);
    rows.extend(strangers);
    unknown.into_iter().for_each(&mut soft);
    match rules::load(&options.rules) {
        Ok(rules) => rows.iter_mut().for_each(|row| row.add_rule(&rules, &options.rules)),
        Err(failure) => soft(failure),
    }
    if let Some(Told { guests, rules }) = &told {
        for row in &mut rows {
            if let Some(guest) = guests.get(&row.id()) {
                row.add_daemons(guest, rules);
            }
        }
    }
    if options.json {
        write_json(&rows)?;
    } else if !rows.is_empty() {
        write(&shown(&rows, Timestamp::now()))?;
    } else if statuses.is_empty() {
        write("There are no guests.\n")?;
    }
    Ok(sum(statuses.into_iter().chain([DONE])))
}

/// The whole names of the guests that there are, `$driver-$name`: domains and sockets.
///
/// # Errors
/// [`Failure`]: libvirt cannot be asked, or there is no such guest.
pub(crate) fn names(options: &Options, words: &[String]) -> Result<Vec<String>, Failure> {
    let (rows, unknown) = domains(options, words)?;
    let sockets = match is_remote(&options.connect) {
        true => Vec::new(),
        false => sockets(&options.directory),
    };
    let (strangers, unknown) = strange(&sockets, &rows, words, unknown);
    match unknown.into_iter().next() {
        Some(failure) => Err(failure),
        None => Ok(rows.iter().chain(&strangers).map(Row::id).collect()),
    }
}

/// What libvirt has, and the words that mean none of it.
fn domains(options: &Options, words: &[String]) -> Result<(Vec<Row>, Vec<Failure>), Failure> {
    let mut libvirt = Libvirt::connect(options, Access::Read)?;
    let entries = libvirt.list()?;
    let (guests, mut unknown) = select(&entries, words);
    let mut rows = Vec::new();
    for entry in guests {
        match Facts::read(&mut libvirt, entry) {
            Ok(facts) => rows.extend(Row::of_domain(&facts)),
            Err(failure @ Failure::Refused(_)) => {
                unknown.push(Failure::Refused(format!("{}: {failure}", printable(&entry.name))));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((rows, unknown))
}

/// What the daemon knows.
struct Told {
    /// By their whole names.
    guests: BTreeMap<String, Guest>,
    /// The file that its rules are of.
    rules: String,
}

impl Told {
    /// The whole names of the guests that have a socket.
    fn sockets(&self) -> Vec<String> {
        let there = self.guests.values().filter(|guest| guest.state != GuestState::Absent);
        there.map(|guest| guest.id.clone()).collect()
    }
}

fn daemons(options: &Options) -> Option<Told> {
    let mut daemon = connect_if_there(options)?;
    let told = daemon.list().and_then(|guests| Ok((guests, daemon.status()?.rules.path)));
    let (guests, rules) = told.map_err(without).ok()?;
    let guests = guests.into_iter().map(|guest| (guest.id.clone(), guest)).collect();
    Some(Told { guests, rules })
}

/// The names of the sockets in the directory.
fn sockets(directory: &Path) -> Vec<String> {
    let entries = fs::read_dir(directory).into_iter().flatten().flatten();
    let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let names = sockets.filter_map(|socket| socket.file_name().into_string().ok());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

/// Guests that no domain is: those without libvirt, and what is left of those that are gone. The
/// words that mean some of them are not unknown.
fn strange(
    sockets: &[String],
    rows: &[Row],
    words: &[String],
    unknown: Vec<Failure>,
) -> (Vec<Row>, Vec<Failure>) {
    let domains: HashSet<String> = rows.iter().map(Row::id).collect();
    let split = |socket: &String| {
        let (driver, guest) = socket.split_once('-')?;
        (!domains.contains(socket)).then(|| Row::of_socket(driver, guest))
    };
    let mut strangers: Vec<Row> = sockets.iter().filter_map(split).collect();
    let means = |word: &str, row: &Row| {
        row.guest == word || word.parse().is_ok_and(|word: Pattern| word.matches(&row.guest))
    };
    if !words.is_empty() {
        strangers.retain(|row| words.iter().any(|word| means(word, row)));
    }
    let is_unknown = |failure: &Failure| match failure {
        Failure::NoGuest { name: word, .. } | Failure::NoMatch(word) => {
            !strangers.iter().any(|row| means(word, row))
        }
        _ => true,
    };
    let unknown = unknown.into_iter().filter(is_unknown).collect();
    (strangers, unknown)
}

fn shown(rows: &[Row], now: Timestamp) -> String {
    let heading =
        ["GUEST", "DRIVER", "STATE", "DEVICE", "RULE", "INTERVAL", "ANSWERED", "REFUSED", "LAST"];
    let cells: Vec<Vec<String>> = rows.iter().map(|row| cells(row, now)).collect();
    let problems = rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}\n", printable(&row.guest), row.problem.as_ref()?)));
    table(&heading, &cells) + &problems.collect::<String>()
}

fn cells(row: &Row, now: Timestamp) -> Vec<String> {
    let (rule, interval) = row.rule.as_ref().map(rule_cells).unwrap_or_default();
    let mut cells = vec![
        printable(&row.guest),
        row.driver.clone(),
        row.state.words().to_owned(),
        row.way.as_ref().map(|way| way.device.clone()).unwrap_or_default(),
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

fn rule_cells(rule: &Ruled) -> (String, String) {
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

    fn words(words: &[&str]) -> Vec<String> {
        words.iter().map(|&word| word.to_owned()).collect()
    }

    #[test]
    fn a_socket_that_no_domain_has_is_a_guest_too() {
        let (sockets, rows) =
            (words(&["qemu-a", "qemu-web", "odd"]), [Row::of_socket("qemu", "web")]);
        let names = |asked: &[&str]| {
            let missing = asked.iter().map(|word| Failure::NoMatch((*word).to_owned())).collect();
            let (rows, unknown) = strange(&sockets, &rows, &words(asked), missing);
            (rows.iter().map(Row::id).collect::<Vec<_>>(), unknown.len())
        };
        assert_eq!(names(&[]), (vec!["qemu-a".to_owned()], 0));
        assert_eq!(names(&["a", "b*"]), (vec!["qemu-a".to_owned()], 1));
    }

    #[test]
    fn a_row_tells_its_rule_and_what_it_asked_last() {
        let mut row = Row::of_socket("qemu", "a");
        row.rule = Some(Ruled {
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
            shown(&[row], now),
            "GUEST  DRIVER  STATE      RULE      INTERVAL  ANSWERED  REFUSED  LAST\n\
             a      qemu    no domain  h.conf:3  0.5 s     7         1        12 s ago: loadavg (200)\n"
        );
    }
}
