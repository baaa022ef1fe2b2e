//! The daemon as its administrator and the service manager see it.

// A surprise is to end the test.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostinfo_control::Client;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

/// Longest time that anything here may take.
const PATIENCE: Duration = Duration::from_secs(10);

/// A folder with everything that a daemon needs, and the command that starts one in it.
struct Place(TempDir);

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::create_dir(folder.path().join("sockets")).unwrap();
        Self(folder)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostinfod"));
        for (flag, name) in
            [("--socket-dir", "sockets"), ("--rules", "rules"), ("--control", "control")]
        {
            command.arg(flag).arg(self.path(name));
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.env_remove("JOURNAL_STREAM").env_remove("NOTIFY_SOCKET");
        command
    }

    /// Exit status and stderr of a daemon that is expected to end by itself.
    fn fail(&self, arguments: &[&str]) -> (i32, String) {
        let output = self.command().args(arguments).output().unwrap();
        (output.status.code().unwrap(), String::from_utf8(output.stderr).unwrap())
    }

    /// A daemon that has reported that it is ready, and the socket for its further reports.
    fn start(&self, arguments: &[&str]) -> (Daemon, UnixDatagram) {
        let told = UnixDatagram::bind(self.path("notify")).unwrap();
        told.set_read_timeout(Some(PATIENCE)).unwrap();
        let mut command = self.command();
        command.args(arguments).env("NOTIFY_SOCKET", self.path("notify"));
        let daemon = Daemon(command.spawn().unwrap());
        assert_eq!(next(&told), "READY=1");
        (daemon, told)
    }
}

fn next(told: &UnixDatagram) -> String {
    let mut buffer = [0; 256];
    let length = told.recv(&mut buffer).unwrap();
    String::from_utf8_lossy(&buffer[..length]).trim().to_owned()
}

/// Killed when the test ends, however it ends.
struct Daemon(Child);

impl Daemon {
    fn signal(&self, signal: Signal) {
        let pid = Pid::from_child(&self.0);
        kill_process(pid, signal).unwrap();
    }

