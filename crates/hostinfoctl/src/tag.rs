//! `tag`: what guests are known by besides their names.

mod edit;

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

use hostinfo_domains::{Access, Entry, Form, TagSources, Unanswered, own_tags_xml};
use hostinfo_wire::text::escaped;
use serde::Serialize;
use serde_json::json;

use crate::args::{Options, Tag};
use crate::change::on_interrupt;
use crate::exit::{DONE, Failure, REFUSED, Status, complain, sum};
use crate::guests::select;
use crate::libvirt::Libvirt;
use crate::output::{coloured, unified, write, write_coloured, write_json};
use crate::step::FORMS;
use crate::table::table;
use crate::tags;
use edit::{Edit, Own};

/// Shows the tags of the guests that are wanted, or changes them.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: &Tag) -> Result<Status, Failure> {
    let sought = tags::sought(options)?;
    let is_used = sought.as_ref().is_some_and(|sought| sought.own);
    let sought = sought.unwrap_or_default();
    let edit = Edit::of(wanted, &sought)?;
    let interrupted = on_interrupt()?;
    let is_change = !edit.is_empty() && !wanted.dry_run;
    let access = if is_change { Access::Write } else { Access::Read };
    let mut libvirt = Libvirt::connect(options, access)?;
    let entries = libvirt.list()?;
    let (guests, unknown) = select(&entries, libvirt.driver(), std::slice::from_ref(&wanted.guest));
    let mut statuses: Vec<Status> = unknown.iter().map(Failure::status).collect();
    unknown.iter().for_each(complain);
    let mut reports = Vec::new();
    for entry in guests {
        if interrupted.load(Ordering::Relaxed) {
            complain(format!("interrupted before {}", escaped(&libvirt.guest(entry))));
            statuses.push(REFUSED);
            break;
        }
        let done = match edit.is_empty() {
            true => show(&mut libvirt, entry, &sought),
            false => change(&mut libvirt, entry, &edit, wanted.dry_run),
        };
        let report = done.unwrap_or_else(|failure| {
            statuses.push(failure.status());
            Report::failed(libvirt.guest(entry), entry, &failure)
        });
        if !options.json {
            report.print()?;
        }
        reports.push(report);
    }
    if options.json {
        write_json(&json!({ "guests": reports }))?;
    } else if edit.is_empty() {
        write(&listing(&reports))?;
    } else if !is_used {
        complain(format!(
            "note: hostinfod ignores these tags: {} says [tags] own = false or [libvirt] enabled = \
             false",
            options.config.display()
        ));
    }
    Ok(sum(statuses.into_iter().chain([DONE])))
}

/// What became of a guest, for programs.
#[derive(Debug, Serialize)]
struct Report {
    /// `$driver-$name`.
    guest: String,
    name: String,
    /// `shown`, `changed`, `unchanged`, `would_change`; `failed`.
    result: &'static str,
    /// Why it failed, with the remedy.
    error: Option<String>,
    /// Of what runs, else of what is started; `null` for what cannot be read. All tags where they
    /// are shown, else hostinfo's own.
    tags: Option<BTreeMap<String, Option<String>>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
}

impl Report {
    fn failed(guest: String, entry: &Entry, failure: &Failure) -> Self {
        Self {
            guest,
            name: entry.name.clone(),
            result: "failed",
            error: Some(failure.to_string()),
            tags: None,
            diff: String::new(),
        }
    }

    fn print(&self) -> Result<(), Failure> {
        let guest = escaped(&self.guest);
        if let Some(error) = &self.error {
            complain(format!("{guest}: {error}"));
            return Ok(());
        }
        write_coloured(&coloured(&self.diff))?;
        match self.result {
            "changed" => write(&format!("{guest}: tagged\n")),
            "would_change" => write(&format!("{guest}: would be tagged\n")),
            "unchanged" => write(&format!("{guest}: was tagged already\n")),
            _ => Ok(()),
        }
    }
}

