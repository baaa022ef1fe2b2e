//! Answers to vhostmd's clients.

use super::*;

use crate::peer::Peer;

#[test]
fn vhostmds_document_is_one_query_and_a_guest_that_asks_too_soon_gets_it_again() {
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

/// Two documents: the host has used 3 s of CPU time at the first, and 11 s after it.
fn two_documents(rules: &str, second: impl FnOnce(&mut Scene)) -> (Scene, [String; 2]) {
    let mut scene = Scene::new(rules);
    let stat = "cpu  100 0 200 300 0 0 0 0 0 0\ncpu0 100 0 200 300 0 0 0 0 0 0\nbtime 7\n";
    fs::write(scene.host.path().join("stat"), stat).unwrap();
    let one = scene.ask("GET /metrics/XML");
    assert!(one.contains(&cpu_time(3)), "{one}");
    fs::write(scene.host.path().join("stat"), stat.replace("100", "900")).unwrap();
    second(&mut scene);
    let other = scene.ask("GET /metrics/XML");
    (scene, [one, other])
}

fn cpu_time(seconds: u32) -> String {
    format!("<name>TotalCPUTime</name>\n<value>{seconds}.000000<")
}

#[test]
fn guests_of_one_step_have_one_sample_of_their_host_and_each_has_its_own_of_itself() {
    const RULES: &str = "*:\n interval = 60\n cpu.seconds = 1\n host.name = 0\n";
    let (mut scene, [one, other]) = two_documents(RULES, |scene| {
        let mut other = guest("xen-other", RULES);
        other.host_id = host_id(0x2e);
        other.grant = Arc::clone(&scene.who.grant);
        scene.who = other;
    });
    let id = |byte: &str| format!("<value>{}</value>", byte.repeat(16));
    assert!(one.contains(&id("1d")) && one.contains("<value>qemu</value>"), "{one}");
    assert!(other.contains(&cpu_time(3)), "{other}");
    assert!(other.contains(&id("2e")) && other.contains("<value>xen</value>"), "{other}");
    // The shared document cost the second guest as much as the first.
    scene.wait(1000);
    assert_eq!(scene.ask("loadavg"), "429 retry after 59.000 s\n");
}

#[test]
fn a_document_is_made_once_in_a_step_unless_another_process_has_come() {
    let mut scene = Scene::new("*:\n interval = 0\n");
    let id = |byte: &str| format!("<value>{}</value>", byte.repeat(16));
    assert!(scene.ask("GET /metrics/XML").contains(&id("1d")));
    let failures = scene.engine.backend.host.failures();
    scene.who.host_id = host_id(0x2e);
    assert!(scene.ask("GET /metrics/XML").contains(&id("1d")));
    assert_eq!(scene.engine.backend.host.failures(), failures, "nothing of its own has failed");
    scene.wait(100);
    assert!(scene.ask("GET /metrics/XML").contains(&id("2e")));
    scene.who.host_id = host_id(0x3f);
    let other = Some(Peer { pid: 7, start: Some(8) });
    scene.who.connected(other, || Ok::<_, ()>(Session::new([9; 8]))).unwrap();
    assert!(scene.ask("GET /metrics/XML").contains(&id("3f")));
    scene.apply(hostinfo_rules::parse(b"*:\n enabled = 0\n").unwrap().rules.decide("qemu-a-b"));
    scene.protocol.dialect = Dialect::Vhostmd;
    assert_eq!(scene.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
}

#[test]
fn a_document_of_the_next_step_is_made_of_its_sample() {
    let (_, [_, other]) = two_documents("*:\n interval = 0\n cpu.seconds = 1\n", |scene| {
        scene.wait(100);
    });
    assert!(other.contains(&cpu_time(11)), "{other}");
}

#[test]
fn a_rule_hides_a_metric_that_another_guests_document_of_the_same_step_shows() {
    let (_, [_, other]) = two_documents("*:\n interval = 0\n cpu.seconds = 1\n", |scene| {
        scene.who = guest("qemu-other", "*:\n interval = 0\n");
    });
    assert!(other.contains("<name>Time</name>"), "{other}");
    assert!(!other.contains("TotalCPUTime"), "{other}");
}
