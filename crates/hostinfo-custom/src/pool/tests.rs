use super::*;

use std::cell::Cell;
use std::fs;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::{RecvFlags, Shutdown, shutdown};

use crate::account::{Account, Accounts, Power};
use crate::definition::{GUEST, Source};
use crate::limits::{ANSWER_MARGIN, HUNG_RUNS_MAX, OUTPUT_MAX, QUEUE_MAX};
use crate::message::{self, Answer};
use crate::queue::Place;
use crate::runner::tests::{self, Scene, key};

/// hostinfo-run, and a daemon's end of it.
struct Beside {
    scene: Scene,
    pool: Pool,
}

impl Beside {
    /// With statistics `s0`, `s1` and so on, which are these shell scripts.
    fn new<S: ToString>(scripts: impl IntoIterator<Item = S>) -> Self {
        let scene = Scene::new(scripts);
        scene.serve(true);
        let pool = Pool::new(&scene.socket()).unwrap();
        Self { scene, pool }
    }

    fn ask(&mut self, name: &str, guest: &str) {
        assert_eq!(self.pool.ask(key(name, guest), guest), Asked::Waits);
    }

    fn turn(&mut self) -> Vec<Ended> {
        self.pool.turn(Instant::now(), |key| self.scene.order(key))
    }

    /// Sleeps until there is something to do, and does it.
    fn sleep(&mut self) -> Vec<Ended> {
        let wait = self.pool.next_deadline().map(|at| at - Instant::now().min(at));
        let wait = Timespec::try_from(wait.unwrap_or_default()).unwrap();
        let mut fds = [PollFd::new(&self.pool, PollFlags::IN)];
        rustix::event::poll(&mut fds, Some(&wait)).unwrap();
        self.turn()
    }

    fn run_all(&mut self) -> Vec<(Key, Result<String, String>)> {
        let mut all = self.turn();
        while !(self.pool.queue.len() == 0 && self.pool.places.runs.is_empty()) {
            all.extend(self.sleep());
            assert!(self.pool.places.runs.len() <= RUNS_MAX);
        }
        let told = all.into_iter().map(|(key, result)| {
            let output = result.map(|bytes| String::from_utf8(bytes).unwrap());
            (key, output.map_err(|failure| failure.to_string()))
        });
        told.collect()
    }
}

fn run(script: &str) -> Result<String, String> {
    let mut beside = Beside::new([script]);
    beside.ask("s0", "a");
    beside.run_all().remove(0).1
}

#[test]
fn a_command_has_a_bare_environment_no_input_and_the_root_as_its_directory() {
    assert_eq!(run("cat; readlink /proc/self/cwd").unwrap(), "/\n");
    let environment = run("tr '\\0' '\\n' < /proc/$$/environ | cut -d= -f1 | sort").unwrap();
    assert_eq!(environment, "LANG\nPATH\n");
    let open = run("readlink /proc/self/fd/*; true").unwrap();
    assert!(open.starts_with("/dev/null\npipe:") && !open.contains("socket"), "{open}");
}

#[test]
fn a_command_of_another_user_has_none_of_the_groups_and_capabilities_of_hostinfo_run() {
    assert!(rustix::process::geteuid().is_root(), "needs root");
    let mut scene = Scene::new(["id -u; id -G; grep CapEff /proc/self/status"]);
    scene.accounts = Accounts::parse("x:x:65533:65532::/:/\n", Power::Anybody);
    scene.definitions.get_mut("s0").unwrap().user = Some("x".to_owned());
    scene.serve(true);
    let pool = Pool::new(&scene.socket()).unwrap();
    let mut beside = Beside { scene, pool };
    beside.ask("s0", "a");
    let output = beside.run_all().remove(0).1.unwrap();
    assert_eq!(output, "65533\n65532\nCapEff:\t0000000000000000\n");
    let account = Account { uid: 65533, gid: 65532 };
    assert_eq!(beside.scene.accounts.find(Some("x")), Ok(Some(account)));
}

#[test]
fn a_command_that_fails_is_told_with_its_status_and_its_first_words() {
    assert_eq!(
        run("echo 7; echo 'no such rack' >&2; exit 3").unwrap_err(),
        "its command ended with exit status: 3; it said `no such rack`"
    );
    assert!(run("kill -9 $$").unwrap_err().contains("signal: 9"));
}

