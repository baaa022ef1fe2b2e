//! `list`: every guest, whether it can ask, and under which rule.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

use hostinfo_domains::Access;
use hostinfo_rules::{Origin, Rules};
use serde::Serialize;

use crate::args::Options;
use crate::exit::{DONE, Failure, Status, complain, sum};
use crate::facts::Facts;
use crate::guests::select;
use crate::libvirt::{Libvirt, is_remote};
use crate::output::{printable, write, write_json};
use crate::rules;
use crate::standing::{Standing, Way};
use crate::table::table;

/// A guest.
#[derive(Debug, Serialize)]
struct Row {
    guest: String,
    driver: String,
    uuid: Option<String>,
    state: State,
    /// What is wrong, with the remedy.
    problem: Option<String>,
    /// That of now, else that of its next start.
    #[serde(flatten)]
    way: Option<Way>,
    /// `None` where the rules file cannot be read.
    rule: Option<Ruled>,
}

/// Whether a guest has hostinfo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
enum State {
    /// It has no port.
    Disabled,
    /// It gets its port with its next start.
    NextStart,
    /// It has its port.
    Enabled,
    /// It has its port until it ends.
    UntilItEnds,
    /// Something is wrong with its port.
    Error,
    /// There is a socket that no domain has.
    NoDomain,
}

impl State {
    fn of(standing: &Standing) -> Self {
        match (&standing.problem, &standing.now, &standing.next) {
            (Some(_), _, _) => Self::Error,
            (None, Some(_), Some(_)) => Self::Enabled,
            (None, Some(_), None) => Self::UntilItEnds,
            (None, None, Some(_)) => Self::NextStart,
            (None, None, None) => Self::Disabled,
        }
    }

    fn word(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::NextStart => "enabled at next start",
            Self::Enabled => "enabled",
            Self::UntilItEnds => "enabled until it ends",
            Self::Error => "error",
            Self::NoDomain => "no domain",
        }
    }
}

/// What the rules file says of a guest.
#[derive(Debug, Serialize)]
struct Ruled {
    /// `None`: the built-in default.
    pattern: Option<String>,
    line: Option<usize>,
    enabled: bool,
    /// Seconds.
    interval: f64,
}

impl Ruled {
    fn of(rules: &Rules, socket: &str) -> Self {
        let grant = rules.decide(socket);
        Self {
            pattern: grant.rule().map(|Origin { pattern, .. }| pattern.clone()),
            line: grant.rule().map(|Origin { line, .. }| *line),
            enabled: grant.enabled(),
            interval: grant.interval().as_secs_f64(),
        }
    }
}

/// Lists the guests that the words mean, all without any.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, words: &[String]) -> Result<Status, Failure> {
    let (rules, rules_status) = soft(rules::load(&options.rules));
    let (domains, libvirt_status) = soft(domains(options, words, rules.as_ref()));
    let is_known = domains.is_some();
    let (mut rows, unknown) = domains.unwrap_or_default();
    unknown.iter().for_each(complain);
    if words.is_empty() {
        rows.extend(strangers(options, &rows, rules.as_ref()));
    }
    if options.json {
        write_json(&rows)?;
    } else if !rows.is_empty() || is_known && unknown.is_empty() {
        write(&shown(&rows, &options.rules))?;
    }
    let statuses = unknown.iter().map(Failure::status).chain([rules_status, libvirt_status]);
    Ok(sum(statuses))
}

/// What was found, or the word on what is missing: the rest is told nevertheless.
fn soft<T>(found: Result<T, Failure>) -> (Option<T>, Status) {
    match found {
        Ok(found) => (Some(found), DONE),
        Err(failure) => {
            complain(&failure);
            (None, failure.status())
        }
    }
}

fn domains(
    options: &Options,
    words: &[String],
    rules: Option<&Rules>,
) -> Result<(Vec<Row>, Vec<Failure>), Failure> {
    let mut libvirt = Libvirt::connect(options, Access::Read)?;
    let entries = libvirt.list()?;
    let (guests, mut unknown) = select(&entries, words);
    let mut rows = Vec::new();
    for entry in guests {
        match Facts::read(&mut libvirt, entry) {
            Ok(facts) => rows.extend(row(&facts, rules)),
            Err(failure @ Failure::Refused(_)) => {
                unknown.push(Failure::Refused(format!("{}: {failure}", printable(&entry.name))));
            }
            Err(failure) => return Err(failure),
        }
    }
    Ok((rows, unknown))
}

