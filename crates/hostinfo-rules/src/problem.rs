//! Problems in a file and their positions, in readable form.

use std::fmt::{self, Write as _};
use std::path::Path;

use hostinfo_wire::text::is_printable;
use unicode_width::UnicodeWidthStr;

use crate::lex::Line;

/// The most errors, and the most warnings, that are kept per file. One more at the end counts the
/// rest: a file with more is not a rules file.
pub const PROBLEMS_MAX: usize = 1000;

/// The most characters of a line that are shown on either side of the problem.
const EXCERPT_MAX: usize = 200;

/// Whether a file with the problem is accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// The file is refused.
    Error,
    /// The file is accepted.
    Warning,
}

/// An error or a warning about one place of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    severity: Severity,
    line: usize,
    column: usize,
    message: String,
    /// The text after the caret.
    hint: String,
    /// The line, or the part of it around the problem, made safe for a terminal.
    excerpt: String,
    /// How many terminal cells of the excerpt precede the problem.
    indent: usize,
}

impl Problem {
    /// A problem at the byte `at` of `line`.
    pub(crate) fn new(severity: Severity, line: Line<'_>, at: usize, text: Text) -> Self {
        let (before, behind) = line.text.split_at_checked(at).unwrap_or((line.text, ""));
        let mut excerpt = String::new();
        if let Some((cut, _)) = before.char_indices().nth_back(EXCERPT_MAX) {
            excerpt.push('…');
            push_printable(&mut excerpt, before.get(cut..).unwrap_or_default().chars().skip(1));
        } else {
            push_printable(&mut excerpt, before.chars());
        }
        let indent = excerpt.width();
        let behind = behind.trim_end();
        push_printable(&mut excerpt, behind.chars().take(EXCERPT_MAX));
        if behind.chars().nth(EXCERPT_MAX).is_some() {
            excerpt.push('…');
        }
        Self {
            severity,
            line: line.number,
            column: before.chars().count() + 1,
            message: text.message,
            hint: text.hint,
            excerpt,
            indent,
        }
    }

    /// The line of the file, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The character of the line, from 1. A tab is one character.
    pub fn column(&self) -> usize {
        self.column
    }

    /// What is wrong, in words, without the position.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The problem in the style of compilers, three lines without a final line end:
    ///
    /// ```text
    /// hostinfo.conf:2:3: error: unknown key `intervall`
    ///     intervall = 60
    ///     ^ expected `enabled`, `interval`, ..., or a statistic or group, did you mean `interval`?
    /// ```
    pub fn show<'a>(&'a self, file: &'a Path) -> impl fmt::Display + 'a {
        Shown { problem: self, file }
    }
}

struct Shown<'a> {
    problem: &'a Problem,
    file: &'a Path,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Problem { severity, line, column, message, hint, excerpt, indent } = self.problem;
        let word = match severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        writeln!(out, "{}:{line}:{column}: {word}: {message}", self.file.display())?;
        writeln!(out, "  {excerpt}")?;
        // Not with a width in the format: that is limited, but the length of an excerpt of escapes
        // is not.
        out.write_str("  ")?;
        (0..*indent).try_for_each(|_| out.write_char(' '))?;
        out.write_char('^')?;
        if hint.is_empty() { Ok(()) } else { write!(out, " {hint}") }
    }
}

/// The text of a problem.
#[derive(Debug, Default)]
pub(crate) struct Text {
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Text {
    pub(crate) fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { message: message.into(), hint: hint.into() }
    }
}

/// The errors or the warnings of a file: up to [`PROBLEMS_MAX`], and the number of further ones.
#[derive(Debug, Default)]
pub(crate) struct Problems {
    kept: Vec<Problem>,
    /// The first one that was not kept.
    first_left_out: Option<Problem>,
    left_out: usize,
}

impl Problems {
    pub(crate) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// Adds one. Its text is only created if it is kept.
    pub(crate) fn add(
        &mut self,
        severity: Severity,
        line: Line<'_>,
        at: usize,
        text: impl FnOnce() -> Text,
    ) {
        if self.kept.len() < PROBLEMS_MAX {
            self.kept.push(Problem::new(severity, line, at, text()));
        } else {
            self.left_out += 1;
            self.first_left_out
                .get_or_insert_with(|| Problem::new(severity, line, at, Text::default()));
        }
    }