#[test]
fn processes_that_a_command_leaves_behind_are_killed_and_not_waited_for() {
    let started = Instant::now();
    let pid = run("sleep 99 & echo $!").unwrap();
    assert!(started.elapsed() < Duration::from_secs(90));
    assert!(tests::is_gone(pid.trim()));
}

#[test]
fn a_command_that_hangs_is_killed_at_its_deadline_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    fs::write(&file, "").unwrap();
    let told = run(&format!("sleep 60 & echo $! > {}; wait", file.display())).unwrap_err();
    assert_eq!(told, "its command did not end within 300ms and was killed");
    assert!(tests::is_gone(fs::read_to_string(file).unwrap().trim()));
}

#[test]
fn a_command_that_prints_too_much_is_told_so_whether_it_ends_or_hangs_on_it() {
    for bytes in ["5000", "1000000"] {
        let told = run(&format!("head -c {bytes} /dev/zero")).unwrap_err();
        assert!(told.starts_with("its output is over 4096 bytes"), "{told}");
    }
    assert_eq!(run("head -c 4096 /dev/zero").unwrap().len(), OUTPUT_MAX);
}

#[test]
fn ends_are_found_without_the_kernels_help_too() {
    let scene = Scene::new(["echo 1", "sleep 60", "exit 1"]);
    scene.serve(false);
    let pool = Pool::new(&scene.socket()).unwrap();
    let mut beside = Beside { scene, pool };
    for name in ["s0", "s1", "s2"] {
        beside.ask(name, "a");
    }
    let ended = beside.run_all();
    let good: Vec<_> = ended.iter().filter_map(|(_, result)| result.as_deref().ok()).collect();
    assert_eq!((ended.len(), good), (3, vec!["1\n"]));
}

#[test]
fn four_run_at_a_time() {
    let mut beside = Beside::new((0..100).map(|number| format!("sleep 0.01; echo {number}")));
    for number in 0..100 {
        beside.ask(&format!("s{number}"), ["a", "b"][number % 2]);
    }
    let ended = beside.run_all();
    assert_eq!(ended.len(), 100);
    assert!(ended.iter().all(|(_, result)| result.is_ok()));
}

#[test]
fn statistics_that_hang_leave_two_places_to_the_others() {
    let scripts = (0..10).map(|number| format!("echo {number}"));
    let mut beside = Beside::new(scripts.chain(["sleep 60".to_owned()]));
    // So many that on a busy machine, too, they hang for longer than all others take.
    for guest in 0..200 {
        beside.ask("s10", &guest.to_string());
    }
    let _ = beside.turn();
    assert_eq!(beside.pool.places.runs.len(), RUNS_MAX, "nobody knows yet that it hangs");
    // The runs that hang end one after another.
    let mut ended = 0;
    while ended < RUNS_MAX {
        ended += beside.sleep().len();
    }
    for number in 0..10 {
        beside.ask(&format!("s{number}"), "a");
    }
    let mut good = 0;
    while good < 10 {
        good += beside.sleep().iter().filter(|(_, result)| result.is_ok()).count();
        let hung = beside.pool.places.runs.iter().filter(|run| &*run.key.name == "s10").count();
        assert!(hung <= 2 * HUNG_RUNS_MAX);
    }
    assert_ne!(beside.pool.queue.len(), 0, "those that hang still wait");
}

