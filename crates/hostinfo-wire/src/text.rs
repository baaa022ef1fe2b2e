//! Which characters are safe in text that others see.

use std::borrow::Cow;
use std::fmt::Write as _;

/// Whether a character does nothing but show itself: it is not a control character, does not end a
/// line (U+2028, U+2029), does not change the writing direction, and is not invisible. The joiners
/// of letters and emoji (U+200C, U+200D) and what chooses between two looks of a character (U+FE00 to U+FE0F) are
/// allowed, since they affect how these look.
pub fn is_printable(c: char) -> bool {
    // Most text is ASCII, of which only control characters are not printable.
    matches!(c, ' '..='~') || !c.is_control() && (!is_invisible(c) || changes_looks(c))
}

/// Default_Ignorable_Code_Point of Unicode 17 (DerivedCoreProperties.txt), what ends lines, annotates or changes the
/// direction, and U+2800, which looks like a blank.
fn is_invisible(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{17b4}' | '\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{2800}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{1bca0}'..='\u{1bca3}'
        | '\u{1d173}'..='\u{1d17a}' | '\u{e0000}'..='\u{e0fff}')
}

/// Invisible itself, but part of how its neighbours look.
fn changes_looks(c: char) -> bool {
    matches!(c, '\u{200c}' | '\u{200d}' | '\u{fe00}'..='\u{fe0f}')
}

/// The same text with a blank in place of each character that is not [printable](is_printable), and
/// without blanks at the ends: always a single line.
pub fn printable(text: Cow<'_, str>) -> Cow<'_, str> {
    if text.chars().all(is_printable) && text.trim().len() == text.len() {
        return text;
    }
    let clean: String = text.chars().map(|c| if is_printable(c) { c } else { ' ' }).collect();
    Cow::Owned(clean.trim().to_owned())
}

/// The same text with `\u{...}` in place of each character that is not [printable](is_printable): nothing of it is lost.
pub fn escaped(text: &str) -> String {
    spelt_out(text, is_printable)
}

/// The same of text that has line ends and tabs of its own, which stay.
pub fn escaped_lines(text: &str) -> String {
    spelt_out(text, |c| is_printable(c) || matches!(c, '\n' | '\t'))
}

fn spelt_out(text: &str, is_kept: impl Fn(char) -> bool) -> String {
    if text.chars().all(&is_kept) {
        return text.to_owned();
    }
    let mut shown = String::with_capacity(text.len());
    for c in text.chars() {
        match is_kept(c) {
            true => shown.push(c),
            false => shown.extend(c.escape_unicode()),
        }
    }
    shown
}

/// JSON that means the same, with `\uXXXX` in place of each character that is not [printable](is_printable), or is
/// invisible itself: a program reads what was there, and a terminal shows it. Outside of strings, JSON has none of these.
pub fn escaped_json(json: &str) -> Cow<'_, str> {
    let is_kept = |c| matches!(c, '\n' | '\t') || (is_printable(c) && !is_invisible(c));
    if json.chars().all(is_kept) {
        return Cow::Borrowed(json);
    }
    let mut escaped = String::with_capacity(json.len());
    for c in json.chars() {
        if is_kept(c) {
            escaped.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // Writing to a String does not fail.
                let _ = write!(escaped, "\\u{unit:04x}");
            }
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_one_line_of_what_shows_as_it_is() {
        for (text, told) in [
            (" a\tb\nc\u{85}", "a b c"),
            ("\u{1b}[31mred", "[31mred"),
            ("user\u{202e}gpj.exe", "user gpj.exe"),
            ("one\u{2028}two\u{2029}three", "one two three"),
            ("\u{feff}a\u{200b}b\u{2066}c\u{e0041}", "a b c"),
            ("Übergröße שלום 👩\u{200d}🚀 ❤\u{fe0f}", "Übergröße שלום 👩\u{200d}🚀 ❤\u{fe0f}"),
            ("web\u{3164}1\u{2800}2\u{e0100}3", "web 1 2 3"),
        ] {
            assert_eq!(printable(text.into()), told, "{text:?}");
        }
    }

    #[test]
    fn characters_that_do_something_to_a_terminal_are_spelt_out() {
        assert_eq!(escaped("a\u{1b}[31m\u{202e}b é\n"), "a\\u{1b}[31m\\u{202e}b é\\u{a}");
        assert_eq!(escaped_lines("200-a\n\t200 \u{1b}b\rc\n"), "200-a\n\t200 \\u{1b}b\\u{d}c\n");
        assert_eq!(escaped_lines(""), "");
    }

    #[test]
    fn json_spells_out_what_a_terminal_would_not_show_as_it_is() {
        for (json, told) in [
            ("{\n  \"a\": \"é 👩🚀\"\n}", "{\n  \"a\": \"é 👩🚀\"\n}"),
            ("\"a\u{9b}31m\u{7f}\"", "\"a\\u009b31m\\u007f\""),
            ("\"\u{202e}gpj\u{200b}\u{2066}\"", "\"\\u202egpj\\u200b\\u2066\""),
            ("\"a\u{200d}\u{e0041}\"", "\"a\\u200d\\udb40\\udc41\""),
            ("\"a\u{34f}\u{3164}\u{fe0f}\u{2800}\"", "\"a\\u034f\\u3164\\ufe0f\\u2800\""),
        ] {
            assert_eq!(escaped_json(json), told);
        }
    }

    proptest! {
        #[test]
        fn any_text_becomes_printable_and_stays_so(text in "(.|\\pC|\\pZ){0,20}") {
            let told = printable(text.into());
            prop_assert!(told.chars().all(is_printable));
            prop_assert_eq!(printable(Cow::Borrowed(&told)), told.clone());
        }
    }
}
