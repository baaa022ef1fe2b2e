use super::*;

use std::collections::BTreeMap;
use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use hostinfo_catalog::{About, Kind, Unit};
use hostinfo_peer::Unclosed;
use hostinfo_peer::examples::{HeldPipe, Slow, packets};
use rustix::net::{
    AddressFamily, SendFlags, SocketAddrUnix, SocketType, bind, connect, listen, socket_with,
};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, geteuid, pidfd_getfd, pidfd_open};
use tempfile::TempDir;

use crate::account::Power;
use crate::definition::{Definition, Scope, Source};
use crate::message::Request;
use crate::queue::Key;

/// Only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Definitions for hostinfo-run, and a place for its socket.
pub(crate) struct Scene {
    folder: TempDir,
    pub(crate) definitions: BTreeMap<String, Definition>,
    pub(crate) accounts: Accounts,
}

impl Scene {
    /// With statistics `s0`, `s1` and so on for each guest, which are these shell scripts. Only those that are meant to
    /// hang have a short deadline.
    pub(crate) fn new<S: ToString>(scripts: impl IntoIterator<Item = S>) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let scripts = scripts.into_iter().enumerate();
        let definitions = scripts.map(|(number, script)| {
            let definition = shell(&format!("s{number}"), &script.to_string());
            (definition.name.clone(), definition)
        });
        let accounts = Accounts::parse("", Power::Itself);
        Self { definitions: definitions.collect(), folder, accounts }
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.folder.path().join("socket")
    }

    pub(crate) fn listener(&self) -> OwnedFd {
        let listener = socket();
        bind(&listener, &SocketAddrUnix::new(self.socket()).unwrap()).unwrap();
        listen(&listener, 16).unwrap();
        listener
    }

    /// Starts it in a thread.
    pub(crate) fn serve(&self, has_pidfds: bool) {
        self.serve_user(geteuid().as_raw(), has_pidfds);
    }

    fn serve_user(&self, caller: u32, has_pidfds: bool) {
        let listener = self.listener();
        let (definitions, accounts) = (self.definitions.clone(), self.accounts.clone());
        thread::spawn(move || {
            let found = Found::of(definitions);
            let mut runner = Runner::new(|| (found.clone(), accounts.clone()), caller);
            runner.has_pidfds = has_pidfds;
            runner.serve(&listener, false)
        });
    }

    pub(crate) fn order(&self, key: &Key) -> Option<crate::run::Order> {
        let definition = self.definitions.get(&*key.name)?;
        Some(crate::run::Order {
            request: self.request(&key.name, &key.guest),
            program: "/bin/sh".to_owned(),
            timeout: definition.timeout,
        })
    }

    fn request(&self, name: &str, guest: &str) -> Request {
        let fingerprint = self.definitions[name].fingerprint();
        Request { fingerprint, name: name.to_owned(), guest: guest.to_owned() }
    }

    fn connect(&self) -> PeerSocket {
        let socket = socket();
        connect(&socket, &SocketAddrUnix::new(self.socket()).unwrap()).unwrap();
        socket.into()
    }

    fn ask(&self, packet: &[u8]) -> PeerSocket {
        let socket = self.connect();
        message::send(&socket, packet).unwrap();
        socket
    }
}

pub(crate) fn key(name: &str, guest: &str) -> Key {
    Key { name: name.into(), guest: guest.into() }
}

fn socket() -> OwnedFd {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

fn shell(name: &str, script: &str) -> Definition {
    let hangs = script.contains("sleep 60") || script.contains("1000000");
    let about = About { kind: Kind::Info, unit: Unit::None, help: "h".to_owned(), metric: None };
    Definition {
        name: name.to_owned(),
        about: Arc::new(about),
        scope: Scope::Guest,
        source: Source::Command(["/bin/sh", "-c", script].map(str::to_owned).into()),
        every: Duration::from_secs(1),
        timeout: Duration::from_millis(if hangs { 300 } else { 10_000 }),
        user: None,
        account: None,
    }
}

/// A killed process is gone after a moment, or is a zombie that init has not collected yet.
pub(crate) fn is_gone(pid: &str) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat"));
        if stat.map_or(true, |stat| stat.contains(") Z ")) {
            return true;
        }
        thread::sleep(Duration::from_millis(10));
    }
    false
}