#[test]
fn what_hangs_for_one_guest_is_run_for_another_meanwhile() {
    let names = ["s0", "s1", "s2", "s3"];
    let mut scene = Scene::new(names.map(|_| "[ $0 = a ] && sleep 60; echo 7"));
    for definition in scene.definitions.values_mut() {
        let Source::Command(words) = &definition.source else { panic!() };
        definition.source = Source::Command([&**words, &[GUEST.to_owned()]].concat());
    }
    scene.serve(true);
    let pool = Pool::new(&scene.socket()).unwrap();
    let mut beside = Beside { scene, pool };
    for _ in 0..2 {
        names.iter().for_each(|name| beside.ask(name, "a"));
        assert!(beside.run_all().iter().all(|(_, result)| result.is_err()));
    }
    names.iter().for_each(|name| beside.ask(name, "a"));
    names.iter().for_each(|name| beside.ask(name, "b"));
    let _ = beside.turn();
    let running: Vec<&str> = beside.pool.places.runs.iter().map(|run| &*run.key.guest).collect();
    assert_eq!((running.len(), running.contains(&"b")), (2, true), "{running:?}");
    let ended = beside.run_all();
    let good: Vec<&Key> = ended.iter().filter(|(_, end)| end.is_ok()).map(|(key, _)| key).collect();
    assert!(good.len() == 4 && good.iter().all(|key| &*key.guest == "b"), "{ended:?}");
    assert!(beside.pool.places.hung.values().all(|hung| hung.guests.len() == 1));
    beside.pool.forget("a");
    assert!(beside.pool.places.hung.is_empty());
}

#[test]
fn a_statistic_is_doubted_for_other_guests_until_it_has_not_hung_for_one_or_is_another() {
    let mut beside = Beside::new(["echo 7"]);
    let place = |beside: &Beside, guest| beside.pool.places.free(&key("s0", guest), &[]);
    let x = |guest| key("s0", guest);
    beside.pool.places.note(&x("a"), true);
    assert_eq!(place(&beside, "a"), Some(Place::Hung));
    assert_eq!(place(&beside, "b"), Some(Place::Doubtful));
    beside.pool.places.note(&x("b"), false);
    assert_eq!(place(&beside, "c"), Some(Place::Any));
    assert_eq!(place(&beside, "a"), Some(Place::Hung));
    beside.pool.places.note(&x("b"), true);
    beside.pool.forget_statistic("s0");
    for guest in ["", "a", "b", "c"] {
        assert_eq!(place(&beside, guest), Some(Place::Any));
    }
}

#[test]
fn what_cannot_start_has_nobody_look_through_the_queue() {
    let mut beside = Beside::new(["sleep 60", "sleep 60"]);
    for guest in 0..9 {
        beside.pool.places.note(&key("s1", &guest.to_string()), true);
    }
    for guest in 0..9 {
        beside.ask("s1", &guest.to_string());
        assert_eq!(beside.pool.may_start, guest == 0);
        let _ = beside.turn();
        assert!(!beside.pool.may_start && beside.pool.places.runs.len() == 1);
    }
    beside.ask("s0", "a");
    assert!(beside.pool.may_start);
}

#[test]
fn a_guest_that_asks_for_much_does_not_hold_up_others() {
    let scripts = (0..200).map(|number| format!("sleep 0.01; echo {number}"));
    let mut beside = Beside::new(scripts);
    for number in 0..200 {
        beside.ask(&format!("s{number}"), "greedy");
    }
    for modest in 0..20 {
        beside.ask("s0", &modest.to_string());
    }
    let order: Vec<Key> = beside.run_all().into_iter().map(|(key, _)| key).collect();
    let last = order.iter().rposition(|key| &*key.guest != "greedy").unwrap();
    // They start among the first 24, and what starts first need not end first on a busy machine.
    assert!(last < 100, "{last}");
}

#[test]
fn the_same_command_is_not_run_twice_at_once() {
    let mut beside = Beside::new(["sleep 60"]);
    for _ in 0..2 {
        beside.ask("s0", "a");
        let _ = beside.turn();
    }
    assert_eq!((beside.pool.places.runs.len(), beside.pool.queue.len()), (1, 1));
    beside.pool.forget_statistic("s0");
    assert_eq!((beside.pool.places.runs.len(), beside.pool.queue.len()), (0, 0));
}

