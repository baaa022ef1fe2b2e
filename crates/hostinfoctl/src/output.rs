//! Prints results to stdout, in colour only on a terminal. What controls a terminal is spelt out, whoever chose it: names
//! and XML are libvirt's users', and a daemon may say what it likes.

use std::io::Write as _;

use anstyle::{AnsiColor, Style};
use hostinfo_wire::text::{escaped_json, escaped_lines};
use serde::Serialize;

use crate::args::Options;
use crate::exit::Failure;

const ADDED: Style = AnsiColor::Green.on_default();
const REMOVED: Style = AnsiColor::Red.on_default();

/// The version of what `--json` prints, which docs/json.md describes. It rises when something that a program
/// may rely on changes or goes; what is added does not count.
const FORMAT_VERSION: u32 = 1;

/// An object with its version.
#[derive(Serialize)]
struct Versioned<'v, V> {
    format_version: u32,
    #[serde(flatten)]
    value: &'v V,
}

impl<'v, V> Versioned<'v, V> {
    fn of(value: &'v V) -> Self {
        Self { format_version: FORMAT_VERSION, value }
    }
}

/// Writes text to stdout.
///
/// # Errors
/// stdout cannot be written to.
pub(crate) fn write(text: &str) -> Result<(), Failure> {
    write_coloured(&escaped_lines(text))
}

/// Writes text that has colours, and of which everything else is printable already. Removes the colours unless stdout is a
/// terminal and NO_COLOR is not set.
///
/// # Errors
/// stdout cannot be written to.
pub(crate) fn write_coloured(text: &str) -> Result<(), Failure> {
    let mut stdout = anstream::stdout().lock();
    stdout.write_all(text.as_bytes())?;
    Ok(stdout.flush()?)
}

/// Writes a result to stdout: as JSON if the user wants that, or else as text.
///
/// # Errors
/// stdout cannot be written to.
pub(crate) fn write_result(
    options: &Options,
    json: &impl Serialize,
    text: impl FnOnce() -> String,
) -> Result<(), Failure> {
    if options.json { write_json(json) } else { write(&text()) }
}

/// Writes a JSON object and a line end to stdout.
///
/// # Errors
/// stdout cannot be written to.
pub(crate) fn write_json(value: &impl Serialize) -> Result<(), Failure> {
    write(&json(value)?)
}

/// A JSON object and a line end, without characters that control a terminal.
///
/// # Errors
/// It has no form in JSON.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text =
        serde_json::to_string_pretty(&Versioned::of(value)).map_err(std::io::Error::other)?;
    Ok(format!("{}\n", escaped_json(&text)))
}

/// The same on one line, for commands that print many.
///
/// # Errors
/// stdout cannot be written to.
pub(crate) fn write_json_line(value: &impl Serialize) -> Result<(), Failure> {
    let text = serde_json::to_string(&Versioned::of(value)).map_err(std::io::Error::other)?;
    write(&format!("{}\n", escaped_json(&text)))
}

/// The difference between `before` and `after` as in diff -u; empty if they are equal.
pub(crate) fn unified(name: &str, before: &str, after: &str) -> String {
    let diff = similar::TextDiff::from_lines(before, after);
    let (old, new) = (format!("{name} as it is"), format!("{name} as it would be"));
    diff.unified_diff().context_radius(3).header(&old, &new).to_string()
}

/// The same difference in colours.
pub(crate) fn coloured(diff: &str) -> String {
    diff.lines()
        .map(|line| {
            let line = escaped_lines(line);
            let style = match line.chars().next() {
                Some('+') => ADDED,
                Some('-') => REMOVED,
                _ => return format!("{line}\n"),
            };
            format!("{style}{line}{style:#}\n")
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use hostinfo_wire::text::is_printable;
    use proptest::prelude::*;

    #[test]
    fn a_diff_is_that_of_diff_u_and_none_where_nothing_changes() {
        let diff = unified("a", "1\n2\n", "1\n3\n");
        assert_eq!(diff, "--- a as it is\n+++ a as it would be\n@@ -1,2 +1,2 @@\n 1\n-2\n+3\n");
        assert_eq!(unified("a", "1\n", "1\n"), "");
    }

    proptest! {
        #[test]
        fn json_of_any_name_is_that_name_and_controls_no_terminal(name in "(.|\\pC|\\pZ){0,20}") {
            let text = json(&serde_json::json!({ "name": name })).unwrap();
            prop_assert!(text.chars().all(|c| c == '\n' || is_printable(c)), "{text:?}");
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            prop_assert_eq!(read["name"].as_str(), Some(&*name));
        }
    }

    #[test]
    fn a_name_in_a_diff_has_no_colours_of_its_own() {
        let diff = coloured("- <alias name='\u{9b}8m'/>\n");
        let plain = anstream::adapter::strip_str(&diff).to_string();
        assert_eq!(plain, "- <alias name='\\u{9b}8m'/>\n");
    }
}