/// Waits for an answer; `None` if it hangs up without one.
fn hear(socket: &PeerSocket) -> Option<Answer> {
    let mut fds = [PollFd::new(socket, PollFlags::IN)];
    let patience = Timespec::try_from(PATIENCE).unwrap();
    assert_eq!(poll(&mut fds, Some(&patience)), Ok(1), "it says nothing");
    let packet = message::receive(socket).unwrap();
    (!packet.is_empty()).then(|| Answer::parse(&packet).unwrap())
}

fn wait_for_text(file: &Path, has: impl Fn(&str) -> bool) -> String {
    let begun = Instant::now();
    loop {
        let text = fs::read_to_string(file).unwrap_or_default();
        if has(&text) {
            return text;
        }
        assert!(begun.elapsed() < PATIENCE, "{text:?}");
        thread::sleep(Duration::from_millis(5));
    }
}

#[test]
fn any_other_user_is_refused_before_it_has_said_anything() {
    let scene = Scene::new(["echo 7"]);
    let user = geteuid().as_raw();
    scene.serve_user(user + 1, true);
    let Some(Answer::Refused(why)) = hear(&scene.connect()) else { panic!() };
    let told = format!("hostinfo-run serves only user {}, not user {user}: ", user + 1);
    assert!(why.starts_with(&told), "{why}");
}

#[test]
fn a_request_that_matches_no_definition_of_the_runners_is_refused_with_the_reason() {
    let scene = Scene::new(["echo 7", "echo 8"]);
    scene.serve(true);
    let good = scene.request("s0", "a");
    assert_eq!(hear(&scene.ask(&good.to_packet())), Some(Answer::Printed(b"7\n".to_vec())));
    let fingerprint = scene.request("s1", "a").fingerprint;
    for (packet, why) in [
        (
            Request { fingerprint, ..good.clone() }.to_packet(),
            "has changed since hostinfod read it",
        ),
        (Request { name: "s7".to_owned(), ..good.clone() }.to_packet(), "is not defined where"),
        (Request { guest: String::new(), ..good }.to_packet(), "another scope"),
        (b"hostinfo-run 1\nrm -rf /".to_vec(), "this is not a fingerprint"),
        (b"hostinfo-run 2\n".to_vec(), "of different versions"),
    ] {
        let Some(Answer::Refused(told)) = hear(&scene.ask(&packet)) else { panic!("{why}") };
        assert!(told.contains(why), "{told}");
    }
}

#[test]
fn no_command_becomes_the_daemons_user() {
    let mut scene = Scene::new(["echo 7"]);
    let user = geteuid().as_raw() + 4000;
    scene.accounts = Accounts::parse(&format!("daemon:x:{user}:7::/:/\n"), Power::Anybody);
    scene.definitions.get_mut("s0").unwrap().user = Some("daemon".to_owned());
    let read = || (Found::of(scene.definitions.clone()), scene.accounts.clone());
    let packet = scene.request("s0", "a").to_packet();
    let told = Order::of(&packet, read, user).unwrap_err();
    assert!(told.starts_with("its user is hostinfod's own"), "{told}");
}

#[test]
fn a_client_that_hangs_up_or_sends_more_has_its_command_killed() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    for more in [None, Some(&b"more"[..])] {
        fs::write(&file, "").unwrap();
        let scene = Scene::new([format!("echo $$ > {}; exec sleep 70", file.display())]);
        scene.serve(true);
        let socket = scene.ask(&scene.request("s0", "a").to_packet());
        let pid = wait_for_text(&file, |text| text.ends_with('\n'));
        match more {
            Some(more) => {
                message::send(&socket, more).unwrap();
                assert_eq!(hear(&socket), None);
            }
            None => drop(socket),
        }
        assert!(is_gone(pid.trim()));
    }
}

