//! The conclusions of `diagnose`: its exit status, its sentences, and its output for programs.

use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::host::FakeHost;
use crate::{run, said, tool};

/// A host whose verdict on the CPU is `then` when it is asked a second time.
fn host(then: &'static str) -> FakeHost {
    let mut asked = 0;
    FakeHost::new(move |line| {
        assert_eq!(line, "get verdict *");
        asked += 1;
        let cpu = if asked == 1 { "unknown: ask again in 1 s" } else { then };
        format!(
            "200-session=a\n200-host.id=df1a367eaff5239f\n200-vm.cpu.seconds={asked}\n\
             200-vm.cpu.delay={asked}\n200-verdict.cpu={cpu}\n\
             200-verdict.memory=ok: nothing waited for memory\n\
             200 verdict.io=ok: your disks answered in time\n"
        )
    })
}

const CONTENDED: &str = "contended: your vCPUs waited 34% of the last 60 s";

#[test]
fn the_exit_status_tells_what_was_concluded() {
    for (verdict, status, nagios) in [
        ("ok: your vCPUs ran", 0, 0),
        (CONTENDED, 10, 2),
        ("self-limited: your own CPU quota held your vCPUs back", 11, 1),
        ("unknown: this host has no PSI", 12, 3),
    ] {
        let (told, text, errors) = run(&host(verdict), "diagnose --for 1s");
        assert_eq!((told, errors.as_str()), (status, ""), "{text}");
        assert_eq!(run(&host(verdict), "diagnose --for 1s --format nagios").0, nagios, "{verdict}");
    }
}

#[test]
fn both_views_stand_beside_each_other_and_the_conclusion_below() {
    let (_, text, _) = run(&host(CONTENDED), "diagnose --for 1s");
    assert!(text.starts_with("Observed this guest on the host df1a367e, for "), "{text}");
    for part in [
        "\ncpu     host   contended: your vCPUs waited 34% of the last 60 s\n",
        " s, vCPUs wanted to run for 2 s and waited 50% of that",
        "\n        guest  ",
        " stol",
        "\nmemory  host   ok: nothing waited for memory\n",
        "\nnet     host   says nothing: this host gives no verdict on it\n",
        "\nIt is the host: it gave this guest less CPU time than it wanted.",
        "Show this to whoever runs the host.\n",
    ] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn only_what_was_asked_for_is_looked_at() {
    let (status, text, _) = run(&host(CONTENDED), "diagnose --for 1s memory io");
    assert_eq!(status, 0);
    assert!(!text.contains("\ncpu ") && text.contains("\nio "), "{text}");
    assert!(text.contains("For memory"), "{text}");
    assert!(
        text.contains("something is wrong with CPU time: hostinfo diagnose cpu."),
        "what was not asked for is pointed at: {text}"
    );
    assert!(!text.contains("It is not the host"), "{text}");
    assert_eq!(run(&host(CONTENDED), "diagnose disk").0, 2);
}

#[test]
fn a_program_gets_one_object() {
    let (status, text, _) = run(&host(CONTENDED), "diagnose --for 1s --json");
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, text.lines().count()), (10, 1));
    assert_eq!(object["verdict"], "contended");
    assert_eq!(object["resources"]["cpu"]["state"], "contended");
    assert_eq!(object["resources"]["net"]["state"], serde_json::Value::Null);
    assert_eq!(object["host"]["vcpus_waited"], 0.5);
    assert_eq!(object["host"]["vcpus_wanted_seconds"], 2.0);
    assert!(object["guest"]["cpus"].as_u64() > Some(0), "{object}");
}

