//! Parses the text of a file of definitions into definitions, or into everything that is wrong with
//! it.

use std::path::Path;

use hostinfo_wire::name::is_segment;
use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use crate::account::Accounts;
use crate::definition::Definition;
use crate::draft::Draft;
use crate::limits::{NAME_MAX, PROBLEMS_MAX};
use crate::problem::Problem;

/// The beginning of every name.
const CUSTOM: &str = "custom";

/// A key with its value.
type Entry<'a, 't> = (&'a Spanned<DeString<'t>>, &'a Spanned<DeValue<'t>>);

/// The definitions of a file, each with its line. `path` is only used for the problems.
///
/// # Errors
/// The problems in the order of their lines, at most [`PROBLEMS_MAX`].
pub fn parse(
    text: &str,
    path: &Path,
    accounts: &Accounts,
) -> Result<Vec<(Definition, usize)>, Vec<Problem>> {
    let mut parser = Parser { text, path, accounts, found: Vec::new(), problems: Vec::new() };
    let (document, errors) = DeTable::parse_recoverable(text);
    for error in errors {
        let at = error.span().map_or(0, |span| span.start);
        parser.problem(at, error.message());
    }
    if parser.problems.is_empty() {
        parser.document(document.get_ref());
    }
    if parser.problems.is_empty() {
        Ok(parser.found)
    } else {
        parser.problems.sort_by_key(|problem| problem.line);
        Err(parser.problems)
    }
}

struct Parser<'a> {
    text: &'a str,
    path: &'a Path,
    accounts: &'a Accounts,
    found: Vec<(Definition, usize)>,
    problems: Vec<Problem>,
}

impl Parser<'_> {
    fn problem(&mut self, at: usize, message: impl Into<String>) {
        if self.problems.len() < PROBLEMS_MAX {
            let line = Some(self.line(at));
            self.problems.push(Problem { line, ..Problem::of(self.path, message) });
        }
    }

    fn line(&self, at: usize) -> usize {
        self.text.bytes().take(at).filter(|byte| *byte == b'\n').count() + 1
    }

    fn document(&mut self, document: &DeTable<'_>) {
        for (key, value) in document.iter() {
            match value.get_ref() {
                DeValue::Table(table) if key.get_ref() == CUSTOM => self.group("", table),
                _ => self.problem(key.span().start, "a statistic's table is named [custom.NAME]"),
            }
        }
    }

    /// A table inside a table is a name below it; everything else in it is its definition.
    fn group(&mut self, name: &str, table: &DeTable<'_>) {
        for (key, value) in table.iter() {
            let segment = key.get_ref().to_ascii_lowercase();
            let DeValue::Table(below) = value.get_ref() else {
                if name.is_empty() {
                    self.problem(key.span().start, "a statistic is a table [custom.NAME]");
                }
                continue;
            };
            let name = if name.is_empty() { segment.clone() } else { format!("{name}.{segment}") };
            if !is_segment(&segment) || name.len() > NAME_MAX {
                self.problem(
                    key.span().start,
                    format!(
                        "a name is letters, digits, `_` and `-`, joined by dots, and at most \
                         {NAME_MAX} bytes behind `{CUSTOM}.`"
                    ),
                );
                continue;
            }
            let is_group_alone = below.iter().any(|(_, value)| value.get_ref().is_table());
            let own: Vec<_> = below.iter().filter(|(_, v)| !v.get_ref().is_table()).collect();
            if !own.is_empty() || !is_group_alone {
                self.definition(&name, key.span().start, &own);
            }
            self.group(&name, below);
        }
    }

    fn definition(&mut self, name: &str, at: usize, entries: &[Entry<'_, '_>]) {
        let mut draft = Draft::default();
        let mut is_good = true;
        for (key, value) in entries {
            if let Err(message) = draft.set(key.get_ref(), value.get_ref()) {
                is_good = false;
                self.problem(key.span().start, message);
            }
        }
        // Missing or contradictory keys are only reported once all existing ones are right.
        if !is_good {
            return;
        }
        let twin = self.found.iter().find(|(other, _)| other.name == name);
        let result = match twin {
            Some((_, line)) => Err(format!("is already defined in line {line}")),
            None => draft.finish(name, self.accounts),
        };
        match result {
            Ok(definition) => self.found.push((definition, self.line(at))),
            Err(message) => self.problem(at, format!("{CUSTOM}.{name}: {message}")),
        }
    }
}

#[cfg(test)]
mod tests;
