//! How old an answer is, where a broker gives what the host said a while ago.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::Value;

use crate::broker::{Broker, GET};
use crate::host::FakeHost;
use crate::top::Top;
use crate::{run, tool};

/// How old the host's values are when it gives them: as if the broker had asked it then.
const AGE: f64 = 25.0;

/// The host's answer, once a minute.
const ANSWER: &str = "200-session=a\n200-time=100.5\n200-sample.age=25\n200-interval=60\n200-loadavg.1=0.42\n\
                      200-vm.cpu.seconds=5\n200-vm.cpu.delay=5\n200-vm.cpu.contention=0.5\n\
                      200-verdict.cpu=contended: your vCPUs waited 34% of the last 60 s\n\
                      200-verdict.memory=ok: nothing waited for memory\n\
                      200 verdict.incident.1=cpu contended from 2026-11-28T10:02Z to now: 34% waited\n";

/// A host that lets its guest ask once a minute, and a count of how often it answered.
fn host_of_a_minute() -> (FakeHost, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let host = FakeHost::new(move |line| match line {
        "list" => "403 list: not permitted\n",
        "get * verdict" if counted.fetch_add(1, Ordering::Relaxed) == 0 => ANSWER,
        _ => "429 retry after 35.000 s\n",
    });
    (host, asked)
}

/// Ages are right from when the broker was started.
struct Clock(Instant);

impl Clock {
    /// Whether values may be that old now: ages are rounded up twice, and whole seconds down.
    fn check(&self, age: f64, what: &str) {
        let most = AGE + self.0.elapsed().as_secs_f64() + 0.3;
        assert!((AGE..=most).contains(&age), "{what}: {age} of {most}");
    }
}

/// The number before ` s ago`.
fn seconds_ago(text: &str) -> f64 {
    let (before, _) = text.split_once(" s ago").unwrap_or_else(|| panic!("no age in {text}"));
    before.rsplit([' ', '(', '\n']).next().unwrap().parse().unwrap()
}

