//! Errors and warnings, with their places.

use std::path::Path;

use hostinfo_rules::{Problem, check, parse};

use crate::{SECOND, errors, interval, parsed, places, sees, warnings};

#[test]
fn a_setting_before_the_first_header_is_an_error() {
    let file = "\ninterval = 1\n physcpus = 0\na-1:\n";
    assert_eq!(places(file), [(2, 1), (3, 2)]);
    assert!(errors(file)[0].contains("before the first header"));
}

#[test]
fn names_of_instances_are_accepted_with_a_warning() {
    for name in ["custom.rack", "label.contact", "vm.disk.vda", "notice.1", "vm.cpu.0.delay"] {
        let warnings = warnings(&format!("*:\n {name} = 1\n"));
        assert!(warnings.len() == 1 && warnings[0].starts_with("F:2:2: warning: "), "{warnings:?}");
    }
    assert!(!sees("*:\n vm.disk.vda = 0", "a-1", "vm.disk.vda.read.ops"));
    assert!(sees("*:\n vm.disk.vda = 0", "a-1", "vm.disk.vdb.read.ops"));
    assert!(warnings("*:\n custom = 1\n label = 1\n").is_empty());
    for name in ["custom.", "custom.a..b", "label.ü", "notice.one", "vm.disk.v/da"] {
        assert_eq!(places(&format!("*:\n {name} = 1\n")), [(2, 2)], "{name} is not well-formed");
    }
}

#[test]
fn an_unknown_key_is_an_error_with_the_nearest_known_name() {
    assert_eq!(
        errors("*:\n\tphyscpu = 1   # all of them\n"),
        ["F:2:2: error: unknown key `physcpu`\n   physcpu = 1   # all of them\n   ^ expected \
          `enabled`, `interval`, `watch`, `vhostmd-disk`, `all`, `vhostmd`, or a statistic or group, did you \
          mean `physcpus`?"]
    );
}

#[test]
fn a_bad_value_is_an_error_with_what_was_expected() {
    assert_eq!(
        errors("*:\n  physcpus = maybe\n"),
        ["F:2:14: error: bad value `maybe` of `physcpus`\n    physcpus = maybe\n               \
          ^ expected `0` or `1` (or `no`, `yes`, `off`, `on`, `false`, `true`)"]
    );
    assert_eq!(places("*:\n physcpus =\n"), [(2, 12)]);
    assert_eq!(places("*:\n physcpus = # 1\n"), [(2, 12)]);
    assert_eq!(places("*:\n = 1\n"), [(2, 2)]);
}

#[test]
fn a_key_given_twice_is_an_error_whatever_its_case_and_values() {
    for (one, two) in
        [("physcpus = 0", "physcpus = 0"), ("interval = 1", "Interval = 2"), ("ALL = 0", "all=1")]
    {
        let file = format!("a-1:\n {one}\n # between\n {two}\n");
        let errors = errors(&file);
        assert!(errors.len() == 1 && errors[0].starts_with("F:4:2: error: "), "{errors:?}");
        assert!(errors[0].contains("line 2"), "{errors:?}");
    }
    assert!(errors("a-1:\n interval = 1\na-2:\n interval = 1\n").is_empty(), "in one rule");
    assert!(errors("a-1:\n loadavg = 0\n loadavg.1 = 1\n").is_empty(), "two names are two keys");
}

#[test]
fn a_missing_colon_is_an_error() {
    assert_eq!(places("qemu-a\n interval = 1\n"), [(1, 7)], "and nothing follows from it");
    assert_eq!(places("a-1:\n interval = 1\nqemu-*   # all\n interval = 1\n"), [(3, 7)]);
    assert_eq!(places("hello my world"), [(1, 15)]);
}

#[test]
fn a_missing_equals_sign_is_an_error() {
    assert_eq!(places("*:\n interval 60\n"), [(2, 10)]);
    assert_eq!(places("*:\n interval: 60\n"), [(2, 10)]);
    assert_eq!(places("*:\n physcpus\n interval = 1"), [(2, 10)]);
}

#[test]
fn settings_have_lines_of_their_own() {
    assert_eq!(places("a-1: interval = 60\n physcpus = 0\n"), [(1, 6)]);
    assert_eq!(places("a-1:\n interval = 60, physcpus = 0\n"), [(2, 13)]);
}

