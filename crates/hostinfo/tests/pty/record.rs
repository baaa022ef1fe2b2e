//! Recordings of both views.

use std::fs;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::host::FakeHost;
use crate::{run, tool};

const ANSWER: &str = "200-interval=1\n200-session=a\n200-host.id=df1a367eaff5239f\n200-hypervisor=kvm\n\
                      200-loadavg.1=0.42\n200-verdict.cpu=contended: your vCPUs waited 34% of the last 5 s\n\
                      200 verdict.memory=ok: nothing waited for memory\n";

#[test]
fn a_recording_has_both_views_and_is_appended_to() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let host = FakeHost::new(|line| {
        assert_eq!(line, "get verdict *");
        ANSWER
    });
    for parts in 1..3 {
        record(&host, "", &file, Signal::TERM);
        let text = fs::read_to_string(&file).unwrap();
        let count = |begin: &str| text.lines().filter(|line| line.starts_with(begin)).count();
        assert_eq!(
            (count("#hostinfo-recording 1"), count("h "), count("v ")),
            (parts, parts, 4 * parts),
            "{text}"
        );
        assert!(text.contains(" co-- - - - 4 - "), "{text}");
        assert!(
            text.contains(" cpu contended your vCPUs waited 34% of the last 5 s .\n"),
            "{text}"
        );
        assert!(text.contains(" df1a367e, kvm .\n"), "{text}");
    }
}

#[test]
fn a_host_that_may_be_asked_in_a_moment_is_asked_in_a_moment() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let mut asked = 0;
    let host = FakeHost::new(move |_| {
        asked += 1;
        if asked % 2 == 0 { "429 retry after 0.010 s\n" } else { ANSWER }
    });
    // Otherwise, the sample after each answer would have none.
    record_until(&host, "", &file, Signal::TERM, |recorded| {
        let is_answered = |sample: &&str| sample.contains(" co-- ");
        samples(recorded).windows(2).any(|two| two.iter().all(is_answered))
    });
}

#[test]
fn a_refusal_for_the_interval_is_reported_once_and_the_guests_own_view_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let mut asked = 0;
    let host = FakeHost::new(move |_| {
        asked += 1;
        if asked == 1 {
            "200-interval=60\n200 verdict.cpu=unknown: ask again in 60 s\n"
        } else {
            "429 retry after 58.000 s\n"
        }
    });
    let (status, text, errors) =
        run(&host, &format!("record {} --every 1s --for 3s", file.display()));
    assert_eq!((status, text.as_str()), (0, ""));
    assert_eq!(errors.matches("may ask its host only every 1 min").count(), 1, "{errors}");
    let recorded = fs::read_to_string(&file).unwrap();
    assert!(recorded.contains(" later - - - "), "{recorded}");
}

#[test]
fn a_host_that_does_not_answer_is_no_end_of_it_and_what_cannot_be_written_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let silent = FakeHost::raw(b"", |_| "");
    let errors = record(&silent, "--timeout 0.3", &file, Signal::TERM);
    assert!(
        errors.contains("no host answers: ") && errors.contains("recorded all the same"),
        "{errors}"
    );
    assert!(fs::read_to_string(&file).unwrap().contains(" silent - - - "));

    let place = file.display();
    fs::write(&file, "time,value\n").unwrap();
    let (status, _, errors) = run(&silent, &format!("record {place} --for 1s"));
    assert_eq!(status, 1);
    assert!(errors.contains("it is not a recording, and was left as it is"), "{errors}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "time,value\n");
    for wrong in ["record", "record a --json", "record a --output b", "record a --for x"] {
        assert_eq!(run(&silent, wrong).0, 2, "{wrong}");
    }
}

#[test]
fn ctrl_c_ends_it_with_the_number_of_samples_and_the_next_step() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let host = FakeHost::new(|_| ANSWER);
    for signal in [Signal::INT, Signal::TERM] {
        let errors = record(&host, "", &file, signal);
        let samples = count(&file);
        let ending = if samples == 1 { "" } else { "s" };
        let told = format!(
            "hostinfo: {samples} sample{ending} in {0}. Next: hostinfo report {0} --text\n",
            file.display()
        );
        assert!(errors.ends_with(&told), "{errors}");
        fs::remove_file(&file).unwrap();
    }
}

#[test]
fn a_signal_that_a_shell_has_it_ignore_does_not_end_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let host = FakeHost::new(|_| ANSWER);
    let mut child = Command::new("sh")
        .args(["-c", "trap '' INT; exec \"$0\" record \"$1\" --every 1s"])
        .args([env!("CARGO_BIN_EXE_hostinfo").as_ref(), file.as_os_str()])
        .env("HOSTINFO_DEVICE", &host.path)
        .spawn()
        .unwrap();
    wait_for(&file, 1);
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    fs::write(&file, "").unwrap();
    wait_for(&file, 1);
    child.kill().unwrap();
    child.wait().unwrap();
}

/// Records until there is another sample in the file, and ends the recording by that signal. What it says on stderr
/// comes back.
fn record(host: &FakeHost, options: &str, file: &Path, signal: Signal) -> String {
    let before = count(file);
    record_until(host, options, file, signal, |recorded| samples(recorded).len() > before)
}

/// Records until the recording is as wanted, and ends it by that signal. What it says on stderr comes back.
fn record_until(
    host: &FakeHost,
    options: &str,
    file: &Path,
    signal: Signal,
    is_wanted: impl Fn(&str) -> bool,
) -> String {
    let child = tool(&format!("record --every 1s {options}"))
        .arg(file)
        .env("HOSTINFO_DEVICE", &host.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    wait_until(file, is_wanted);
    kill_process(Pid::from_child(&child), signal).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!((output.status.signal(), output.stdout.len()), (Some(signal.as_raw()), 0));
    String::from_utf8(output.stderr).unwrap()
}

fn samples(recorded: &str) -> Vec<&str> {
    recorded.lines().filter(|line| line.starts_with("s ")).collect()
}

/// The number of samples in the file.
fn count(file: &Path) -> usize {
    samples(&fs::read_to_string(file).unwrap_or_default()).len()
}

/// Waits until that many samples are in the file.
fn wait_for(file: &Path, number: usize) {
    wait_until(file, |recorded| samples(recorded).len() >= number);
}

fn wait_until(file: &Path, is_wanted: impl Fn(&str) -> bool) {
    let begin = Instant::now();
    let recorded = || fs::read_to_string(file).unwrap_or_default();
    while !is_wanted(&recorded()) {
        assert!(begin.elapsed() < Duration::from_secs(300), "{}", recorded());
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn a_recording_that_was_ended_by_force_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let host = FakeHost::new(|_| ANSWER);
    let arguments = format!("record {} --every 1s", file.display());
    let mut child = tool(&arguments).env("HOSTINFO_DEVICE", &host.path).spawn().unwrap();
    wait_for(&file, 1);
    let twice = run(&host, &arguments);
    assert!(twice.0 == 1 && twice.2.contains("another hostinfo record"), "{twice:?}");
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(run(&host, &format!("{arguments} --for 1s")).0, 0);
}