fn listing(reports: &[Report]) -> String {
    let tags = |report: &Report| -> Vec<Vec<String>> {
        let tags = report.tags.iter().flatten();
        let value = |value: &Option<String>| {
            value.as_ref().map_or("(cannot be read)".to_owned(), |value| escaped(value))
        };
        tags.map(|(key, own)| vec![escaped(&report.guest), key.clone(), value(own)]).collect()
    };
    let rows: Vec<Vec<String>> = reports.iter().flat_map(tags).collect();
    let unread = reports.iter().filter(|report| report.error.is_none() && report.tags.is_none());
    let unread =
        unread.map(|report| format!("{}: its tags cannot be read\n", escaped(&report.guest)));
    table(&["GUEST", "KEY", "VALUE"], &rows) + &unread.collect::<String>()
}

/// The forms that a guest has.
fn forms(entry: &Entry) -> impl Iterator<Item = Form> {
    let (is_live, is_defined) = (entry.is_live, entry.is_defined);
    FORMS.into_iter().filter(move |form| match form {
        Form::Live => is_live,
        Form::Config => is_defined,
    })
}

fn show(libvirt: &mut Libvirt, entry: &Entry, sought: &TagSources) -> Result<Report, Failure> {
    let form = if entry.is_live { Form::Live } else { Form::Config };
    let xml = libvirt.xml(entry.uuid, form)?;
    let tags = tags::read(&xml, entry.uuid, sought);
    let (guest, name, diff) = (libvirt.guest(entry), entry.name.clone(), String::new());
    Ok(Report { guest, name, result: "shown", error: None, tags, diff })
}

fn change(
    libvirt: &mut Libvirt,
    entry: &Entry,
    edit: &Edit,
    dry_run: bool,
) -> Result<Report, Failure> {
    let mut plans = Vec::new();
    for form in forms(entry) {
        let (before, after) = edit.applied(entry.uuid, &libvirt.xml(entry.uuid, form)?)?;
        plans.push((form, before, after));
    }
    let first = plans.first().map(|(_, _, after)| after.clone()).unwrap_or_default();
    plans.retain(|(_, before, after)| before != after);
    let whole = libvirt.guest(entry);
    let guest = escaped(&whole);
    let mut diff = String::new();
    if dry_run {
        for (form, before, after) in plans.iter().rev() {
            let what = if *form == Form::Live { ", running," } else { "" };
            diff += &unified(&format!("{guest}{what}"), &lines(before), &lines(after));
        }
    } else {
        for (at, (form, _, after)) in plans.iter().enumerate() {
            if let Err(failure) = libvirt.tag(entry.uuid, *form, xml(after)) {
                return Err(undo(libvirt, entry, plans.get(..at).unwrap_or_default(), failure));
            }
        }
    }
    let result = match (plans.is_empty(), dry_run) {
        (true, _) => "unchanged",
        (false, true) => "would_change",
        (false, false) => "changed",
    };
    let tags = Some(first.into_iter().map(|(key, value)| (key, Some(value))).collect());
    Ok(Report { guest: whole, name: entry.name.clone(), result, error: None, tags, diff })
}

/// Undoes what was `done` before a change failed. Why it failed, and whether undoing did.
fn undo(libvirt: &mut Libvirt, entry: &Entry, done: &[(Form, Own, Own)], why: Failure) -> Failure {
    if let Failure::Libvirt { why: Unanswered::Silent(_), .. } = why {
        let doubt = "whether it was changed is not known: see hostinfoctl tag when it answers";
        return Failure::Doubtful(format!("{why}; {doubt}"));
    }
    for (form, before, _) in done {
        if let Err(failure) = libvirt.tag(entry.uuid, *form, xml(before)) {
            return Failure::Refused(format!(
                "{why}; and the tags of the running guest, which were changed before, cannot be \
                 changed back: {failure}"
            ));
        }
    }
    why
}

fn xml(tags: &Own) -> Option<String> {
    own_tags_xml(tags.iter().map(|(key, value)| (&**key, &**value)))
}

fn lines(tags: &Own) -> String {
    tags.iter().map(|(key, value)| format!("{key}={}\n", escaped(value))).collect()
}
