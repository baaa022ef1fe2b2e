//! Parses the text of a pattern into a [`Pattern`].

use std::str::FromStr;

use crate::pattern::{Part, Pattern};
use crate::problem::{Severity, quote};

/// An error or a warning about a pattern's text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) severity: Severity,
    /// The position in the text, in bytes.
    pub(crate) at: usize,
    pub(crate) message: String,
    pub(crate) expected: &'static str,
}

/// A pattern and its warnings, or everything that is wrong with it.
pub(crate) type Parsed = Result<(Pattern, Vec<Fault>), Vec<Fault>>;

/// Parses the pattern of a header.
///
/// `quoted`: the text was between double quotes, where blanks, `#`, `:` and `=` are ordinary
/// characters.
pub(crate) fn parse(text: &str, quoted: bool) -> Parsed {
    if text.is_empty() {
        let expected = "expected a pattern of guests' names, as in `qemu-*:`";
        return Err(vec![error(0, "empty pattern", expected)]);
    }
    let quoting = if quoted { Quoting::Around } else { Quoting::None };
    parse_as(text, quoting)
}

/// The same for the value of a condition: any part of it may be between double quotes. A tag may have an empty value.
/// That is `""`, since nothing at all is more likely a mistake.
pub(crate) fn parse_value(text: &str) -> Parsed {
    needs_value(text)?;
    parse_as(text, Quoting::Within { open: false })
}

/// Parses a text that consists of a condition's value alone, such as part of a command's argument. Double quotes are
/// allowed around the whole of it, but only needed for the empty value.
///
/// # Errors
/// [`BadPattern`].
pub(crate) fn parse_value_alone(text: &str) -> Result<Pattern, BadPattern> {
    let parsed = needs_value(text).and_then(|()| parse_as(without_quotes(text), Quoting::Around));
    alone(text, parsed)
}

fn needs_value(text: &str) -> Result<(), Vec<Fault>> {
    if !text.is_empty() {
        return Ok(());
    }
    let expected = "expected a pattern of the tag's value; the empty value is `\"\"`";
    Err(vec![error(0, "missing value", expected)])
}

/// Where a pattern's double quotes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Quoting {
    None,
    /// Around the whole pattern, and already removed.
    Around,
    /// Around parts of it. `open`: the next letter is between quotes.
    Within {
        open: bool,
    },
}

fn parse_as(text: &str, quoting: Quoting) -> Parsed {
    let mut faults = Vec::new();
    let letters = letters(text, quoting, &mut faults);
    let parts = parts(&letters, &mut faults);
    if faults.iter().any(|fault| fault.severity == Severity::Error) {
        faults.sort_by_key(|fault| fault.at);
        return Err(faults);
    }
    Ok((parts.into_iter().collect(), faults))
}

/// Why a text is not a pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("pattern {}: {message}; {expected}", quote(.text))]
pub struct BadPattern {
    text: String,
    message: String,
    expected: &'static str,
}

impl FromStr for Pattern {
    type Err = BadPattern;

    /// Parses a text that consists of a pattern alone, such as a command's argument: quotes that a
    /// file would require are allowed, but not needed.
    fn from_str(text: &str) -> Result<Self, BadPattern> {
        alone(text, parse(without_quotes(text), true))
    }
}

fn without_quotes(text: &str) -> &str {
    text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"')).unwrap_or(text)
}

/// The pattern of a text that is nothing else, or the first error in it.
fn alone(text: &str, parsed: Parsed) -> Result<Pattern, BadPattern> {
    parsed.map(|(pattern, _)| pattern).map_err(|faults| {
        let first = faults.into_iter().find(|fault| fault.severity == Severity::Error);
        let (message, expected) =
            first.map(|fault| (fault.message, fault.expected)).unwrap_or_default();
        BadPattern { text: text.to_owned(), message, expected }
    })
}

impl Quoting {
    fn is_open(self) -> bool {
        matches!(self, Self::Around | Self::Within { open: true })
    }
}

/// A character of a pattern.
#[derive(Clone, Copy)]
struct Letter {
    at: usize,
    c: char,
    /// It stands for itself: a `\` preceded it.
    plain: bool,
}

impl Letter {
    fn is(self, special: char) -> bool {
        self.c == special && !self.plain
    }
}

/// The characters that lose their special meaning after a `\`.
const SPECIAL: [char; 6] = ['*', '?', '[', ']', '\\', '"'];

