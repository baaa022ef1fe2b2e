//! Text within XML and HTML.

/// Escapes text for an element or an attribute of XML or HTML 5. A character that XML cannot represent becomes
/// a blank.
pub fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    push_escaped(&mut escaped, text);
    escaped
}

/// Appends escaped text.
pub(crate) fn push_escaped(to: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => to.push_str("&amp;"),
            '<' => to.push_str("&lt;"),
            '>' => to.push_str("&gt;"),
            '\'' => to.push_str("&apos;"),
            '"' => to.push_str("&quot;"),
            '\u{FFFE}' | '\u{FFFF}' => to.push(' '),
            c if c.is_control() => to.push(' '),
            c => to.push(c),
        }
    }
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
