//! What vhostmd's clients are answered.

use super::*;

#[test]
fn vhostmds_document_is_one_query_and_is_given_again_to_who_asks_too_soon() {
    for dialect in Dialect::ALL {
        let mut scene = Scene::new("*:\n interval = 60\n");
        scene.protocol.dialect = dialect;
        let first = scene.ask("GET /metrics/XML");
        assert!(first.starts_with("<metrics>\n<metric ") && first.ends_with("</metrics>\n\n"));
        assert!(first.contains("<name>Time</name>"), "{first}");
        scene.wait(1000);
        assert_eq!(scene.ask("GET /metrics/XML"), first);
        let rules = hostinfo_rules::parse(b"*:\n interval = 60\n time = 1\n").unwrap().rules;
        scene.apply(rules.decide("qemu-a-b"));
        assert_eq!(scene.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
        scene.wait(60_000);
        assert!(scene.ask("get /metrics/XML").contains("<name>Time</name>"));
    }
}

#[test]
fn an_edit_that_changes_nothing_of_what_a_guest_may_see_leaves_it_its_document() {
    let mut scene = Scene::new("*:\n interval = 60\n host.name = 1\n");
    let first = scene.ask("GET /metrics/XML");
    assert!(first.contains("<name>Time</name>"), "{first}");
    for (rules, stays) in [
        ("qemu-z:\n interval = 1\n\n*:\n interval = 60\n host.name = 1\n", true),
        ("# moved\n\"qemu-a-b\":\n vhostmd-disk = 1\n host.name = yes\n interval = 1h\n", true),
        ("*:\n interval = 60\n host.name = 1\n label.x = 0\n", false),
    ] {
        let rules = hostinfo_rules::parse(rules.as_bytes()).unwrap().rules;
        scene.apply(rules.decide("qemu-a-b"));
        assert_eq!(scene.ask("GET /metrics/XML") == first, stays);
    }
    let shorter = hostinfo_rules::parse(b"*:\n interval = 0\n host.name = 1\n").unwrap().rules;
    scene.apply(shorter.decide("qemu-a-b"));
    assert!(scene.ask("GET /metrics/XML").contains("<name>Time</name>"), "it need not wait");
}

#[test]
fn on_vhostmds_channel_everything_else_is_an_invalid_request_and_soon_silence() {
    let mut scene = Scene::new(FREE);
    scene.protocol.dialect = Dialect::Vhostmd;
    for line in ["ping", "get", "GET /metrics", "GET /metrics/xml", "x"] {
        assert_eq!(scene.ask(line), "INVALID REQUEST\n\n", "{line}");
    }
    assert_eq!(scene.ask("ping"), "");
    assert!(scene.ask("GET /metrics/XML").starts_with("<metrics>\n"));
    let mut blocked = Scene::new("*:\n enabled = 0\n");
    blocked.protocol.dialect = Dialect::Vhostmd;
    assert_eq!(blocked.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
}
