//! What is recorded of both views: samples, and news of the host. When they are taken is up to `sampler`.

mod reasons;

use std::time::{Duration, Instant};

use hostinfo_wire::text::printable;

use crate::diagnose::conclude::absent;
use crate::exit::Failure;
use crate::host::Host;
use crate::question::Question;
use crate::recorder::reasons::Reasons;
use crate::recording::{Entry, Field, Heard, Sample, is_same_incident};
use crate::reply::Line;
use crate::system::page_size;
use crate::verdict::RESOURCES;
use crate::views::hosts::HostView;
use crate::views::own::{Moment, View};
use crate::views::reply::Reply;
use crate::views::roots::Roots;
use crate::views::told::{PRESENT, Told};

/// How soon to ask again where no host has answered twice in a row, at the latest, and as a multiple of the time that
/// the attempt took: during an attempt, no other program can use the port. One failure may be a daemon that is
/// restarted, and that there is no device is known at once.
const AWAY_MAX: Duration = Duration::from_secs(30);
const AWAY_TIMES: u32 = 4;

/// What became of the last request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Last {
    /// It was answered, perhaps with "too soon". So it is before the first request.
    Answered,
    /// There was a host, or another program had the port.
    Failed,
    /// There was no host.
    Absent,
}

impl Last {
    fn of(failure: &Failure) -> Self {
        match failure {
            Failure::NoHost { .. } | Failure::NoDevice(_) => Self::Absent,
            _ => Self::Failed,
        }
    }
}

/// A wait that is worth it: a guest whose interval is as long as the time between two samples is too early by
/// some milliseconds, and would otherwise have every other of its host's figures.
const SOON: Duration = Duration::from_millis(500);

/// The host's answer to one question.
pub(crate) struct Answer {
    asked: Instant,
    came: Instant,
    lines: Result<Vec<Line>, Failure>,
}

impl Answer {
    /// Asks the host, and waits for its answer.
    pub(crate) fn of(host: &mut Host<'_>) -> Self {
        let asked = Instant::now();
        let question = Question::get(&["verdict", "*"]);
        let mut lines = host.ask(&question);
        if let Err(Failure::TooSoon(wait) | Failure::FirstAnswer(wait)) = lines
            && wait <= SOON
        {
            host.sit_out(wait, "too soon to ask, asking again");
            lines = host.ask(&question);
        }
        Self { asked, came: Instant::now(), lines }
    }
}

/// The state from the last sample.
pub(crate) struct Recorder {
    roots: Roots,
    /// Whether every new reason is reported.
    is_live: bool,
    moment: Option<Moment>,
    /// When it began.
    begun: Option<Instant>,
    told: Option<Told>,
    /// Do not ask the host before this time.
    not_before: Option<Instant>,
    last: Last,
    silence: String,
    guest: String,
    host: String,
    incident: String,
    /// For each resource.
    reasons: [Reasons; RESOURCES.len()],
}

impl Recorder {
    pub(crate) fn new(roots: Roots) -> Self {
        Self {
            roots,
            is_live: false,
            moment: None,
            begun: None,
            told: None,
            not_before: None,
            last: Last::Answered,
            silence: String::new(),
            guest: String::new(),
            host: String::new(),
            incident: String::new(),
            reasons: Default::default(),
        }
    }

    /// The same for a live view.
    pub(crate) fn live(roots: Roots) -> Self {
        Self { is_live: true, ..Self::new(roots) }
    }

    /// The time that must pass between two queries of this guest, if its host has reported it.
    pub(crate) fn interval(&self) -> Option<Duration> {
        self.told.as_ref()?.reply.interval()
    }

    /// When the host gave its newest answer.
    pub(crate) fn taken(&self) -> Option<Instant> {
        self.told.as_ref().map(|told| told.taken)
    }

    /// How long the host may not be asked yet, if it said so. One that does not answer said nothing.
    pub(crate) fn wait(&self) -> Option<Duration> {
        let not_before = self.not_before.filter(|_| self.last == Last::Answered)?;
        not_before.checked_duration_since(Instant::now())
    }

