use super::*;
use proptest::prelude::*;

use crate::Sample;

const PERIOD: Duration = Duration::from_secs(10);

/// A guest with one vCPU that is sampled every 10 s.
struct Scene {
    incidents: Incidents,
    now: Timestamp,
}

impl Scene {
    fn new() -> Self {
        let now = "2026-11-28T10:00:00Z".parse().unwrap();
        Self { incidents: Incidents::default(), now }
    }

    /// Adds samples with these verdicts on the CPU: o, c, s for ok, contended, self-limited; ? for
    /// unknown.
    fn cpu(&mut self, states: &str) {
        for state in states.chars() {
            let [mut before, mut after] = [Sample::default(), Sample::default()];
            let times = |waited: u64, held| {
                (Duration::from_secs(10 - waited), Duration::from_secs(waited), held)
            };
            let (run, delay, throttled) = match state {
                'o' => times(0, 0),
                'c' => times(3, 0),
                's' => times(5, 5),
                _ => {
                    self.judge(&before, &after);
                    continue;
                }
            };
            for (sample, at) in [(&mut before, 0), (&mut after, 1)] {
                sample.cpu.vcpus = Some(1);
                sample.cpu.run = Some(run * at);
                sample.cpu.delay = Some(delay * at);
                let delay = u32::try_from(delay.as_micros()).unwrap() * at;
                sample.cpu.vcpu_delays = Some([delay].into());
                sample.cpu.throttled = Some(Duration::from_secs(throttled) * at);
                sample.cpu.throttled_around = Some(Duration::ZERO);
                sample.cpu.host_busy = Some(Duration::from_secs(20) * at);
                sample.cpu.host_idle = Some(Duration::ZERO);
            }
            self.judge(&before, &after);
        }
    }

    fn judge(&mut self, before: &Sample, after: &Sample) {
        self.now = self.now.checked_add(SignedDuration::from_secs(10)).unwrap();
        let interval = Interval::new(vec![(Duration::ZERO, before), (PERIOD, after)]);
        self.incidents.judge(&interval, self.now);
    }

    fn wait(&mut self, seconds: i64) {
        self.now = self.now.checked_add(SignedDuration::from_secs(seconds)).unwrap();
    }

    /// What the guest reads, without dates and figures.
    fn lines(&self) -> Vec<String> {
        let told = self.incidents.lines(self.now, Duration::ZERO, &|_, _| false);
        told.iter().map(|told| told.replace("2026-11-28T", "")).collect()
    }

    fn store(&mut self) {
        self.incidents.store("qemu-a", self.now);
        assert!(!self.incidents.is_unstored());
    }

    /// The daemon is killed and restarted.
    fn restart(&mut self) {
        let bytes = self.incidents.store("qemu-a", self.now);
        let (guest, stored) = Incidents::parse(&bytes).unwrap();
        assert_eq!(guest, "qemu-a");
        self.incidents = Incidents::default();
        self.incidents.merge(stored);
    }
}

#[test]
fn two_samples_in_a_row_open_an_incident_that_began_with_the_first() {
    let mut scene = Scene::new();
    scene.cpu("oooooococ?c");
    assert!(scene.lines().is_empty(), "{:?}", scene.lines());
    scene.cpu("c");
    assert_eq!(scene.lines(), ["cpu contended from 10:01Z to now"]);
}

#[test]
fn six_ok_samples_close_an_incident_that_ended_with_the_last_that_was_not_ok() {
    let mut scene = Scene::new();
    scene.cpu("cccccccccccc");
    scene.cpu("ooooo?");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to now"]);
    scene.cpu("o");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to 10:02Z"]);
    scene.cpu("cc");
    assert_eq!(
        scene.lines(),
        ["cpu contended from 10:03Z to now", "cpu contended from 10:00Z to 10:02Z"]
    );
}

#[test]
fn a_bad_verdict_begins_the_count_of_six_anew_and_an_unknown_one_does_not() {
    let mut scene = Scene::new();
    scene.cpu("ccooooocooooo");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to now"]);
    scene.cpu("????????");
    assert_eq!(
        scene.lines(),
        ["cpu contended from 10:00Z to 10:01Z"],
        "nobody knows whether it lasts"
    );
    scene.cpu("c");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to now"]);
    scene.cpu("ooo?oo");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to now"]);
    scene.cpu("o");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to 10:03Z"]);
}

#[test]
fn the_host_is_not_blamed_for_the_time_in_which_the_guest_was_at_its_own_limit() {
    let mut scene = Scene::new();
    scene.cpu("cccccc");
    scene.cpu("s");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to now"], "one sample is no incident");
    scene.cpu("sssss");
    assert_eq!(
        scene.lines(),
        ["cpu self-limited from 10:01Z to now", "cpu contended from 10:00Z to 10:01Z"]
    );
}

#[test]
fn the_figure_is_the_mean_of_the_incident() {
    let mut scene = Scene::new();
    scene.cpu("cccccc");
    let told = scene.incidents.lines(scene.now, Duration::ZERO, &|_, _| true);
    assert_eq!(told, ["cpu contended from 2026-11-28T10:00Z to now: 30% waited"]);
}

