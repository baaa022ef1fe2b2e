//! Real files and commands, as guests ask for them.

// A test should fail on anything unexpected.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use hostinfo_custom::limits::RUNS_MAX;
use hostinfo_custom::{Answer, Custom, Problem, examples};
use hostinfo_wire::Value;
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::geteuid;
use tempfile::TempDir;

/// A host with definitions and hostinfo-run for them, and scripts that the unprivileged user of the commands can read.
struct Host {
    definitions: TempDir,
    scripts: TempDir,
}

impl Host {
    fn new(definitions: &str) -> Self {
        let (definitions_dir, scripts) =
            (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        fs::set_permissions(scripts.path(), Permissions::from_mode(0o777)).unwrap();
        let host = Self { definitions: definitions_dir, scripts };
        host.define(definitions);
        host.start_runner();
        host
    }

    fn socket(&self) -> PathBuf {
        self.definitions.path().join("socket")
    }

    fn start_runner(&self) {
        examples::run(&self.socket(), self.definitions.path());
    }

    fn define(&self, definitions: &str) {
        let file = self.definitions.path().join("x.toml");
        fs::write(&file, definitions.replace("DIR", self.scripts.path().to_str().unwrap()))
            .unwrap();
        fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    }

    /// Creates a file that has all its text from the start.
    fn write(&self, name: &str, text: &str) {
        let file = self.scripts.path().join(name);
        fs::write(file.with_extension("new"), text).unwrap();
        fs::set_permissions(file.with_extension("new"), Permissions::from_mode(0o644)).unwrap();
        fs::rename(file.with_extension("new"), file).unwrap();
    }

    fn load(&self) -> (Custom, Vec<Problem>) {
        Custom::load(self.definitions.path(), geteuid().as_raw(), &self.socket()).unwrap()
    }

    fn good(&self) -> Custom {
        let (custom, problems) = self.load();
        assert_eq!(problems, []);
        custom
    }
}

fn command(name: &str, kind: &str, words: &str, more: &str) -> String {
    format!("[custom.{name}]\nkind = '{kind}'\nhelp = 'h'\ncommand = [{words}]\n{more}\n")
}

/// Sleeps until there is something to do, and does it, like the daemon's loop.
fn sleep(custom: &mut Custom) -> bool {
    let at = custom.next_deadline().unwrap_or_else(|| Instant::now() + Duration::from_secs(10));
    let wait = Timespec::try_from(at.saturating_duration_since(Instant::now())).unwrap();
    rustix::event::poll(&mut [PollFd::new(&*custom, PollFlags::IN)], Some(&wait)).unwrap();
    !custom.turn(Instant::now()).is_empty()
}

/// What a guest that waits gets: a value, or the reason after 503.
fn ask(custom: &mut Custom, name: &str, guest: &str) -> String {
    let asked = Instant::now();
    loop {
        match custom.value(name, guest, asked, Instant::now()) {
            Answer::Ready(Ok(value)) => return value.to_string(),
            Answer::Ready(Err(absent)) => return absent.reason.into_owned(),
            Answer::Pending { .. } => {
                sleep(custom);
            }
        }
    }
}

fn remedy(custom: &Custom, name: &str) -> String {
    let absent = custom.absent().find(|(absent, ..)| *absent == name).unwrap().2;
    absent.remedy().unwrap().to_owned()
}

#[test]
fn a_guests_name_is_one_word_whatever_is_in_it() {
    let words = "'/bin/sh', 'DIR/script', '{guest}', 'x'";
    let host = Host::new(&command("who", "info", words, "scope = 'guest'"));
    host.write("script", "printf '%s' \"$#:$1:$2\"\n");
    let mut custom = host.good();
    for guest in ["qemu-a", "qemu-a b  c", "qemu-\"'$(id)`id`;*", "qemu-Überwachung", "qemu-\\n"] {
        let said = ask(&mut custom, "who", guest);
        assert_eq!(said, format!("2:{guest}:x"));
    }
    for guest in ["-rf", "", "..", "a/b"] {
        assert_eq!(ask(&mut custom, "who", guest), "this host has none");
    }
}

#[test]
fn two_guests_that_ask_at_once_share_one_run_of_the_host_and_have_one_each_of_their_own() {
    let host = Host::new(&format!(
        "{}{}",
        command("shared", "info", "'/bin/sh', 'DIR/script', 'host'", ""),
        command("own", "info", "'/bin/sh', 'DIR/script', '{guest}'", "scope = 'guest'"),
    ));
    host.write("script", "echo $1 >> $(dirname $0)/runs; sleep 0.05; echo $1\n");
    host.write("runs", "");
    fs::set_permissions(host.scripts.path().join("runs"), Permissions::from_mode(0o666)).unwrap();
    let mut custom = host.good();
    let asked = Instant::now();
    let answers = |custom: &mut Custom| {
        [("shared", "qemu-a"), ("shared", "qemu-b"), ("own", "qemu-a"), ("own", "qemu-b")]
            .map(|(name, guest)| custom.value(name, guest, asked, Instant::now()))
    };
    while answers(&mut custom).iter().any(|answer| matches!(answer, Answer::Pending { .. })) {
        sleep(&mut custom);
    }
    let told =
        ["host", "host", "qemu-a", "qemu-b"].map(|text| Answer::Ready(Ok(Value::text(text))));
    assert_eq!(answers(&mut custom), told);
    let runs = fs::read_to_string(host.scripts.path().join("runs")).unwrap();
    let mut runs: Vec<&str> = runs.lines().collect();
    runs.sort_unstable();
    assert_eq!(runs, ["host", "qemu-a", "qemu-b"]);
}

#[test]
fn a_guest_that_asks_for_much_of_what_all_share_does_not_hold_up_one_that_asks_for_little_of_it() {
    let shared = |name: &str| command(name, "gauge", "'/bin/sh', 'DIR/script'", "timeout = '30s'");
    let names: Vec<String> = (0..100).map(|number| format!("a{number:02}")).collect();
    let all: String = names.iter().map(|name| shared(name)).collect();
    let host = Host::new(&(all + &shared("b")));
    host.write("script", "sleep 0.05; echo 7\n");
    let mut custom = host.good();
    let asked = Instant::now();
    let has = |custom: &mut Custom, name: &str, guest: &str| {
        matches!(custom.value(name, guest, asked, Instant::now()), Answer::Ready(Ok(_)))
    };
    let have =
        |custom: &mut Custom| names.iter().filter(|name| has(custom, name, "qemu-a")).count();
    assert_eq!(have(&mut custom), 0);
    // One that nobody else asks for, and one that the other guest has last.
    for name in ["b", "a99"] {
        let before = have(&mut custom);
        while !has(&mut custom, name, "qemu-b") {
            sleep(&mut custom);
        }
        // It starts with the next or the one after that, and what starts first need not end first on a busy machine.
        let meanwhile = have(&mut custom) - before;
        assert!(meanwhile < 40, "{name}: {meanwhile}");
    }
}

#[test]
fn whoever_waits_for_a_run_that_is_ended_asks_again_and_has_another_begun() {
    let host = Host::new(&command("slow", "info", "'/bin/sh', 'DIR/script'", ""));
    host.write("script", "[ -e $0.ends ] || exec sleep 60; echo 7\n");
    let (mut custom, asked) = (host.good(), Instant::now());
    let value = |custom: &mut Custom| custom.value("slow", "qemu-a", asked, Instant::now());
    assert!(matches!(value(&mut custom), Answer::Pending { .. }));
    custom.end_runs(asked);
    host.write("script.ends", "");
    assert!(custom.turn(Instant::now()).has("slow", "qemu-a"));
    while matches!(value(&mut custom), Answer::Pending { .. }) {
        sleep(&mut custom);
    }
    assert_eq!(value(&mut custom), Answer::Ready(Ok(Value::text("7"))));
}

#[test]
fn a_hundred_that_are_asked_at_once_run_four_at_a_time() {
    let definitions: String = (0..100)
        .map(|number| {
            command(&format!("s{number}"), "gauge", "'/bin/sh', 'DIR/script'", "timeout = '30s'")
        })
        .collect();
    let host = Host::new(&definitions);
    // Each makes a directory while it runs, and prints how many there are. The first ones wait until there are as many
    // as may be, however slowly they start.
    let script = format!(
        "d=$(dirname $0); mkdir $d/run.$$; \
         while n=$(ls -d $d/run.* | wc -l); [ $n -lt {RUNS_MAX} ] && ! [ -e $d/full ]; do sleep 0.01; done; \
         touch $d/full; echo $n; sleep 0.02; rmdir $d/run.$$\n"
    );
    host.write("script", &script);
    let mut custom = host.good();
    let names: Vec<String> = custom.names("").map(str::to_owned).collect();
    assert_eq!(names.len(), 100);
    let asked = Instant::now();
    let at_once = loop {
        let mut value =
            |(guest, name): (&str, &String)| match custom.value(name, guest, asked, Instant::now())
            {
                Answer::Ready(value) => Some(value.unwrap().to_string().parse::<usize>().unwrap()),
                Answer::Pending { .. } => None,
            };
        // One guest alone does not have all places.
        let guests = ["qemu-a", "qemu-b"].into_iter().cycle();
        let at_once: Vec<usize> = guests.zip(&names).filter_map(&mut value).collect();
        if at_once.len() == names.len() {
            break at_once;
        }
        sleep(&mut custom);
    };
    assert_eq!(at_once.iter().max(), Some(&RUNS_MAX));
}

#[test]
fn a_command_that_fails_or_hangs_makes_only_its_own_statistic_unavailable_without_details() {
    let host = Host::new(
        &[
            command("good", "gauge", "'/bin/echo', '7'", ""),
            command("hangs", "gauge", "'/bin/sleep', '60'", "timeout = '200ms'"),
            command("silent", "gauge", "'/bin/true'", ""),
            command(
                "floods",
                "info",
                "'/usr/bin/head', '-c', '1000000', '/dev/zero'",
                "timeout='200ms'",
            ),
            command("dies", "gauge", "'/bin/sh', '-c', 'kill -SEGV $$'", ""),
            command("fails", "gauge", "'/bin/sh', '-c', 'echo 7; echo secret >&2; exit 1'", ""),
            command("words", "counter", "'/bin/echo', 'secret'", ""),
            command("gone", "gauge", "'DIR/none'", ""),
            command("plain", "gauge", "'DIR/plain'", ""),
        ]
        .concat(),
    );
    host.write("plain", "#!/bin/sh\necho 7\n");
    let mut custom = host.good();
    for (name, reason, told) in [
        ("hangs", "took too long on this host", "200ms"),
        ("silent", "has no proper value on this host", "expected one line, found nothing"),
        ("floods", "has no proper value on this host", "over 4096 bytes"),
        ("dies", "failed on this host", "signal: 11"),
        ("fails", "failed on this host", "exit status: 1; it said `secret`"),
        ("words", "has no proper value on this host", "found `secret`"),
        ("gone", "could not be read on this host", "none: it could not be run: No such file"),
        (
            "plain",
            "could not be read on this host",
            "plain: it could not be run: Permission denied",
        ),
    ] {
        assert_eq!(ask(&mut custom, name, "qemu-a"), reason, "{name}");
        let remedy = remedy(&custom, name);
        assert!(remedy.contains(told), "{name}: {remedy}");
        assert_eq!(ask(&mut custom, "good", "qemu-a"), "7");
    }
}

#[test]
fn a_value_and_a_failure_are_kept_for_the_time_of_the_definition_and_no_longer() {
    for body in ["echo 1", "exit 1"] {
        let host = Host::new(&command("x", "gauge", "'/bin/sh', 'DIR/script'", "every = '1s'"));
        host.write("script", &format!("echo run >> $(dirname $0)/runs; {body}\n"));
        host.write("runs", "");
        let file = host.scripts.path().join("runs");
        fs::set_permissions(&file, Permissions::from_mode(0o666)).unwrap();
        let runs = || fs::read_to_string(&file).unwrap().lines().count();
        let mut custom = host.good();
        let first = ask(&mut custom, "x", "qemu-a");
        assert_eq!((ask(&mut custom, "x", "qemu-b"), runs()), (first.clone(), 1));
        assert!(custom.turn(Instant::now() + Duration::from_secs(5)).is_empty());
        assert_eq!(runs(), 1, "nothing runs while nobody asks");
        std::thread::sleep(Duration::from_millis(1010));
        assert_eq!((ask(&mut custom, "x", "qemu-a"), runs()), (first, 2));
    }
}

#[test]
fn a_guest_that_waited_long_enough_gets_an_answer_and_the_next_gets_the_value() {
    let host = Host::new(&command("slow", "gauge", "'/bin/sh', '-c', 'sleep 0.1; echo 1'", ""));
    let mut custom = host.good();
    let asked = Instant::now();
    let Answer::Pending { until } = custom.value("slow", "qemu-a", asked, asked) else { panic!() };
    let Answer::Ready(Err(absent)) = custom.value("slow", "qemu-a", asked, until) else { panic!() };
    assert_eq!(absent.reason, "not ready yet: ask again");
    while !sleep(&mut custom) {}
    assert!(matches!(custom.value("slow", "qemu-b", until, until), Answer::Ready(Ok(_))));
}

#[test]
fn a_counter_does_not_fall_when_its_source_does_nor_when_its_definition_is_gone_for_a_while() {
    let definition = "[custom.c]\nkind='counter'\nhelp='h'\nfile='DIR/c'\nevery='1s'\n";
    let host = Host::new(definition);
    let mut custom = host.good();
    let (mut now, mut told) = (Instant::now(), Vec::new());
    for (step, text) in ["100", "110", "109", "3", "x", "4"].iter().enumerate() {
        host.write("c", text);
        if step == 4 {
            host.define("[custom");
            assert_eq!(custom.reload(Instant::now()).len(), 1);
            assert_eq!(custom.find("c"), None);
            host.define(definition);
            assert_eq!(custom.reload(Instant::now()), []);
        }
        now += Duration::from_secs(1);
        let Answer::Ready(answer) = custom.value("c", "qemu-a", now, now) else { panic!() };
        told.push(answer.map_or("-".to_owned(), |value| value.to_string()));
    }
    assert_eq!(told, ["100", "110", "110", "113", "-", "114"]);
}

#[test]
fn a_guests_counter_does_not_fall_when_all_share_it_and_when_they_do_no_more() {
    let of = |scope, file| {
        let file = format!("file='DIR/{file}'\nscope='{scope}'\nevery='1s'\n");
        format!("[custom.c]\nkind='counter'\nhelp='h'\n{file}")
    };
    let (host, own) = (of("host", "all"), of("guest", "{guest}"));
    let folder = Host::new(&host);
    let mut custom = folder.good();
    for (name, value) in [("all", "1000"), ("qemu-a", "5"), ("qemu-b", "700")] {
        folder.write(name, value);
    }
    let mut told = Vec::new();
    for (definition, guest) in [
        (&host, "qemu-a"),
        (&own, "qemu-a"),
        (&own, "qemu-b"),
        (&host, "qemu-b"),
        (&host, "qemu-a"),
        (&own, "qemu-a"),
    ] {
        folder.define(definition);
        assert_eq!(custom.reload(Instant::now()), []);
        told.push(ask(&mut custom, "c", guest));
    }
    // Each guest has its own counter: what another's has reached does not show.
    assert_eq!(told, ["1000", "1005", "700", "1000", "2000", "2005"]);
}

#[test]
fn a_file_may_be_the_guests_own_and_is_read_as_the_user_may() {
    let host = Host::new(
        "[custom.f]\nkind='info'\nhelp='h'\nfile='DIR/{guest}'\nscope='guest'\nevery='1s'\n",
    );
    host.write("qemu-a b", "for a b\n");
    host.write("qemu-secret", "x\n");
    let secret = host.scripts.path().join("qemu-secret");
    fs::set_permissions(secret, Permissions::from_mode(0o600)).unwrap();
    let mut custom = host.good();
    assert_eq!(ask(&mut custom, "f", "qemu-a b"), "for a b");
    assert_eq!(ask(&mut custom, "f", "qemu-none"), "could not be read on this host");
    assert!(rustix::process::geteuid().is_root(), "needs root, who may read it");
    assert_eq!(ask(&mut custom, "f", "qemu-secret"), "could not be read on this host");
    assert_eq!(custom.absent().count(), 2);
    assert!(custom.forget("qemu-none", Instant::now() + Duration::from_secs(1)));
    assert!(custom.absent().all(|(_, guest, _)| guest != "qemu-none"));
}

#[test]
fn a_guest_is_not_forgotten_while_its_own_command_runs_nor_while_its_value_is_kept() {
    let own = command(
        "x",
        "gauge",
        "'/bin/sh', '-c', 'echo 1', '{guest}'",
        "scope = 'guest'\nevery = '60s'",
    );
    let host = Host::new(&own);
    let mut custom = host.good();
    let asked = Instant::now();
    assert!(matches!(custom.value("x", "qemu-a", asked, asked), Answer::Pending { .. }));
    assert!(!custom.forget("qemu-a", asked) && custom.forget("qemu-b", asked));
    assert_eq!(ask(&mut custom, "x", "qemu-a"), "1");
    let come = Instant::now();
    assert!(!custom.forget("qemu-a", asked + Duration::from_secs(59)));
    assert!(custom.forget("qemu-a", come + Duration::from_secs(60)));
    assert!(matches!(custom.value("x", "qemu-a", come, come), Answer::Pending { .. }));
}

#[test]
fn a_guest_is_not_forgotten_while_a_command_is_queued_that_it_asked_for_and_all_share() {
    let shared = |number| command(&format!("x{number}"), "gauge", "'/bin/sleep', '60'", "");
    let host = Host::new(&(0..5).map(shared).collect::<String>());
    let mut custom = host.good();
    let asked = Instant::now();
    for number in 0..5 {
        let value = custom.value(&format!("x{number}"), "qemu-a", asked, asked);
        assert!(matches!(value, Answer::Pending { .. }));
    }
    assert!(!custom.forget("qemu-a", asked) && custom.forget("qemu-b", asked));
    host.define("");
    custom.reload(Instant::now());
    assert!(custom.forget("qemu-a", asked));
}

#[test]
fn a_command_that_waits_for_the_turn_of_a_guest_begins_at_once_in_that_of_another_that_asks_for_it()
{
    let long =
        |number| command(&format!("x{number}"), "gauge", "'/bin/sleep', '60'", "timeout = '30s'");
    let all = (0..3).map(long).chain([command("shared", "gauge", "'/bin/echo', '7'", "")]);
    let host = Host::new(&all.collect::<String>());
    let mut custom = host.good();
    let asked = Instant::now();
    for name in ["x0", "x1", "x2", "shared"] {
        assert!(matches!(custom.value(name, "qemu-a", asked, asked), Answer::Pending { .. }));
    }
    assert_eq!(ask(&mut custom, "shared", "qemu-b"), "7", "one of four places is free");
}

#[test]
fn a_command_that_waited_for_others_begins_when_these_are_not_defined_any_more() {
    let shared = command("shared", "gauge", "'/bin/echo', '7'", "timeout = '30s'");
    let long =
        |number| command(&format!("x{number}"), "gauge", "'/bin/sleep', '60'", "timeout = '30s'");
    let all = (0..3).map(long).chain([shared.clone()]);
    let host = Host::new(&all.collect::<String>());
    let mut custom = host.good();
    let asked = Instant::now();
    for name in ["x0", "x1", "x2", "shared"] {
        assert!(matches!(custom.value(name, "qemu-a", asked, asked), Answer::Pending { .. }));
    }
    host.define(&shared);
    assert_eq!(custom.reload(Instant::now()), []);
    assert!(custom.next_deadline().is_some(), "nothing runs");
    assert_eq!(ask(&mut custom, "shared", "qemu-a"), "7");
}

#[test]
fn an_unchanged_definition_keeps_its_value_and_a_changed_one_is_run_anew() {
    let same = command("same", "info", "'/bin/sh', '-c', 'echo $$'", "");
    let host = Host::new(&format!("{same}{}", command("other", "gauge", "'/bin/sleep', '60'", "")));
    let mut custom = host.good();
    let before = ask(&mut custom, "same", "qemu-a");
    let asked = Instant::now();
    assert!(matches!(custom.value("other", "qemu-a", asked, asked), Answer::Pending { .. }));
    host.define(&format!("\n\n{}{same}", command("other", "gauge", "'/bin/echo', '1'", "")));
    assert_eq!(custom.reload(Instant::now()), []);
    assert_eq!(ask(&mut custom, "same", "qemu-a"), before);
    assert_eq!(ask(&mut custom, "other", "qemu-a"), "1");
}

#[test]
fn a_definition_that_has_changed_is_not_run_until_it_is_read_again() {
    let host = Host::new(&command("x", "gauge", "'/bin/echo', '1'", "every = '1s'"));
    let mut custom = host.good();
    assert_eq!(ask(&mut custom, "x", "qemu-a"), "1");
    host.define(&command("x", "gauge", "'/bin/echo', '2'", "every = '1s'"));
    std::thread::sleep(Duration::from_millis(1010));
    assert_eq!(ask(&mut custom, "x", "qemu-a"), "could not be read on this host");
    let told = remedy(&custom, "x");
    assert!(
        told.ends_with("has changed since hostinfod read it: systemctl reload hostinfo"),
        "{told}"
    );
    assert_eq!(custom.reload(Instant::now()), []);
    assert_eq!(ask(&mut custom, "x", "qemu-a"), "2");
    host.define("[custom.x");
    std::thread::sleep(Duration::from_millis(1010));
    assert_eq!(ask(&mut custom, "x", "qemu-a"), "could not be read on this host");
    let told = remedy(&custom, "x");
    assert!(told.contains("custom.x is not defined where hostinfo-run reads (/"), "{told}");
}

#[test]
fn without_hostinfo_run_commands_are_unavailable_with_the_remedy_and_files_are_read() {
    let file = "[custom.f]\nkind='gauge'\nhelp='h'\nfile='DIR/f'\n";
    let host = Host::new(&(command("x", "gauge", "'/bin/echo', '1'", "") + file));
    host.write("f", "7");
    let mut custom = host.good();
    assert_eq!(custom.without_runner(), None);
    fs::remove_file(host.socket()).unwrap();
    assert_eq!(ask(&mut custom, "x", "qemu-a"), "could not be read on this host");
    assert!(remedy(&custom, "x").ends_with("systemctl start hostinfo-run.socket"));
    let told = custom.without_runner().unwrap();
    assert!(told.ends_with("systemctl start hostinfo-run.socket"), "{told}");
    assert_eq!(ask(&mut custom, "f", "qemu-a"), "7");
}

#[test]
fn a_host_without_definitions_has_no_statistics_and_no_problems() {
    let (mut custom, problems) =
        Custom::load(Path::new("/nonexistent/custom.d"), 0, Path::new("/none")).unwrap();
    assert_eq!((problems, custom.names("").count()), (vec![], 0));
    assert_eq!(custom.without_runner(), None);
    assert_eq!(ask(&mut custom, "x", "qemu-a"), "this host has none");
    assert_eq!(custom.next_deadline(), None);
}

#[test]
fn no_command_outlives_the_daemons_orderly_end() {
    let host = Host::new(&command("x", "gauge", "'/bin/sh', 'DIR/script'", ""));
    host.write("script", "echo $$ > $(dirname $0)/pid; sleep 60\n");
    let mut custom = host.good();
    let asked = Instant::now();
    let _ = custom.value("x", "qemu-a", asked, asked);
    let pid = loop {
        let pid = fs::read_to_string(host.scripts.path().join("pid")).unwrap_or_default();
        if pid.ends_with('\n') {
            break pid.trim().to_owned();
        }
    };
    drop(custom);
    let is_running =
        || fs::read_to_string(format!("/proc/{pid}/stat")).is_ok_and(|stat| !stat.contains(") Z "));
    while is_running() {
        assert!(asked.elapsed() < Duration::from_secs(50));
        std::thread::sleep(Duration::from_millis(10));
    }
}