#[test]
fn a_plugin_says_one_line_with_figures_whatever_happens() {
    let (_, text, _) = run(&host(CONTENDED), "diagnose --for 1s --format nagios");
    let told = "HOSTINFO CRITICAL: contended, cpu: your vCPUs waited 34% of the last 60 s | ";
    assert!(
        text.starts_with(told) && text.contains("vcpus_waited_of_wanted=50.0%;;;0;100"),
        "{text}"
    );
    assert_eq!(text.lines().count(), 1);
    let once = FakeHost::new(
        |_| "200-vm.cpu.contention=0.83\n200 verdict.cpu=contended: your vCPUs waited\n",
    );
    let (_, text, _) = run(&once, "diagnose --for 1s --format nagios");
    assert!(text.contains("vcpus_waited_of_wanted=83.0%;;;0;100"), "without counters: {text}");

    let silent = FakeHost::raw(b"", |_| "");
    let (status, text, errors) = run(&silent, "diagnose --timeout 0.3 --format nagios");
    assert_eq!((status, errors.as_str(), text.lines().count()), (3, "", 1));
    assert!(text.starts_with("HOSTINFO UNKNOWN: no host answers: "), "{text}");
    for wrong in ["diagnose --format nagios --frob", "diagnose --format=nagios cpus"] {
        assert_eq!(run(&silent, wrong).0, 3, "{wrong} is not CRITICAL");
    }
}

#[test]
fn a_guest_that_may_not_see_verdicts_is_told_so_and_no_host_is_no_conclusion() {
    let refused = FakeHost::new(|_| "403-verdict: not permitted\n200 physcpus=1\n");
    let (status, text, _) = run(&refused, "diagnose --for 1s");
    assert_eq!(status, 3);
    assert!(text.contains("Ask whoever runs the host to permit verdict.*"), "{text}");
    let blocked = FakeHost::new(|_| "403 this guest may not ask\n");
    let (status, text, _) = run(&blocked, "diagnose --for 1s");
    assert!(status == 3 && text.contains("says nothing: this guest may not ask"), "{text}");
    assert!(text.contains("The host does not let this guest ask anything. "), "{text}");
    assert!(!text.contains("verdict.*"), "that would change nothing: {text}");
    let silent = FakeHost::raw(b"", |_| "");
    assert_eq!(run(&silent, "diagnose --for 1s --timeout 0.3").0, 5);
    let (status, text, errors) = run(&silent, "diagnose --for 1s --timeout 0.3 --json cpu");
    let object: serde_json::Value = serde_json::from_str(&text).unwrap();
    let silence = object["silence"].as_str().unwrap();
    assert!(silence.starts_with("no host answers: "), "{object}");
    assert_eq!((status, &object["verdict"]), (5, &"unknown".into()), "{object}");
    assert_eq!(object["resources"].as_object().unwrap().len(), 1, "{object}");
    assert_eq!(object["sentences"][0], format!("Nothing was observed: {silence}."));
    assert!(errors.starts_with(&format!("hostinfo: {silence}\n")), "{errors}");
}

/// A host that answers once, and then not for that time.
fn away_for(time: Duration) -> FakeHost {
    let (mut asked, mut away_until) = (0, None);
    FakeHost::raw(b"", move |line| {
        let now = Instant::now();
        if away_until.is_some_and(|until| now < until) {
            return String::new();
        }
        match (line.strip_prefix("ping"), asked) {
            (Some(token), _) => {
                away_until = away_until.or((asked == 1).then(|| now + time));
                format!("200 pong{token}\n")
            }
            (None, 0) => {
                asked = 1;
                "200 verdict.cpu=ok: x\n".to_owned()
            }
            (None, _) => format!("200 verdict.cpu={CONTENDED}\n"),
        }
    })
}

#[test]
fn observations_survive_a_host_that_is_away_for_a_moment() {
    let host = away_for(Duration::from_secs(3));
    let (status, text, errors) = run(&host, "diagnose --for 1s --timeout 20");
    assert_eq!((status, errors.as_str()), (10, ""), "{text}");
    assert!(!text.contains("did not answer"), "{text}");
}

