//! Text within XML and HTML.

/// Text as it stands in an element or an attribute of XML or HTML 5. What XML has no way to write becomes a
/// blank.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '\'' => escaped.push_str("&apos;"),
            '"' => escaped.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => escaped.push(' '),
            c if c.is_control() => escaped.push(' '),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_neither_an_element_nor_the_end_of_an_attribute() {
        assert_eq!(escaped("<a b='\"&"), "&lt;a b=&apos;&quot;&amp;");
        assert_eq!(escaped("a\n\u{0}\u{FFFF}é"), "a   é");
    }
}
