//! What is recorded of answers in a row.

use super::*;
use crate::recording::{Field, Reader, head};
use crate::reply::Line;
use crate::reply::tests::any_figures;
use crate::verdict::State;
use hostinfo_wire::Code;
use proptest::prelude::*;

struct Played {
    recorder: Recorder,
    start: Instant,
}

impl Played {
    fn new() -> Self {
        let nowhere = Roots { proc: "/nonexistent".into(), sys: "/nonexistent".into() };
        Self { recorder: Recorder::new(nowhere), start: Instant::now() }
    }

    /// What is recorded if the host gives this answer, that many seconds after the start.
    fn at(&mut self, seconds: u32, answer: Result<&[&str], Failure>) -> Vec<Entry> {
        self.after(seconds, answer, Duration::ZERO)
    }

    /// The same if that took so long.
    fn after(
        &mut self,
        seconds: u32,
        answer: Result<&[&str], Failure>,
        cost: Duration,
    ) -> Vec<Entry> {
        let line = |text: &&str| Line { code: Code::Done, text: (*text).to_owned() };
        let lines = answer.map(|lines| lines.iter().map(line).collect());
        let asked = self.start + Duration::from_secs(seconds.into());
        let came = asked + cost;
        self.recorder.take(Some(Answer { asked, came, lines }), i64::from(seconds), came)
    }
}

fn sample(entries: &[Entry]) -> &Sample {
    let Some(Entry::Sample(sample)) = entries.last() else { panic!("{entries:?}") };
    sample
}

fn reasons(entries: &[Entry]) -> usize {
    entries
        .iter()
        .filter(|entry| matches!(entry, Entry::Verdict { resource, .. } if resource == "cpu"))
        .count()
}

#[test]
fn the_hosts_figures_are_of_the_time_between_two_answers() {
    let mut played = Played::new();
    let first =
        ["session=a", "vm.cpu.seconds=100", "vm.cpu.delay=10", "vm.cpu.throttled=0", "time=5"];
    assert!(!played.at(0, Ok(&first)).iter().any(|entry| matches!(entry, Entry::Sample(_))));
    let then = [
        "session=a",
        "vm.cpu.seconds=106",
        "vm.cpu.delay=14",
        "vm.cpu.throttled=5",
        "vm.cpu.0.seconds=50",
        "vm.cpu.1.seconds=56",
        "time=15",
    ];
    let entries = played.at(10, Ok(&then));
    let sample = sample(&entries);
    assert_eq!(sample.figure(Field::Waited), Some(400));
    assert_eq!(sample.figure(Field::Throttled), Some(500));
    assert_eq!(sample.figure(Field::Ran), Some(300), "6 s of 10 s on two CPUs");
    assert_eq!(sample.figure(Field::Steal), None, "there is no /proc");
    assert_eq!(sample.heard, Heard::Verdicts([None; 4]));
}

#[test]
fn a_host_that_may_not_be_asked_yet_and_one_that_does_not_answer_are_told_apart() {
    let mut played = Played::new();
    played.at(0, Ok(&["verdict.cpu=ok: x"]));
    let later = played.at(10, Err(Failure::TooSoon(Duration::from_secs(50))));
    assert_eq!((later.len(), sample(&later).heard), (1, Heard::TooSoon));
    let silent = || Failure::Usage("nobody\nanswers".to_owned());
    let entries = played.at(20, Err(silent()));
    assert_eq!(entries[0], Entry::Silence { time: 20, why: "nobody".to_owned() });
    assert_eq!(sample(&entries).heard, Heard::Silence);
    assert_eq!(played.at(30, Err(silent())).len(), 1, "once");
    assert_eq!(sample(&played.recorder.take(None, 40, Instant::now())).heard, Heard::Silence);
    let back = played.at(60, Ok(&["verdict.cpu=ok: x"]));
    assert_eq!(sample(&back).state(0), Some(State::Ok), "its port is back");
}

#[test]
fn a_recording_has_the_cause_of_a_silence_without_advice_to_whoever_made_it() {
    let mut played = Played::new();
    played.at(0, Ok(&["verdict.cpu=ok: x"]));
    let gone = || Failure::NoDevice(crate::way::Way::Device("/dev/ttyS1".into()));
    let entries = played.at(10, Err(gone()));
    assert_eq!(entries[0], Entry::Silence { time: 10, why: "the port vanished".to_owned() });
    assert!(played.recorder.silence().contains("leave out --device"));
}

#[test]
fn a_verdict_that_is_unknown_because_the_guest_has_no_such_device_is_recorded_as_that() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("class/net/lo")).unwrap();
    let mut played = Played::new();
    played.recorder.roots.sys = folder.path().into();
    let unknown = ["verdict.net=unknown: this host has no figures", "verdict.net.state=unknown"];
    played.at(0, Ok(&[]));
    let entries = played.at(200, Ok(&unknown));
    let is_told = |entry: &Entry| {
        matches!(entry, Entry::Verdict { resource, reason, .. }
            if resource == "net" && reason == "no network interface in this guest")
    };
    assert!(entries.iter().any(is_told), "{entries:?}");
}

