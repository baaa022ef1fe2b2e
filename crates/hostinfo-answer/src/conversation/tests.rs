use super::*;

use std::fs;
use std::path::Path;
use std::time::Duration;

use hostinfo_sample::{Host, OpenFiles, Roots};
use hostinfo_wire::limits::{NONSENSE_MAX, THREAD_WORK, TURN_THREADS};
use tempfile::TempDir;

use crate::bucket::Bound;
use crate::examples::{FakeLibvirt, admin_values};
use crate::host_id::HostId;
use crate::name::Name;
use crate::observed::Process;
use crate::peer::Peer;
use crate::session::Session;

/// Most words in a line. A line that was begun is finished, so a turn may exceed its work by this
/// much.
const LINE_WORK: u32 = 512;

/// A guest at one end of a conversation, on a host that has only the guest's VMM.
struct Scene {
    engine: Engine<FakeLibvirt>,
    flow: Flow,
    conversation: Conversation,
    who: Requester,
    observed: Observed,
    meter: Meter,
    now: Instant,
    host: TempDir,
}

impl Scene {
    fn new() -> Self {
        let host = tempfile::tempdir().unwrap();
        let name = Name::parse("qemu-a").unwrap();
        let rules = hostinfo_rules::parse(b"*:\n interval = 0\n").unwrap().rules;
        let grant = rules.decide(name.whole());
        let session = Session::new([1; 8]);
        let now = Instant::now();
        let unbounded = Bound { per_second: 0, burst: 0 };
        Self {
            engine: Engine::new(
                Host::new(roots(host.path()), OpenFiles::default()),
                FakeLibvirt::default(),
                admin_values(""),
                None,
                now,
            ),
            flow: Flow { lines: unbounded, bytes: unbounded },
            conversation: Conversation::new(Dialect::Hostinfo),
            who: Requester::new(name, grant, HostId::default(), Duration::ZERO, session),
            observed: Observed::default(),
            meter: Meter::default(),
            now,
            host,
        }
    }

    /// A guest with this many vCPUs.
    fn with_vcpus(count: u32) -> Self {
        let mut scene = Self::new();
        let process = scene.host.path().join("7");
        let stat = "7 (qemu-system-x86) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n";
        for vcpu in 0..count {
            let task = process.join(format!("task/{}", 100 + vcpu));
            fs::create_dir_all(&task).unwrap();
            fs::write(task.join("comm"), format!("CPU {vcpu}/KVM\n")).unwrap();
            fs::write(task.join("schedstat"), "1000000 1000 1\n").unwrap();
        }
        fs::write(process.join("stat"), stat).unwrap();
        fs::write(process.join("status"), "VmRSS: 4 kB\n").unwrap();
        let peer = Peer { pid: 7, start: None };
        scene.observed = Observed::new(Ok(Process::new(
            roots(scene.host.path()).into(),
            OpenFiles::default(),
            peer,
        )));
        scene
    }

    /// Takes one turn: the work done in it, the answer, and whether there is more to do at once.
    fn turn(&mut self, input: &[u8]) -> (u32, String, bool) {
        let Self { engine, flow, conversation, who, observed, meter, now, .. } = self;
        let (guest, mut reply) = (Guest { who, observed, meter }, Reply::new());
        let Turn { work, outcome, .. } =
            conversation.turn(input, engine, flow, guest, *now, &mut reply);
        let (answered, goes_on) = match outcome {
            Outcome::Read => (false, false),
            Outcome::Answered { has_more, .. } => (true, has_more),
            Outcome::Wait(until) | Outcome::WaitForValue(until) => (false, until == *now),
        };
        let replies = if answered { reply.end().to_vec() } else { Vec::new() };
        (work, String::from_utf8(replies).unwrap(), goes_on)
    }

    /// Takes turns until everything is answered: the work of each turn, and the answers.
    fn turns(&mut self, input: &[u8]) -> (Vec<u32>, String) {
        let (mut works, mut replies, mut input) = (Vec::new(), String::new(), input);
        loop {
            let (work, answer, goes_on) = self.turn(input);
            (works, replies) = ([works, vec![work]].concat(), replies + &answer);
            if !goes_on {
                return (works, replies);
            }
            input = &[];
            self.now += Duration::from_millis(1);
        }
    }
}

fn roots(host: &Path) -> Roots {
    Roots { proc: host.into(), sys: host.join("none") }
}

#[test]
fn a_chunk_of_nonsense_gives_others_their_turns() {
    let mut scene = Scene::new();
    let (works, replies) = scene.turns("x\n".repeat(READ_CHUNK / 2).as_bytes());
    assert_eq!(replies.lines().count(), NONSENSE_MAX as usize);
    // 2 for a line and the name in it.
    assert!(works.iter().all(|work| *work <= TURN_WORK + 2), "{works:?}");
    assert!(works.len() >= READ_CHUNK / 2 / TURN_WORK as usize, "{}", works.len());
    assert_eq!(works.iter().sum::<u32>() as usize, READ_CHUNK / 2 * 2);
}