/// `None`: it went while it was looked at.
fn row(facts: &Facts, rules: Option<&Rules>) -> Option<Row> {
    let ports = facts.ports()?;
    let standing = Standing::of(facts);
    Some(Row {
        guest: facts.entry.name.clone(),
        driver: ports.driver.clone(),
        uuid: Some(facts.entry.uuid.to_string()),
        state: State::of(&standing),
        rule: rules.map(|rules| Ruled::of(rules, &ports.socket_name())),
        problem: standing.problem,
        way: standing.now.or(standing.next),
    })
}

/// Sockets of guests that no domain has: guests without libvirt, and what is left of those that
/// are gone.
fn strangers(options: &Options, rows: &[Row], rules: Option<&Rules>) -> Vec<Row> {
    if is_remote(&options.connect) {
        return Vec::new();
    }
    let entries = fs::read_dir(&options.directory).into_iter().flatten().flatten();
    let sockets = entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_socket()));
    let mut names: Vec<String> =
        sockets.filter_map(|socket| socket.file_name().into_string().ok()).collect();
    names.sort();
    let stranger = |socket: &String| {
        let (driver, guest) = socket.split_once('-')?;
        let is_known = rows.iter().any(|row| row.driver == driver && row.guest == guest);
        (!is_known).then(|| Row {
            guest: guest.to_owned(),
            driver: driver.to_owned(),
            uuid: None,
            state: State::NoDomain,
            problem: None,
            way: None,
            rule: rules.map(|rules| Ruled::of(rules, socket)),
        })
    };
    names.iter().filter_map(stranger).collect()
}

fn shown(rows: &[Row], file: &Path) -> String {
    if rows.is_empty() {
        return "There are no guests.\n".to_owned();
    }
    let heading = ["GUEST", "DRIVER", "STATE", "DEVICE", "RULE", "INTERVAL"];
    let cells = rows.iter().map(|row| cells(row, file)).collect::<Vec<_>>();
    let problems = rows
        .iter()
        .filter_map(|row| Some(format!("{}: {}\n", printable(&row.guest), row.problem.as_ref()?)));
    table(&heading, &cells) + &problems.collect::<String>()
}

fn cells(row: &Row, file: &Path) -> Vec<String> {
    let file = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy();
    let rule = row.rule.as_ref().map_or_else(
        || "?".to_owned(),
        |rule| rule.line.map_or("built-in".to_owned(), |line| format!("{file}:{line}")),
    );
    let interval = row.rule.as_ref().map_or_else(String::new, |rule| match rule.enabled {
        true => format!("{} s", rule.interval),
        false => "may not ask".to_owned(),
    });
    vec![
        printable(&row.guest),
        row.driver.clone(),
        row.state.word().to_owned(),
        row.way.as_ref().map(|way| way.device.clone()).unwrap_or_default(),
        rule,
        interval,
    ]
}

/// The whole names of the guests that there are, `$driver-$name`: domains and sockets.
///
/// # Errors
/// [`Failure`]: libvirt cannot be asked.
pub(crate) fn names(options: &Options, words: &[String]) -> Result<Vec<String>, Failure> {
    let (rows, unknown) = domains(options, words, None)?;
    if let Some(failure) = unknown.into_iter().next() {
        return Err(failure);
    }
    let strangers = if words.is_empty() { strangers(options, &rows, None) } else { Vec::new() };
    let name = |row: &Row| format!("{}-{}", row.driver, row.guest);
    Ok(rows.iter().chain(&strangers).map(name).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_follow_from_what_is_and_what_will_be() {
        let way = || Some(Way::of(&hostinfo_domains::Place::Serial(1)));
        let standing = |now, next, problem: Option<&str>| Standing {
            now,
            next,
            problem: problem.map(str::to_owned),
            words: String::new(),
        };
        for (standing, state) in [
            (standing(None, None, None), State::Disabled),
            (standing(None, way(), None), State::NextStart),
            (standing(way(), way(), None), State::Enabled),
            (standing(way(), None, None), State::UntilItEnds),
            (standing(way(), None, Some("x")), State::Error),
        ] {
            assert_eq!(State::of(&standing), state);
        }
    }
}