    /// Whether the host may be asked.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        self.not_before.is_none_or(|not_before| now >= not_before)
    }

    /// Looks at this guest for the first time, unless it has been looked at: what both sides count is only known
    /// between two moments. Returns whether it was the first time.
    pub(crate) fn begin(&mut self, now: Instant) -> bool {
        let is_first = self.moment.is_none();
        if is_first {
            self.moment = Some(Moment::take(&self.roots, now));
            self.begun = Some(now);
        }
        is_first
    }

    /// Takes one sample, and collects news: with the host's answer, if there is one since the last sample.
    pub(crate) fn take(&mut self, answer: Option<Answer>, time: i64, now: Instant) -> Vec<Entry> {
        let mut sample = Sample::at(time, Heard::TooSoon);
        let mut entries = Vec::new();
        match answer {
            None if self.last != Last::Answered => sample.heard = Heard::Silence,
            None => {}
            Some(Answer { lines: Ok(lines), came, .. }) => {
                self.last = Last::Answered;
                self.silence.clear();
                let told = Told::new(&lines, came);
                let age = told.age(came).unwrap_or_default();
                let is_repeated = self.told.as_ref().is_some_and(|before| told.is_same_as(before));
                if is_repeated || age > PRESENT {
                    // A broker keeps it. Until it asks the host again, there is no news.
                    self.not_before = told.wait(came).map(|wait| came + wait);
                }
                // A recording has nothing from before it began, on which there is no sample.
                let is_old = self.begun.is_some_and(|begun| told.is_from_before(begun));
                if !is_repeated {
                    entries.extend(self.news(time, &told.reply));
                    if self.is_live || !is_old {
                        entries.extend(self.reasons(time, &told.reply, came));
                    }
                    if is_old {
                        self.told = Some(told);
                    } else {
                        self.hear(&mut sample, told);
                    }
                }
            }
            Some(Answer {
                lines: Err(Failure::TooSoon(wait) | Failure::FirstAnswer(wait)),
                came,
                ..
            }) => {
                self.last = Last::Answered;
                self.not_before = Some(came + wait);
            }
            Some(Answer { lines: Err(failure), asked, came }) => {
                let before = std::mem::replace(&mut self.last, Last::of(&failure));
                let is_away = (before, self.last) == (Last::Absent, Last::Absent);
                let pause = AWAY_TIMES * came.duration_since(asked);
                self.not_before = is_away.then_some(came + pause.min(AWAY_MAX));
                sample.heard = Heard::Silence;
                let why = line(failure.to_string().lines().next().unwrap_or_default());
                if why != self.silence {
                    self.silence.clone_from(&why);
                    entries.push(Entry::Silence { time, why });
                }
            }
        }
        let moment = Moment::take(&self.roots, now);
        if let Some(before) = self.moment.replace(moment.clone()) {
            // This program itself is running while it counts.
            let running = self.roots.stat().map(|stat| stat.running.saturating_sub(1));
            let running = running.and_then(|running| u32::try_from(running).ok()).map(f64::from);
            see(&mut sample, &before.until(&moment, running, page_size()));
            entries.push(Entry::Sample(sample));
        }
        entries
    }

    /// What the host reports that it did not report before, besides verdicts.
    fn news(&mut self, time: i64, reply: &Reply) -> Vec<Entry> {
        let mut news = Vec::new();
        let guest = line(&reply.guest().unwrap_or_default());
        if guest != self.guest {
            self.guest.clone_from(&guest);
            news.push(Entry::Guest { time, guest });
        }
        let host = line(&reply.host().unwrap_or_default());
        if host != self.host {
            self.host.clone_from(&host);
            news.push(Entry::Host { time, host });
        }
        let incident = line(reply.text("verdict.incident.1").unwrap_or_default());
        // The figures of an ongoing incident change with each reply, so it is only reported when it has ended.
        let goes_on = !self.is_live
            && incident.contains(" to now")
            && is_same_incident(&incident, &self.incident);
        if incident != self.incident && !goes_on {
            self.incident.clone_from(&incident);
            if !incident.is_empty() {
                news.push(Entry::Incident { time, incident });
            }
        }
        news
    }

    /// Verdicts that it did not report before, with their reasons.
    fn reasons(&mut self, time: i64, reply: &Reply, now: Instant) -> Vec<Entry> {
        let mut news = Vec::new();
        let mut host_view = HostView::default();
        host_view.add(reply.clone());
        let is_live = self.is_live;
        for (resource, reasons) in RESOURCES.into_iter().zip(&mut self.reasons) {
            let judged = host_view.judged(resource);
            if reasons.is_news(&judged, now, is_live) {
                let state = judged.state();
                let absent = absent(resource, state, &self.roots.lacking());
                let (resource, reason) =
                    (resource.to_owned(), line(absent.unwrap_or(judged.reason())));
                news.push(Entry::Verdict { time, resource, state, reason });
            }
        }
        news
    }

    /// Adds the host's view.
    fn hear(&mut self, sample: &mut Sample, told: Told) {
        let Told { reply, taken } = told.clone();
        let before = self.told.replace(told);
        let elapsed = before
            .as_ref()
            .map(|before| taken.saturating_duration_since(before.taken).as_secs_f64());
        let mut host_view = HostView::default();
        before.into_iter().for_each(|before| host_view.add(before.reply));
        host_view.add(reply);
        sample.heard =
            Heard::Verdicts(RESOURCES.map(|resource| host_view.judged(resource).state()));
        let figures = host_view.figures();
        let number = |name: &str| host_view.last.number(name);
        sample.set(Field::Waited, share(figures.waited));
        let throttled = figures.throttled.zip(elapsed.filter(|elapsed| *elapsed > 0.0));
        sample.set(Field::Throttled, share(throttled.map(|(held, elapsed)| held / elapsed)));
        sample.set(Field::Ran, share(figures.ran));
        sample.set(Field::Load, number("loadavg.1").map(|load| load * 10.0));
        sample.set(Field::HostCpu, share(number("pressure.cpu.some.avg60")));
        sample.set(Field::HostMemory, share(number("pressure.memory.some.avg60")));
        sample.set(Field::HostIo, share(number("pressure.io.some.avg60")));
        sample.set(Field::HostLatency, micros(figures.latencies.values().max()));
        sample.set(Field::Swapped, figures.swapped.map(|bytes| bytes / MIB));
        sample.set(Field::Taken, figures.taken.map(|bytes| bytes / MIB));
    }
}

