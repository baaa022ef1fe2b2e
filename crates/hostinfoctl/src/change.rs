//! What `enable` and `disable` have in common: changing guests one after another, or only showing
//! the change, and reporting the outcome of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use hostinfo_domains::{Access, Entry, Form};
use hostinfo_wire::text::escaped;
use serde::Serialize;
use serde_json::json;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::flag;

use crate::args::Options;
use crate::carry_out::carry_out;
use crate::exit::{self, DONE, Failure, REFUSED, Status, complain};
use crate::facts::Facts;
use crate::guests::select;
use crate::libvirt::Libvirt;
use crate::output::{coloured, unified, write, write_coloured, write_json};
use crate::port_summary::PortSummary;
use crate::step::Step;

/// A command that changes guests.
pub(crate) trait Change {
    /// The steps for a guest; none if nothing has to change.
    fn plan(&self, facts: &Facts) -> Result<Vec<Step>, Failure>;

    /// Prepares the host before anything is changed. Called once.
    fn prepare(&self) -> Result<(), Failure> {
        Ok(())
    }

    /// Cleans up after one guest was changed.
    fn clean_up(&self, _before: &Facts) {}

    /// The outcome for a guest in one word, such as `enabled`.
    fn done(&self) -> &'static str;

    /// A note to print once if anything was changed.
    fn note(&self) -> Option<String> {
        None
    }
}

/// The outcome for one guest, for `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    /// `$driver-$name`; `None` for a word that names no guest.
    guest: Option<String>,
    name: String,
    /// `changed`, `unchanged`, `would_change` or `failed`.
    result: &'static str,
    /// Why it failed, with the remedy.
    error: Option<String>,
    #[serde(flatten)]
    summary: Option<PortSummary>,
    #[serde(skip_serializing_if = "String::is_empty")]
    diff: String,
}

impl Report {
    /// `result`: `changed`, `unchanged` or `would_change`, so that the guest is or would be as in
    /// `after`.
    pub(crate) fn done(result: &'static str, after: &Facts, diff: String) -> Self {
        let (guest, name) = (Some(after.guest()), after.entry.name.clone());
        Self { guest, name, result, error: None, summary: Some(PortSummary::of(after)), diff }
    }

    /// It failed for this reason.
    pub(crate) fn failed(guest: Option<String>, name: &str, failure: impl ToString) -> Self {
        let (error, name) = (Some(failure.to_string()), name.to_owned());
        Self { guest, name, result: "failed", error, summary: None, diff: String::new() }
    }

    /// The report of a word that matches no guest.
    fn unknown(failure: &Failure) -> Option<Self> {
        match failure {
            Failure::NoGuest { name: word, .. } | Failure::NoMatch(word) => {
                Some(Self::failed(None, word, failure))
            }
            _ => None,
        }
    }
}

/// Changes the guests that the words match, or shows the change.
///
/// # Errors
/// [`Failure`], if no guest can be changed at all.
pub(crate) fn run(
    options: &Options,
    words: &[String],
    dry_run: bool,
    change: &impl Change,
) -> Result<Status, Failure> {
    let interrupted = on_interrupt()?;
    let access = if dry_run { Access::Read } else { Access::Write };
    let mut libvirt = Libvirt::connect(options, access)?;
    let entries = libvirt.list()?;
    let (guests, unknown) = select(&entries, libvirt.driver(), words);
    let mut statuses: Vec<Status> = unknown.iter().map(Failure::status).collect();
    let mut run = Run { libvirt, change, dry_run, is_prepared: false, is_changed: false };
    let mut reports = Vec::new();
    for failure in &unknown {
        match Report::unknown(failure) {
            Some(report) if options.json => reports.push(report),
            _ => complain(failure),
        }
    }
    // If the outcome cannot be printed, the remaining guests are changed all the same.
    let mut printed = Ok(());
    for entry in guests {
        if interrupted.load(Ordering::Relaxed) {
            complain(format!("interrupted before {}", escaped(&run.libvirt.guest(entry))));
            statuses.push(REFUSED);
            break;
        }
        let report = run.one(entry).unwrap_or_else(|failure| {
            statuses.push(failure.status());
            Report::failed(Some(run.libvirt.guest(entry)), &entry.name, &failure)
        });
        if !options.json {
            printed = printed.and(print_report(&report, change.done()));
        }
        reports.push(report);
    }
    if options.json {
        printed = write_json(&json!({ "guests": reports }));
    }
    if let Err(failure) = printed {
        complain(format!("some of what was done could not be printed: {failure}"));
        statuses.push(failure.status());
    }
    if run.is_changed
        && let Some(note) = change.note()
    {
        complain(format!("note: {note}"));
    }
    Ok(exit::sum(statuses.into_iter().chain([DONE])))
}

