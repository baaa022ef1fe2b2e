use super::*;
use proptest::prelude::*;

fn faults(text: &str, quoted: bool) -> Vec<(usize, String)> {
    let faults = parse(text, quoted).err().unwrap_or_default();
    faults.into_iter().map(|fault| (fault.at, fault.message)).collect()
}

/// Where the only fault is.
fn only(text: &str, quoted: bool) -> usize {
    let [(at, _)] = faults(text, quoted)[..] else { panic!("{text}: {:?}", faults(text, quoted)) };
    at
}

#[test]
fn a_backslash_takes_away_the_meaning_of_six_characters() {
    for c in SPECIAL {
        let pattern = pattern(&format!("a-\\{c}"));
        assert!(pattern.matches(&format!("a-{c}")) && pattern.literal().is_some(), "{c}");
    }
}

#[test]
fn a_backslash_before_anything_else_is_an_error() {
    for c in ["a", "-", "!", "n", ":", " ", "#", "ü", ""] {
        assert_eq!(only(&format!("a\\{c}"), true), 1, "{c}");
    }
    assert_eq!(faults("\\a\\b[\\c]", true).len(), 3);
}

#[test]
fn a_set_holds_ranges_and_single_characters() {
    let set = pattern("[a-cx0-]");
    assert!(["a", "b", "c", "x", "0", "-"].iter().all(|name| set.matches(name)));
    assert!(["d", "", "ab", "A"].iter().all(|name| !set.matches(name)));
}

#[test]
fn an_exclamation_mark_means_all_but_the_set() {
    let set = pattern("[!a-c]");
    assert!(["d", "!", "ü"].iter().all(|name| set.matches(name)));
    assert!(["a", "c", ""].iter().all(|name| !set.matches(name)));
    assert!(pattern("[a!]").matches("!"));
}

#[test]
fn a_closing_bracket_that_comes_first_is_a_member() {
    assert!(pattern("[]a]").matches("]") && pattern("[]a]").matches("a"));
    assert!(!pattern("[!]a]").matches("]") && pattern("[!]a]").matches("b"));
    assert!(pattern("a]").matches("a]"), "outside of a set it means itself");
}

#[test]
fn wildcards_in_a_set_mean_themselves_and_escapes_work() {
    assert_eq!(pattern("[*]"), pattern("\\*"));
    assert!(pattern("[?[]").matches("[") && !pattern("[?[]").matches("a"));
    assert!(pattern("[a\\]b]").matches("]") && pattern("[\\[-\\]]").matches("\\"));
}

#[test]
fn a_set_without_an_end_and_a_range_backwards_are_errors() {
    for (text, at) in [("ab[", 2), ("[", 0), ("[]", 0), ("[!]", 0), ("[a\\]", 0), ("[!", 0)] {
        assert_eq!(only(text, true), at, "{text}");
    }
    assert_eq!(only("x[z-a]", true), 2);
    assert_eq!(only("[a--]", true), 1);
}

#[test]
fn blanks_hashes_colons_and_equals_signs_want_quotes() {
    for c in [' ', '\t', '#', ':', '='] {
        for text in [format!("a-{c}b"), format!("[{c}a]")] {
            assert!(parse(&text, true).is_ok(), "{text}");
            assert_eq!(faults(&text, false).len(), 1, "{text}");
        }
    }
    assert_eq!(only("a b: c", false), 1, "the first one is enough");
    assert_eq!(only("a \"b", true), 2, "quotes go around the whole");
    assert!(parse("a\\\"b", false).is_ok());
}

#[test]
fn a_caret_in_a_set_is_no_negation_and_worth_a_warning() {
    let (pattern, warnings) = parse("[^a]", false).unwrap();
    assert!(pattern.matches("^") && pattern.matches("a") && !pattern.matches("b"));
    assert_eq!(warnings.len(), 1);
}

#[test]
fn a_text_that_is_nothing_but_a_pattern_needs_no_quotes_and_may_have_them() {
    for text in ["qemu-Windows 11*", "\"qemu-Windows 11*\""] {
        assert!(text.parse::<Pattern>().unwrap().matches("qemu-Windows 11 b"), "{text}");
    }
    for text in ["", "\"\"", "\"", "qemu-[a", "\"a\\\"", "a\"b"] {
        assert!(text.parse::<Pattern>().is_err(), "{text}");
    }
    assert_eq!(
        "qemu-[a".parse::<Pattern>().unwrap_err().to_string(),
        "pattern `qemu-[a`: set without an end; expected `]` somewhere behind `[`"
    );
}

#[test]
fn an_empty_pattern_is_an_error() {
    assert_eq!(only("", true), 0);
    assert_eq!(only("", false), 0);
}

proptest! {
    #[test]
    fn any_text_is_a_pattern_or_has_faults_in_it(text in any::<String>(), quoted: bool) {
        match parse(&text, quoted) {
            Ok((pattern, _)) => prop_assert!(!pattern.parts().is_empty()),
            Err(faults) => prop_assert!(faults.iter().all(|fault| text.is_char_boundary(fault.at))),
        }
    }
}
