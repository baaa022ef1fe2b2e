//! Values after `=` other than times.

/// A truth value, in upper or lower case.
pub(crate) fn truth(text: &str) -> Option<bool> {
    let is = |words: [&str; 4]| words.iter().any(|word| text.eq_ignore_ascii_case(word));
    if is(["1", "yes", "on", "true"]) {
        Some(true)
    } else if is(["0", "no", "off", "false"]) {
        Some(false)
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn truth_has_eight_words_in_any_case() {
        for word in ["1", "yes", "on", "true", "YES", "On", "tRUE"] {
            assert_eq!(truth(word), Some(true), "{word}");
        }
        for word in ["0", "no", "off", "false", "NO", "Off", "fALSE"] {
            assert_eq!(truth(word), Some(false), "{word}");
        }
        for word in ["", "2", "00", "y", "none", "1 1", "-1", "enabled"] {
            assert_eq!(truth(word), None, "{word}");
        }
    }

    proptest! {
        #[test]
        fn any_text_has_an_answer(text in "\\PC{0,20}") {
            let _ = truth(&text);
        }
    }
}
