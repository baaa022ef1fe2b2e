//! Replies that guests of one rule share.

use super::*;
use hostinfo_wire::limits::SHARED_REPLIES;

const SLOW: &str = "*:\n interval = 60\n";

impl Scene {
    /// The reply to another guest on the same host.
    fn ask_as(&mut self, who: &mut Requester, line: &str) -> String {
        std::mem::swap(&mut self.who, who);
        let answer = self.ask(line);
        std::mem::swap(&mut self.who, who);
        answer
    }

    /// Another guest of the same rule.
    fn neighbour(&self) -> Requester {
        let mut who = guest("qemu-n", FREE);
        who.apply_grant(Arc::clone(&self.who.grant), &mut Observed::default());
        who
    }

    /// Whether guests of this one's rule would get the reply to this line as it was made.
    fn is_shared(&self, line: &str) -> bool {
        let step = self.engine.backend.moment(self.now).slot();
        self.engine.shared.find(line.as_bytes(), &self.who.grant, step).is_some()
    }
}

#[test]
fn the_same_query_about_the_host_is_rendered_once_a_step_for_guests_of_one_rule() {
    let mut scene = Scene::new(FREE);
    let mut neighbour = scene.neighbour();
    for line in ["loadavg", "json loadavg.1 loadavg.5", "metrics loadavg"] {
        assert!(!scene.is_shared(line));
        let answer = scene.ask(line);
        assert!(scene.is_shared(line), "{line}");
        scene.wait(1);
        assert_eq!(scene.ask_as(&mut neighbour, line), answer);
    }
}

#[test]
fn a_ratio_of_the_host_covers_the_time_since_the_guests_own_question() {
    let mut scene = Scene::new("*:\n interval = 0\n cpu = 1\n");
    let stat = |host: &TempDir, busy: u32, idle: u32| {
        let text = format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\nbtime 1\nprocs_running 1\n");
        fs::write(host.path().join("stat"), text).unwrap();
    };
    let (mut neighbour, mut theirs) = (scene.neighbour(), Observed::default());
    let mut ask_neighbour = |scene: &mut Scene, line| {
        std::mem::swap(&mut scene.observed, &mut theirs);
        let reply = scene.ask_as(&mut neighbour, line);
        std::mem::swap(&mut scene.observed, &mut theirs);
        reply
    };
    stat(&scene.host, 100, 100);
    scene.ask("cpu.busy");
    ask_neighbour(&mut scene, "cpu.busy");
    scene.wait(2000);
    stat(&scene.host, 290, 110);
    assert_eq!(ask_neighbour(&mut scene, "cpu.busy window"), "200-cpu.busy=0.95\n200 window=2\n");
    scene.wait(2000);
    stat(&scene.host, 300, 300);
    assert_eq!(scene.ask("cpu.busy window"), "200-cpu.busy=0.5\n200 window=4\n");
    assert_eq!(scene.ask("cpu.busy"), "200 cpu.busy=0.5\n");
    assert_eq!(ask_neighbour(&mut scene, "cpu.busy"), "200 cpu.busy=0.05\n", "no reply for both");
}

#[test]
fn a_shared_reply_is_given_to_no_guest_of_another_rule() {
    let mut scene = Scene::new("*:\n interval = 0\n all = 1\n");
    let mut other = guest("qemu-o", "*:\n interval = 0\n loadavg.5 = 0\n");
    assert_eq!(scene.ask("loadavg").lines().count(), 3);
    assert_eq!(scene.ask_as(&mut other, "loadavg"), "200-loadavg.1=0.42\n200 loadavg.15=2.5\n");
    assert_eq!(scene.ask("loadavg").lines().count(), 3);
}

#[test]
fn a_shared_reply_is_given_to_nobody_when_the_rules_have_changed() {
    let mut scene = Scene::new(FREE);
    assert_eq!(scene.ask("loadavg.1"), "200 loadavg.1=0.42\n");
    assert!(scene.is_shared("loadavg.1"));
    let rules = hostinfo_rules::parse(b"*:\n interval = 0\n loadavg = 0\n").unwrap().rules;
    scene.apply(rules.decide("qemu-a-b"));
    assert_eq!(scene.ask("loadavg.1"), "403 loadavg.1: not permitted\n");
}

#[test]
fn the_grant_of_a_shared_reply_is_held_so_that_none_that_is_made_later_is_taken_for_it() {
    let mut scene = Scene::new(FREE);
    let before = Arc::downgrade(&scene.who.grant);
    scene.ask("loadavg");
    scene.apply(guest("qemu-o", FREE).grant);
    assert!(before.upgrade().is_some());
    scene.wait(100);
    scene.ask("loadavg");
    assert!(before.upgrade().is_none());
}

