//! The grammar of names: `[A-Za-z0-9_-]+`, joined by dots.

/// Whether `word` has the form of a statistic's or a group's name. Whether that name exists is not
/// checked.
pub fn is_name(word: &str) -> bool {
    word.split('.').all(is_segment)
}

/// Whether `segment` may stand between two dots of a name.
pub fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_words_of_letters_digits_underscores_and_hyphens_joined_by_dots() {
        for name in ["a", "physcpus", "loadavg.1", "vm.disk.vd_a-1.read.bytes", "A.b"] {
            assert!(is_name(name), "{name}");
        }
        for word in ["", ".", "a.", ".a", "a..b", "a b", "ä", "a*", "/metrics/XML", "a=1"] {
            assert!(!is_name(word), "{word}");
        }
    }
}