const KIB: f64 = 1024.0;
const MIB: f64 = 1024.0 * KIB;

/// Adds the guest's view.
fn see(sample: &mut Sample, view: &View) {
    let [cpu, memory, io] = view.pressure;
    let latencies = view.disks.values().filter_map(|disk| disk.latency.as_ref());
    sample.set(Field::Steal, share(view.steal));
    sample.set(Field::Busy, share(view.busy));
    sample.set(Field::Running, view.running.map(|running| running * 10.0));
    sample.set(Field::Cpu, share(cpu));
    sample.set(Field::Memory, share(memory));
    sample.set(Field::Io, share(io));
    sample.set(Field::Latency, micros(latencies.max()));
    sample.set(Field::Available, view.available().map(|bytes| bytes / MIB));
    sample.set(Field::Swapping, view.swapped.map(|rate| rate / KIB));
}

/// In thousandths.
fn share(share: Option<f64>) -> Option<f64> {
    share.map(|share| share * 1000.0)
}

fn micros(time: Option<&Duration>) -> Option<f64> {
    time.map(|time| time.as_secs_f64() * 1e6)
}

/// Turns text into a single line.
fn line(text: &str) -> String {
    printable(text.into()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::State;
    use hostinfo_wire::Code;

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
        let told = played.at(20, Err(silent()));
        assert_eq!(told[0], Entry::Silence { time: 20, why: "nobody".to_owned() });
        assert_eq!(sample(&told).heard, Heard::Silence);
        assert_eq!(played.at(30, Err(silent())).len(), 1, "once");
        assert_eq!(sample(&played.recorder.take(None, 40, Instant::now())).heard, Heard::Silence);
        let back = played.at(60, Ok(&["verdict.cpu=ok: x"]));
        assert_eq!(sample(&back).state(0), Some(State::Ok), "its port is back");
    }

    #[test]
    fn a_verdict_that_is_unknown_because_the_guest_has_no_such_device_is_recorded_as_that() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("class/net/lo")).unwrap();
        let mut played = Played::new();
        played.recorder.roots.sys = folder.path().into();
        let unknown =
            ["verdict.net=unknown: this host has no figures", "verdict.net.state=unknown"];
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
        let mut told = |end: &str| {
            let incident =
                format!("verdict.incident.1=cpu contended from 2026-11-28T10:02Z to {end}");
            let entries = played.at(0, Ok(&[&incident]));
            entries.iter().filter(|entry| matches!(entry, Entry::Incident { .. })).count()
        };
        let ends = ["now: 34% waited", "now: 35% waited", "2026-11-28T10:05Z: 35% waited"];
        assert_eq!(ends.map(&mut told), [1, 0, 1]);
    }

    #[test]
    fn a_text_from_the_host_becomes_one_line() {
        let mut played = Played::new();
        let entries = played.at(0, Ok(&["host.name=a\u{2028}b\u{1b}[31m"]));
        assert_eq!(entries[0], Entry::Host { time: 0, host: "\"a b [31m\"".to_owned() });
    }
}
