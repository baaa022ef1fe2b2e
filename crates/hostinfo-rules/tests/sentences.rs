//! Tests the file format, with a test for each sentence of its description.

// Helpers of tests may do what tests may.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;
use std::time::Duration;

use hostinfo_catalog::{Named, StatId, resolve};
use hostinfo_rules::{Decision, Parsed, Problem, Rules, Tag, Tags, check, parse};

fn parsed(file: &str) -> Parsed {
    parse(file.as_bytes()).unwrap_or_else(|_| panic!("{}", errors(file).join("\n")))
}

fn rules(file: &str) -> Rules {
    parsed(file).rules
}

/// The errors as shown.
fn errors(file: &str) -> Vec<String> {
    let problems = parse(file.as_bytes()).err().unwrap_or_default();
    problems.iter().map(|problem| problem.show(Path::new("F")).to_string()).collect()
}

/// The positions of the errors.
fn places(file: &str) -> Vec<(usize, usize)> {
    let problems = parse(file.as_bytes()).err().unwrap_or_default();
    problems.iter().map(|problem| (problem.line(), problem.column())).collect()
}

fn warnings(file: &str) -> Vec<String> {
    let warnings = parsed(file).warnings;
    warnings.iter().map(|warning| warning.show(Path::new("F")).to_string()).collect()
}

fn sees(file: &str, guest: &str, name: &str) -> bool {
    let Some(Named::Stat(stat, instance)) = resolve(name) else { panic!("{name}") };
    rules(file).decide(guest).permits(stat, instance.as_deref())
}

fn interval(file: &str, guest: &str) -> Duration {
    rules(file).decide(guest).interval()
}

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn the_example_works_to_the_letter() {
    let file = include_str!("../fixtures/good/example.conf");
    assert!(warnings(file).is_empty());
    for (guest, seconds, physcpus, line) in [
        ("qemu-myguest", 60, false, 1),
        ("qemu-other", 30, true, 5),
        ("qemu-myguest2", 30, true, 5),
        ("xen-myguest", 1, true, 8),
    ] {
        assert_eq!(interval(file, guest), seconds * SECOND, "{guest}");
        assert_eq!(sees(file, guest, "physcpus"), physcpus, "{guest}");
        assert_eq!(rules(file).decide(guest).rule().unwrap().line, line, "{guest}");
    }
}

#[test]
fn a_rule_is_a_header_and_the_settings_below_it() {
    let file = "a-1:\ninterval = 2\nphyscpus = 0\na-2:\ninterval = 3\n";
    assert_eq!(rules(file).len(), 2);
    assert_eq!(interval(file, "a-1"), 2 * SECOND);
    assert_eq!(interval(file, "a-2"), 3 * SECOND);
    assert!(!sees(file, "a-1", "physcpus") && sees(file, "a-2", "physcpus"));
}

#[test]
fn indentation_and_blank_lines_do_not_matter() {
    let tidy = "a-1:\n  interval = 2\n";
    for file in [
        "a-1:\ninterval=2",
        "\n\n \t\n\t a-1 : \n\n\n\t\tinterval\t=   2  \n\n",
        "a-1:\r\n  interval = 2\r\n",
        "\u{feff}a-1:\n  interval = 2\n",
    ] {
        assert_eq!(interval(file, "a-1"), interval(tidy, "a-1"), "{file:?}");
    }
}

#[test]
fn a_hash_at_the_start_of_a_line_or_behind_white_space_opens_a_comment() {
    let file = "# a: b\n  # = :\na-1: # x: y\n  interval = 2\t# = 3\n#interval = 4\n";
    assert_eq!(interval(file, "a-1"), 2 * SECOND);
    assert_eq!(places("a-1:\n interval = 2# x"), [(2, 13)], "elsewhere it is part of the value");
    assert_eq!(places("a-1:# x"), [(1, 5)]);
}

#[test]
fn a_setting_before_the_first_header_is_an_error() {
    let file = "\ninterval = 1\n physcpus = 0\na-1:\n";
    assert_eq!(places(file), [(2, 1), (3, 2)]);
    assert!(errors(file)[0].contains("before the first header"));
}

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
fn the_first_rule_that_matches_decides_alone_and_nothing_is_inherited() {
    let file = "qemu-a:\n physcpus = 0\nqemu-*:\n interval = 30\n*:\n interval = 5\n enabled = 0\n";
    assert_eq!(interval(file, "qemu-a"), SECOND);
    assert!(rules(file).decide("qemu-a").enabled());
    assert_eq!(interval(file, "qemu-b"), 30 * SECOND);
    assert!(sees(file, "qemu-b", "physcpus") && rules(file).decide("qemu-b").enabled());
    assert!(!rules(file).decide("xen-b").enabled());
}

#[test]
fn settings_that_no_rule_gives_have_the_built_in_defaults() {
    for (rules, guest) in [
        (rules("a-1:\n"), "a-1"),
        (rules("a-1:\n enabled = 0\n"), "a-2"),
        (rules("\n# nothing\n"), "a-1"),
        (Rules::builtin(), "a-1"),
    ] {
        let grant = rules.decide(guest);
        assert!(grant.enabled() && !grant.vhostmd_disk());
        assert_eq!(grant.interval(), SECOND);
        assert!(StatId::all().all(|stat| grant.permits(stat, None) == stat.stat().default));
    }
    assert!(rules("").is_empty() && Rules::builtin().is_empty() && !rules("*:").is_empty());
}

