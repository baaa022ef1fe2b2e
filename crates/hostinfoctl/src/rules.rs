//! The rules that the daemon has in force, or those in a file.

use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};

use hostinfo_rules::{FILE_MAX, Parsed, Problem, Rules, parse};

use crate::args::Options;
use crate::daemon::Known;
use crate::exit::Failure;

/// Rules, and the file they were read from.
pub(crate) struct RulesOf {
    pub(crate) rules: Rules,
    pub(crate) file: PathBuf,
}

impl RulesOf {
    /// The daemon's rules in force: the file may have changed since, and may have errors. Without
    /// the daemon, the rules in the file.
    ///
    /// # Errors
    /// As [`load`].
    pub(crate) fn in_force(options: &Options, known: Option<&Known>) -> Result<Self, Failure> {
        if let Some(Known { rules, .. }) = known {
            let parsed = match (rules.state.rules, &rules.text) {
                (0, _) => Some(Rules::builtin()),
                (_, text) => {
                    text.as_ref().and_then(|text| parse(text.as_bytes()).ok()).map(|p| p.rules)
                }
            };
            let file = PathBuf::from(&rules.state.path);
            return match parsed {
                Some(rules) => Ok(Self { rules, file }),
                // The text is too long for the daemon to send.
                None => load(&file).map(|rules| Self { rules, file }),
            };
        }
        let file = options.rules.clone();
        load(&file).map(|rules| Self { rules, file })
    }
}

/// Reads a file; `None` if it does not exist.
///
/// # Errors
/// The file cannot be read.
pub(crate) fn read(path: &Path) -> Result<Option<Vec<u8>>, Failure> {
    hostinfo_file::read(path, FILE_MAX).map_err(|error| {
        let error = io::Error::from(error);
        let words = format!("{}: {}", path.display(), hostinfo_file::in_words(&error));
        match error.kind() {
            ErrorKind::PermissionDenied => {
                Failure::Denied(format!("{words}: be root, or let your user read the file"))
            }
            _ => Failure::Refused(words),
        }
    })
}

/// Reads the standard input, as long as a rules file may be.
///
/// # Errors
/// It cannot be read, or is longer.
pub(crate) fn read_stdin() -> Result<Vec<u8>, Failure> {
    let refused = |words: &dyn std::fmt::Display| {
        Failure::Refused(format!("cannot read the standard input: {words}"))
    };
    let mut text = Vec::new();
    let read = io::stdin().lock().take(FILE_MAX.saturating_add(1)).read_to_end(&mut text);
    read.map_err(|error| refused(&error))?;
    if u64::try_from(text.len()).is_ok_and(|length| length > FILE_MAX) {
        return Err(refused(&hostinfo_file::Error::TooLong(FILE_MAX)));
    }
    Ok(text)
}

/// The rules in a file or, if it does not exist, the built-in default.
///
/// # Errors
/// The file cannot be read or has errors.
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

/// `2 rules`
pub(crate) fn rule_count(rules: usize) -> String {
    match rules {
        0 => "no rules: every guest has the built-in default".to_owned(),
        1 => "1 rule".to_owned(),
        many => format!("{many} rules"),
    }
}

/// `1 error`, `2 errors`
pub(crate) fn count(problems: &[Problem], what: &str) -> String {
    match problems.len() {
        1 => format!("1 {what}"),
        many => format!("{many} {what}s"),
    }
}