#[test]
fn a_person_a_script_and_prometheus_all_get_true_ages_though_the_guest_may_ask_once_a_minute() {
    let (host, asked) = host_of_a_minute();
    let clock = Clock(Instant::now());
    let broker = Broker::start(&host.path);
    for _ in 0..3 {
        let (status, text, errors) = broker.run("");
        assert_eq!((status, errors.as_str()), (0, ""), "{text}");
        assert!(text.starts_with("cpu       contended ("), "{text}");
        assert!(text.contains(" s ago, it was the host (CPU time). "), "{text}");
        assert!(text.contains(" UTC, and going on "), "{text}");
        text.lines().filter(|line| line.contains(" s ago")).for_each(|line| {
            clock.check(seconds_ago(line), line);
        });

        let (_, text, _) = broker.run("--json loadavg.1 sample.age");
        let object: Value = serde_json::from_str(&text).unwrap();
        clock.check(object["sample.age"].as_f64().unwrap(), &text);
        assert_eq!(object["loadavg.1"], 0.42);
        let (status, text, errors) = broker.run("get loadavg.1");
        assert_eq!((status, text.as_str()), (0, "loadavg.1=0.42\n"));
        let told = errors.strip_prefix("hostinfo: these figures are ").unwrap();
        clock.check(told.strip_suffix(" s old\n").unwrap().parse().unwrap(), &errors);
        let (status, text, _) = broker.run("--json verdict.cpu");
        let object: Value = serde_json::from_str(&text).unwrap();
        assert_eq!((status, object.as_object().unwrap().len()), (0, 2), "{text}");
        clock.check(object["sample.age"].as_f64().unwrap(), &text);
        let (status, text, _) = broker.run("--format prometheus loadavg.1");
        let age = text.lines().find_map(|line| line.strip_prefix("hostinfo_sample_age_seconds "));
        clock.check(age.unwrap().parse().unwrap(), &text);
        assert_eq!(status, 0, "{text}");

        let scraped = broker.scrape(GET);
        let age =
            scraped.lines().find_map(|line| line.strip_prefix("hostinfo_sample_age_seconds "));
        clock.check(age.unwrap().parse().unwrap(), &scraped);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn what_the_host_said_before_an_observation_is_no_verdict_on_it() {
    let (host, asked) = host_of_a_minute();
    let clock = Clock(Instant::now());
    let broker = Broker::start(&host.path);
    let (status, text, _) = broker.run("diagnose --for 1s");
    assert_eq!(status, 12, "{text}");
    let cpu = "\ncpu     host   unknown: the host was last asked ";
    let (_, told) = text.split_once(cpu).unwrap_or_else(|| panic!("{text}"));
    clock.check(seconds_ago(&format!(" {told}")), &text);
    let (_, again) = told.split_once(" s ago; ask again in ").unwrap();
    let again: f64 = again.split_once(" s\n").unwrap().0.parse().unwrap();
    assert!((25.0..35.0).contains(&again), "{text}");
    for false_now in ["contended:", " ok: nothing", "It is the host", "waited 50%", "to now"] {
        assert!(!text.contains(false_now), "{false_now:?} in {text}");
    }

    let (status, text, _) = broker.run("diagnose --for 1s --json");
    let object: Value = serde_json::from_str(&text).unwrap();
    assert_eq!((status, &object["verdict"]), (12, &"unknown".into()), "{text}");
    assert_eq!(object["resources"]["cpu"]["state"], "unknown");
    clock.check(object["age_seconds"].as_f64().unwrap(), &text);
    assert_eq!(object["host"]["vcpus_waited"], Value::Null);

    let (status, text, _) = broker.run("diagnose --for 1s --format nagios cpu");
    assert_eq!(status, 3, "{text}");
    let told = "HOSTINFO UNKNOWN: unknown, cpu: the host was last asked ";
    assert!(text.starts_with(told) && !text.contains("vcpus_waited"), "{text}");
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[test]
fn what_the_host_says_itself_is_of_now_and_an_age_that_nobody_tells_is_null() {
    for (age, told) in
        [("200-sample.age=0.1\n", Some(0.1)), ("403-sample.age: not permitted\n", None)]
    {
        let host = FakeHost::new(move |_| format!("{age}200 verdict.cpu=ok: x\n"));
        let (status, text, _) = run(&host, "diagnose --for 1s --json");
        let object: Value = serde_json::from_str(&text).unwrap();
        let seconds = object["age_seconds"].as_f64();
        assert_eq!((status, seconds.is_some()), (0, told.is_some()), "{text}");
        assert!(seconds.is_none_or(|seconds| seconds < 5.0), "{text}");
    }
}

#[test]
fn diagnose_waits_for_the_next_answer_if_it_comes_soon_or_with_wait() {
    for (interval, arguments) in [(27, ""), (37, " --wait")] {
        let mut asked = 0;
        let host = FakeHost::new(move |_| {
            asked += 1;
            let (age, verdict) = if asked < 3 { ("25", "ok") } else { ("0.1", "contended") };
            format!("200-interval={interval}\n200-sample.age={age}\n200 verdict.cpu={verdict}: x\n")
        });
        let (status, text, _) = run(&host, &format!("diagnose --for 1s cpu{arguments}"));
        assert_eq!(status, 10, "{text}");
    }
}

#[test]
fn a_kept_answer_is_recorded_once() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("r");
    let (status, _, errors) = broker.run(&format!("record {} --every 1s --for 4s", file.display()));
    assert_eq!(status, 0, "{errors}");
    let recorded = fs::read_to_string(&file).unwrap();
    let samples: Vec<&str> = recorded.lines().filter(|line| line.starts_with("s ")).collect();
    assert!(samples.len() >= 3, "{recorded}");
    assert!(samples.iter().all(|sample| sample.contains(" later - - - - - ")), "{recorded}");
    let report = tool("report --text").arg(&file).output().unwrap();
    let report = String::from_utf8(report.stdout).unwrap();
    assert!(report.contains("There was no verdict from the host in this time"), "{report}");
}

#[test]
fn a_live_view_says_how_old_the_hosts_figures_are_and_when_the_next_come() {
    let (host, _) = host_of_a_minute();
    let broker = Broker::start(&host.path);
    let mut top = Top::run("top --every 1s", &broker.socket, 120, 24);
    top.wait_for("the host's figures are ");
    top.wait_for(" s old, the next come in ");
    top.wait_for(" s ago: your vCPUs waited 34% of the last 60 s");
    top.wait_for("cpu contended from about 2026-11-28 10:02 UTC, and going on ");
    top.quit();
}