#[test]
fn an_interval_is_in_seconds_or_with_a_unit_from_0_to_24_hours() {
    for (value, millis) in [
        ("60", 60_000),
        ("0.5", 500),
        ("500ms", 500),
        ("5m", 300_000),
        ("1h", 3_600_000),
        ("10s", 10_000),
        ("0", 0),
        ("24h", 86_400_000),
    ] {
        let file = format!("*:\n interval = {value}\n");
        assert_eq!(interval(&file, "a-1"), Duration::from_millis(millis), "{value}");
    }
    for value in
        ["-1", "nan", "inf", "1e3", "24.1h", "86401", "5 m", "1d", "yes", "60 60", "1,5", ""]
    {
        let file = format!("*:\n interval = {value}\n");
        assert_eq!(errors(&file).len(), 1, "{value}");
    }
}

#[test]
fn interval_is_the_setting_also_where_a_statistic_has_that_name() {
    let file = "*:\n all = 0\n interval = 1\n";
    assert!(!sees(file, "a-1", "interval"));
    assert!(sees("*:\n interval = 0", "a-1", "interval"));
}

#[test]
fn enabled_0_is_told_apart_from_what_may_be_seen() {
    let file = "*:\n enabled = no\n";
    assert!(!rules(file).decide("a-1").enabled());
    assert!(sees(file, "a-1", "physcpus"));
}

#[test]
fn a_name_means_itself_and_all_below_it() {
    let file = "*:\n memory = 1\n vm.disk = 0\n session = 0\n";
    assert!(sees(file, "a-1", "memory.free") && sees(file, "a-1", "memory.hugepages.free"));
    assert!(!sees(file, "a-1", "vm.disk.vda.read.bytes") && sees(file, "a-1", "vm.name"));
    assert!(!sees(file, "a-1", "session") && !sees(file, "a-1", "session.start"));
}

#[test]
fn settings_are_applied_from_top_to_bottom_over_the_default_selection() {
    let file = "*:\n all = 0\n loadavg = 1\n loadavg.5 = 0\n";
    let grant = rules(file).decide("a-1");
    let open: Vec<_> =
        StatId::all().filter(|s| grant.permits(*s, None)).map(|s| s.stat().name).collect();
    assert_eq!(open, ["loadavg.1", "loadavg.15"]);
    let file = "*:\n host.name = 1\n";
    assert!(sees(file, "a-1", "host.name") && sees(file, "a-1", "physcpus"));
    assert!(!sees(file, "a-1", "host.kernel"));
}

#[test]
fn no_and_yes_off_and_on_false_and_true_serve_as_well() {
    for (value, on) in [
        ("0", false),
        ("no", false),
        ("off", false),
        ("false", false),
        ("OFF", false),
        ("1", true),
        ("yes", true),
        ("on", true),
        ("true", true),
        ("Yes", true),
    ] {
        let file = format!("*:\n physcpus = {value}\n host.name = {value}\n enabled = {value}\n");
        assert_eq!(sees(&file, "a-1", "physcpus"), on, "{value}");
        assert_eq!(sees(&file, "a-1", "host.name"), on, "{value}");
        assert_eq!(rules(&file).decide("a-1").enabled(), on, "{value}");
    }
}

#[test]
fn keys_are_not_case_sensitive() {
    let file = "*:\n PhysCPUs = 0\n INTERVAL = 5\n Enabled = 0\n VHostMD-Disk = 1\n";
    let grant = rules(file).decide("a-1");
    assert!(!sees(file, "a-1", "physcpus") && !grant.enabled() && grant.vhostmd_disk());
    assert_eq!(grant.interval(), 5 * SECOND);
    assert!(sees("*:\n ALL = 1", "a-1", "host.name"));
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
fn a_metrics_disk_is_off_by_default() {
    assert!(!rules("*:").decide("a-1").vhostmd_disk());
    assert!(rules("*:\n vhostmd-disk = 1").decide("a-1").vhostmd_disk());
    assert!(!rules("*:\n vhostmd = 1").decide("a-1").vhostmd_disk(), "that is the group");
}

#[test]
fn a_guest_is_watched_only_where_its_rule_says_so() {
    assert!(!rules("*:").decide("a-1").watch());
    assert!(rules("*:\n WATCH = on").decide("a-1").watch());
    assert!(!rules("*:\n watch = 0").decide("a-1").watch());
    assert!(!rules("a-2:\n watch = 1\n*:").decide("a-1").watch(), "nothing is inherited");
    assert_eq!(places("*:\n watch = 2\n watch = 1\n"), [(2, 10), (3, 2)]);
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
          expected before: the first rule that matches a guest decides"]
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
fn the_decision_tells_its_rule_and_line() {
    let file = "\"qemu-a b\":\n  all = 0\n  # more\n  loadavg = yes\n";
    let grant = rules(file).decide("qemu-a b");
    let rule = grant.rule().unwrap();
    assert_eq!((rule.pattern.as_str(), rule.line), ("\"qemu-a b\"", 1));
    let Some(Named::Stat(stat, _)) = resolve("loadavg.1") else { panic!() };
    let why = grant.explain(stat, None);
    assert_eq!((why.permitted, why.line), (true, Some(4)));
    let why = rules(file).decide("qemu-b").explain(stat, None);
    assert_eq!((why.permitted, why.line), (true, None));
}

#[test]
fn guests_of_one_rule_share_one_grant() {
    let rules = rules("qemu-*:\n interval = 5\n");
    assert!(std::sync::Arc::ptr_eq(&rules.decide("qemu-a"), &rules.decide("qemu-b")));
}

#[test]
fn patterns_without_wildcards_name_guests() {
    let rules = rules("qemu-\\*:\n\"qemu-a b\":\nqemu-*:\n");
    assert_eq!(rules.named_guests().collect::<Vec<_>>(), ["qemu-*", "qemu-a b"]);
}

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
fn a_rule_that_opens_much_to_guests_that_select_themselves_is_a_warning_for_who_checks() {
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
