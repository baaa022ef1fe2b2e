//! What was seen, for people.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::lab::Verdict;
use hostinfo_tests::paths;

/// The rows of one section of docs/verdicts.md.
pub(crate) struct Table {
    section: &'static str,
    rows: Vec<Row>,
}

/// One cause and the answer to it.
pub(crate) struct Row {
    resource: &'static str,
    cause: String,
    /// Percent of the guest's work. `None`: it did none.
    lost: Option<f64>,
    right: String,
    told: String,
    outcome: Outcome,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Right,
    /// Not known, which is honest.
    Unknown,
    Wrong,
}

impl Row {
    /// What was `told`, against the `right` state and what the reason has to say.
    pub(crate) fn new(
        resource: &'static str,
        cause: &str,
        lost: Option<f64>,
        right: &str,
        says: &str,
        told: &Verdict,
    ) -> Self {
        let Verdict { state, reason } = told;
        let outcome = match state.as_str() {
            _ if state == right && reason.contains(says) => Outcome::Right,
            "unknown" => Outcome::Unknown,
            _ => Outcome::Wrong,
        };
        let (cause, right) = (cause.to_owned(), right.to_owned());
        let told = format!("{state}: {reason}");
        Self { resource, cause, lost: lost.map(|lost| lost.max(0.0)), right, told, outcome }
    }

    fn show(&self) -> String {
        let Self { resource, cause, lost, right, told, outcome } = self;
        let outcome = match outcome {
            Outcome::Right => "right",
            Outcome::Unknown => "not known",
            Outcome::Wrong => "WRONG",
        };
        let lost = lost.map_or_else(|| "-".to_owned(), |lost| format!("{lost:.0} %"));
        format!("| {resource} | {cause} | {lost} | {right} | {told} | {outcome} |\n")
    }
}

impl Table {
    pub(crate) fn new(section: &'static str) -> Self {
        Self { section, rows: Vec::new() }
    }

    pub(crate) fn add(&mut self, row: Row) {
        eprint!("{}", row.show());
        self.rows.push(row);
    }

    /// What the guest lost by the last cause, in percent.
    pub(crate) fn last_lost(&self) -> Option<f64> {
        self.rows.last()?.lost
    }

    /// Writes the section where docs are to be written, and fails where an answer was wrong.
    pub(crate) fn finish(&self) -> Result<()> {
        let shown: String = self.rows.iter().map(Row::show).collect();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            self.write(&shown)?;
        }
        let wrong = self.rows.iter().filter(|row| row.outcome == Outcome::Wrong).count();
        ensure!(wrong == 0, "{wrong} of {} verdicts are wrong:\n{shown}", self.rows.len());
        Ok(())
    }

    /// Puts the rows between the two lines of the page that name the section.
    fn write(&self, shown: &str) -> Result<()> {
        let page = paths::workspace().join("docs/verdicts.md");
        let text = fs::read_to_string(&page).context("read docs/verdicts.md")?;
        let (begin, end) =
            (format!("<!-- {} -->\n", self.section), format!("<!-- end of {} -->", self.section));
        let (before, rest) = text.split_once(&begin).with_context(|| begin.clone())?;
        let (_, after) = rest.split_once(&end).with_context(|| end.clone())?;
        let mut new = format!("{before}{begin}");
        write!(
            new,
            "| about | cause | the guest lost | right | told | |\n|---|---|---:|---|---|---|\n{shown}{end}{after}"
        )?;
        fs::write(page, new).context("write docs/verdicts.md")
    }
}
