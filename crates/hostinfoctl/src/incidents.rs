//! `incidents`: which guests suffered, when, and from what, as hostinfod has recorded it.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use hostinfo_verdict::{DAMAGED, FILE_MAX, FOLDER, Past, UNFINISHED};
use hostinfo_wire::text::escaped;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;
use serde_json::json;

use crate::args::{Incidents, Options};
use crate::exit::{DONE, Failure, REFUSED, Status, complain};
use crate::guests::means;
use crate::output::write_result;
use crate::table::table;
use crate::time::local;

/// Most files that are read: as many as libvirt has domains. Reading them takes half a second.
const FILES_MAX: usize = hostinfo_domains::limits::DOMAINS_MAX;

/// Others are stored, of other guests or from earlier.
const NO_SUCH: &str = "No such incidents are stored.\n";

const NONE: &str = "\
No incidents are stored. hostinfod stores those of guests whose rule says watch = 1, and deletes them when it no longer
says so. Other guests can still read their own: hostinfod remembers those from the time in which they ask for verdicts.
";

/// One incident of a guest, for `--json`.
#[derive(Debug, Serialize)]
struct One {
    guest: String,
    resource: &'static str,
    state: String,
    from: Timestamp,
    to: Timestamp,
    is_over: bool,
    figure: Option<String>,
}

/// Shows the incidents of the guests that the words match; without words, of all.
///
/// # Errors
/// [`Failure`]: the files cannot be read.
pub(crate) fn run(options: &Options, wanted: &Incidents) -> Result<Status, Failure> {
    let since = since(wanted.since.as_deref(), Timestamp::now())?;
    let folder = wanted.state_dir.join(FOLDER);
    let (mut all, status) = read(&folder)?;
    let has_others = !all.is_empty();
    all.retain(|one| one.to >= since && is_meant(&wanted.guests, &one.guest));
    all.sort_by(|a, b| b.from.cmp(&a.from).then_with(|| a.guest.cmp(&b.guest)));
    write_result(options, &json!({ "incidents": all }), || match all.is_empty() {
        true if has_others => NO_SUCH.to_owned(),
        true => NONE.to_owned(),
        false => shown(&all),
    })?;
    Ok(status)
}

/// The time from which on incidents are shown.
fn since(text: Option<&str>, now: Timestamp) -> Result<Timestamp, Failure> {
    let Some(text) = text else { return Ok(Timestamp::MIN) };
    let span = hostinfo_wire::duration::parse(text, ..);
    let span = span.and_then(|span| SignedDuration::try_from(span).ok());
    let since = span.and_then(|span| now.checked_sub(span).ok());
    since.ok_or_else(|| {
        Failure::Usage(format!("invalid time {text:?}: expected 90m, 24h or the like"))
    })
}

/// The incidents in all files. A file that cannot be read is named, and the others are shown.
fn read(folder: &Path) -> Result<(Vec<One>, Status), Failure> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok((Vec::new(), DONE)),
        Err(error) if error.kind() == ErrorKind::PermissionDenied => {
            return Err(Failure::Denied(format!(
                "{}: user {} may not read it: be root",
                folder.display(),
                rustix::process::geteuid().as_raw()
            )));
        }
        Err(error) => return Err(Failure::Refused(format!("{}: {error}", folder.display()))),
        Ok(entries) => entries,
    };
    let (mut all, mut status) = (Vec::new(), DONE);
    for entry in entries.flatten().take(FILES_MAX) {
        let path = entry.path();
        // One that the daemon has set aside, which its log says, or is writing.
        if path.extension().is_some_and(|it| it == DAMAGED) || path.ends_with(UNFINISHED) {
            continue;
        }
        match of_file(&path) {
            Ok(found) => all.extend(found),
            Err(why) => {
                complain(format!("{}: left out: {why}", path.display()));
                status = REFUSED;
            }
        }
    }
    Ok((all, status))
}

fn of_file(path: &Path) -> Result<Vec<One>, String> {
    let bytes = hostinfo_file::read(path, FILE_MAX as u64).map_err(|error| error.to_string())?;
    // It is gone: the daemon has deleted it meanwhile.
    let Some(bytes) = bytes else { return Ok(Vec::new()) };
    let parsed = hostinfo_verdict::Incidents::parse(&bytes);
    let (guest, incidents) = parsed.map_err(|error| error.to_string())?;
    Ok(incidents.past().map(|past| One::of(guest.clone(), past)).collect())
}

impl One {
    fn of(guest: String, past: Past) -> Self {
        let Past { what, state, from, to, is_over, figure } = past;
        let state = state.word().replace('-', "_");
        Self { guest, resource: what.word(), state, from, to, is_over, figure }
    }
}

/// Whether one of the words names the guest, by its name or its whole name, or matches its name.
fn is_meant(words: &[String], guest: &str) -> bool {
    let name = guest.split_once('-').map_or(guest, |(_, name)| name);
    words.is_empty() || words.iter().any(|word| means(word, guest, name))
}

fn shown(all: &[One]) -> String {
    let cells = |one: &One| {
        let open = if one.is_over { "" } else { " or later" };
        vec![
            escaped(&one.guest),
            one.resource.to_owned(),
            one.state.replace('_', "-"),
            local(one.from),
            format!("{}{open}", local(one.to)),
            one.figure.as_deref().map(escaped).unwrap_or_default(),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(cells).collect();
    table(&["GUEST", "RESOURCE", "STATE", "FROM", "TO", "HOW BAD"], &rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"{"version":1,"guest":"qemu-web","incidents":[
        {"what":"cpu","state":"contended","from":"2026-11-28T10:02:31Z","to":"2026-11-28T10:05:31Z","part":34,"whole":100},
        {"what":"memory","state":"self-limited","from":"2026-11-28T11:00:00Z","to":"2026-11-28T11:10:00Z","open":true,"part":0,"whole":0}]}"#;

    #[test]
    fn incidents_are_shown_with_what_was_measured_and_a_file_that_cannot_be_read_is_a_failure() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("a"), FILE).unwrap();
        for unread in ["b.damaged", UNFINISHED] {
            fs::write(folder.path().join(unread), "x").unwrap();
        }
        let (mut all, status) = read(folder.path()).unwrap();
        assert_eq!((all.len(), status), (2, DONE));
        all.sort_by_key(|one| std::cmp::Reverse(one.from));
        let text = shown(&all);
        let lines: Vec<&str> = text.lines().collect();
        assert!(lines[1].starts_with("qemu-web  memory    self-limited  2026-11-28"), "{text}");
        assert!(lines[1].ends_with("or later"), "{text}");
        assert!(lines[2].contains("contended") && lines[2].ends_with("34% waited"), "{text}");
        fs::write(folder.path().join("c"), "x").unwrap();
        assert_eq!(read(folder.path()).unwrap().1, REFUSED);
        assert_eq!(read(&folder.path().join("none")).unwrap().0.len(), 0);
    }

    #[test]
    fn guests_are_named_as_in_other_commands_and_time_is_counted_back() {
        let meant = |word: &str| is_meant(&[word.to_owned()], "qemu-web");
        assert!(meant("web") && meant("qemu-web") && meant("w*") && !meant("db"));
        let now: Timestamp = "2026-11-28T12:00:00Z".parse().unwrap();
        assert_eq!(since(Some("24h"), now).unwrap().to_string(), "2026-11-27T12:00:00Z");
        assert!(since(Some("yesterday"), now).is_err());
    }
}
