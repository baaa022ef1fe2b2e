mod libvirt;
mod verdict;

use super::*;

use std::fs;
use std::time::{Duration, SystemTime};

use hostinfo_custom::limits::RUNS_MAX;
use hostinfo_notices::{Draft, Kind};
use hostinfo_render::vhostmd::EMPTY;
use hostinfo_sample::Roots;
use jiff::Timestamp;
use tempfile::TempDir;

use crate::given::notices::NoticesFile;
use crate::given::tests::given;
use crate::guest::name::Name;
use crate::guest::session::Session;
use crate::guest::standing::Standing;

/// A guest that asks an engine, on a host with a load average and no more.
struct Scene {
    engine: Engine,
    guest: Guest,
    dialect: Dialect,
    nonsense: u32,
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
        let guest = guest("qemu-a-b", rules);
        Self {
            engine: Engine::new(Host::new(roots), Libvirt::none(), given(""), None, now),
            guest,
            dialect: Dialect::Hostinfo,
            nonsense: 0,
            asked: None,
            now,
            host,
        }
    }

    fn ask(&mut self, line: &str) -> String {
        let mut reply = Reply::new();
        let frame = Frame::Line(line.as_bytes());
        let (guest, nonsense) = (&mut self.guest, &mut self.nonsense);
        let when = When { asked: self.asked.unwrap_or(self.now), now: self.now };
        let answered = self.engine.answer(self.dialect, &frame, guest, nonsense, when, &mut reply);
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
        while self.engine.given.customs.turn(self.now).is_empty() {
            assert!(begun.elapsed() < Duration::from_secs(10));
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    fn wait(&mut self, millis: u64) {
        self.now += Duration::from_millis(millis);
    }
}

fn guest(name: &str, rules: &str) -> Guest {
    let name = Name::parse(name).unwrap();
    let rules = hostinfo_rules::parse(rules.as_bytes()).unwrap().rules;
    let grant = rules.decide(name.whole());
    let start = SystemTime::UNIX_EPOCH + Duration::from_secs(7);
    let session = Session { id: "5e55".to_owned(), start };
    Guest::new(name, grant, "1d".to_owned(), session)
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
        let mut reply = scene.engine.preview(&scene.guest, &frame, scene.now.into()).unwrap();
        String::from_utf8(reply.end().to_vec()).unwrap()
    };
    let first = preview(&mut scene, line);
    assert!(scene.guest.observed.watch.is_none() && scene.guest.document.is_none());
    preview(&mut scene, "GET /metrics/XML");
    assert!(scene.guest.wait(scene.now).is_zero() && scene.guest.document.is_none());
    assert_eq!(scene.ask(line), first);
    assert!(scene.ask("loadavg.1").starts_with("429 "));
    assert_eq!(preview(&mut scene, "loadavg.1"), "200 loadavg.1=0.42\n");
    scene.guest.standing = Standing::Awaited;
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
    assert_eq!(scene.ask("session"), "200 session=5e55\n");
    assert_eq!(scene.ask("session.*"), "200 session.start=7\n");
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
fn one_query_an_interval_is_answered_and_one_that_comes_sooner_is_told_when() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    assert!(scene.ask("loadavg.1").starts_with("200"));
    scene.wait(1);
    assert_eq!(scene.ask("loadavg.1 host.name nosuch"), "429 retry after 59.999 s\n");
    scene.wait(59_999);
    assert!(scene.ask("json loadavg.1").starts_with("200"));
}

#[test]
fn what_is_refused_from_tables_alone_is_so_even_when_it_is_too_soon() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    scene.ask("loadavg.1");
    assert_eq!(
        scene.ask("host.name nosuch"),
        "403-host.name: not permitted\n404 nosuch: no such statistic\n"
    );
    assert!(scene.ask("get").starts_with("400 "));
    assert_eq!(scene.ask("ping x"), "200 pong x\n");
    assert_eq!(scene.ask("version"), "200 hostinfo/1\n");
    assert!(scene.ask("list loadavg.1").starts_with("200 loadavg.1 gauge - "));
}