#[test]
fn a_host_that_has_been_silent_since_gives_no_verdict() {
    let host = away_for(Duration::from_secs(3600));
    let (status, text, _) = run(&host, "diagnose --for 1s --timeout 0.5 --format nagios");
    assert_eq!(status, 3);
    let told = "HOSTINFO UNKNOWN: unknown, cpu, memory, io and net: it stopped answering: ";
    assert!(text.starts_with(told), "{text}");
}

#[test]
fn a_host_that_stops_answering_is_given_one_timeout_at_the_end_and_its_silence_is_said_once() {
    let host = away_for(Duration::from_secs(3600));
    let start = Instant::now();
    let (status, text, _) = run(&host, "diagnose --for 1s --timeout 2");
    let took = start.elapsed();
    assert!(took < Duration::from_secs(6), "{took:?}");
    assert_eq!(status, 12);
    let path = host.path.display();
    let told = format!(
        "There is no verdict from the host: it stopped answering: {path}: silent for 2 s. "
    );
    assert!(text.contains(&told) && text.matches("silent").count() == 1, "{text}");
    assert!(text.contains("\ncpu     host   says nothing\n"), "{text}");
    assert!(!text.contains("verdicts cover"), "there are none: {text}");
}

#[test]
fn a_guest_that_may_not_ask_until_after_the_end_learns_that_at_once() {
    let host = FakeHost::new(|_| "429 retry after 900.000 s\n");
    let start = Instant::now();
    let (status, text, errors) = run(&host, "diagnose --for 300s");
    assert_eq!((status, text.as_str()), (4, ""));
    assert!(errors.contains("too soon: ask again in 900.000 s, or with --wait\n"), "{errors}");
    assert!(start.elapsed() < Duration::from_secs(300), "it observed nothing");
}

#[test]
fn a_guest_that_may_ask_too_seldom_for_it_says_what_is_known() {
    let mut asked = 0;
    let host = FakeHost::new(move |_| {
        asked += 1;
        match asked {
            1 => "200-verdict.cpu=unknown: ask again in 60 s\n200 physcpus=1\n",
            _ => "429 retry after 58.000 s\n",
        }
    });
    let (status, text, _) = run(&host, "diagnose --for 1s cpu");
    assert_eq!(status, 12);
    assert!(text.contains("The host's verdict on CPU time: ask again in 60 s."), "{text}");
}

#[test]
fn what_takes_long_without_a_terminal_is_said_once_to_people_and_not_to_programs() {
    let host = FakeHost::new(|_| "200 verdict.cpu=ok: your vCPUs ran\n");
    let line = "hostinfo: observing the host and this guest for 2 s\n";
    let folder = tempfile::tempdir().unwrap();
    let into_file = format!("diagnose --for 2s --output {}", folder.path().join("f").display());
    for (arguments, told) in [
        ("diagnose --for 2s", line),
        ("diagnose --for 1s", ""),
        (&into_file, ""),
        ("diagnose --for 2s --json", ""),
        ("diagnose --for 2s --format nagios", ""),
    ] {
        assert_eq!(run(&host, arguments).2, told, "{arguments}");
    }
}

#[test]
fn a_wait_beyond_the_observation_is_said_too() {
    let host = FakeHost::new(|_| "200 verdict.cpu=unknown: ask again in 4 s\n");
    let (status, _, errors) = run(&host, "diagnose --for 1s cpu");
    let told = "hostinfo: waiting for the host's verdict for 4 s\n";
    assert_eq!((status, errors.as_str()), (12, told));
}

#[test]
fn a_person_who_ends_the_observation_gets_a_conclusion_from_what_there_is() {
    let host = FakeHost::new(|_| "200 verdict.cpu=contended: your vCPUs waited\n");
    let mut child = tool("diagnose --for 300s cpu");
    child.env("HOSTINFO_DEVICE", &host.path).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    let mut errors = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    errors.read_line(&mut line).unwrap();
    std::thread::sleep(Duration::from_millis(500));
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (status, text, _) = said(child.wait_with_output().unwrap());
    assert_eq!(status, 10, "{text}");
    assert!(text.contains("It is the host: "), "{text}");
}