#[test]
fn a_shared_reply_is_of_this_step_and_never_of_an_older_one() {
    let mut scene = Scene::new(FREE);
    let mut neighbour = scene.neighbour();
    assert_eq!(scene.ask("loadavg.1"), "200 loadavg.1=0.42\n");
    scene.write("loadavg", "0.99 1.00 2.50 1/100 4242\n");
    scene.wait(99);
    assert_eq!(scene.ask_as(&mut neighbour, "loadavg.1"), "200 loadavg.1=0.42\n");
    scene.wait(1);
    assert_eq!(scene.ask_as(&mut neighbour, "loadavg.1"), "200 loadavg.1=0.99\n");
}

#[test]
fn a_shared_reply_uses_up_the_guests_interval_and_begins_its_session() {
    let mut scene = Scene::new(SLOW);
    let mut neighbour = scene.neighbour();
    scene.ask("loadavg.1");
    assert_eq!(scene.ask_as(&mut neighbour, "loadavg.1"), "200 loadavg.1=0.42\n");
    assert!(neighbour.session.start.is_some());
    assert_eq!(scene.ask_as(&mut neighbour, "loadavg.1"), "429 retry after 60.000 s\n");
    assert_eq!(scene.ask("loadavg.1"), "429 retry after 60.000 s\n");
}

#[test]
fn a_guest_that_may_not_ask_gets_no_shared_reply() {
    let mut scene = Scene::new(FREE);
    let mut neighbour = scene.neighbour();
    scene.ask("loadavg.1");
    let _ = neighbour.set_standing(Standing::Awaited);
    assert_eq!(scene.ask_as(&mut neighbour, "loadavg.1"), "403 this guest may not ask\n");
}

#[test]
fn a_client_of_vhostmds_gets_no_shared_reply() {
    let mut scene = Scene::new(FREE);
    scene.ask("loadavg.1");
    scene.protocol = Protocol::new(Dialect::Vhostmd);
    assert_eq!(scene.ask("loadavg.1"), INVALID_REQUEST);
}

#[test]
fn a_shared_reply_makes_sense_and_lets_nonsense_be_answered_again() {
    let mut scene = Scene::new(FREE);
    scene.ask("loadavg");
    let nonsense = |scene: &mut Scene| (0..6).filter(|_| !scene.ask("x").is_empty()).count();
    assert_eq!((nonsense(&mut scene), nonsense(&mut scene)), (5, 0));
    assert!(scene.is_shared("loadavg"));
    scene.ask("loadavg");
    assert_eq!(nonsense(&mut scene), 5);
}

#[test]
fn nothing_is_shared_that_speaks_of_a_guest_or_of_what_its_administrator_gives() {
    let mut scene = Scene::new("*:\n interval = 0\n all = 1\n host.name = 0\n");
    scene.write("sys/kernel/osrelease", "6.1\n");
    for line in [
        "vm.name",
        "loadavg vm.name",
        "session",
        "time loadavg",
        "sample.age loadavg",
        "window",
        "interval",
        "host.id",
        "host",
        "hypervisor",
        "label",
        "label.rack loadavg",
        "notice",
        "host.state",
        "vm",
        "vm.cpu.contention cpu",
        "vm.energy",
        "verdict loadavg",
        "custom",
        "custom.x loadavg",
        "*",
        "metrics",
        "json *",
        "list loadavg",
        "help",
        "ping loadavg",
        "version",
        "nosuch",
        "loadavg nosuch",
        "loadavg host.name",
        "GET /metrics/XML",
    ] {
        scene.ask(line);
        assert!(!scene.is_shared(line), "{line}");
    }
    scene.ask("loadavg host.kernel");
    assert!(scene.is_shared("loadavg host.kernel"));
}

#[test]
fn a_failure_that_an_administrator_could_mend_is_counted_for_each_query_that_meets_it() {
    let mut scene = Scene::new(FREE);
    for times in 1..4 {
        assert!(scene.ask("memory.total").starts_with("503 "));
        assert_eq!(scene.engine.backend.host.failures(), times);
    }
}

#[test]
fn replies_are_shared_up_to_a_bound() {
    let mut scene = Scene::new(FREE);
    for blanks in 0..2 * SHARED_REPLIES {
        let line = format!("loadavg.1{}", " ".repeat(blanks));
        assert_eq!(scene.ask(&line), "200 loadavg.1=0.42\n");
        assert_eq!(scene.is_shared(&line), blanks < SHARED_REPLIES);
    }
}
