//! `report`: a recording as a page, or as text, to hand to a provider.

mod bar;
mod chart;
mod charts;
mod episodes;
mod page;
mod read;
mod summary;
mod text;
mod timeline;
mod words;

use std::fs::File;
use std::io::IsTerminal as _;
use std::path::Path;

use crate::args::{Format, Options, Report};
use crate::exit::{Failure, Outcome};
use crate::output::Shown;
use crate::report::read::{Recording, Unreadable};

/// Creates the report of a recording. On a terminal it is text: nobody reads HTML there.
///
/// # Errors
/// [`Failure`]: there is no such recording.
pub(crate) fn run(options: &Options, report: &Report) -> Result<Outcome, Failure> {
    if options.format() != Format::Text || options.every.is_some() {
        let why = "a report is a page, or text with --text: leave out --json, --format and --every";
        return Err(Failure::Usage(why.to_owned()));
    }
    let is_same = |output: &Path| {
        let [one, other] = [output, &report.file].map(std::fs::canonicalize);
        one.is_ok_and(|one| other.is_ok_and(|other| one == other))
    };
    if options.output.as_deref().is_some_and(is_same) {
        let why = "the report would take the recording's place: name another file with --output";
        return Err(Failure::Usage(why.to_owned()));
    }
    let failed =
        |why: Unreadable| Failure::Recording { path: report.file.clone(), why: why.to_string() };
    let source = File::open(&report.file).map_err(|error| failed(error.into()))?;
    let recording = Recording::read(source).map_err(failed)?;
    let is_seen = options.output.is_none() && std::io::stdout().is_terminal();
    let is_text = report.text || is_seen;
    let text = if is_text { text::text(&recording) } else { page::page(&recording) };
    Shown { text, is_prose: is_text, ..Shown::default() }.write(options.output.as_deref())
}