#[test]
fn an_incident_that_lasts_goes_on_after_the_daemon_was_killed() {
    let mut scene = Scene::new();
    scene.cpu("cccccc");
    scene.restart();
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to 10:01Z"], "nobody looks yet");
    scene.wait(20);
    scene.cpu("cc");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to now"]);
    scene.restart();
    scene.wait(300);
    scene.cpu("cc");
    let told = scene.lines();
    assert_eq!(told.len(), 2, "nobody knows what was between: {told:?}");
}

#[test]
fn an_incident_that_was_closed_stays_closed_over_a_restart() {
    let mut scene = Scene::new();
    scene.cpu("ccccccoooooo");
    scene.restart();
    scene.cpu("cc");
    assert_eq!(scene.lines().len(), 2);
}

#[test]
fn an_incident_of_a_guest_that_is_watched_no_more_ended_when_it_was_last_seen() {
    let mut scene = Scene::new();
    scene.cpu("cccccc");
    scene.incidents.end();
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to 10:01Z"]);
    scene.cpu("c");
    assert_eq!(scene.lines(), ["cpu contended from 10:00Z to 10:01Z"], "the row is a new one");
}

#[test]
fn the_newest_16_are_kept_for_30_days() {
    let mut scene = Scene::new();
    for _ in 0..20 {
        scene.cpu("ccoooooo");
    }
    let told = scene.lines();
    assert_eq!(told.len(), 16);
    assert_eq!(told.first().unwrap(), "cpu contended from 10:25Z to 10:25Z");
    scene.wait(30 * 24 * 3600 - 600);
    assert!((1..16).contains(&scene.lines().len()), "{:?}", scene.lines());
    scene.wait(700);
    assert!(scene.lines().is_empty() && scene.incidents.is_over(scene.now));
    scene.restart();
    assert!(scene.incidents.list.is_empty());
}

#[test]
fn incidents_are_stored_when_one_opens_or_closes_and_once_a_minute_while_it_lasts() {
    let mut scene = Scene::new();
    let mut stored = String::new();
    for state in "ocoooccccccccccccccccccccoooooooooo".chars() {
        scene.cpu(&state.to_string());
        stored.push(if scene.incidents.is_unstored() { '!' } else { '.' });
        if scene.incidents.is_unstored() {
            scene.store();
        }
    }
    assert_eq!(stored, "......!......!......!.........!....");
}

#[test]
fn a_file_has_at_most_4_kib_and_what_is_none_is_refused() {
    let mut scene = Scene::new();
    for _ in 0..20 {
        scene.cpu("ccoooooo");
    }
    let name = format!("qemu-{}", "\\".repeat(250));
    for incident in &mut scene.incidents.list {
        incident.figure.part = u64::MAX;
        incident.figure.whole = u64::MAX;
        incident.figure.disk = Some("x".repeat(32).into());
    }
    let bytes = scene.incidents.store(&name, scene.now);
    assert!(bytes.len() <= FILE_MAX, "{}", bytes.len());
    let (guest, stored) = Incidents::parse(&bytes).unwrap();
    assert_eq!(guest, name);
    assert!(stored.list.len() >= 14, "{}", stored.list.len());

    let bytes = Scene::new().incidents.store("qemu-a", scene.now);
    assert_eq!(bytes, b"{\"version\":1,\"guest\":\"qemu-a\",\"incidents\":[]}\n");
    let entry = r#"{"what":"cpu","state":"contended","from":"2026-11-28T10:00:00Z","to":"2026-11-28T10:01:00Z","part":1,"whole":2}"#;
    let file = |version: u32, entries: &[String]| {
        format!(r#"{{"version":{version},"guest":"a","incidents":[{}]}}"#, entries.join(","))
    };
    assert_eq!(Incidents::parse(file(1, &[entry.to_owned()]).as_bytes()).unwrap().1.list.len(), 1);
    for damaged in [
        file(2, &[]),
        file(1, &[entry.replace("cpu", "gpu")]),
        file(1, &[entry.replace("contended", "ok")]),
        file(1, &[entry.replace("10:00:00", "11:00:00")]),
        file(1, &[entry.replace("\"part\"", "\"disk\":\"a b\",\"part\"")]),
        file(1, &[entry.replace("\"part\":1,", "")]),
        file(1, &vec![entry.to_owned(); 17]),
        file(1, &[]) + &" ".repeat(FILE_MAX),
        String::new(),
    ] {
        assert!(Incidents::parse(damaged.as_bytes()).is_err(), "{damaged}");
    }
}

proptest! {
    #[test]
    fn any_course_of_verdicts_is_shown_in_few_short_lines_also_after_restarts(
        states in "[ocs?]{0,120}", restarts: u64,
    ) {
        let mut scene = Scene::new();
        for (at, state) in states.chars().enumerate() {
            scene.cpu(&state.to_string());
            if restarts.rotate_left(u32::try_from(at).unwrap()) & 7 == 7 {
                scene.restart();
            }
            let told = scene.incidents.lines(scene.now, Duration::from_secs(7), &|_, _| true);
            prop_assert!(told.len() <= INCIDENTS_MAX);
            prop_assert!(told.iter().all(|line| line.len() <= 120 && !line.contains('\n')));
            prop_assert!(told.iter().filter(|line| line.contains("to now")).count() <= 1);
        }
    }

    #[test]
    fn any_bytes_are_incidents_or_damaged(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Incidents::parse(&bytes);
    }
}