#[test]
fn nothing_runs_beside_a_run_of_the_same_statistic_that_is_dying() {
    let folder = tempfile::tempdir().unwrap();
    let (file, bad) = (folder.path().join("pid"), folder.path().join("bad"));
    fs::write(&file, "").unwrap();
    let (pid, twice) = (file.display(), bad.display());
    let script = format!(
        "before=$(cat {pid}); [ -z \"$before\" ] || ! [ -d /proc/$before ] || echo x >{twice}
         echo $$ >{pid}; exec sleep 70"
    );
    let scene = Scene::new([script]);
    scene.serve(true);
    let packet = scene.request("s0", "a").to_packet();
    let mut last = String::new();
    for _ in 0..20 {
        let _socket = scene.ask(&packet);
        last = wait_for_text(&file, |text| text.ends_with('\n') && text != last);
    }
    assert!(!bad.exists());
}

#[test]
fn a_command_reaches_neither_another_run_nor_hostinfo_run_but_what_it_has_started_itself() {
    assert!(apart::is_offered(), "needs Landlock: Linux 5.19 or later, with landlock in lsm=");
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("pid");
    fs::write(&file, "").unwrap();
    let reach = format!(
        "sleep 70 & for pid in $! $(cat {}) {}; do \
         (: >/proc/$pid/fd/1) 2>/dev/null && echo output; \
         (: </proc/$pid/mem) 2>/dev/null && echo memory; \
         kill -0 $pid 2>/dev/null && echo signal; \
         for change in 'prlimit --nofile=99:99 --pid' 'renice -n 7 -p' 'renice -n 7 -g' 'ionice -c 3 -p' \
         'chrt --batch -p 0' 'taskset -p 1'; do $change $pid >/dev/null 2>&1 && echo $change; done; \
         (echo 7 >/proc/$pid/oom_score_adj) 2>/dev/null && echo oom; echo .; done; \
         for own in 'prlimit --nofile=99:99' 'nice -n 7' 'ionice -c 3' 'chrt --batch 0' 'taskset 1'; do \
         $own true || echo $own; done; prlimit --pid $$ --nofile >/dev/null || echo tell",
        file.display(),
        std::process::id()
    );
    let scene = Scene::new([format!("echo $$ >{}; exec sleep 70", file.display()), reach]);
    scene.serve(true);
    let _other = scene.ask(&scene.request("s0", "a").to_packet());
    wait_for_text(&file, |text| text.ends_with('\n'));
    let told = hear(&scene.ask(&scene.request("s1", "a").to_packet()));
    let Some(Answer::Printed(told)) = told else { panic!("{told:?}") };
    let others = if keeps_signals() { ".\n.\n" } else { "signal\n.\nsignal\n.\n" };
    let told = String::from_utf8(told).unwrap();
    assert_eq!(told, format!("output\nmemory\nsignal\n.\n{others}"));
}

/// The kernel itself would send SIGHUP to the group when it is left without a parent, while one of its processes is stopped.
#[test]
fn a_command_joins_no_process_group_of_who_started_it() {
    let group = rustix::process::getpgrp().as_raw_pid();
    let join = format!("perl -e 'print setpgrp(0, {group}) ? 1 : 0, setpgrp(0, 0) ? 1 : 0'");
    let scene = Scene::new([join]);
    scene.serve(true);
    let told = hear(&scene.ask(&scene.request("s0", "a").to_packet()));
    assert_eq!(told, Some(Answer::Printed(b"01".to_vec())));
}