/// Set by Ctrl-C, by a terminal that closes, and by SIGTERM: the guest that is being changed is
/// finished first. A second Ctrl-C exits at once. A second SIGHUP or SIGTERM does not, because
/// those can arrive twice, from the system and from the shell.
pub(crate) fn on_interrupt() -> Result<Arc<AtomicBool>, Failure> {
    let interrupted = Arc::new(AtomicBool::new(false));
    flag::register_conditional_shutdown(SIGINT, 130, Arc::clone(&interrupted))
        .and_then(|_| {
            [SIGINT, SIGHUP, SIGTERM]
                .into_iter()
                .try_for_each(|signal| flag::register(signal, Arc::clone(&interrupted)).map(drop))
        })
        .map_err(|error| Failure::Refused(format!("no signal handler: {error}")))?;
    Ok(interrupted)
}

struct Run<'a, C> {
    libvirt: Libvirt,
    change: &'a C,
    dry_run: bool,
    is_prepared: bool,
    is_changed: bool,
}

impl<C: Change> Run<'_, C> {
    fn one(&mut self, entry: &Entry) -> Result<Report, Failure> {
        let before = Facts::read(&mut self.libvirt, entry)?;
        let steps = self.change.plan(&before)?;
        let (result, after, diff) = if steps.is_empty() {
            ("unchanged", before, String::new())
        } else if self.dry_run {
            let after = before.after(&self.libvirt, &steps)?;
            let diff = self.diff(&before, &after);
            ("would_change", after, diff)
        } else {
            if !self.is_prepared {
                self.change.prepare()?;
                self.is_prepared = true;
            }
            let after = carry_out(&mut self.libvirt, &before, &steps)?;
            self.is_changed = true;
            self.change.clean_up(&before);
            ("changed", after, String::new())
        };
        Ok(Report::done(result, &after, diff))
    }

    /// What would change, as libvirt would write it. A device that is plugged into a running guest
    /// changes nothing else in it.
    fn diff(&mut self, before: &Facts, after: &Facts) -> String {
        let name = escaped(&before.guest());
        let of = |form| Some((&*before.of(form)?.xml, &*after.of(form)?.xml));
        let config = of(Form::Config).filter(|(before, after)| before != after);
        let config = config.map_or_else(String::new, |(before, after)| {
            let mut written = |xml| self.libvirt.rewritten(xml);
            match written(before).and_then(|before| Ok((before, written(after)?))) {
                Ok((before, after)) => unified(&name, &before, &after),
                Err(failure) => {
                    complain(format!(
                        "note: {name}: this is what would be added, and not what libvirt would \
                         make of it, which it does not say: {failure}"
                    ));
                    unified(&name, before, after)
                }
            }
        });
        let live = of(Form::Live)
            .map(|(before, after)| unified(&format!("{name}, running,"), before, after));
        config + &live.unwrap_or_default()
    }
}

/// Prints a report. `done`: the outcome in one word, such as `enabled`.
///
/// # Errors
/// stdout cannot be written to.
pub(crate) fn print_report(report: &Report, done: &str) -> Result<(), Failure> {
    let guest = escaped(report.guest.as_ref().unwrap_or(&report.name));
    if let Some(error) = &report.error {
        complain(format!("{guest}: {error}"));
        return Ok(());
    }
    let words = report.summary.as_ref().map_or("", |summary| &summary.words);
    let words = if words.is_empty() { String::new() } else { format!(": {words}") };
    write_coloured(&coloured(&report.diff))?;
    let how = match report.result {
        "changed" => done.to_owned(),
        "would_change" => format!("would be {done}"),
        _ => format!("was {done} already"),
    };
    write(&format!("{guest}: {how}{words}\n"))
}
