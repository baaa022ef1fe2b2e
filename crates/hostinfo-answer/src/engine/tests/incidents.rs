//! Incidents from the time in which a guest was watched.

use super::*;

use crate::peer::Peer;

impl Scene {
    /// A guest that is watched, in a cgroup of its own, on a busy host with four CPUs.
    fn watched(rules: &str) -> Self {
        let mut scene = Self::with_vmm(rules);
        scene.who.connected(process(), || Ok::<_, ()>(Session::new([1; 8]))).unwrap();
        scene.write("7/cgroup", "0::/a.scope\n");
        scene.write("none/fs/cgroup/cgroup.controllers", "cpu memory\n");
        scene.write("none/fs/cgroup/a.scope/cgroup.procs", "7\n");
        let stat = "usage_usec 0\nnr_periods 0\nnr_throttled 0\nthrottled_usec 0\n";
        scene.write("none/fs/cgroup/a.scope/cpu.stat", stat);
        scene.times(0, 0);
        assert!(scene.ask("verdict.cpu").starts_with("200 "));
        scene.pass(0);
        scene
    }

    /// Lets seconds pass. In each, the guest's vCPU waits for this many tenths.
    fn waits(&mut self, tenths: u64, seconds: u64) {
        for _ in 0..seconds {
            let [waited, lived] = self.lived();
            self.times(waited + tenths, lived + 1);
            self.pass(1_000);
        }
    }

    /// Tenths of seconds that it waited, and seconds that it ran or waited.
    fn lived(&self) -> [u64; 2] {
        let text = fs::read_to_string(self.host.path().join("7/task/8/schedstat")).unwrap();
        let nanos: Vec<u64> = text.split(' ').map(|word| word.trim().parse().unwrap()).collect();
        [nanos[1] / 100_000_000, (nanos[0] + nanos[1]) / 1_000_000_000]
    }

    fn times(&self, waited: u64, lived: u64) {
        self.vcpu(0, 0);
        let (ran, waited) = ((lived * 10 - waited) * 100_000_000, waited * 100_000_000);
        self.write("7/task/8/schedstat", &format!("{ran} {waited} 1\n"));
        let cpu = |name: &str, ticks: u64| format!("{name} {ticks} 0 0 0 0 0 0 0 0 0\n");
        let cpus: String = (0..4).map(|number| cpu(&format!("cpu{number}"), lived * 100)).collect();
        let all = cpu("cpu ", lived * 400);
        self.write("stat", &format!("{all}{cpus}btime 1\nprocs_running 1\n"));
    }

    /// Its incidents, without the times.
    fn incidents(&mut self) -> Vec<String> {
        let reply = self.ask("verdict.incident");
        let reply = reply.lines().map(|line| {
            let words = line.split_at(4).1.split(' ').filter(|word| !word.contains("Z"));
            words.collect::<Vec<_>>().join(" ")
        });
        reply.collect()
    }
}

fn process() -> Option<Peer> {
    Some(Peer { pid: 7, start: Some(100) })
}

#[test]
fn two_contended_periods_of_10_s_are_an_incident_and_six_good_ones_end_it() {
    let mut scene = Scene::watched(FREE);
    let none = "there was no incident while this guest was watched\n";
    scene.waits(3, 10);
    assert_eq!(scene.ask("verdict.incident.1"), format!("503 verdict.incident.1: {none}"));
    assert_eq!(scene.ask("verdict.incident"), format!("503 verdict.incident: {none}"));
    scene.waits(3, 10);
    let lasts = ["verdict.incident.1=cpu contended from to now: 30% waited"];
    assert_eq!(scene.incidents(), lasts);
    scene.waits(0, 58);
    assert_eq!(scene.incidents(), lasts);
    scene.waits(0, 2);
    assert_eq!(scene.incidents(), ["verdict.incident.1=cpu contended from to 30% waited"]);
    assert_eq!(
        scene.ask("verdict.incident.2 verdict.incident.0"),
        "503-verdict.incident.2: there were fewer incidents while this guest was watched\n\
         503 verdict.incident.0: there were fewer incidents while this guest was watched\n"
    );
}

#[test]
fn incidents_are_the_same_however_often_the_guest_asks() {
    for asks in [true, false] {
        let mut scene = Scene::watched(FREE);
        for _ in 0..30 {
            scene.waits(4, 1);
            if asks {
                scene.ask("verdict");
            }
        }
        for _ in 0..60 {
            scene.waits(0, 1);
            if asks {
                scene.ask("verdict");
            }
        }
        assert_eq!(
            scene.incidents(),
            ["verdict.incident.1=cpu contended from to 40% waited"],
            "asks: {asks}"
        );
    }
}

#[test]
fn a_figure_is_shown_under_the_rule_that_is_in_force_when_the_guest_asks() {
    let mut scene = Scene::watched(FREE);
    scene.waits(3, 20);
    assert!(scene.ask("verdict.incident.1").ends_with(" to now: 30% waited\n"));
    let rules = |text: &str| hostinfo_rules::parse(text.as_bytes()).unwrap().rules;
    let without = rules("*:\n interval = 0\n vm.cpu.delay = 0\n").decide("qemu-a-b");
    scene.apply(without);
    assert!(scene.ask("verdict.incident.1").ends_with(" to now\n"));
    let hidden = rules("*:\n interval = 0\n verdict.incident = 0\n").decide("qemu-a-b");
    scene.apply(hidden);
    assert_eq!(scene.ask("verdict.incident.1"), "403 verdict.incident.1: not permitted\n");
}

#[test]
fn times_are_given_to_the_minute_without_seconds() {
    let mut scene = Scene::watched(FREE);
    scene.waits(3, 20);
    let reply = scene.ask("verdict.incident.1");
    let (_, from) = reply.split_once(" from ").unwrap();
    let (from, _) = from.split_once(" to now").unwrap();
    let digits = |part: &str| part.chars().filter(char::is_ascii_digit).count();
    let form: Vec<usize> = from.split(['-', 'T', ':']).map(digits).collect();
    assert!(form == [4, 2, 2, 2, 2] && from.ends_with('Z'), "{reply}");
}

#[test]
fn another_guest_behind_the_same_name_reads_no_incident_of_the_previous_one() {
    let mut scene = Scene::watched(FREE);
    scene.waits(3, 20);
    assert_eq!(scene.incidents().len(), 1);
    let domain =
        Standing::Domain(crate::examples::UUID, hostinfo_domains::Run { id: Some(1), reverts: 0 });
    scene.set_standing(domain);
    assert!(scene.ask("verdict.incident.1").starts_with("503 "));
}

#[test]
fn a_guest_that_is_not_watched_reads_how_to_be_watched() {
    let mut scene = Scene::with_vmm(FREE);
    assert_eq!(
        scene.ask("verdict.incident.1"),
        "503 verdict.incident.1: this guest is not watched: asking for a verdict has it watched \
         for a while, and its host's administrator can have it watched for good\n"
    );
}

#[test]
fn a_rule_that_watches_no_more_takes_what_was_recorded_with_it() {
    let mut scene = Scene::watched("*:\n interval = 0\n watch = 1\n");
    scene.waits(3, 20);
    assert_eq!(scene.incidents().len(), 1);
    let rules = hostinfo_rules::parse(FREE.as_bytes()).unwrap().rules;
    scene.apply(rules.decide("qemu-a-b"));
    assert!(scene.ask("verdict.incident.1").starts_with("503 "));
}