    fn exit_status(&mut self) -> Option<i32> {
        let end = Instant::now() + PATIENCE;
        while Instant::now() < end {
            if let Some(status) = self.0.try_wait().unwrap() {
                return status.code();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("the daemon does not end");
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Waits until the file contains `text`.
fn wait_for(path: &Path, text: &str) -> String {
    let end = Instant::now() + PATIENCE;
    loop {
        let found = fs::read_to_string(path).unwrap_or_default();
        if found.contains(text) {
            return found;
        }
        assert!(Instant::now() < end, "no {text:?} in {}: {found}", path.display());
        std::thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_bad_rules_file_is_status_78_and_all_its_errors_with_their_places() {
    let place = Place::new();
    place.write("rules", "interval = 1\nqemu-*:\n  intervall = 5\n");
    let (status, said) = place.fail(&[]);
    assert_eq!(status, 78);
    for (line, word) in [(1, "before the first header"), (3, "did you mean `interval`?")] {
        let at = format!("{}:{line}:", place.path("rules").display());
        assert!(said.contains(&at) && said.contains(word), "{said}");
    }
}

#[test]
fn a_bad_settings_file_is_status_78_with_its_place() {
    let place = Place::new();
    place.write("toml", "[flow]\nlines = 3\n");
    let (status, said) = place.fail(&["--config", place.path("toml").to_str().unwrap()]);
    assert_eq!(status, 78);
    assert!(said.contains("line 2") && said.contains("lines_per_second"), "{said}");
}

#[test]
fn a_missing_socket_directory_is_named_with_its_remedy() {
    let place = Place::new();
    fs::remove_dir(place.path("sockets")).unwrap();
    let (status, said) = place.fail(&[]);
    assert_eq!(status, 78);
    assert!(said.contains("/sockets: no such directory: make it with `install -d"), "{said}");
}

#[test]
fn if_all_inotify_instances_are_in_use_the_limit_is_named_and_another_try_may_help() {
    let place = Place::new();
    let daemon = place.command();
    let output = Command::new("unshare")
        .args(["--user", "--map-root-user", "sh", "-c"])
        .arg("echo 0 > /proc/sys/user/max_inotify_instances; exec \"$0\" \"$@\"")
        .arg(daemon.get_program())
        .args(daemon.get_args())
        .output()
        .unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("raise fs.inotify.max_user_instances"), "{said}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn a_second_daemon_says_who_serves_the_directory_already() {
    let place = Place::new();
    let (first, _told) = place.start(&[]);
    let (status, said) = place.fail(&[]);
    assert_eq!(status, 1);
    assert!(said.contains(&format!("hostinfod (PID {})", first.0.id())), "{said}");
    assert!(!said.contains("in force"), "{said}");
}

#[test]
fn the_service_manager_hears_that_it_is_ready_alive_and_stopping() {
    let place = Place::new();
    let told = UnixDatagram::bind(place.path("notify")).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = place.command();
    command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "100000");
    let mut daemon = Daemon(command.spawn().unwrap());
    assert_eq!([next(&told), next(&told), next(&told)], ["READY=1", "WATCHDOG=1", "WATCHDOG=1"]);
    daemon.signal(Signal::TERM);
    while next(&told) != "STOPPING=1" {}
    assert_eq!(daemon.exit_status(), Some(0));
}

#[test]
fn a_service_manager_that_takes_no_messages_keeps_nobody_waiting() {
    let place = Place::new();
    let told = UnixDatagram::bind(place.path("notify")).unwrap();
    told.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut command = place.command();
    command.env("NOTIFY_SOCKET", place.path("notify")).env("WATCHDOG_USEC", "1000000");
    let mut daemon = Daemon(command.spawn().unwrap());
    assert_eq!(next(&told), "READY=1");
    let any_user = UnixDatagram::unbound().unwrap();
    any_user.set_nonblocking(true).unwrap();
    while any_user.send_to(b"x", place.path("notify")).is_ok() {}
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_secs(4) {
        let asked = Instant::now();
        Client::connect(&place.path("control"), PATIENCE).unwrap().status().unwrap();
        assert!(asked.elapsed() < PATIENCE / 2, "{:?}", asked.elapsed());
        std::thread::sleep(Duration::from_millis(20));
    }
    while next(&told) != "WATCHDOG=1" {}
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_status(), Some(0));
}

#[test]
fn sigterm_and_sigint_end_it_at_once_and_cleanly() {
    for signal in [Signal::TERM, Signal::INT] {
        let place = Place::new();
        let (mut daemon, _told) = place.start(&[]);
        let start = Instant::now();
        daemon.signal(signal);
        assert_eq!(daemon.exit_status(), Some(0));
        assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    }
}

#[test]
fn sighup_opens_the_log_anew_and_reads_settings_and_rules_again() {
    let place = Place::new();
    let toml = |level: &str| {
        let file = place.path("log");
        let text =
            format!("[log]\noutput = 'file'\nfile = '{}'\nlevel = '{level}'\n", file.display());
        place.write("toml", &text);
    };
    toml("info");
    let (daemon, _told) = place.start(&["--config", place.path("toml").to_str().unwrap()]);
    wait_for(&place.path("log"), "no such file: the built-in rules are in force");

    fs::rename(place.path("log"), place.path("log.1")).unwrap();
    daemon.signal(Signal::HUP);
    wait_for(&place.path("log"), "settings read again");

    place.write("toml", "[log\n");
    daemon.signal(Signal::HUP);
    wait_for(&place.path("log"), "the previous settings stay in force");

    toml("error");
    daemon.signal(Signal::HUP);
    place.write("rules", "nonsense\n");
    let log = wait_for(&place.path("log"), "the previous rules stay in force");
    assert_eq!(log.matches("settings read again").count(), 1, "{log}");
}

#[test]
fn sighup_logs_which_settings_wait_for_a_restart() {
    let place = Place::new();
    let toml = |rest: &str| {
        let file = place.path("log");
        let text = format!("[log]\noutput = 'file'\nfile = '{}'\n{rest}", file.display());
        place.write("toml", &text);
    };
    toml("");
    let (daemon, _told) = place.start(&["--config", place.path("toml").to_str().unwrap()]);
    wait_for(&place.path("log"), "no such file: the built-in rules are in force");

    toml("[libvirt]\nrequired = true\n[labels]\nrack = 'b 7'\n[metrics]\nlisten = '127.0.0.1:9'\n");
    daemon.signal(Signal::HUP);
    let waiting = "these changes take effect when hostinfod is restarted: [metrics], [libvirt]\n";
    wait_for(&place.path("log"), waiting);

    toml("[labels]\nrack = 'b 7'\n");
    daemon.signal(Signal::HUP);
    wait_for(&place.path("log"), "settings read again\n");
}

#[test]
fn a_log_that_nobody_reads_holds_nobody_up_and_says_later_what_is_missing() {
    let place = Place::new();
    let (mut daemon, _told) = place.start(&[]);
    // A thousand errors are far more than a pipe holds.
    place.write("rules", &"nonsense\n".repeat(1000));
    let client = || Client::connect(&place.path("control"), PATIENCE).unwrap();
    let left_out = || {
        let text = client().metrics().unwrap();
        let line = text.lines().find(|line| line.starts_with("hostinfod_log_lines_left_out_total"));
        line.unwrap().rsplit_once(' ').unwrap().1.parse::<u64>().unwrap()
    };
    let end = Instant::now() + PATIENCE;
    while left_out() < 3 {
        assert!(Instant::now() < end, "nothing is left out");
        daemon.signal(Signal::HUP);
    }
    let mut log = daemon.0.stderr.take().unwrap();
    let (mut said, mut page) = (String::new(), [0; 4096]);
    while !said.contains("log lines were dropped: whoever reads the log did not keep up") {
        client().status().unwrap();
        let count = log.read(&mut page).unwrap();
        assert!(count > 0, "the log has ended: {said}");
        said.push_str(&String::from_utf8_lossy(&page[..count]));
    }
    daemon.signal(Signal::TERM);
    assert_eq!(daemon.exit_status(), Some(0));
}

#[test]
fn without_a_place_for_its_secret_a_daemon_starts_and_says_what_that_means() {
    let place = Place::new();
    place.write("file", "");
    let state = place.path("file/state");
    let (mut daemon, _told) = place.start(&["--state-dir", state.to_str().unwrap()]);
    daemon.signal(Signal::TERM);
    daemon.exit_status();
    let mut log = String::new();
    daemon.0.stderr.take().unwrap().read_to_string(&mut log).unwrap();
    assert!(log.contains("host.id changes with each start"), "{log}");
}

#[test]
fn a_pseudo_terminal_is_served_without_a_guest_or_a_directory() {
    let place = Place::new();
    fs::remove_dir(place.path("sockets")).unwrap();
    let (mut daemon, _told) = place.start(&["--pty"]);
    let mut path = String::new();
    BufReader::new(daemon.0.stdout.take().unwrap()).read_line(&mut path).unwrap();
    let mut terminal = fs::OpenOptions::new().read(true).write(true).open(path.trim()).unwrap();
    // The terminal is in its default mode: it echoes what the host says, and passes on whole lines.
    terminal.write_all(b"ping a\nvm.name\n").unwrap();
    let mut lines = BufReader::new(terminal).lines().map(Result::unwrap);
    assert_eq!(
        [lines.next(), lines.next()],
        ["200 pong a", "200 vm.name=local"].map(|l| Some(l.to_owned()))
    );
}
