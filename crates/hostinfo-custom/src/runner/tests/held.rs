//! Commands, and what they have printed, on what somebody keeps from being used.

use std::fs;
use std::path::Path;
use std::time::Duration;

use hostinfo_peer::Unclosed;
use hostinfo_peer::examples::{HeldPipe, packets};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

use super::super::*;
use super::scene::{PATIENCE, Scene, hear, wait_for_text};
use crate::definition::Source;

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