    /// All of them, in the order of the file's lines, and a last one that counts the rest.
    pub(crate) fn into_sorted(mut self) -> Vec<Problem> {
        self.kept.sort_by_key(|problem| (problem.line, problem.column));
        if let Some(mut last) = self.first_left_out {
            last.message = format!("this one and {} more are not shown", self.left_out - 1);
            self.kept.push(last);
        }
        self.kept
    }
}

/// A piece of the file for a message, shortened if it is long.
pub(crate) fn quote(text: &str) -> String {
    const QUOTE_MAX: usize = 60;
    let mut quoted = String::from("`");
    push_printable(&mut quoted, text.chars().take(QUOTE_MAX));
    if text.chars().nth(QUOTE_MAX).is_some() {
        quoted.push('…');
    }
    quoted.push('`');
    quoted
}

/// Appends characters, escaped so that a terminal shows them literally.
fn push_printable(out: &mut String, chars: impl Iterator<Item = char>) {
    for c in chars {
        match c {
            '\t' => out.push(' '),
            _ if is_printable(c) => out.push(c),
            _ => out.extend(c.escape_unicode()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn shown(line: &str, at: usize, hint: &str) -> String {
        let line = Line { number: 7, text: line };
        let problem = Problem::new(Severity::Error, line, at, Text::new("no", hint));
        problem.show(Path::new("/etc/h.conf")).to_string()
    }

    /// The number of cells before the caret, and before `mark` in the line above it.
    fn cells(shown: &str, mark: &str) -> (usize, usize) {
        let lines: Vec<&str> = shown.lines().collect();
        (lines[2].split('^').next().unwrap().width(), lines[1].split(mark).next().unwrap().width())
    }

    #[test]
    fn a_problem_shows_its_place_its_line_and_a_caret_below_it() {
        assert_eq!(
            shown("  a = x", 6, "expected b"),
            "/etc/h.conf:7:7: error: no\n    a = x\n        ^ expected b"
        );
        assert_eq!(shown("a", 1, ""), "/etc/h.conf:7:2: error: no\n  a\n   ^");
    }

    #[test]
    fn the_caret_lines_up_behind_tabs_wide_characters_marks_and_control_characters() {
        for before in ["\t\t", "主机", "e\u{301}", "\u{1b}[31m", "\0\u{85}", "\u{202e}ab"] {
            let shown = shown(&format!("{before}X"), before.len(), "");
            let (caret, mark) = cells(&shown, "X");
            assert_eq!(caret, mark, "{shown}");
            assert!(!shown.replace('\n', "").contains(char::is_control), "{shown:?}");
        }
    }

    #[test]
    fn columns_count_characters_and_a_tab_is_one() {
        assert!(shown("\tüX", 3, "").starts_with("/etc/h.conf:7:3: "));
    }

    #[test]
    fn only_the_part_of_a_long_line_around_the_place_is_shown() {
        let line = format!("{}X{}", "a".repeat(100_000), "b".repeat(100_000));
        let shown = shown(&line, 100_000, "");
        assert!(shown.len() < 1000);
        let (caret, mark) = cells(&shown, "X");
        assert_eq!(caret, mark);
    }

    #[test]
    fn past_the_bound_problems_are_only_counted() {
        let mut problems = Problems::default();
        for number in 1..=PROBLEMS_MAX + 3 {
            let line = Line { number, text: "x" };
            problems.add(Severity::Error, line, 0, || Text::new("no", ""));
        }
        let all = problems.into_sorted();
        assert_eq!(all.len(), PROBLEMS_MAX + 1);
        let last = all.last().unwrap();
        assert_eq!(
            (last.line(), last.message()),
            (PROBLEMS_MAX + 1, "this one and 2 more are not shown")
        );
    }

    proptest! {
        #[test]
        fn any_line_can_be_shown(line in any::<String>(), at in 0usize..50) {
            let line = line.replace('\n', "");
            prop_assert_eq!(shown(&line, at, "hint").lines().count(), 3);
        }
    }
}