#[test]
fn a_line_of_ninety_refused_names_is_a_turn_of_its_own_also_where_it_is_dropped() {
    let mut scene = Scene::new();
    let names: Vec<String> = (0..90).map(|number| format!("no.{number:04}")).collect();
    let line = names.join(" ") + "\n";
    for chunk in 0..10 {
        let (works, _) = scene.turns(line.repeat(4).as_bytes());
        assert_eq!(works.len(), 4, "{chunk}: {works:?}");
        assert!(works.iter().all(|work| *work <= LINE_WORK), "{works:?}");
    }
}

#[test]
fn repeated_words_are_work_as_well() {
    let mut scene = Scene::new();
    let line = "a ".repeat(LINE_WORK as usize) + "\n";
    let (works, _) = scene.turns(line.as_bytes());
    assert!(works[0] > LINE_WORK, "{works:?}");
}

#[test]
fn a_query_over_4096_vcpus_is_read_in_turns_and_answered_whole() {
    let mut scene = Scene::with_vcpus(4096);
    let (works, replies) = scene.turns(b"vm.cpu.seconds vm.cpu.4095.delay\nping\n");
    assert_eq!(replies, "200-vm.cpu.seconds=4.096\n200 vm.cpu.4095.delay=0.000001\n200 pong\n");
    let at_once = u32::try_from(TURN_THREADS).unwrap() * THREAD_WORK;
    let few = 16;
    assert!(works.iter().all(|work| *work <= at_once + few), "{works:?}");
    assert_eq!(works.len(), 4096 / TURN_THREADS + 1);
}

#[test]
fn a_reading_that_nobody_goes_on_with_is_begun_anew_and_counts_nothing_twice() {
    let mut scene = Scene::with_vcpus(600);
    let (_, _, goes_on) = scene.turn(b"vm.cpu.seconds\n");
    assert!(goes_on);
    scene.now += Duration::from_secs(10);
    let (works, replies) = scene.turns(&[]);
    assert_eq!((works.len(), &*replies), (5, "200 vm.cpu.seconds=0.6\n"));
}

#[test]
fn a_sample_that_a_watch_is_due_for_is_read_in_turns_and_counts_as_work() {
    let mut scene = Scene::with_vcpus(600);
    let Scene { engine, who, observed, now, .. } = &mut scene;
    let mut turns = 1;
    while engine.watch(who, observed, *now).is_err() {
        assert_eq!(engine.take_work() as usize, TURN_THREADS * THREAD_WORK as usize);
        turns += 1;
    }
    assert_eq!(turns, 5);
}

#[test]
fn the_work_of_a_query_grows_as_the_vcpus_do_whatever_its_names_repeat() {
    let every: Vec<String> = (0..60).map(|number| format!("vm.cpu.{number}")).collect();
    let lines = ["json *", "* vm vm.cpu vm.* vm.cpu.*", "list * vm vm.cpu", &every.join(" ")];
    for line in lines {
        let work = |vcpus: u32| {
            let mut scene = Scene::with_vcpus(vcpus);
            scene.turns(format!("{line}\n").as_bytes()).0.iter().sum::<u32>()
        };
        let (few, many) = (work(64), work(512));
        assert!(many <= 8 * few, "{line}: {few} and {many}");
        // Reading and listing each vCPU, and two values of each.
        let linear = 512 * (THREAD_WORK + 2 + 2) + 2 * LINE_WORK;
        assert!(many <= linear, "{line}: {many} and not {linear}");
    }
}

#[test]
fn a_line_over_the_bound_of_lines_waits_and_is_not_lost() {
    let mut scene = Scene::new();
    scene.flow.lines = Bound { per_second: 20, burst: 2 };
    let (_, replies) = scene.turns(b"ping a\nping b\nping c\n");
    assert_eq!(replies, "200 pong a\n200 pong b\n");
    scene.now += Duration::from_millis(50);
    assert_eq!(scene.turns(&[]).1, "200 pong c\n");
    assert!(!scene.conversation.has_held());
}

#[test]
fn line_ends_behind_a_request_are_not_more_to_do() {
    let mut scene = Scene::new();
    for (input, goes_on) in [
        ("ping\n\n", false),
        ("ping\r\n", false),
        ("ping\r\n\r\n", false),
        ("ping\n\nping\n", true),
        ("ping\n ", true),
    ] {
        let (_, replies, more) = scene.turn(input.as_bytes());
        assert_eq!((&*replies, more), ("200 pong\n", goes_on), "{input:?}");
        assert_eq!(scene.conversation.has_held(), goes_on, "{input:?}");
        while scene.conversation.has_held() {
            scene.turn(&[]);
        }
    }
}