/// That thread is there for another moment, and its number is some before the command's.
#[test]
fn a_command_sends_no_signal_to_the_thread_that_has_started_it() {
    if !keeps_signals() {
        return;
    }
    let reach =
        "for back in 1 2 3 4; do kill -0 $(($$ - back)) 2>/dev/null && echo $back; done; true";
    let scene = Scene::new([reach]);
    scene.serve(true);
    for _ in 0..50 {
        let told = hear(&scene.ask(&scene.request("s0", "a").to_packet()));
        assert_eq!(told, Some(Answer::Printed(Vec::new())));
    }
}

/// Whether no signal leaves a layer of Landlock: since Linux 6.12.
fn keeps_signals() -> bool {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str().unwrap().split(['.', '-']);
    let mut number = || numbers.next().unwrap().parse::<u32>().unwrap();
    (number(), number()) >= (6, 12)
}

#[test]
fn callers_beyond_the_four_wait_until_there_is_a_place() {
    let scene = Scene::new(["sleep 60", "echo 7"]);
    scene.serve(true);
    let hangs = scene.request("s0", "a").to_packet();
    let busy: Vec<PeerSocket> = (0..RUNS_MAX).map(|_| scene.ask(&hangs)).collect();
    let waits = scene.ask(&scene.request("s1", "a").to_packet());
    assert_eq!(hear(&waits), Some(Answer::Printed(b"7\n".to_vec())));
    // It had to wait for one of them, which is over by now.
    let is_over = |socket: &&PeerSocket| message::receive(socket).is_ok();
    assert!(busy.iter().filter(is_over).count() >= 1);
}

#[test]
fn a_caller_that_never_says_what_it_wants_is_hung_up_on() {
    let scene = Scene::new(["echo 7"]);
    scene.serve(true);
    assert_eq!(hear(&scene.connect()), None);
}

#[test]
fn a_caller_who_sends_descriptors_that_take_long_to_close_holds_nobody_up() {
    let scene = Scene::new(["echo 7"]);
    let read = || (Found::of(scene.definitions.clone()), scene.accounts.clone());
    let (mut runner, now) = (Runner::new(read, 0), Instant::now());
    let (sender, socket) = packets(&Unclosed::default()).unwrap();
    let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
    let run = Run { socket, state: State::Silent, deadline: now + PATIENCE };
    assert!(runner.advance(run, now).is_none());
    assert!(now.elapsed() < PATIENCE && unclosed() == 1);
    drop(far_end);
}

/// Holds a lease on a file until it is let go: whoever opens the file, also to execute it, waits in the kernel, as on a
/// file system that hangs.
fn hold(file: &Path) -> (std::process::Child, Box<dyn FnOnce()>) {
    // F_SETLEASE and F_WRLCK; SIGIO says that somebody wants to open it.
    let script = "$SIG{IO} = 'IGNORE'; open F, '<', $ARGV[0] or die; fcntl F, 1024, 1 or die $!; $| = 1; print \"held\\n\"; \
                  <STDIN>; fcntl F, 1024, 2 or die $!; <STDIN>";
    let mut holder = std::process::Command::new("perl")
        .args(["-e", script])
        .arg(file)
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut told = std::io::BufReader::new(holder.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut told, &mut line).unwrap();
    assert_eq!(line, "held\n");
    let mut input = holder.stdin.take().unwrap();
    (holder, Box::new(move || std::io::Write::write_all(&mut input, b"\n\n").unwrap()))
}

#[test]
fn a_command_on_a_file_system_that_hangs_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("program");
    fs::copy("/bin/true", &program).unwrap();
    let mut scene = Scene::new(["echo 7", "echo 8"]);
    let hangs = scene.definitions.get_mut("s0").unwrap();
    hangs.source = Source::Command([program.to_str().unwrap().to_owned()].into());
    hangs.timeout = Duration::from_millis(300);
    scene.serve(true);
    let [hangs, other] = ["s0", "s1"].map(|name| scene.request(name, "a").to_packet());
    assert_eq!(hear(&scene.ask(&hangs)), Some(Answer::Printed(Vec::new())));
    let (mut holder, let_go) = hold(&program);
    let (held, begun) = (scene.ask(&hangs), Instant::now());
    for _ in 0..2 {
        assert_eq!(hear(&scene.ask(&other)), Some(Answer::Printed(b"8\n".to_vec())));
    }
    assert_eq!(hear(&held), Some(Answer::Late(Vec::new())));
    // Nor does it run twice.
    assert_eq!(hear(&scene.ask(&hangs)), Some(Answer::Late(Vec::new())));
    // The kernel takes the lease away after 45 s.
    assert!(begun.elapsed() < Duration::from_secs(30), "{:?}", begun.elapsed());
    let_go();
    let begun = Instant::now();
    while hear(&scene.ask(&hangs)) != Some(Answer::Printed(Vec::new())) {
        assert!(begun.elapsed() < PATIENCE);
    }
    holder.wait().unwrap();
}

