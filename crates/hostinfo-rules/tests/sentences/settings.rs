//! Rules and their settings: what a guest may see, and how often it may ask.

use std::time::Duration;

use hostinfo_catalog::{Named, StatId, resolve};
use hostinfo_rules::Rules;

use crate::{SECOND, errors, interval, places, rules, sees, warnings};

#[test]
fn the_first_rule_of_the_example_that_matches_a_guest_decides_its_interval_and_what_it_sees() {
    let file = include_str!("../../fixtures/good/example.conf");
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
fn indentation_blank_lines_crlf_and_a_byte_order_mark_do_not_matter() {
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
fn enabled_0_leaves_the_selection_as_it_is() {
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
fn a_decision_names_its_rule_and_line() {
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
