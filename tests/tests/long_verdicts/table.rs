//! What was seen, for people.

use std::fmt::Write as _;
use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::lab::Verdict;
use hostinfo_tests::paths;

/// What counts as having lost something, in percent. The emulation's speed varies by a tenth.
pub(crate) const FELT: f64 = 20.0;

/// The rows of one section of docs/verdicts.md.
pub(crate) struct Table {
    section: &'static str,
    rows: Vec<Row>,
    /// So many verdicts of it.
    may_be_unknown: usize,
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
        let lost_much = lost.is_some_and(|lost| lost >= FELT);
        let outcome = match state.as_str() {
            "ok" if lost_much => Outcome::Wrong,
            _ if state == right && reason.contains(says) => Outcome::Right,
            "unknown" => Outcome::Unknown,
            _ => Outcome::Wrong,
        };
        let (cause, right) = (cause.to_owned(), right.to_owned());
        let told = format!("{state}: {reason}");
        Self { resource, cause, lost, right, told, outcome }
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
        Self { section, rows: Vec::new(), may_be_unknown: 0 }
    }

    /// The verdict that was added last need not be known.
    pub(crate) fn last_may_be_unknown(&mut self) {
        self.may_be_unknown += 1;
    }

    pub(crate) fn add(&mut self, row: Row) {
        eprint!("{}", row.show());
        self.rows.push(row);
    }

    /// What the guest lost by the last cause, in percent.
    pub(crate) fn last_lost(&self) -> Option<f64> {
        self.rows.last()?.lost
    }

    /// Writes the section where docs are to be written, and fails where an answer was wrong, or was not known
    /// though it can be.
    pub(crate) fn finish(&self) -> Result<()> {
        let shown: String = self.rows.iter().map(Row::show).collect();
        if std::env::var_os("UPDATE_DOCS").is_some() {
            self.write(&shown)?;
        }
        let count = |outcome| self.rows.iter().filter(|row| row.outcome == outcome).count();
        let (wrong, unknown, all) =
            (count(Outcome::Wrong), count(Outcome::Unknown), self.rows.len());
        ensure!(wrong == 0, "{wrong} of {all} verdicts are wrong:\n{shown}");
        ensure!(
            unknown <= self.may_be_unknown,
            "{unknown} of {all} verdicts are not known: does the machine do other things, too?\n{shown}"
        );
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
