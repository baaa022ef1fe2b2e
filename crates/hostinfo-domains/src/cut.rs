//! Text that is too long.

/// The longest beginning of `text` that has at most `length` bytes.
pub fn cut(text: &str, length: usize) -> &str {
    let mut end = length.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_between_characters() {
        assert_eq!([cut("ab\u{e9}", 3), cut("ab\u{e9}", 4), cut("", 3)], ["ab", "ab\u{e9}", ""]);
    }
}