fn letters(text: &str, mut quoting: Quoting, faults: &mut Vec<Fault>) -> Vec<Letter> {
    let mut letters = Vec::new();
    let mut wants_quotes = false;
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let (c, plain) = match (c, chars.clone().next()) {
            ('\\', Some((_, escaped))) if SPECIAL.contains(&escaped) => {
                chars.next();
                (escaped, true)
            }
            ('\\', behind) => {
                let escape: String =
                    [Some(c), behind.map(|(_, c)| c)].into_iter().flatten().collect();
                let message = format!("unknown escape {}", quote(&escape));
                faults.push(error(at, message, "expected one of * ? [ ] \\ \" behind `\\`"));
                continue;
            }
            ('"', _) if matches!(quoting, Quoting::Within { .. }) => {
                quoting = Quoting::Within { open: !quoting.is_open() };
                continue;
            }
            (' ' | '\t' | '#' | ':' | '=' | '"', _) if c == '"' || !quoting.is_open() => {
                // Report it once: quotes around the whole pattern solve it everywhere.
                if !std::mem::replace(&mut wants_quotes, true) {
                    faults.push(wants_quotes_around(at, c));
                }
                (c, false)
            }
            _ => (c, false),
        };
        letters.push(Letter { at, c, plain });
    }
    letters
}

fn wants_quotes_around(at: usize, c: char) -> Fault {
    let what = match c {
        ' ' => "space".to_owned(),
        '\t' => "tab".to_owned(),
        '"' => {
            let expected = "expected `\\\"`, or double quotes around the whole pattern";
            return error(at, "double quote within a pattern", expected);
        }
        _ => quote(c.encode_utf8(&mut [0; 4])),
    };
    let message = format!("{what} in a pattern without quotes");
    error(at, message, "expected double quotes around the whole pattern")
}

fn parts(mut rest: &[Letter], faults: &mut Vec<Fault>) -> Vec<Part> {
    let mut parts = Vec::new();
    while let [letter, behind @ ..] = rest {
        rest = behind;
        parts.push(if letter.is('*') {
            Part::Star
        } else if letter.is('?') {
            Part::Any
        } else if letter.is('[') {
            let Some(set) = set(&mut rest, faults) else {
                faults.push(error(
                    letter.at,
                    "set without an end",
                    "expected `]` somewhere behind `[`",
                ));
                return parts;
            };
            set
        } else {
            Part::Char(letter.c)
        });
    }
    parts
}

/// A set, after its `[`. `None` if it is not closed.
fn set(rest: &mut &[Letter], faults: &mut Vec<Fault>) -> Option<Part> {
    let mut left = *rest;
    let negated = matches!(left, [first, ..] if first.is('!'));
    if negated {
        left = left.get(1..)?;
    } else if let [first, ..] = left
        && first.is('^')
    {
        faults.push(Fault {
            severity: Severity::Warning,
            at: first.at,
            message: "`^` is a member of this set like any other".to_owned(),
            expected: "`!` here would mean all but the set",
        });
    }
    let mut ranges = Vec::new();
    loop {
        // A leading `]` is a member, and so is a leading or trailing `-`.
        let (low, high, behind) = match left {
            [end, behind @ ..] if end.is(']') && !ranges.is_empty() => {
                *rest = behind;
                ranges.sort_unstable();
                ranges.dedup();
                return Some(match ranges.as_slice() {
                    [(low, high)] if low == high && !negated => Part::Char(*low),
                    _ => Part::Set { negated, ranges },
                });
            }
            [low, dash, high, behind @ ..] if dash.is('-') && !high.is(']') => (low, high, behind),
            [one, behind @ ..] => (one, one, behind),
            [] => return None,
        };
        if low.c > high.c {
            let range = quote(&format!("{}-{}", low.c, high.c));
            let message = format!("range {range} goes backwards");
            faults.push(error(low.at, message, "expected the lower end first"));
        }
        ranges.push((low.c, high.c));
        left = behind;
    }
}

fn error(at: usize, message: impl Into<String>, expected: &'static str) -> Fault {
    Fault { severity: Severity::Error, at, message: message.into(), expected }
}

/// The pattern of a text that is known to be valid.
#[cfg(test)]
pub(crate) fn pattern(text: &str) -> Pattern {
    parse(text, true).unwrap().0
}

#[cfg(test)]
mod tests;
