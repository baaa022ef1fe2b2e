//! Parses a whole file: turns lines into rules, or into everything that is wrong with them.

mod warnings;

use std::collections::HashMap;
use std::sync::Arc;

use crate::binary::not_text;
use crate::conditions::bad_key;
use crate::decide::change::Changes;
use crate::decide::{Grant, Origin};
use crate::glob;
use crate::lex::{self, Content, Header, Line, Quotes, Word, lex};
use crate::nearest::nearest;
use crate::pattern::Pattern;
use crate::problem::{Problem, Problems, Severity, Text, quote};
use crate::rules::{Rule, Rules};
use crate::setting::{Key, Setting, keys};
use crate::tags::{CONDITIONS_MAX, Condition};
use crate::unreachable::{Reach, unreachable};

use warnings::{never_matches, opens_too_much};

/// The largest file to read, in bytes: 100,000 rules of 160 bytes.
pub const FILE_MAX: u64 = 16 * 1024 * 1024;

/// A file without errors.
#[derive(Debug, Clone)]
pub struct Parsed {
    /// The rules.
    pub rules: Rules,
    /// Things that may not be intended, in the order of the file's lines.
    pub warnings: Vec<Problem>,
}

/// Parses a file. Takes time and memory in proportion to its size.
///
/// # Errors
/// All errors of the file, in the order of its lines: at most
/// [`PROBLEMS_MAX`](crate::PROBLEMS_MAX), and one more that counts the rest. For a file that is not
/// text there is a single error.
pub fn parse(file: &[u8]) -> Result<Parsed, Vec<Problem>> {
    check(file, |_| false)
}

/// The same, with warnings about rules that select guests only by tags that anybody who can change a
/// domain's metadata can set, and that turn on a statistic which is off by default. `anyone_can_set`
/// says whether the tag with that key is one of those.
///
/// # Errors
/// Those of [`parse`].
pub fn check(file: &[u8], anyone_can_set: impl Fn(&str) -> bool) -> Result<Parsed, Vec<Problem>> {
    let mut parser = Parser::default();
    if let Some(problem) = not_text(file) {
        return Err(vec![problem]);
    }
    let file = file.strip_prefix("\u{feff}".as_bytes()).unwrap_or(file);
    for (number, line) in (1..).zip(file.split(|byte| *byte == b'\n')) {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        match std::str::from_utf8(line) {
            Ok(text) => parser.line(Line { number, text }),
            Err(broken) => parser.broken_line(number, line, broken.valid_up_to()),
        }
    }
    parser.finish(anyone_can_set)
}

#[derive(Default)]
struct Parser<'a> {
    rules: Vec<Draft<'a>>,
    /// Whether settings now belong to a rule, even one with a bad header.
    in_rule: bool,
    /// The keys of this rule so far, in lower case, and their lines.
    keys: HashMap<String, usize>,
    errors: Problems,
    warnings: Problems,
}

/// A rule whose settings are being read.
struct Draft<'a> {
    line: Line<'a>,
    written: Word<'a>,
    reach: Reach,
    settings: Vec<(usize, Setting)>,
}

impl<'a> Parser<'a> {
    fn error(&mut self, line: Line<'_>, at: usize, text: impl FnOnce() -> Text) {
        self.errors.add(Severity::Error, line, at, text);
    }

    fn warning(&mut self, line: Line<'_>, at: usize, text: impl FnOnce() -> Text) {
        self.warnings.add(Severity::Warning, line, at, text);
    }

    fn line(&mut self, line: Line<'a>) {
        match lex(line.text) {
            None => {}
            Some(Content::Header(header)) => self.header_or_stray(line, header),
            Some(Content::Setting { key, value }) => self.setting(line, key, value),
        }
    }

    /// A line that is not UTF-8 from the byte `at` on. Nothing else in it is checked; but a header
    /// still opens a rule.
    fn broken_line(&mut self, number: usize, line: &[u8], at: usize) {
        let text = String::from_utf8_lossy(line);
        self.error(Line { number, text: &text }, at, || {
            Text::new("not UTF-8", "expected UTF-8 text")
        });
        if let Some(Content::Header(_)) = lex(&text) {
            self.open_rule();
        }
    }

    fn open_rule(&mut self) {
        self.in_rule = true;
        self.keys.clear();
    }

    /// A line that does not have the form of a setting, though it may be meant as one.
    fn header_or_stray(&mut self, line: Line<'a>, header: Header<'a>) {
        let Header { pattern, quotes, rest, .. } = header;
        let word = pattern.text.split(lex::BLANKS).next().unwrap_or_default();
        if rest.text != ":" && quotes == Quotes::No && Key::find(word).is_some() {
            let at = pattern.at + word.len();
            return self.error(line, at, || Text::new("missing `=`", "expected `=` behind a key"));
        }
        self.open_rule();
        match rest.text.strip_prefix(':') {
            Some("") => {}
            _ if quotes == Quotes::Open => self.error(line, header.written.at, || {
                Text::new("quotes without an end", "expected `\"` somewhere behind this one")
            }),
            None if header.conditions.is_empty() => self.error(line, rest.at, || {
                Text::new("missing `:`", "expected `:` behind a pattern, or `=` behind a key")
            }),
            None => self.error(line, rest.at, || {
                Text::new("missing `:`", "expected `:` or another KEY=VALUE behind a condition")
            }),
            Some(more) => {
                let at = rest.end() - more.trim_start_matches(lex::BLANKS).len();
                self.error(line, at, || {
                    let hint = match header.conditions.is_empty() {
                        true => "expected the end of the line: each setting has a line of its own",
                        false => "expected double quotes around a value that has `:` in it",
                    };
                    Text::new("text behind a header", hint)
                });
            }
        }
        // Several words without a colon are not a pattern.
        let stray = rest.text.is_empty() && word != pattern.text && quotes == Quotes::No;
        if quotes != Quotes::Open && !stray {
            self.header(line, header);
        }
    }

