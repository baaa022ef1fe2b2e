//! Patterns of guests' names.

use crate::{SECOND, errors, interval, places, rules, warnings};

#[test]
fn the_pattern_is_matched_against_the_whole_name_with_case() {
    let file = "qemu-a:\n interval = 5";
    assert_eq!(interval(file, "qemu-a"), 5 * SECOND);
    for guest in ["qemu-A", "qemu-ab", "xqemu-a", "a", "QEMU-a"] {
        assert_eq!(interval(file, guest), SECOND, "{guest}");
    }
}

#[test]
fn any_driver_word_and_any_character_of_a_file_name_will_do() {
    for (pattern, guest) in [
        ("lxc-a", "lxc-a"),
        ("qemu-a-b--c", "qemu-a-b--c"),
        ("qemu-größe主", "qemu-größe主"),
        ("\"qemu-a b#c:d=e\"", "qemu-a b#c:d=e"),
        ("qemu-a;b,c%(d)|'$@!^~`{}&<>]", "qemu-a;b,c%(d)|'$@!^~`{}&<>]"),
        (r#"qemu-\*\?\[\]\\\""#, r#"qemu-*?[]\""#),
    ] {
        let file = format!("{pattern}:\n interval = 5");
        assert_eq!(interval(&file, guest), 5 * SECOND, "{pattern}");
        assert!(warnings(&file).is_empty(), "{pattern}");
    }
}

#[test]
fn stars_question_marks_and_sets_are_wildcards() {
    for (pattern, guest, matches) in [
        ("qemu-*", "qemu-anything", true),
        ("*", "qemu-anything", true),
        ("qemu-web?", "qemu-web1", true),
        ("qemu-web?", "qemu-web", false),
        ("qemu-web?", "qemu-web11", false),
        ("qemu-[a-z]", "qemu-m", true),
        ("qemu-[a-z]", "qemu-M", false),
        ("qemu-[!a-z]", "qemu-M", true),
        ("qemu-[!a-z]", "qemu-m", false),
        ("qemu-[a-z]", "qemu-", false),
    ] {
        let file = format!("{pattern}:\n interval = 5");
        assert_eq!(interval(&file, guest) == 5 * SECOND, matches, "{pattern} {guest}");
    }
}

#[test]
fn a_backslash_takes_away_special_meaning_and_is_an_error_before_anything_else() {
    assert_eq!(interval("qemu-\\*:\n interval = 5", "qemu-*"), 5 * SECOND);
    assert_eq!(interval("qemu-\\*:\n interval = 5", "qemu-a"), SECOND);
    assert_eq!(interval("\"qemu-\\\" \\*\":\n interval = 5", "qemu-\" *"), 5 * SECOND);
    for file in ["qemu-\\a:", "\"qemu-\\ a\":", "qemu-\\:", "qemu-[\\-]:", "qemu-\\#:"] {
        assert_eq!(places(file).first(), Some(&(1, file.find('\\').unwrap() + 1)), "{file}");
    }
}

#[test]
fn a_pattern_with_spaces_hashes_colons_or_equals_signs_goes_into_double_quotes() {
    let file = "\"qemu-my guest #[0-9]: a=*\":\n interval = 5";
    assert_eq!(interval(file, "qemu-my guest #7: a=bc"), 5 * SECOND, "wildcards still work");
    assert_eq!(interval(file, "qemu-my guest #x: a=bc"), SECOND);
    for header in ["qemu-a b:", "qemu-a#b:", "qemu-a:b:", "qemu-a=b:", "qemu-[a=b]:", "qemu-a\tb:"]
    {
        let file = format!("{header}\n interval = 5");
        let errors = errors(&file);
        assert!(errors.len() == 1 && errors[0].contains("quotes"), "{header}: {errors:?}");
    }
}

#[test]
fn quotes_go_around_the_whole_pattern_and_have_an_end() {
    for (file, place) in [
        ("\"qemu-a:", (1, 1)),
        ("\"qemu-a\\\":", (1, 1)),
        ("\"qemu-\"*:", (1, 8)),
        ("qemu-\"a b\":", (1, 6)),
        ("\"qemu-a\"", (1, 9)),
        ("\"qemu-a\" = 1", (1, 10)),
    ] {
        assert_eq!(places(file).first(), Some(&place), "{file}");
    }
}

#[test]
fn patterns_without_wildcards_name_guests() {
    let rules = rules("qemu-\\*:\n\"qemu-a b\":\nqemu-*:\n");
    assert_eq!(rules.named_guests().collect::<Vec<_>>(), ["qemu-*", "qemu-a b"]);
}
