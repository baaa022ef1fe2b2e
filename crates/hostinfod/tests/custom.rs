//! Custom statistics and labels, as guests of a real daemon see them.

// A surprise is to end the test.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostinfo_control::Client;
use rustix::process::{Pid, Signal, geteuid, kill_process};
use tempfile::TempDir;

/// Only something that hangs takes this long.
const PATIENCE: Duration = Duration::from_secs(180);

const RULES: &str = "qemu-blind:\n interval = 0\nqemu-hourly:\n interval = 3600\n custom = 1\n*:\n interval = 0\n custom = 1\n label = 1\n";

/// A daemon with definitions, which is ended with the test, and hostinfo-run for them, in a thread.
struct Host {
    folder: TempDir,
    daemon: Child,
}

impl Host {
    /// A host with those definitions, in which `DIR` stands for the directory of its programs.
    fn new(definitions: &str, programs: &[(&str, &str)]) -> Self {
        assert!(
            geteuid().is_root(),
            "definitions have to belong to root: sudo -E env PATH=\"$PATH\" make test"
        );
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        // Commands run as nobody, who must be able to read the folder and to write to `out`.
        fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
        for (directory, mode) in [("custom.d", 0o755), ("sockets", 0o711), ("out", 0o777)] {
            fs::create_dir(path(directory)).unwrap();
            fs::set_permissions(path(directory), Permissions::from_mode(mode)).unwrap();
        }
        for (name, text) in programs {
            fs::write(path(name), format!("#!/bin/sh\ncd {}\n{text}\n", path("out").display()))
                .unwrap();
            fs::set_permissions(path(name), Permissions::from_mode(0o755)).unwrap();
        }
        fs::write(path("rules"), RULES).unwrap();
        let settings = format!(
            "[paths]\ncustom_dir = '{}'\nrunner = '{}'\n[labels]\nRack = 'b 7'\n[log]\noutput = 'file'\nfile = '{}'\n",
            path("custom.d").display(),
            path("run").display(),
            path("log").display()
        );
        fs::write(path("toml"), settings).unwrap();
        define(&folder, definitions);
        hostinfo_custom::examples::run(&path("run"), &path("custom.d"));
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostinfod"));
        for (flag, name) in [
            ("--config", "toml"),
            ("--rules", "rules"),
            ("--socket-dir", "sockets"),
            ("--control", "control"),
        ] {
            command.arg(flag).arg(path(name));
        }
        let ready = UnixDatagram::bind(path("notify")).unwrap();
        ready.set_read_timeout(Some(PATIENCE)).unwrap();
        let daemon = command.stdin(Stdio::null()).env("NOTIFY_SOCKET", path("notify")).spawn();
        let daemon = daemon.unwrap();
        ready.recv(&mut [0; 64]).unwrap();
        Self { folder, daemon }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn reload(&self, definitions: &str) {
        define(&self.folder, definitions);
        kill_process(Pid::from_child(&self.daemon), Signal::HUP).unwrap();
    }

    /// A guest that the daemon has connected to.
    fn guest(&self, name: &str) -> Guest {
        Guest::accept(&self.listener(name))
    }

    fn listener(&self, name: &str) -> UnixListener {
        UnixListener::bind(self.path("sockets").join(name)).unwrap()
    }

    /// How often the daemon has gone to sleep.
    fn sleeps(&self) -> String {
        let status = fs::read_to_string(format!("/proc/{}/status", self.daemon.id())).unwrap();
        status.lines().find(|line| line.starts_with("voluntary_ctxt")).unwrap().to_owned()
    }

    /// Waits until the log contains `text`.
    fn wait_for_log(&self, text: &str) {
        let begun = Instant::now();
        while !fs::read_to_string(self.path("log")).unwrap_or_default().contains(text) {
            assert!(begun.elapsed() < PATIENCE, "no {text:?} in the log");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

fn define(folder: &TempDir, definitions: &str) {
    let file = folder.path().join("custom.d/x.toml");
    fs::write(&file, definitions.replace("DIR", folder.path().to_str().unwrap())).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

struct Guest(BufReader<UnixStream>);

impl Guest {
    fn accept(listener: &UnixListener) -> Self {
        let (stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(BufReader::new(stream))
    }

    fn say(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).unwrap();
    }

    /// The next reply, up to its last line.
    fn hear(&mut self) -> String {
        let mut reply = String::new();
        loop {
            let begin = reply.len();
            assert!(self.0.read_line(&mut reply).unwrap() > 0, "the daemon is gone: {reply}");
            if reply.as_bytes()[begin + 3] == b' ' {
                return reply;
            }
        }
    }

    fn ask(&mut self, line: &str) -> String {
        self.say(line);
        self.hear()
    }
}

fn command(name: &str, kind: &str, words: &str, more: &str) -> String {
    format!(
        "[custom.{name}]\nkind = '{kind}'\nhelp = 'about {name}'\ncommand = [{words}]\n{more}\n"
    )
}

#[test]
fn a_value_comes_from_a_program_and_a_guest_that_may_not_see_names_cannot_tell_them_apart() {
    let definitions = command("rack.temp", "gauge", "'DIR/temp'", "")
        + &command("who", "info", "'DIR/who', '--guest', '{guest}'", "scope = 'guest'");
    let programs = [("temp", "echo 21.5"), ("who", "echo \"$2 of $(id -un)\"")];
    let host = Host::new(&definitions, &programs);
    let mut guest = host.guest("qemu-a b");
    assert_eq!(
        guest.ask("Custom.Rack.Temp custom.who label.rack custom.none label.none"),
        "200-custom.rack.temp=21.5\n200-custom.who=qemu-a b of nobody\n200-label.rack=b 7\n\
         404-custom.none: no such statistic\n404 label.none: no such statistic\n"
    );
    assert_eq!(
        guest.ask("json custom"),
        "200 {\"custom.rack.temp\":21.5,\"custom.who\":\"qemu-a b of nobody\"}\n"
    );
    assert_eq!(
        host.guest("qemu-blind").ask("custom.who custom.none custom label.rack label.none"),
        "403-custom.who: not permitted\n403-custom.none: not permitted\n\
         403-custom: not permitted\n403-label.rack: not permitted\n403 label.none: not permitted\n"
    );
}

#[test]
fn a_preview_waits_for_a_command_as_its_guest_would() {
    let host = Host::new(
        &command("slow", "gauge", "'DIR/slow', '{guest}'", "scope = 'guest'"),
        &[("slow", "sleep 0.3; echo 7")],
    );
    let _guest = host.guest("qemu-a");
    let client = || Client::connect(&host.path("control"), PATIENCE).unwrap();
    let mut waits = client();
    let preview = std::thread::spawn(move || waits.preview("a", "custom.slow ping").unwrap());
    client().status().unwrap();
    assert_eq!(preview.join().unwrap(), "200-custom.slow=7\n404 ping: no such statistic\n");
}

#[test]
fn a_command_that_hangs_is_unavailable_after_its_deadline_and_holds_up_nobody_else() {
    let hangs = command("hangs", "gauge", "'/bin/sleep', '60'", "timeout = '9s'");
    let quick = command("quick", "gauge", "'/bin/echo', '1'", "");
    let host = Host::new(&(hangs + &quick), &[]);
    let (mut waits, mut other) = (host.guest("qemu-a"), host.guest("qemu-b"));
    let begun = Instant::now();
    waits.say("custom.hangs custom.quick");
    waits.say("ping behind");
    assert_eq!(other.ask("custom.quick"), "200 custom.quick=1\n");
    assert_eq!(other.ask("ping x"), "200 pong x\n");
    assert!(begun.elapsed() < Duration::from_secs(9), "{:?}", begun.elapsed());
    assert_eq!(waits.hear(), "503-custom.hangs: took too long on this host\n200 custom.quick=1\n");
    let took = begun.elapsed();
    assert!(took >= Duration::from_secs(9) && took < Duration::from_secs(50), "{took:?}");
    assert_eq!(waits.hear(), "200 pong behind\n");
    host.wait_for_log(
        "custom.hangs: took too long on this host: its command did not end within 9s",
    );
}

#[test]
fn a_guest_that_hangs_up_before_the_answer_has_used_up_its_interval() {
    for line in ["custom.count", "GET /metrics/XML"] {
        let definition = command("count", "counter", "'DIR/count'", "every = '1s'");
        let program = ("count", "echo run >> runs; sleep 0.5; wc -l < runs");
        let host = Host::new(&definition, &[program]);
        let listener = host.listener("qemu-hourly");
        let mut guest = Guest::accept(&listener);
        guest.say(line);
        let begun = Instant::now();
        while !host.path("out/runs").exists() {
            assert!(begun.elapsed() < PATIENCE, "its command does not run");
            std::thread::sleep(Duration::from_millis(5));
        }
        drop(guest);
        let mut again = Guest::accept(&listener);
        let told = again.ask("custom.count");
        assert!(told.starts_with("429 retry after 359"), "{line}: {told}");
    }
}

#[test]
fn an_upgrade_has_no_command_run_before_its_time() {
    let definition = command("count", "counter", "'DIR/count'", "every = '1h'");
    let host = Host::new(&definition, &[("count", "echo run >> runs; wc -l < runs")]);
    let mut guest = host.guest("qemu-a");
    for _ in 0..2 {
        assert_eq!(guest.ask("custom.count"), "200 custom.count=1\n");
        Client::connect(&host.path("control"), PATIENCE).unwrap().upgrade().unwrap();
    }
    assert_eq!(guest.ask("custom.count"), "200 custom.count=1\n");
    assert_eq!(fs::read_to_string(host.path("out/runs")).unwrap(), "run\n");
}

#[test]
fn two_guests_that_ask_at_once_share_one_run_and_nothing_runs_while_nobody_asks() {
    let definition = command("count", "counter", "'DIR/count'", "every = '1s'");
    let program = [("count", "echo run >> runs; sleep 0.2; wc -l < runs")];
    let host = Host::new(&definition, &program);
    let (mut one, mut two) = (host.guest("qemu-a"), host.guest("qemu-b"));
    one.say("custom.count");
    two.say("custom.count");
    assert_eq!([one.hear(), two.hear()], ["200 custom.count=1\n", "200 custom.count=1\n"]);
    std::thread::sleep(Duration::from_millis(200));
    let before = host.sleeps();
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(host.sleeps(), before);
    assert_eq!(fs::read_to_string(host.path("out/runs")).unwrap(), "run\n");
    assert_eq!(one.ask("custom.count sample.age"), "200-custom.count=2\n200 sample.age=1\n");
}

#[test]
fn list_and_metrics_show_kind_unit_and_help_and_no_two_metrics_have_one_name() {
    let unit = "unit = 'seconds'";
    let definitions = command("backup.age", "gauge", "'/bin/echo', '5'", unit)
        + &command("backup-age", "gauge", "'/bin/echo', '6'", unit)
        + &command("jobs", "counter", "'/bin/echo', '7'", "")
        + &command("site", "info", "'/bin/echo', 'a \"b\" \\\\ c'", "");
    let host = Host::new(&definitions, &[]);
    let mut guest = host.guest("qemu-a");
    assert_eq!(
        guest.ask("list custom"),
        "200-custom.backup-age gauge seconds about backup-age\n\
         200-custom.backup.age gauge seconds about backup.age\n\
         200-custom.jobs counter - about jobs\n200 custom.site info - about site\n"
    );
    assert_eq!(
        guest.ask("metrics custom"),
        "200-# TYPE hostinfo_custom_backup_age_seconds gauge\n\
         200-# UNIT hostinfo_custom_backup_age_seconds seconds\n\
         200-# HELP hostinfo_custom_backup_age_seconds about backup-age\n\
         200-hostinfo_custom_backup_age_seconds 6\n\
         200-# TYPE hostinfo_custom_jobs counter\n\
         200-# HELP hostinfo_custom_jobs about jobs\n\
         200-hostinfo_custom_jobs_total 7\n\
         200-# TYPE hostinfo_custom_site_info gauge\n\
         200-# HELP hostinfo_custom_site_info about site\n\
         200-hostinfo_custom_site_info{value=\"a \\\"b\\\" \\\\\\\\ c\"} 1\n200 # EOF\n"
    );
    host.wait_for_log("x.toml:1: custom.backup.age is left out of `metrics`");
}

#[test]
fn sighup_reads_definitions_again_and_a_guest_waiting_for_one_that_is_gone_gets_404() {
    let hangs = command("hangs", "gauge", "'DIR/hang'", "timeout = '30s'");
    let host = Host::new(&hangs, &[("hang", "touch begun; exec sleep 60")]);
    let mut guest = host.guest("qemu-a");
    guest.say("custom.hangs custom.new");
    guest.say("custom.new");
    // hostinfo-run has read its definition.
    let begun = Instant::now();
    while !host.path("out/begun").exists() {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(5));
    }
    // The first guest must have asked before this: the daemon answers another guest that came
    // later.
    assert_eq!(host.guest("qemu-b").ask("ping"), "200 pong\n");
    host.reload(&command("new", "gauge", "'/bin/echo', '1'", ""));
    assert_eq!(guest.hear(), "404-custom.hangs: no such statistic\n200 custom.new=1\n");
    assert_eq!(guest.hear(), "200 custom.new=1\n");
    host.reload("[custom.new]\nkind = 'gauge'\n");
    host.wait_for_log("x.toml:1: custom.new: `help` is missing");
    assert_eq!(guest.ask("custom.new"), "404 custom.new: no such statistic\n");
}

#[test]
fn without_hostinfo_run_the_status_says_so_and_nobody_waits() {
    let host = Host::new(&command("x", "gauge", "'/bin/echo', '7'", ""), &[]);
    let mut guest = host.guest("qemu-a");
    let problem = || {
        let mut client = Client::connect(&host.path("control"), PATIENCE).unwrap();
        client.status().unwrap().custom_dir.problem
    };
    assert_eq!(problem(), None);
    // As systemd does when hostinfo-run.socket is stopped.
    fs::remove_file(host.path("run")).unwrap();
    assert_eq!(guest.ask("custom.x"), "503 custom.x: could not be read on this host\n");
    let remedy = "systemctl start hostinfo-run.socket";
    host.wait_for_log(remedy);
    assert!(problem().is_some_and(|problem| problem.ends_with(remedy)));
}

#[test]
fn vhostmds_document_shows_custom_statistics_also_on_a_metrics_disk() {
    // The disk is written as soon as the value is there, and not only after its timeout.
    let slow = "timeout = '30s'";
    let host = Host::new(&command("x", "gauge", "'/bin/echo', '7'", slow), &[]);
    let rules = format!("qemu-disk:\n vhostmd-disk = 1\n custom = 1\n{RULES}");
    fs::write(host.path("rules"), rules).unwrap();
    let shown = "<name>custom.x</name>\n<value>7</value>";
    let begun = Instant::now();
    let disk = || fs::read(host.path("sockets/disk/qemu-disk")).unwrap_or_default();
    while !String::from_utf8_lossy(&disk()).contains(shown) {
        assert!(begun.elapsed() < PATIENCE);
        std::thread::sleep(Duration::from_millis(20));
    }
    let mut guest = host.guest("qemu-a");
    guest.say("GET /metrics/XML");
    let mut document = String::new();
    while !document.ends_with("</metrics>\n\n") {
        assert!(guest.0.read_line(&mut document).unwrap() > 0);
    }
    assert!(document.contains(shown), "{document}");
}