    fn header(&mut self, line: Line<'a>, header: Header<'a>) {
        let Header { written, pattern, quotes, conditions, .. } = header;
        let parsed = glob::parse(pattern.text, quotes == Quotes::Yes);
        let pattern = self.pattern(line, pattern.at, parsed);
        let conditions = self.conditions(line, &conditions);
        let reach = Reach { pattern, conditions };
        self.rules.push(Draft { line, written, reach, settings: Vec::new() });
    }

    /// Reports what is wrong with a pattern that starts at that byte; it then becomes the empty
    /// pattern.
    fn pattern(&mut self, line: Line<'_>, at: usize, parsed: glob::Parsed) -> Pattern {
        let (pattern, faults) = parsed.unwrap_or_else(|errors| (Pattern::default(), errors));
        for fault in faults {
            let problems = match fault.severity {
                Severity::Error => &mut self.errors,
                Severity::Warning => &mut self.warnings,
            };
            let text = || Text::new(fault.message, fault.expected);
            problems.add(fault.severity, line, at + fault.at, text);
        }
        pattern
    }

    fn conditions(&mut self, line: Line<'_>, written: &[(Word<'_>, Word<'_>)]) -> Box<[Condition]> {
        let mut conditions: Vec<Condition> = Vec::new();
        for (key, value) in written.iter().take(CONDITIONS_MAX + 1) {
            if let Some(text) = bad_key(key.text, &conditions) {
                self.error(line, key.at, || text);
            }
            let value = self.pattern(line, value.at, glob::parse_value(value.text));
            conditions.push(Condition { key: key.text.into(), value });
        }
        conditions.into()
    }

    fn setting(&mut self, line: Line<'a>, key: Word<'a>, value: Word<'a>) {
        let known = Key::find(key.text);
        if known.is_none() && value.text.ends_with(':') {
            // `qemu-a=b:` is meant as a header.
            return self.header_or_stray(line, lex::header(line.text));
        }
        if !self.in_rule {
            self.error(line, key.at, || {
                Text::new("setting before the first header", "expected a header first, as in `*:`")
            });
        }
        let Some(known) = known else {
            return self.unknown_key(line, key);
        };
        let first = *self.keys.entry(key.text.to_ascii_lowercase()).or_insert(line.number);
        if first != line.number {
            self.error(line, key.at, || {
                let message = format!("key {} given twice: first in line {first}", quote(key.text));
                Text::new(message, "expected each key once in a rule")
            });
        }
        if known.names_an_instance() {
            self.warning(line, key.at, || {
                let message = format!("whether {} exists is not checked", quote(key.text));
                Text::new(message, "holds whenever something has this name")
            });
        }
        match known.with(value.text) {
            Some(setting) => {
                if let Some(rule) = self.rules.last_mut() {
                    rule.settings.push((line.number, setting));
                }
            }
            None => self.error(line, value.at, || {
                let message = match value.text {
                    "" => format!("missing value of {}", quote(key.text)),
                    text => format!("bad value {} of {}", quote(text), quote(key.text)),
                };
                Text::new(message, known.expected())
            }),
        }
    }

    fn unknown_key(&mut self, line: Line<'_>, key: Word<'_>) {
        self.error(line, key.at, || {
            let message = match key.text {
                "" => "missing key".to_owned(),
                text => format!("unknown key {}", quote(text)),
            };
            let keys: Vec<String> = keys().map(quote).collect();
            let mut hint = format!("expected {}, or a statistic or group", keys.join(", "));
            if let Some(name) = nearest(key.text) {
                hint.push_str(&format!(", did you mean {}?", quote(&name)));
            }
            Text::new(message, hint)
        });
    }

    fn finish(mut self, anyone_can_set: impl Fn(&str) -> bool) -> Result<Parsed, Vec<Problem>> {
        if !self.errors.is_empty() {
            return Err(self.errors.into_sorted());
        }
        let reaches: Vec<Reach> =
            self.rules.iter_mut().map(|rule| std::mem::take(&mut rule.reach)).collect();
        for (at, never) in unreachable(&reaches) {
            let Some(rule) = self.rules.get(at) else { continue };
            let text = || never_matches(&never, &self.rules);
            self.warnings.add(Severity::Warning, rule.line, rule.written.at, text);
        }
        let mut rules = Vec::new();
        for (rule, reach) in self.rules.into_iter().zip(reaches) {
            let origin = Origin { pattern: rule.written.text.to_owned(), line: rule.line.number };
            let grant = Grant::new(Some(origin), rule.settings);
            let mut keys = reach.conditions.iter().map(|condition| &condition.key);
            if !reach.conditions.is_empty() && keys.all(|key| anyone_can_set(key)) {
                let opened = Changes::between(&Grant::builtin(), &grant).opened;
                if let (Some(first), true) = (opened.first(), grant.enabled()) {
                    let text = || opens_too_much(first, opened.len() - 1);
                    self.warnings.add(Severity::Warning, rule.line, rule.written.at, text);
                }
            }
            rules.push(Rule { reach, grant: Arc::new(grant) });
        }
        Ok(Parsed { rules: Rules::new(rules), warnings: self.warnings.into_sorted() })
    }
}
