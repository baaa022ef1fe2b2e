//! Other programs that write to the port, or read from it, while the tool asks.

use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::host::FakeHost;
use crate::{run, said, tool};

/// Only a program that hangs takes that long.
const DEADLINE: Duration = Duration::from_secs(300);

/// A program that runs beside the tool; it ends with the test.
struct Other(Child);

impl Other {
    /// Runs `script` in a shell, in which `$PORT` is the port.
    fn shell(host: &FakeHost, script: &str) -> Self {
        let mut command = Command::new("sh");
        command.args(["-c", script]).env("PORT", &host.path).stdin(Stdio::null());
        Self(command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Other {
    fn drop(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

/// A host with two statistics.
fn host() -> FakeHost {
    FakeHost::new(|line| match line {
        "get physcpus" => "200 physcpus=64\n",
        "json physcpus" => "200 {\"physcpus\":64}\n",
        "loadavg.1" => "200 loadavg.1=0.42\n",
        _ => "404 x: no such statistic\n",
    })
}

const WRITES_ALL_THE_TIME: &str = "while :; do echo loadavg.1 > $PORT; sleep 0.02; done";

#[test]
fn another_programs_answers_are_never_taken_for_the_tools_own() {
    let host = host();
    let _other = Other::shell(&host, WRITES_ALL_THE_TIME);
    for turn in 0..30 {
        let answer = (0, "physcpus=64\n".to_owned(), String::new());
        assert_eq!(run(&host, "get physcpus"), answer, "{turn}");
        let answer = (0, "{\"physcpus\":64}\n".to_owned(), String::new());
        assert_eq!(run(&host, "get physcpus --json"), answer, "{turn}");
    }
}

#[test]
fn a_program_that_has_the_port_open_is_named_and_nothing_is_written_meanwhile() {
    let host = FakeHost::raw(b"", |line| -> &str { panic!("the tool sent {line}") });
    let other = Other::shell(&host, "exec sleep 1000 < $PORT");
    let named = format!("sleep (PID {})", other.0.id());
    // The shell opens the port before it becomes that program.
    let comm = format!("/proc/{}/comm", other.0.id());
    let started = Instant::now();
    while fs::read_to_string(&comm).unwrap() != "sleep\n" {
        assert!(started.elapsed() < DEADLINE, "the shell opens no port");
        thread::sleep(Duration::from_millis(10));
    }
    let (status, text, errors) = run(&host, "get physcpus --timeout 0.2");
    assert_eq!((status, text.as_str()), (1, ""));
    let path = host.path.display();
    assert_eq!(errors, format!("hostinfo: {path}: in use by {named}. Stop that, then ask again\n"));
}

#[test]
fn a_program_that_leaves_the_port_in_time_is_waited_for() {
    let host = host();
    let _other = Other::shell(&host, "sleep 0.5 < $PORT");
    assert_eq!(run(&host, "get physcpus").0, 0);
}

#[test]
fn a_program_that_takes_the_answers_away_is_named_before_the_administrator_is_blamed() {
    // On a busy machine, it may take the other program a while to open the port.
    let is_named = [1, 10, 100].into_iter().any(|timeout| {
        let (asks, asked) = mpsc::channel();
        let host = FakeHost::raw(b"", move |_| {
            asks.send(()).unwrap_or_default();
            ""
        });
        let mut tool = tool(&format!("get physcpus --timeout {timeout}"));
        tool.env("HOSTINFO_DEVICE", &host.path).stdout(Stdio::piped()).stderr(Stdio::piped());
        let tool = tool.spawn().unwrap();
        asked.recv_timeout(DEADLINE).unwrap();
        let other = Other::shell(&host, "exec tail -f $PORT");
        let (status, _, errors) = said(tool.wait_with_output().unwrap());
        assert_eq!(status, 1);
        let is_named = errors.contains(&format!("in use by tail (PID {})", other.0.id()));
        assert!(!is_named || !errors.contains("administrator"), "{errors}");
        is_named
    });
    assert!(is_named);
}

#[test]
fn a_line_that_is_always_disturbed_is_given_up_with_the_reason() {
    let host = FakeHost::new(|_| "200 loadavg.1=0.42\n");
    let (status, text, errors) = run(&host, "get physcpus --timeout 2");
    assert_eq!((status, text.as_str()), (1, ""));
    let path = host.path.display();
    let told =
        format!("hostinfo: {path}: no whole answer within 2 s: the host's replies arrive damaged");
    assert!(errors.starts_with(&told), "{errors}");
}