#[test]
fn whoever_keeps_what_a_command_has_printed_from_being_read_holds_up_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let [pid, go] = ["pid", "go"].map(|name| folder.path().join(name));
    let until_told = format!("while ! [ -e {} ]; do sleep 0.01; done", go.display());
    for (ends, is_awaited) in [(&*until_told, true), ("exec sleep 70", true), ("sleep 70", false)] {
        let _ = (fs::remove_file(&pid), fs::remove_file(&go));
        let mut scene = Scene::new([&format!("echo $$ >{}; {ends}", pid.display()), "echo 8"]);
        scene.definitions.get_mut("s0").unwrap().timeout = Duration::from_secs(2);
        scene.serve(true);
        let [held, other] = ["s0", "s1"].map(|name| scene.request(name, "a").to_packet());
        let run = scene.ask(&held);
        let number = wait_for_text(&pid, |text| text.ends_with('\n'));
        let process = Pid::from_raw(number.trim().parse().unwrap()).unwrap();
        let process = pidfd_open(process, PidfdFlags::empty()).unwrap();
        let output = pidfd_getfd(process, 1, PidfdGetfdFlags::empty()).unwrap();
        let pipe = HeldPipe::hold(&output).unwrap();
        fs::write(&go, "").unwrap();
        let run = Some(run).filter(|_| is_awaited);
        for _ in 0..5 {
            assert_eq!(hear(&scene.ask(&other)), Some(Answer::Printed(b"8\n".to_vec())), "{ends}");
        }
        if let Some(run) = run {
            assert_eq!(hear(&run), Some(Answer::Late(Vec::new())), "{ends}");
        }
        // Nor does it run beside that.
        fs::remove_file(&pid).unwrap();
        assert_eq!(hear(&scene.ask(&held)), Some(Answer::Late(Vec::new())), "{ends}");
        assert!(!pid.exists());
        drop(pipe);
        let _run = scene.ask(&held);
        wait_for_text(&pid, |text| text.ends_with('\n'));
    }
}

#[test]
fn no_command_is_started_beside_too_many_that_hang() {
    let scene = Scene::new(["echo 7"]);
    let read = || (Found::of(scene.definitions.clone()), scene.accounts.clone());
    let mut runner = Runner::new(read, 0);
    let mut told_beside = |stuck| {
        let hanging = || ("another".into(), Dying::Starting(Starting::hangs()));
        runner.dying = std::iter::repeat_with(hanging).take(stuck).collect();
        let (caller, socket) = packets(&Unclosed::default()).unwrap();
        let words = ["/bin/echo", "7"].map(str::to_owned).into();
        let order = Order { name: "s0".into(), words, account: None, timeout: PATIENCE };
        let deadline = Instant::now() + PATIENCE;
        let mut run = Some(Run { socket, state: State::Waiting(order), deadline });
        while let Some(goes_on) = run {
            run = runner.advance(goes_on, Instant::now());
        }
        hear(&PeerSocket::from(caller)).unwrap()
    };
    assert_eq!(told_beside(STUCK_MAX - 1), Answer::Printed(b"7\n".to_vec()));
    assert_eq!(told_beside(STUCK_MAX), Answer::NotRun(Errno::AGAIN));
}