#[test]
fn only_a_host_that_was_absent_twice_is_left_alone_and_not_for_longer_than_asking_is_worth() {
    let absent = || Err(Failure::NoHost { tried: Vec::new(), remedy: String::new() });
    let other = || Err(Failure::Unexpected("something"));
    let mut played = Played::new();
    // For how many seconds the host is left alone after an answer that took so many.
    let mut pause = |seconds, answer, cost| {
        played.after(seconds, answer, Duration::from_secs(cost));
        let answered = played.start + Duration::from_secs(u64::from(seconds) + cost);
        played.recorder.not_before.map_or(0, |until| (until - answered).as_secs())
    };
    assert_eq!(pause(0, absent(), 6), 0, "it may be back with the next sample");
    assert_eq!((pause(10, other(), 6), pause(20, absent(), 6)), (0, 0), "not twice in a row");
    assert_eq!((pause(30, absent(), 6), pause(60, absent(), 60)), (24, 30));
    assert_eq!(pause(90, absent(), 0), 0, "there is no device");
    assert_eq!((pause(100, Ok(&["x=1"]), 1), pause(110, absent(), 6)), (0, 0));
}

#[test]
fn an_answer_that_a_broker_kept_is_one_sample_and_the_host_is_left_alone_until_the_next() {
    let mut played = Played::new();
    played.recorder.begin(played.start);
    let answer = |age: &'static str, time: &'static str| {
        [age, time, "interval=60", "verdict.cpu=contended: x"]
    };
    let before = played.at(0, Ok(&answer("sample.age=25", "time=100")));
    assert_eq!(sample(&before).heard, Heard::TooSoon, "it is from before the recording");
    assert_eq!(reasons(&before), 0, "its reason is of no sample");
    let is_due = |played: &Played, seconds| {
        played.recorder.is_due(played.start + Duration::from_secs(seconds))
    };
    assert!(!is_due(&played, 34) && is_due(&played, 35));
    let first = played.at(35, Ok(&answer("sample.age=0.1", "time=160")));
    assert_eq!((sample(&first).state(0), reasons(&first)), (Some(State::Contended), 1));
    let again = played.at(45, Ok(&answer("sample.age=10.1", "time=160")));
    assert_eq!((again.len(), sample(&again).heard), (1, Heard::TooSoon));
    assert!(!is_due(&played, 94) && is_due(&played, 95));
    let next = played.at(95, Ok(&answer("sample.age=0.1", "time=220")));
    assert_eq!(sample(&next).state(0), Some(State::Contended));
}

#[test]
fn a_reason_is_told_when_it_is_new_and_not_with_each_sample() {
    let mut played = Played::new();
    assert_eq!(reasons(&played.at(0, Ok(&["verdict.cpu=ok: your vCPUs ran"]))), 1);
    assert_eq!(reasons(&played.at(10, Ok(&["verdict.cpu=contended: 31% waited"]))), 1);
    let still = played.at(20, Ok(&["verdict.cpu=contended: 35% waited"]));
    assert_eq!((reasons(&still), sample(&still).state(0)), (0, Some(State::Contended)));
}

#[test]
fn an_incident_that_goes_on_is_told_when_it_begins_and_when_it_has_ended() {
    let mut played = Played::new();
    let mut reported = |end: &str| {
        let incident = format!("verdict.incident.1=cpu contended from 2026-11-28T10:02Z to {end}");
        let entries = played.at(0, Ok(&[&incident]));
        entries.iter().filter(|entry| matches!(entry, Entry::Incident { .. })).count()
    };
    let ends = ["now: 34% waited", "now: 35% waited", "2026-11-28T10:05Z: 35% waited"];
    assert_eq!(ends.map(&mut reported), [1, 0, 1]);
}

#[test]
fn a_text_from_the_host_becomes_one_line() {
    let mut played = Played::new();
    let entries = played.at(0, Ok(&["host.name=a\u{2028}b\u{1b}[31m"]));
    assert_eq!(entries[0], Entry::Host { time: 0, host: "\"a b [31m\"".to_owned() });
}

proptest! {
    #[test]
    fn any_figures_of_a_host_are_recorded_and_read_again(
        replies in prop::collection::vec(any_figures(), 1..4),
    ) {
        let (mut played, mut text) = (Played::new(), head());
        for (seconds, lines) in (0..).zip(replies) {
            let asked = played.start + Duration::from_secs(seconds);
            let time = i64::try_from(seconds).unwrap();
            let answer = Answer { asked, came: asked, lines: Ok(lines) };
            let entries = played.recorder.take(Some(answer), time, asked);
            text.extend(entries.iter().map(Entry::line));
            let _ = (played.recorder.is_due(asked), played.recorder.wait());
        }
        let mut reader = Reader::default();
        text.lines().for_each(|line| drop(reader.read(&format!("{line}\n"))));
        prop_assert_eq!(reader.damaged(), 0, "{}", text);
    }
}
