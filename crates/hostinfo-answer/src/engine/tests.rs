mod cost;
mod custom;
mod incidents;
mod interval;
mod libvirt;
mod lists;
mod notices;
mod shared;
mod verdict;
mod vhostmd;

use super::*;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use hostinfo_rules::{Grant, Tag, Tags};
use hostinfo_sample::{OpenFiles, Roots};
use tempfile::TempDir;

use crate::examples::{FakeLibvirt, admin_values};
use crate::host_id::HostId;
use crate::name::Name;
use crate::session::Session;
use crate::standing::Standing;

/// A guest that asks an engine, on a host that has only a load average.
struct Scene {
    engine: Engine<FakeLibvirt>,
    who: Requester,
    observed: Observed,
    protocol: Protocol,
    asked: Option<Instant>,
    now: Instant,
    host: TempDir,
}

impl Scene {
    fn new(rules: &str) -> Self {
        let host = tempfile::tempdir().unwrap();
        fs::write(host.path().join("loadavg"), "0.42 1.00 2.50 1/100 4242\n").unwrap();
        let roots = Roots { proc: host.path().into(), sys: host.path().join("none") };
        let now = Instant::now();
        Self {
            engine: Engine::new(
                Host::new(roots, OpenFiles::default()),
                FakeLibvirt::default(),
                admin_values(""),
                None,
                now,
            ),
            who: guest("qemu-a-b", rules),
            observed: Observed::default(),
            protocol: Protocol::new(Dialect::Hostinfo),
            asked: None,
            now,
            host,
        }
    }

    fn ask(&mut self, line: &str) -> String {
        let mut reply = Reply::new();
        let frame = Frame::Line(line.as_bytes());
        let (protocol, who, observed) = (&mut self.protocol, &mut self.who, &mut self.observed);
        let (asked, is_begun) = (self.asked.unwrap_or(self.now), self.asked.is_some());
        let when = When { asked, now: self.now, is_begun };
        let answered = self.engine.answer(&frame, protocol, who, observed, when, &mut reply);
        if let Err(Pending { asked, until, on }) = answered {
            assert!(reply.is_empty());
            self.asked = Some(asked);
            return format!("{on} until {}", (until - asked).as_millis());
        }
        self.asked = None;
        if reply.is_empty() {
            return String::new();
        }
        String::from_utf8(reply.end().to_vec()).unwrap()
    }

    /// Waits until a command has ended.
    fn wait_for_news(&mut self) {
        let begun = Instant::now();
        while self.engine.backend.admin_values.customs.turn(self.now).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(180));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn apply(&mut self, grant: Arc<Grant>) {
        self.who.apply_grant(grant, &mut self.observed);
    }

    fn set_standing(&mut self, standing: Standing) {
        let _ = self.who.set_standing(standing);
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }
}

/// With the number 29.
fn host_id(byte: u8) -> HostId {
    let mut mac = [byte; 32];
    mac[16..20].copy_from_slice(&[0, 0, 0, 2 * 29]);
    HostId::of(&mac)
}

fn guest(name: &str, rules: &str) -> Requester {
    let name = Name::parse(name).unwrap();
    let rules = hostinfo_rules::parse(rules.as_bytes()).unwrap().rules;
    let grant = rules.decide(name.whole());
    let session = Session::new([0x5e; 8]);
    let host_id = host_id(0x1d);
    Requester::new(name, grant, host_id, Duration::ZERO, session)
}

const FREE: &str = "*:\n interval = 0\n";

#[test]
fn each_line_carries_the_code_of_its_own_result_in_the_order_of_the_names() {
    let mut scene = Scene::new(FREE);
    let answer = scene.ask("get nosuch loadavg host.name physcpus vm.name");
    let (unavailable, rest): (Vec<&str>, Vec<&str>) =
        answer.split_inclusive('\n').partition(|line| line.starts_with("503-physcpus: "));
    assert_eq!(unavailable.len(), 1);
    assert_eq!(
        rest.concat(),
        "404-nosuch: no such statistic\n200-loadavg.1=0.42\n200-loadavg.5=1\n\
         200-loadavg.15=2.5\n403-host.name: not permitted\n200 vm.name=a-b\n"
    );
}