#[test]
fn all_errors_are_reported_in_the_order_of_the_lines() {
    let file =
        "x = 1\n[a:\n intervall = 5\n interval = x\nqemu-*\n physcpus = 2\n physcpus = 1\n*:\n";
    let lines: Vec<usize> = places(file).into_iter().map(|(line, _)| line).collect();
    assert_eq!(lines, [1, 1, 2, 3, 4, 5, 6, 7]);
}

#[test]
fn a_bad_header_makes_no_errors_of_the_settings_below_it() {
    for header in ["[a:", "\"a:", "a b:", "\\a:", ":", "a", "\"\":", "a=b:", "a b c"] {
        let file = format!("*:\n interval = 1\n{header}\n interval = 5\n physcpus = 1\n");
        assert!(places(&file).iter().all(|(line, _)| *line == 3), "{header}");
        assert!(!places(&file).is_empty(), "{header}");
    }
}

#[test]
fn a_bad_pattern_is_an_error() {
    for file in ["qemu-[a-:", "qemu-[]:", "qemu-[!]:", "qemu-[z-a]:", "qemu-[:"] {
        assert_eq!(places(file).len(), 1, "{file}");
    }
    assert_eq!(places(":"), [(1, 1)]);
    assert_eq!(places("  \"\":"), [(1, 4)]);
}

#[test]
fn bytes_that_are_not_utf8_are_an_error_with_a_place() {
    let problems =
        parse(b"*:\n # gr\xFC\xDFe\n interval = 5\n\xC3(:\n interval = 5\n").unwrap_err();
    let places: Vec<_> = problems.iter().map(|p| (p.line(), p.column())).collect();
    assert_eq!(places, [(2, 6), (4, 1)]);
    assert!(problems[0].show(Path::new("F")).to_string().contains("not UTF-8"));
}

#[test]
fn a_file_that_is_no_text_is_one_error() {
    let program = b"\x7fELF\x02\x01\x01\n\xb8 a\n\0\n\xff\n".repeat(1000);
    let archive: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let utf16: Vec<u8> = "\u{feff}*:\r\n interval = 5\r\n"
        .repeat(500)
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    for (file, place, words) in [
        (&program[..], (3, 1), "this file is not text"),
        (&archive, (1, 1), "this file is not text"),
        (&utf16, (1, 4), "this file is UTF-16"),
    ] {
        let problems = parse(file).unwrap_err();
        let [problem] = &problems[..] else { panic!("{} errors", problems.len()) };
        assert_eq!(((problem.line(), problem.column()), problem.message()), (place, words));
    }
}

#[test]
fn a_rule_that_earlier_ones_cover_is_a_warning_with_their_lines() {
    let shown = warnings("*:\n\nqemu-a:\n interval = 1\n");
    assert_eq!(
        shown,
        ["F:3:1: warning: this rule can never match: `*` in line 1 comes first\n  qemu-a:\n  ^ \
          move it up: the first rule that matches a guest decides"]
    );
    let together = warnings("qemu-[a-m]*:\nxen-*:\nqemu-[n-z]*:\nqemu-[a-z]?:\n");
    assert!(
        together.len() == 1 && together[0].contains("line 1") && together[0].contains("line 3")
    );
    assert!(warnings("qemu-a:\nqemu-*:\n*:\n").is_empty());
    assert_eq!(warnings("qemu-a:\nqemu-a:\n").len(), 1);
    assert_eq!(
        interval("*:\ninterval = 2\nqemu-a:\ninterval = 3", "qemu-a"),
        2 * SECOND,
        "it is no more"
    );
}

#[test]
fn a_pattern_that_fits_no_guests_name_is_a_warning() {
    for header in ["myguest:", "qemu-a/b:", "\"qemu-\ta\":", "-a:", "qemu-:"] {
        assert_eq!(warnings(header).len(), 1, "{header}");
    }
}

#[test]
fn a_rule_that_opens_much_to_guests_that_select_themselves_is_a_warning_of_check_alone() {
    let warnings = |file: &str| {
        let parsed = check(file.as_bytes(), |key| key != "project").unwrap();
        parsed.warnings.iter().map(Problem::line).collect::<Vec<_>>()
    };
    let opens = "qemu-* role=db:\n host.name = 1\nqemu-* project=a role=web:\n host.name = 1\n\
                 qemu-a:\n host.name = 1\n* title=*:\n all = 1\n";
    assert_eq!(warnings(opens), [1, 7]);
    let opens_nothing = "qemu-* role=db:\n loadavg = 0\n* uuid=*:\n all = 1\n enabled = 0\n";
    assert!(warnings(opens_nothing).is_empty());
    assert!(parsed(opens).warnings.is_empty(), "who serves need not be told again and again");
}
