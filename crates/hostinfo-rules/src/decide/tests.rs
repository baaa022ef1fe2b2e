use super::*;
use crate::setting::Key;
use proptest::prelude::*;

fn grant(settings: &[(&str, &str)]) -> Grant {
    let settings = settings
        .iter()
        .zip(1..)
        .map(|((key, value), line)| (line, Key::find(key).unwrap().with(value).unwrap()));
    Grant::new(None, settings)
}

fn stat(name: &str) -> StatId {
    StatId::all().find(|stat| stat.stat().name == name).unwrap()
}

fn open(grant: &Grant) -> Vec<&'static str> {
    StatId::all().filter(|s| grant.permits(*s, None)).map(|s| s.stat().name).collect()
}

#[test]
fn the_built_in_default_is_enabled_once_a_second_with_the_default_selection() {
    let grant = Grant::builtin();
    assert!(grant.enabled() && grant.rule().is_none());
    assert!(!grant.watch() && !grant.vhostmd_disk());
    assert_eq!(grant.interval(), Duration::from_secs(1));
    for stat in StatId::all() {
        let permitted = stat.stat().default;
        assert_eq!(grant.permits(stat, None), permitted);
        assert_eq!(grant.explain(stat, Some("x")), Why { permitted, line: None });
    }
}

#[test]
fn a_closed_grant_permits_nothing() {
    let closed = Grant::closed();
    assert!(open(&closed).is_empty() && !closed.watch() && !closed.vhostmd_disk());
}

#[test]
fn settings_are_applied_from_top_to_bottom() {
    assert_eq!(
        open(&grant(&[("all", "0"), ("loadavg", "1")])),
        ["loadavg.1", "loadavg.5", "loadavg.15"]
    );
    assert!(open(&grant(&[("loadavg", "1"), ("all", "0")])).is_empty());
    assert_eq!(open(&grant(&[("all", "1")])).len(), StatId::COUNT);
}

#[test]
fn the_line_that_decides_is_the_last_one_that_means_the_statistic() {
    let grant = grant(&[("all", "0"), ("loadavg", "1"), ("loadavg.5", "0"), ("enabled", "0")]);
    let why = |name| grant.explain(stat(name), None);
    assert_eq!(why("loadavg.1"), Why { permitted: true, line: Some(2) });
    assert_eq!(why("loadavg.5"), Why { permitted: false, line: Some(3) });
    assert_eq!(why("physcpus"), Why { permitted: false, line: Some(1) });
}

#[test]
fn a_disabled_guest_keeps_its_selection() {
    let off = grant(&[("enabled", "1"), ("enabled", "0")]);
    assert_eq!((off.enabled(), off.disabled_by()), (false, Some(2)));
    assert_eq!(open(&off), open(&Grant::builtin()));
}

#[test]
fn an_instance_can_be_closed_and_opened_by_its_name_in_any_case() {
    let grant = grant(&[
        ("vm.disk.VDA", "0"),
        ("custom", "1"),
        ("custom.rack", "0"),
        ("custom.rack.Fan", "1"),
    ]);
    let disk = stat("vm.disk.DEV.read.bytes");
    assert!(!grant.permits(disk, Some("vda")) && !grant.permits(disk, Some("Vda")));
    assert!(grant.permits(disk, Some("vdb")) && grant.permits(disk, None));
    let custom = stat("custom.NAME");
    assert!(grant.permits(custom, Some("racks")) && grant.permits(custom, Some("rack.fan")));
    assert!(!grant.permits(custom, Some("rack")) && !grant.permits(custom, Some("Rack.door")));
}

#[test]
fn vhostmd_opens_what_its_document_is_made_of() {
    let grant = grant(&[("all", "0"), ("vhostmd", "1")]);
    assert!(grant.permits(stat("memory.free"), None) && grant.permits(stat("host.name"), None));
    assert!(!grant.permits(stat("loadavg.1"), None) && !grant.vhostmd_disk());
}

#[test]
fn grants_are_equal_where_nothing_has_changed() {
    assert_eq!(grant(&[("interval", "60")]), grant(&[("interval", "1m")]));
    assert_ne!(grant(&[("interval", "60")]), grant(&[("interval", "61")]));
    assert_ne!(grant(&[("physcpus", "0")]), grant(&[("loadavg", "0")]));
    assert_ne!(grant(&[("watch", "1")]), grant(&[("watch", "0")]));
}

#[test]
fn two_grants_show_the_same_whatever_line_they_stand_in_and_whatever_the_interval() {
    let one = [("all", "0"), ("vm.disk.vda", "1")];
    let moved = Grant::new(
        Some(Origin { pattern: "x".to_owned(), line: 7 }),
        one.iter().map(|(key, value)| (9, Key::find(key).unwrap().with(value).unwrap())),
    );
    assert!(grant(&one).shows_the_same(&moved) && grant(&one) != moved);
    assert!(moved.shows_the_same(&grant(&[one[0], one[1], ("interval", "7")])));
    for other in [
        &[("all", "0"), ("vm.disk.vdb", "1")][..],
        &[one[0]],
        &[one[0], one[1], ("enabled", "0")],
        &[one[0], one[1], ("custom.a", "1")],
    ] {
        assert!(!moved.shows_the_same(&grant(other)), "{other:?}");
    }
}

proptest! {
    #[test]
    fn the_table_says_what_the_settings_say(
        settings in proptest::collection::vec((
            prop_oneof![
                Just("all"), Just("vm"), Just("vm.disk"), Just("vm.disk.vda"), Just("vm.disk.vdb.read"),
                Just("vm.disk.vda.latency"), Just("custom"), Just("custom.a"), Just("custom.a.b"),
                Just("vhostmd"), Just("vm.cpu"), Just("vm.cpu.0"), Just("loadavg.1"),
            ],
            prop_oneof![Just("0"), Just("1")],
        ), 0..8),
    ) {
        let grant = grant(&settings);
        for stat in StatId::all() {
            for instance in [None, Some("vda"), Some("vdb"), Some("0"), Some("a"), Some("a.b"), Some("A.b.c")] {
                prop_assert_eq!(grant.permits(stat, instance), grant.explain(stat, instance).permitted);
                if !grant.names_an_instance_of(stat) {
                    prop_assert_eq!(grant.explain(stat, instance), grant.explain(stat, None));
                }
            }
        }
    }
}