/// What comes of a run where something else than hostinfo-run does that with each connection; after how long, if it is
/// `is_silent`.
fn fake(is_silent: bool, answer: impl Fn(&OwnedFd) + Send + 'static) -> (String, Duration) {
    let scene = Scene::new(["echo 7"]);
    let listener = scene.listener();
    thread::spawn(move || {
        let mut kept = Vec::new();
        loop {
            let socket = rustix::net::accept(&listener).unwrap();
            // What it is asked, without which a hangup would be an error of the one who asks.
            let _ = rustix::net::recv(&socket, &mut [0; message::PACKET_MAX], RecvFlags::empty());
            answer(&socket);
            kept.push(socket);
        }
    });
    let mut pool = Pool::new(&scene.socket()).unwrap();
    assert_eq!(pool.ask(key("s0", "a"), "a"), Asked::Waits);
    let (begun, mut ahead) = (Instant::now(), Duration::ZERO);
    loop {
        if let Some((_, outcome)) = pool.turn(begun + ahead, |key| scene.order(key)).pop() {
            return (outcome.unwrap_err().to_string(), ahead);
        }
        assert!(begun.elapsed() < Duration::from_secs(60));
        if is_silent {
            ahead += Duration::from_secs(1);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn a_runner_that_is_silent_hangs_up_or_lies_gives_no_value() {
    let (told, after) = fake(true, |_| {});
    assert!(told.starts_with("hostinfo-run does not answer: systemctl restart"), "{told}");
    assert_eq!(after, Duration::from_secs(10) + ANSWER_MARGIN);
    let hang_up = |socket: &OwnedFd| shutdown(socket, Shutdown::Both).unwrap();
    let (told, _) = fake(false, hang_up);
    assert!(told.starts_with("hostinfo-run ended before its command did"), "{told}");
    for packet in [&b"7"[..], b"hostinfo-run 2 printed 0\n7", &[b'x'; message::PACKET_MAX + 9]] {
        let packet = packet.to_owned();
        let (told, _) = fake(false, move |socket| message::send(socket, &packet).unwrap());
        assert!(told.starts_with("hostinfo-run gave an answer of another version"), "{told}");
    }
    let refused = Answer::Refused("it\nmay not".to_owned()).to_packet();
    let (told, _) = fake(false, move |socket| message::send(socket, &refused).unwrap());
    assert_eq!(told, "hostinfo-run does not run its command: it may not");
}

#[test]
fn without_hostinfo_run_there_is_an_error_at_once_with_its_remedy() {
    let scene = Scene::new(["echo 7"]);
    let mut pool = Pool::new(&scene.socket()).unwrap();
    assert_eq!(pool.ask(key("s0", "a"), "a"), Asked::Waits);
    let (_, outcome) = pool.turn(Instant::now(), |key| scene.order(key)).remove(0);
    let told = outcome.unwrap_err().to_string();
    let remedy = "No such file or directory: systemctl start hostinfo-run.socket";
    assert!(told.ends_with(remedy), "{told}");
}

#[test]
fn a_full_queue_fails_in_no_time_where_there_is_no_hostinfo_run() {
    let scene = Scene::new((0..16).map(|_| "echo 7"));
    let mut pool = Pool::new(&scene.socket()).unwrap();
    for number in 0..QUEUE_MAX {
        let guest = (number / 16).to_string();
        assert_eq!(pool.ask(key(&format!("s{}", number % 16), &guest), &guest), Asked::Waits);
    }
    let orders = Cell::new(0);
    let ended = pool.turn(Instant::now(), |key| {
        orders.set(orders.get() + 1);
        scene.order(key)
    });
    assert_eq!((ended.len(), orders.get()), (QUEUE_MAX, 1), "each was taken in its turn");
    assert!(ended.iter().all(|(_, outcome)| matches!(outcome, Err(Failure::NoRunner(..)))));
    assert!(pool.queue.len() == 0 && !pool.queues_for("0"));
}

#[test]
fn a_runner_whose_queue_is_full_is_an_error_at_once_too() {
    let scene = Scene::new(["echo 7"]);
    let _listener = scene.listener();
    let mut pool = Pool::new(&scene.socket()).unwrap();
    for guest in 0..99 {
        let guest = guest.to_string();
        assert_eq!(pool.ask(key("s0", &guest), &guest), Asked::Waits);
    }
    let begun = Instant::now();
    let mut ended = 0;
    for late in 0..99 {
        let now = begun + late * Duration::from_secs(13);
        ended += pool.turn(now, |key| scene.order(key)).len();
    }
    assert_eq!(ended, 99);
    assert!(begun.elapsed() < Duration::from_secs(60));
}
