//! What was seen, for people.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::lab::{Lsm, Spec, Suite, Verdict};
use hostinfo_tests::paths;

/// What counts as having lost something, in percent. The emulation's speed varies by a tenth.
pub(crate) const FELT: f64 = 20.0;

/// What one scenario adds to its host's table in docs/verdicts.md.
pub(crate) struct Table {
    host: Spec,
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

    /// How its line begins, and no other one of the table.
    fn key(&self) -> String {
        format!("| {} | {} |", self.resource, self.cause)
    }

    fn show(&self) -> String {
        let Self { lost, right, told, outcome, .. } = self;
        let outcome = match outcome {
            Outcome::Right => "right",
            Outcome::Unknown => "not known",
            Outcome::Wrong => "WRONG",
        };
        let lost = lost.map_or_else(|| "-".to_owned(), |lost| format!("{lost:.0} %"));
        format!("{} {lost} | {right} | {told} | {outcome} |", self.key())
    }
}

impl Table {
    pub(crate) fn new(host: Spec) -> Self {
        Self { host, rows: Vec::new(), may_be_unknown: 0 }
    }

    /// The verdict that was added last need not be known.
    pub(crate) fn last_may_be_unknown(&mut self) {
        self.may_be_unknown += 1;
    }

    pub(crate) fn add(&mut self, row: Row) {
        eprintln!("{}", row.show());
        self.rows.push(row);
    }

    /// What the guest lost by the last cause, in percent.
    pub(crate) fn last_lost(&self) -> Option<f64> {
        self.rows.last()?.lost
    }

    /// Writes the rows where docs are to be written, and fails where an answer was wrong, or was not known
    /// though it can be.
    pub(crate) fn finish(&self) -> Result<()> {
        if std::env::var_os("UPDATE_DOCS").is_some() {
            self.write()?;
        }
        let shown = self.rows.iter().map(Row::show).collect::<Vec<_>>().join("\n");
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

    /// Puts each row where the table of the host has the same cause, or at its end.
    fn write(&self) -> Result<()> {
        let page = paths::workspace().join("docs/verdicts.md");
        let text = fs::read_to_string(&page).context("read docs/verdicts.md")?;
        let host = name(self.host);
        let (begin, end) = (format!("<!-- {host} -->\n"), format!("<!-- end of {host} -->\n"));
        let (before, rest) = text.split_once(&begin).with_context(|| begin.clone())?;
        let (table, after) = rest.split_once(&end).with_context(|| end.clone())?;
        let mut lines: Vec<String> = table.lines().map(str::to_owned).collect();
        for row in &self.rows {
            match lines.iter_mut().find(|line| line.starts_with(&row.key())) {
                Some(line) => *line = row.show(),
                None => lines.push(row.show()),
            }
        }
        let table = lines.join("\n");
        fs::write(page, format!("{before}{begin}{table}\n{end}{after}"))
            .context("write docs/verdicts.md")
    }
}

/// As its table in the docs is marked.
fn name(host: Spec) -> String {
    let suite = match host.suite {
        Suite::Bookworm => "Debian 12",
        Suite::Trixie => "Debian 13",
    };
    let lsm = match host.lsm {
        Lsm::AppArmor => "",
        Lsm::Selinux => " under SELinux",
    };
    format!("{suite}{lsm}")
}