#[test]
fn a_query_in_which_nothing_was_answered_does_not_count() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    for _ in 0..3 {
        assert!(scene.ask("physcpus host.name").starts_with("503-"));
    }
    scene.ask("help");
    scene.ask("list");
    assert!(scene.ask("loadavg.1").starts_with("200"));
}

#[test]
fn one_that_comes_too_soon_costs_no_sampling() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    scene.ask("loadavg.1");
    fs::remove_file(scene.host.path().join("loadavg")).unwrap();
    scene.wait(1000);
    assert!(scene.ask("loadavg.1").starts_with("429 "));
    scene.wait(59_000);
    assert!(scene.ask("loadavg.1").starts_with("503 "));
}

#[test]
fn who_asks_within_a_step_of_the_grid_gets_the_same_sample() {
    let mut scene = Scene::new(FREE);
    assert_eq!(scene.ask("loadavg.1 sample.age"), "200-loadavg.1=0.42\n200 sample.age=0.1\n");
    fs::write(scene.host.path().join("loadavg"), "9.00 1.00 2.50 1/100 4242\n").unwrap();
    assert_eq!(scene.ask("loadavg.1"), "200 loadavg.1=0.42\n");
    scene.wait(100);
    assert_eq!(scene.ask("loadavg.1 sample.age"), "200-loadavg.1=9\n200 sample.age=0.1\n");
    assert_eq!(scene.ask("sample.age"), "200 sample.age=0\n");
}

#[test]
fn for_a_hundred_guests_that_ask_at_once_the_hosts_files_are_read_once() {
    let mut scene = Scene::new(FREE);
    fs::write(scene.host.path().join("meminfo"), "MemTotal: 4 kB\n").unwrap();
    let told = "200-loadavg.1=0.42\n200 memory.total=4096\n";
    assert_eq!(scene.ask("loadavg.1 memory.total"), told);
    for file in ["loadavg", "meminfo"] {
        fs::remove_file(scene.host.path().join(file)).unwrap();
    }
    for number in 1..100 {
        scene.guest = guest(&format!("qemu-{number}"), FREE);
        scene.now += Duration::from_micros(999);
        assert_eq!(scene.ask("loadavg.1 memory.total"), told);
    }
}

