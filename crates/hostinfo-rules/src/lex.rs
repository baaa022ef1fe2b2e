//! Splits a line into its parts: comment, header or setting. It does not check what they mean.

/// Separators between words. Other white space is part of a word.
pub(crate) const BLANKS: [char; 2] = [' ', '\t'];

/// A line of the file, without its line end.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Line<'a> {
    /// From 1.
    pub(crate) number: usize,
    pub(crate) text: &'a str,
}

/// A piece of a line, and the byte offset at which it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Word<'a> {
    pub(crate) at: usize,
    pub(crate) text: &'a str,
}

impl<'a> Word<'a> {
    fn of(line: &'a str, from: usize, to: usize) -> Self {
        Self { at: from, text: line.get(from..to).unwrap_or_default() }.trim()
    }

    fn trim(self) -> Self {
        let text = self.text.trim_start_matches(BLANKS);
        let at = self.at + self.text.len() - text.len();
        Self { at, text: text.trim_end_matches(BLANKS) }
    }

    /// The byte offset just after the word.
    pub(crate) fn end(self) -> usize {
        self.at + self.text.len()
    }
}

/// The kind of a line that is not empty.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Content<'a> {
    /// `KEY = VALUE`: the text on either side of the first `=`.
    Setting { key: Word<'a>, value: Word<'a> },
    /// Anything else.
    Header(Header<'a>),
}

/// Something that should be `PATTERN:`, or `PATTERN KEY=VALUE...:`.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Header<'a> {
    /// The pattern and the conditions as written.
    pub(crate) written: Word<'a>,
    /// The pattern without surrounding quotes.
    pub(crate) pattern: Word<'a>,
    pub(crate) quotes: Quotes,
    /// Keys and values, each value including its quotes.
    pub(crate) conditions: Vec<(Word<'a>, Word<'a>)>,
    /// Whatever follows. Just `:` if the header is well-formed.
    pub(crate) rest: Word<'a>,
}

/// Whether a pattern has double quotes around it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Quotes {
    No,
    Yes,
    /// They were not closed.
    Open,
}

/// Splits a line. `None` if it is empty or only a comment.
pub(crate) fn lex(line: &str) -> Option<Content<'_>> {
    let all = Word::of(line, 0, line.len());
    if all.text.starts_with('"') {
        return Some(Content::Header(quoted_header(line, all.at)));
    }
    let code = Word::of(line, 0, comment(line, 0));
    if code.text.is_empty() {
        return None;
    }
    let first = code.text.find([':', '=']).map(|at| code.at + at);
    match first {
        Some(at) if line.get(at..).is_some_and(|rest| rest.starts_with('=')) => {
            if let Some(key) = condition_at(line, code.at, at) {
                let pattern = Word::of(line, code.at, key);
                return Some(Content::Header(with_conditions(line, pattern, pattern, Quotes::No)));
            }
            Some(Content::Setting {
                key: Word::of(line, code.at, at),
                value: Word::of(line, at + 1, code.end()),
            })
        }
        _ => Some(Content::Header(header(line))),
    }
}

/// Splits a line that is meant as a header without quotes.
pub(crate) fn header(line: &str) -> Header<'_> {
    let code = Word::of(line, 0, comment(line, 0));
    let colon = if code.text.ends_with(':') {
        code.end() - 1
    } else {
        code.text.find(':').map_or(code.end(), |at| code.at + at)
    };
    let pattern = Word::of(line, code.at, colon);
    let rest = Word::of(line, colon, code.end());
    Header { written: pattern, pattern, quotes: Quotes::No, conditions: vec![], rest }
}

/// Where the condition starts whose `=` is at that byte: it needs a word before the `=`, another
/// before that, and no blanks on either side of it. Neither `interval = 60` nor `interval=60` is a
/// condition.
fn condition_at(line: &str, from: usize, equals: usize) -> Option<usize> {
    let (before, behind) = (line.get(from..equals)?, line.get(equals + 1..)?);
    let key = from + before.rfind(BLANKS)? + 1;
    let has_value = !behind.is_empty() && !behind.starts_with(BLANKS);
    (key < equals && has_value).then_some(key)
}

