//! The rules file as it is now, which need not be what the daemon has in force.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::Path;

use hostinfo_rules::{FILE_MAX, Parsed, Problem, Rules, parse};

use crate::exit::Failure;

/// Reads a file; `None` where there is none.
///
/// # Errors
/// [`Failure::Refused`]: it cannot be read.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    let refused = |words: &str| Failure::Refused(format!("{}: {words}", path.display()));
    let said = |error: io::Error| {
        refused(error.to_string().split(" (os error ").next().unwrap_or_default())
    };
    let file = match File::open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(said)?,
    };
    let mut text = Vec::new();
    let length = file.take(FILE_MAX + 1).read_to_end(&mut text).map_err(said)?;
    if u64::try_from(length).unwrap_or(u64::MAX) > FILE_MAX {
        return Err(refused(&format!("has over {FILE_MAX} bytes: it is no rules file")));
    }
    Ok(Some(text))
}

/// The rules of a file; without one, the built-in default.
///
/// # Errors
/// [`Failure::Refused`]: it cannot be read, or has errors.
pub(crate) fn load(path: &Path) -> Result<Rules, Failure> {
    let Some(text) = read(path)? else { return Ok(Rules::builtin()) };
    match parse(&text) {
        Ok(Parsed { rules, .. }) => Ok(rules),
        Err(problems) => Err(Failure::Refused(format!(
            "{}: {}: see hostinfoctl check {0}",
            path.display(),
            count(&problems, "error")
        ))),
    }
}

/// `1 error`, `2 errors`
pub(crate) fn count(problems: &[Problem], what: &str) -> String {
    match problems.len() {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}