#[test]
fn a_ratio_speaks_of_the_time_since_a_sample_that_is_at_least_a_second_old() {
    let mut scene = Scene::new("*:\n interval = 0\n cpu = 1\n");
    let stat = |busy: u32, idle: u32| {
        format!("cpu  {busy} 0 0 {idle} 0 0 0 0 0 0\nbtime 1\nprocs_running 1\n")
    };
    fs::write(scene.host.path().join("stat"), stat(100, 100)).unwrap();
    assert_eq!(
        scene.ask("cpu.busy window"),
        "503-cpu.busy: ask again in 1 s\n503 window: nothing in this reply speaks of a time\n"
    );
    fs::write(scene.host.path().join("stat"), stat(130, 170)).unwrap();
    scene.wait(2000);
    assert_eq!(scene.ask("cpu.busy window"), "200-cpu.busy=0.3\n200 window=2\n");
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
fn list_tells_what_may_be_asked_available_or_not() {
    let mut scene = Scene::new("*:\n all = 0\n swap = 1\n vm.disk = 1\n");
    assert_eq!(
        scene.ask("list swap.total host.name nosuch"),
        "200-swap.total gauge bytes swap space of the host\n403-host.name: not permitted\n\
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
fn too_long_a_line_is_answered_once() {
    let mut scene = Scene::new(FREE);
    let mut reply = Reply::new();
    let (guest, nonsense) = (&mut scene.guest, &mut scene.nonsense);
    let now = scene.now.into();
    scene.engine.answer(scene.dialect, &Frame::TooLong, guest, nonsense, now, &mut reply).unwrap();
    assert_eq!(reply.end(), b"400 line too long\n");
}

#[test]
fn vhostmds_document_is_one_query_and_is_given_again_to_who_asks_too_soon() {
    for dialect in Dialect::ALL {
        let mut scene = Scene::new("*:\n interval = 60\n");
        scene.dialect = dialect;
        let first = scene.ask("GET /metrics/XML");
        assert!(first.starts_with("<metrics>\n<metric ") && first.ends_with("</metrics>\n\n"));
        assert!(first.contains("<name>Time</name>"), "{first}");
        scene.wait(1000);
        assert_eq!(scene.ask("GET /metrics/XML"), first);
        let rules = hostinfo_rules::parse(b"*:\n interval = 60\n time = 1\n").unwrap().rules;
        scene.guest.come_under(rules.decide("qemu-a-b"), scene.now);
        assert_eq!(scene.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
        scene.wait(60_000);
        assert!(scene.ask("get /metrics/XML").contains("<name>Time</name>"));
    }
}

#[test]
fn on_vhostmds_channel_everything_else_is_an_invalid_request_and_soon_silence() {
    let mut scene = Scene::new(FREE);
    scene.dialect = Dialect::Vhostmd;
    for line in ["ping", "get", "GET /metrics", "GET /metrics/xml", "x"] {
        assert_eq!(scene.ask(line), "INVALID REQUEST\n\n", "{line}");
    }
    assert_eq!(scene.ask("ping"), "");
    assert!(scene.ask("GET /metrics/XML").starts_with("<metrics>\n"));
    let mut blocked = Scene::new("*:\n enabled = 0\n");
    blocked.dialect = Dialect::Vhostmd;
    assert_eq!(blocked.ask("GET /metrics/XML"), "<metrics>\n</metrics>\n\n");
}

#[test]
fn other_rules_hold_from_the_next_query_on() {
    let mut scene = Scene::new("*:\n interval = 60\n");
    scene.ask("loadavg.1");
    assert!(scene.ask("loadavg.1").starts_with("429 "));
    let rules = hostinfo_rules::parse(b"*:\n interval = 0\n loadavg = 0\n").unwrap().rules;
    scene.guest.come_under(rules.decide("qemu-a-b"), scene.now);
    assert_eq!(scene.ask("loadavg.1"), "403 loadavg.1: not permitted\n");
    assert_eq!(scene.ask("interval"), "200 interval=0\n");
}

/// A gauge that is there at once, an info for each guest that takes its time, and one that hangs.
const CUSTOMS: &str = "
[custom.rack.inlet]
kind = 'gauge'
help = 'millidegrees Celsius'
file = '/proc/sys/kernel/ngroups_max'
every = '30s'
[custom.who]
kind = 'info'
help = 'whose this is'
scope = 'guest'
command = ['/bin/echo', '{guest}']
[custom.hangs]
kind = 'counter'
unit = 'bytes'
help = 'nothing'
command = ['/bin/sleep', '60']
timeout = '500ms'
";

#[test]
fn names_of_the_administrators_look_the_same_to_who_may_not_see_them_there_or_not() {
    let mut scene = Scene::new("*:\n interval = 0\n custom.who = 1\n");
    scene.engine.given = given(CUSTOMS);
    assert_eq!(
        scene.ask("custom.hangs custom.none label.rack label.none label"),
        "403-custom.hangs: not permitted\n403-custom.none: not permitted\n\
         403-label.rack: not permitted\n403-label.none: not permitted\n403 label: not permitted\n"
    );
    let mut scene = Scene::new("*:\n interval = 0\n custom = 1\n label = 1\n");
    assert_eq!(
        scene.ask("custom.none label.none LABEL.rack custom"),
        "404-custom.none: no such statistic\n404-label.none: no such statistic\n\
         200-label.rack=b 7\n503 custom: this host has none\n"
    );
}

#[test]
fn a_name_of_the_administrators_that_others_continue_is_their_group() {
    let mut scene = Scene::new("*:\n interval = 0\n custom.rack = 1\n");
    scene.engine.given = given(CUSTOMS);
    for group in ["custom.rack", "Custom.Rack.*"] {
        assert_eq!(scene.ask(group), "200 custom.rack.inlet=65536\n");
        assert!(scene.ask(&format!("list {group}")).starts_with("200 custom.rack.inlet gauge"));
    }
    assert_eq!(
        scene.ask("custom.rack.inlet.* custom.rack.fan label.rack.*"),
        "404-custom.rack.inlet.*: no such statistic\n404-custom.rack.fan: no such statistic\n\
         403 label.rack.*: not permitted\n"
    );
}

#[test]
fn what_is_below_a_name_shows_only_to_who_may_see_it() {
    for (rules, answer) in [
        ("custom.rack.inlet = 1", "200 custom.rack.inlet=65536\n"),
        ("custom.rack.fan = 1", "403 custom.rack: not permitted\n"),
        ("custom = 1\n custom.rack.inlet = 0", "404 custom.rack: no such statistic\n"),
        ("custom = 1\n custom.rack = 0", "403 custom.rack: not permitted\n"),
    ] {
        let mut scene = Scene::new(&format!("*:\n interval = 0\n {rules}\n"));
        scene.engine.given = given(CUSTOMS);
        assert_eq!(scene.ask("custom.rack"), answer, "{rules}");
    }
}

#[test]
fn a_name_that_the_administrator_did_not_give_is_told_even_when_it_is_too_soon() {
    let mut scene = Scene::new("*:\n interval = 60\n custom = 1\n");
    scene.ask("loadavg.1");
    assert_eq!(scene.ask("custom.none"), "404 custom.none: no such statistic\n");
}

#[test]
fn a_reply_waits_for_its_slowest_value_and_counts_when_it_is_given() {
    let mut scene = Scene::new("*:\n interval = 60\n custom = 1\n");
    scene.engine.given = given(CUSTOMS);
    let all = "get custom.hangs custom.who sample.age";
    assert_eq!(scene.ask(all), "who until 2000");
    scene.wait_for_news();
    assert_eq!(scene.ask(all), "hangs until 500", "one is there");
    scene.wait(500);
    scene.engine.given.customs.turn(scene.now);
    assert_eq!(
        scene.ask(all),
        "503-custom.hangs: took too long on this host\n200-custom.who=qemu-a-b\n\
         200 sample.age=10\n"
    );
    assert!(scene.ask(all).starts_with("429 "));
}

#[test]
fn a_line_that_waits_for_many_commands_is_asked_again_as_often_as_run_at_once() {
    let definition = |number| {
        let command = "['/bin/sh', '-c', 'sleep 0.01; echo 1']";
        format!("[custom.c{number}]\nkind = 'gauge'\nhelp = 'h'\ncommand = {command}\n")
    };
    let mut scene = Scene::new("*:\n interval = 0\n all = 0\n custom = 1\n");
    scene.engine.given = given(&(0..40).map(definition).collect::<String>());
    let (mut answer, mut asked) = (scene.ask("*"), 1);
    while let Some((on, _)) = answer.split_once(" until ") {
        while !scene.engine.given.customs.turn(scene.now).has(on, "qemu-a-b") {
            std::thread::sleep(Duration::from_millis(1));
        }
        (answer, asked) = (scene.ask("*"), asked + 1);
    }
    assert_eq!(answer.lines().count(), 40);
    assert!(asked <= RUNS_MAX + 1, "{asked}");
}

#[test]
fn list_and_metrics_tell_what_the_administrator_defined() {
    let mut scene = Scene::new("*:\n interval = 0\n all = 0\n custom = 1\n label.rack = 1\n");
    scene.engine.given = given(CUSTOMS);
    assert_eq!(
        scene.ask("list *"),
        "200-label.rack info - a label that the host's administrator gave\n\
         200-custom.hangs counter bytes nothing\n\
         200-custom.rack.inlet gauge - millidegrees Celsius\n200 custom.who info - whose this is\n"
    );
    assert_eq!(scene.ask("list custom.none"), "404 custom.none: no such statistic\n");
    let metrics = scene.ask("metrics custom.rack.inlet label");
    for line in [
        "200-# TYPE hostinfo_custom_rack_inlet gauge\n",
        "200-# HELP hostinfo_custom_rack_inlet millidegrees Celsius\n",
        "200-hostinfo_label_info{name=\"rack\",value=\"b 7\"} 1\n",
    ] {
        assert!(metrics.contains(line), "{metrics}");
    }
}

#[test]
fn vhostmds_document_waits_for_the_administrators_statistics_too() {
    let mut scene = Scene::new("*:\n interval = 60\n custom.who = 1\n custom.rack = 1\n");
    scene.engine.given = given(CUSTOMS);
    assert_eq!(scene.ask("GET /metrics/XML"), "who until 2000");
    scene.wait_for_news();
    let document = scene.ask("GET /metrics/XML");
    for (context, name, value) in
        [("host", "custom.rack.inlet", "65536"), ("vm", "custom.who", "qemu-a-b")]
    {
        let metric = format!("context='{context}'>\n<name>{name}</name>\n<value>{value}</value>");
        assert!(document.contains(&metric), "{document}");
    }
    assert!(!document.contains("custom.hangs"));
}

fn tell(scene: &mut Scene, pattern: &str, text: &str, ends_in: Option<u64>) {
    let now = Timestamp::now();
    let draft = Draft {
        pattern: pattern.to_owned(),
        kind: Kind::Maintenance,
        at: Timestamp::UNIX_EPOCH,
        until: ends_in.map(|millis| now + Duration::from_millis(millis)),
        text: text.to_owned(),
    };
    let mut file = NoticesFile::open(scene.host.path());
    file.set(draft, 0, now).unwrap();
    scene.engine.given.notices = file;
}

#[test]
fn a_guest_reads_the_notices_that_are_for_it_counted_from_one() {
    let mut scene = Scene::new(FREE);
    tell(&mut scene, "qemu-b*", "for another", None);
    tell(&mut scene, "*", "a=b", None);
    tell(&mut scene, "qemu-a*", "new memory", None);
    let first = "notice.1=maintenance at 1970-01-01T00:00:00Z: new memory\n";
    assert_eq!(
        scene.ask("notice"),
        format!("200-{first}200 notice.2=maintenance at 1970-01-01T00:00:00Z: a=b\n")
    );
    assert_eq!(scene.ask("notice.1"), format!("200 {first}"));
    assert_eq!(
        scene.ask("notice.3 notice.0"),
        "503-notice.3: there are fewer notices for this guest\n\
         503 notice.0: there are fewer notices for this guest\n"
    );
    assert_eq!(scene.ask("list notice").lines().count(), 2);
    assert!(scene.ask("get *").contains(first));
}

#[test]
fn a_notice_that_is_over_is_read_no_more_and_without_any_it_is_said_so() {
    let mut scene = Scene::new(FREE);
    tell(&mut scene, "*", "x", Some(50));
    std::thread::sleep(Duration::from_millis(60));
    let none = "there is no notice for this guest\n";
    assert_eq!(scene.ask("notice.1"), format!("503 notice.1: {none}"));
    assert_eq!(scene.ask("notice"), format!("503 notice: {none}"));
    assert!(!scene.ask("get *").contains("notice"));
}

#[test]
fn a_rule_closes_notices_like_any_statistic() {
    let mut scene = Scene::new("*:\n interval = 0\n notice.1 = 0\n");
    tell(&mut scene, "*", "x", None);
    tell(&mut scene, "*", "y", None);
    assert_eq!(
        scene.ask("notice.1 notice"),
        "403-notice.1: not permitted\n200 notice.2=maintenance at 1970-01-01T00:00:00Z: x\n"
    );
    let mut scene = Scene::new("*:\n interval = 0\n notice = 0\n");
    tell(&mut scene, "*", "x", None);
    assert_eq!(scene.ask("notice"), "403 notice: not permitted\n");
}