/// The header whose conditions start after `written`, if there are any.
fn with_conditions<'a>(
    line: &'a str,
    written: Word<'a>,
    pattern: Word<'a>,
    quotes: Quotes,
) -> Header<'a> {
    let (mut conditions, mut end, mut rest) = (Vec::new(), written.end(), written.end());
    while let Some(key) = key(line, rest) {
        let from = key.end() + 1;
        match value(line, from) {
            Ok(value) => {
                (end, rest) = (value.end(), value.end());
                conditions.push((key, value));
            }
            Err(open) => {
                let written = Word { at: open, text: line.get(open..).unwrap_or_default() };
                let rest = Word { at: line.len(), text: "" };
                return Header { written, pattern, quotes: Quotes::Open, conditions, rest };
            }
        }
    }
    let text = line.get(written.at..end).unwrap_or_default();
    let rest = Word::of(line, rest, comment(line, rest));
    Header { written: Word { at: written.at, text }, pattern, quotes, conditions, rest }
}

/// The key of the next condition: the text before a `=`.
fn key(line: &str, from: usize) -> Option<Word<'_>> {
    let next = line.get(from..)?;
    let text = next.trim_start_matches(BLANKS);
    // A blank must separate a condition from what precedes it.
    let is_parted = text.len() < next.len();
    let end = text.find(['=', ':', '"', ' ', '\t']).filter(|_| is_parted)?;
    let is_key = end > 0 && text.get(end..)?.starts_with('=') && !text.starts_with('#');
    is_key.then(|| Word { at: line.len() - text.len(), text: text.get(..end).unwrap_or_default() })
}

/// The value of a condition: up to a blank or `:` outside double quotes.
///
/// # Errors
/// Where quotes open that are not closed: a byte offset in the line.
fn value(line: &str, from: usize) -> Result<Word<'_>, usize> {
    let (mut open, mut escaped) = (None, false);
    let mut end = line.len();
    for (at, c) in line.char_indices().skip_while(|(at, _)| *at < from) {
        let is_plain = escaped;
        escaped = c == '\\' && !is_plain;
        match c {
            _ if is_plain => {}
            '"' => open = if open.is_some() { None } else { Some(at) },
            ' ' | '\t' | ':' if open.is_none() => {
                end = at;
                break;
            }
            _ => {}
        }
    }
    open.map_or(Ok(Word { at: from, text: line.get(from..end).unwrap_or_default() }), Err)
}

fn quoted_header(line: &str, open: usize) -> Header<'_> {
    let inner = open + 1;
    let mut escaped = false;
    let close = line.char_indices().skip_while(|(at, _)| *at < inner).find(|(_, c)| {
        let closes = *c == '"' && !escaped;
        escaped = *c == '\\' && !escaped;
        closes
    });
    // Blanks inside the quotes belong to the pattern.
    let between = |from, to| Word { at: from, text: line.get(from..to).unwrap_or_default() };
    match close {
        None => Header {
            written: between(open, line.len()),
            pattern: between(inner, line.len()),
            quotes: Quotes::Open,
            conditions: vec![],
            rest: between(line.len(), line.len()),
        },
        Some((close, _)) => {
            let written = between(open, close + 1);
            with_conditions(line, written, between(inner, close), Quotes::Yes)
        }
    }
}