#[test]
fn a_preview_is_the_answer_that_comes_whenever_it_is_asked_for_and_leaves_no_trace() {
    let mut scene = Scene::new("*:\n interval = 60\n verdict = 1\n");
    let line = "loadavg.1 host.name session verdict.cpu nosuch";
    let preview = |scene: &mut Scene, line: &str| {
        let frame = Frame::Line(line.as_bytes());
        let mut reply = scene
            .engine
            .preview(scene.who.for_preview(), scene.observed.clone(), &frame, scene.now.into())
            .unwrap();
        String::from_utf8(reply.end().to_vec()).unwrap()
    };
    let first = preview(&mut scene, line);
    assert!(scene.observed.watch.is_none() && scene.who.document.is_none());
    preview(&mut scene, "GET /metrics/XML");
    assert!(scene.who.wait(scene.now).is_zero() && scene.who.document.is_none());
    assert_eq!(scene.ask(line), first);
    assert!(scene.ask("loadavg.1").starts_with("429 "));
    assert_eq!(preview(&mut scene, "loadavg.1"), "200 loadavg.1=0.42\n");
    scene.who.standing = Standing::Awaited;
    assert_eq!(preview(&mut scene, "loadavg.1"), "403 this guest may not ask\n");
}

#[test]
fn names_and_verbs_are_not_case_sensitive_and_the_reply_has_the_catalogs_spelling() {
    let mut scene = Scene::new(FREE);
    assert_eq!(
        scene.ask("GeT LoadAvg.1 HOST.NAME"),
        "200-loadavg.1=0.42\n403 host.name: not permitted\n"
    );
}

#[test]
fn a_statistic_asked_for_twice_is_answered_once() {
    let mut scene = Scene::new(FREE);
    assert_eq!(
        scene.ask("loadavg.5 loadavg LOADAVG.1 loadavg.* nosuch nosuch host.name host.name"),
        "200-loadavg.5=1\n200-loadavg.1=0.42\n200-loadavg.15=2.5\n\
         404-nosuch: no such statistic\n403 host.name: not permitted\n"
    );
}

#[test]
fn a_group_stands_for_what_is_permitted_and_available_in_it() {
    let mut scene = Scene::new("*:\n interval = 0\n loadavg.5 = 0\n");
    assert_eq!(scene.ask("loadavg"), "200-loadavg.1=0.42\n200 loadavg.15=2.5\n");
    assert_eq!(scene.ask("swap"), "403 swap: not permitted\n");
    let nothing = scene.ask("pressure memory");
    assert_eq!(nothing.lines().count(), 2, "{nothing}");
    assert!(nothing.starts_with("503-pressure: ") && nothing.contains("\n503 memory: "));
}

#[test]
fn a_statistic_named_in_full_has_its_own_line_beside_its_group() {
    let mut scene = Scene::new(FREE);
    let answer = scene.ask("memory memory.total");
    assert!(
        answer.starts_with("503-memory: ") && answer.contains("\n503 memory.total: "),
        "{answer}"
    );
}

#[test]
fn a_name_that_is_both_means_the_statistic() {
    let mut scene = Scene::new(FREE);
    assert_eq!(scene.ask("session"), format!("200 session={}\n", "5e".repeat(8)));
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(70);
    scene.who.session.start = Some(start);
    assert_eq!(scene.ask("session.*"), "200 session.start=70\n");
}

#[test]
fn json_is_one_line_of_the_same_selection() {
    let mut scene = Scene::new(FREE);
    assert_eq!(
        scene.ask("json loadavg.1 vm.name host.name"),
        "200 {\"loadavg.1\":0.42,\"vm.name\":\"a-b\",\"errors\":{\"host.name\":403}}\n"
    );
    assert_eq!(scene.ask("json host.name"), "403 host.name: not permitted\n");
}

