//! Conditions on a guest's tags.

use hostinfo_rules::{Decision, Tag, Tags};

use crate::rules;

/// The line of the rule that decides for a guest with these tags; a tag without a value is
/// unreadable.
fn line(file: &str, tags: &[(&str, Option<&str>)]) -> Result<usize, usize> {
    let tag = |value: &Option<&str>| value.map_or(Tag::Unreadable, |text| Tag::Value(text.into()));
    let tags = tags.iter().map(|(key, value)| ((*key).into(), tag(value))).collect();
    match rules(file).decide_tagged("qemu-a", &Tags::Known(tags)) {
        Decision::Granted(grant) => Ok(grant.rule().unwrap().line),
        Decision::Unreadable(grant) => Err(grant.rule().unwrap().line),
    }
}

#[test]
fn all_conditions_of_a_header_have_to_hold() {
    let file = "qemu-* project=acme role=db*:\nqemu-* project=acme:\n*:\n";
    assert_eq!(line(file, &[("project", Some("acme")), ("role", Some("db7"))]), Ok(1));
    assert_eq!(line(file, &[("project", Some("acme")), ("role", Some("web"))]), Ok(2));
    assert_eq!(line(file, &[("project", Some("acme"))]), Ok(2));
    assert_eq!(line(file, &[("role", Some("db7"))]), Ok(3));
    assert_eq!(rules(file).decide("qemu-a").rule().unwrap().line, 3, "no tag is known");
}

#[test]
fn a_guest_whose_tag_cannot_be_read_never_falls_through_to_a_later_rule() {
    let file = "xen-* project=acme:\nqemu-* project=acme role=db:\n*:\n";
    assert_eq!(line(file, &[("project", None), ("role", Some("db"))]), Err(2));
    assert_eq!(line(file, &[("project", None), ("role", Some("web"))]), Ok(3), "it surely has not");
    let silent = rules(file).decide_tagged("qemu-a", &Tags::Unreadable);
    assert!(matches!(silent, Decision::Unreadable(grant) if grant.rule().unwrap().line == 2));
    let before = "qemu-a:\nqemu-* project=acme:\n";
    let granted = rules(before).decide_tagged("qemu-a", &Tags::Unreadable);
    assert!(matches!(granted, Decision::Granted(_)), "nobody has to look at a tag");
}

#[test]
fn a_value_is_a_pattern_and_quoted_where_it_has_to_be() {
    for (value, yes, no) in [
        ("acme", "acme", "Acme"),
        ("db[0-9]?", "db1x", "db1"),
        ("\"Web 1\"*", "Web 1 of 2", "Web 2"),
        ("a\"# b:\"c", "a# b:c", "a# b:"),
        ("\"\"", "", "x"),
        ("\\*", "*", "x"),
    ] {
        let file = format!("qemu-* title={value}:\n*:\n");
        assert_eq!(line(&file, &[("title", Some(yes))]), Ok(1), "{file}");
        assert_eq!(line(&file, &[("title", Some(no))]), Ok(2), "{file}");
    }
}