/// Where the line's comment starts, at or after the byte `from`: a `#` at the start of the line or
/// after a blank. The end of the line if there is no comment.
fn comment(line: &str, from: usize) -> usize {
    line.match_indices('#')
        .map(|(at, _)| at)
        .find(|at| {
            *at >= from && line.get(..*at).is_some_and(|b| b.is_empty() || b.ends_with(BLANKS))
        })
        .unwrap_or(line.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn setting(line: &str) -> Option<(&str, &str)> {
        match lex(line) {
            Some(Content::Setting { key, value }) => Some((key.text, value.text)),
            _ => None,
        }
    }

    /// The pattern of a header, how it is quoted, and what follows its conditions.
    fn header(line: &str) -> Option<(&str, Quotes, &str)> {
        match lex(line) {
            Some(Content::Header(header)) => {
                Some((header.pattern.text, header.quotes, header.rest.text))
            }
            _ => None,
        }
    }

    #[test]
    fn a_hash_at_the_start_or_behind_a_blank_opens_a_comment() {
        for line in ["", " \t", "# a: b = c", "   # a", "\t#", "#"] {
            assert_eq!(lex(line), None, "{line:?}");
        }
        assert_eq!(setting("a = b # c"), Some(("a", "b")));
        assert_eq!(setting("a = b\t# c"), Some(("a", "b")));
        assert_eq!(setting("a = b# c"), Some(("a", "b# c")));
        assert_eq!(header("a: # b"), Some(("a", Quotes::No, ":")));
    }

    #[test]
    fn the_first_colon_or_equals_sign_tells_a_header_from_a_setting() {
        assert_eq!(setting("\ta=b:"), Some(("a", "b:")));
        assert_eq!(header(" a : b = c"), Some(("a", Quotes::No, ": b = c")));
        assert_eq!(header("a b"), Some(("a b", Quotes::No, "")));
    }

    #[test]
    fn a_colon_at_the_end_is_that_of_the_header() {
        assert_eq!(header("a:b :"), Some(("a:b", Quotes::No, ":")));
        assert_eq!(header(":"), Some(("", Quotes::No, ":")));
    }

    #[test]
    fn words_with_an_equals_sign_behind_a_pattern_are_conditions() {
        let conditions = |line: &'static str| match lex(line) {
            Some(Content::Header(header)) => {
                let both = |(key, value): &(Word<'static>, Word<'static>)| (key.text, value.text);
                let all: Vec<_> = header.conditions.iter().map(both).collect();
                (header.pattern.text, all, header.rest.text)
            }
            other => panic!("{line}: {other:?}"),
        };
        let (project, role) = (("project", "acme"), ("role", "db*"));
        assert_eq!(
            conditions("qemu-* project=acme role=db* :"),
            ("qemu-*", vec![project, role], ":")
        );
        let title = ("title", "\"Web 1 # : =\"*");
        assert_eq!(conditions("\"a b\" title=\"Web 1 # : =\"*: # x"), ("a b", vec![title], ":"));
        assert_eq!(conditions("a b=\"c\\\" d\":"), ("a", vec![("b", "\"c\\\" d\"")], ":"));
        assert_eq!(conditions("qemu-a role=db"), ("qemu-a", vec![("role", "db")], ""));
        assert_eq!(conditions("qemu-a role=a:b:"), ("qemu-a", vec![("role", "a")], ":b:"));
        assert_eq!(conditions("qemu-a role=a b:"), ("qemu-a", vec![("role", "a")], "b:"));
        assert_eq!(header("a b=\"c:").unwrap().1, Quotes::Open);
    }

    #[test]
    fn equals_signs_in_the_value_of_a_setting_are_part_of_it() {
        assert_eq!(setting("interval =60 a=b"), Some(("interval", "60 a=b")));
        assert_eq!(setting("interval=60 a=b:"), Some(("interval", "60 a=b:")));
        assert_eq!(setting("interval = a=b:"), Some(("interval", "a=b:")));
        assert_eq!(setting("a b= c"), Some(("a b", "c")));
    }

    #[test]
    fn nothing_between_double_quotes_is_special_to_a_line() {
        assert_eq!(header("  \"a # = : \": # b"), Some(("a # = : ", Quotes::Yes, ":")));
        assert_eq!(header("\"a\\\"b\\\\\":"), Some(("a\\\"b\\\\", Quotes::Yes, ":")));
        assert_eq!(header("\"a: # b"), Some(("a: # b", Quotes::Open, "")));
        assert_eq!(header("\"a\"# b"), Some(("a", Quotes::Yes, "# b")));
        assert_eq!(header("a\" # b\":"), Some(("a\"", Quotes::No, "")));
    }

    proptest! {
        #[test]
        fn every_piece_stands_where_it_says(line in "[a\"\\\\# =:\tä]{0,12}|a b=[a\"# =:]{0,9}") {
            let words = match lex(&line) {
                None => vec![],
                Some(Content::Setting { key, value }) => vec![key, value],
                Some(Content::Header(h)) => {
                    let conditions = h.conditions.iter().flat_map(|(key, value)| [*key, *value]);
                    conditions.chain([h.written, h.pattern, h.rest]).collect()
                }
            };
            for word in words {
                prop_assert_eq!(line.get(word.at..word.end()), Some(word.text));
            }
        }
    }
}
