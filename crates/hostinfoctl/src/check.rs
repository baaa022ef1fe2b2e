//! `check`: a rules file's errors and warnings.

use std::path::Path;

use hostinfo_rules::{Problem, Rules, check};
use serde_json::{Value, json};

use crate::args::{Check, Options};
use crate::exit::{DONE, Failure, REFUSED, Status};
use crate::output::write_result;
use crate::rules::{count, read, read_stdin, rule_count};
use crate::tags;

/// Stands for the standard input, in the place of a file.
const STDIN: &str = "-";

/// Checks that file, or the one of the options.
///
/// # Errors
/// [`Failure`]: the file cannot be read.
pub(crate) fn run(options: &Options, wanted: &Check) -> Result<Status, Failure> {
    let (file, strict) = (wanted.file.as_deref(), wanted.strict);
    let is_stdin = file == Some(Path::new(STDIN));
    let path = file.unwrap_or(&options.rules);
    let text = if is_stdin { Some(read_stdin()?) } else { read(path)? };
    let path = if is_stdin { Path::new("(standard input)") } else { path };
    if text.is_none() && file.is_some() {
        return Err(Failure::Refused(format!("{}: no such file", path.display())));
    }
    let is_there = text.is_some();
    let sought = tags::sought(options)?.unwrap_or_default();
    // Tags that a cloud writes, such as OpenStack's project, are the cloud's; all others can be set by whoever edits a
    // domain.
    let anyone_can_set =
        |key: &str| sought.own && !sought.sources.iter().any(|source| source.key == key);
    let found = match text.map(|text| check(&text, anyone_can_set)) {
        None => Found { rules: Some(Rules::builtin()), errors: Vec::new(), warnings: Vec::new() },
        Some(Ok(parsed)) => {
            Found { rules: Some(parsed.rules), errors: Vec::new(), warnings: parsed.warnings }
        }
        Some(Err(errors)) => Found { rules: None, errors, warnings: Vec::new() },
    };
    write_result(options, &found.json(path), || found.text(path, is_there))?;
    let is_bad = !found.errors.is_empty() || strict && !found.warnings.is_empty();
    Ok(if is_bad { REFUSED } else { DONE })
}

struct Found {
    rules: Option<Rules>,
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
}

impl Found {
    fn text(&self, path: &Path, is_there: bool) -> String {
        let all = self.errors.iter().chain(&self.warnings);
        let mut text: String = all.map(|problem| format!("{}\n", problem.show(path))).collect();
        let verdict = match &self.rules {
            None => count(&self.errors, "error"),
            Some(_) if !is_there => {
                "there is no such file: every guest has the built-in default".to_owned()
            }
            Some(rules) if self.warnings.is_empty() => rule_count(rules.len()),
            Some(rules) => {
                format!("{}, {}", rule_count(rules.len()), count(&self.warnings, "warning"))
            }
        };
        text.push_str(&format!("{}: {verdict}\n", path.display()));
        text
    }

    fn json(&self, path: &Path) -> Value {
        let as_json = |problems: &[Problem]| -> Vec<Value> {
            let one = |problem: &Problem| {
                json!({
                    "line": problem.line(),
                    "column": problem.column(),
                    "message": problem.message(),
                    "shown": problem.show(path).to_string(),
                })
            };
            problems.iter().map(one).collect()
        };
        json!({
            "file": path.display().to_string(),
            "rules": self.rules.as_ref().map(Rules::len),
            "errors": as_json(&self.errors),
            "warnings": as_json(&self.warnings),
        })
    }
}