#[test]
fn a_blocked_guest_gets_a_single_line() {
    let mut scene = Scene::new("*:\n enabled = 0\n");
    for line in ["loadavg nosuch host.name", "json loadavg", "metrics", "GET /metrics/XML"] {
        assert_eq!(scene.ask(line), "403 this guest may not ask\n");
    }
    assert_eq!(scene.ask("list"), "403 list: not permitted\n");
    assert_eq!(scene.ask("ping"), "200 pong\n");
}

#[test]
fn a_guest_whose_tags_cannot_be_read_is_asked_to_ask_again_and_sees_nothing() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    let rules = hostinfo_rules::parse(b"* role=db:\n interval = 0\n*:\n").unwrap().rules;
    let unreadable = rules.decide_tagged("qemu-a-b", &Tags::Unreadable);
    scene.who.apply_decision(unreadable, &mut scene.observed);
    for line in ["loadavg.1", "json loadavg", "metrics", "list", "/metrics/XML"] {
        assert_eq!(scene.ask(line), "503 ask again in 1 s\n", "{line}");
    }
    assert!(scene.ask("ping").starts_with("200 "), "it may be alive");
    let refusal = scene.who.refusal().unwrap().into_owned();
    assert!(refusal.contains("rule * role=db (line 1)"), "{refusal}");
    scene.set_standing(Standing::Refused("why".to_owned()));
    assert_eq!(scene.ask("loadavg.1"), "403 this guest may not ask\n", "for another reason");
    assert_eq!(scene.ask("list"), "403 list: not permitted\n");
    scene.set_standing(Standing::Unnamed);
    let role = [("role".into(), Tag::Value("db".into()))].into();
    let decided = rules.decide_tagged("qemu-a-b", &Tags::Known(role));
    scene.who.apply_decision(decided, &mut scene.observed);
    assert!(scene.ask("loadavg.1").starts_with("200 "));
}

#[test]
fn list_shows_what_may_be_asked_available_or_not() {
    let mut scene = Scene::new("*:\n all = 0\n swap = 1\n vm.disk = 1\n");
    assert_eq!(
        scene.ask("list swap.total host.name nosuch"),
        "200-swap.total gauge bytes total swap space of the host\n403-host.name: not permitted\n\
         404 nosuch: no such statistic\n"
    );
    assert_eq!(scene.ask("list").lines().count(), 4);
    assert_eq!(scene.ask("list swap swap.free").lines().count(), 4);
    assert!(scene.ask("list vm.disk").starts_with("503 vm.disk: "));
    assert_eq!(Scene::new("*:\n all = 0\n").ask("list"), "403 list: not permitted\n");
}

#[test]
fn the_sixth_line_of_nonsense_and_all_after_it_are_dropped_until_one_makes_sense() {
    let mut scene = Scene::new(FREE);
    for line in ["debian login:", "get", "\u{1b}[0m", "x y", "json"] {
        assert!(scene.ask(line).starts_with('4'), "{line}");
    }
    for line in ["debian login:", "ping a b", "nosuch"] {
        assert_eq!(scene.ask(line), "");
    }
    assert_eq!(scene.ask("host.name"), "403 host.name: not permitted\n");
    assert!(scene.ask("nosuch").starts_with("404"));
}

#[test]
fn a_line_that_is_too_long_is_answered_with_400() {
    let mut scene = Scene::new(FREE);
    let mut reply = Reply::new();
    let (protocol, now) = (&mut scene.protocol, scene.now.into());
    let (who, observed) = (&mut scene.who, &mut scene.observed);
    scene.engine.answer(&Frame::TooLong, protocol, who, observed, now, &mut reply).unwrap();
    assert_eq!(reply.end(), b"400 line too long\n");
}

#[test]
fn other_rules_hold_from_the_next_query_on() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    scene.ask("loadavg.1");
    assert!(scene.ask("loadavg.1").starts_with("429 "));
    let rules = hostinfo_rules::parse(b"*:\n interval = 0\n loadavg = 0\n").unwrap().rules;
    scene.apply(rules.decide("qemu-a-b"));
    assert_eq!(scene.ask("loadavg.1"), "403 loadavg.1: not permitted\n");
    assert_eq!(scene.ask("interval"), "200 interval=0\n");
}
