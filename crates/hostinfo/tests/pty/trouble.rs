//! Dirty lines; hosts that are silent, flood or die; and ports that others use.

use std::fs::{self, File, Permissions};
use std::os::fd::AsFd;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::ExitStatusExt as _;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use rustix::fs::FlockOperation;
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{ControlModes, InputModes, LocalModes, OutputModes, tcgetattr};

use crate::host::{Act, FakeHost};
use crate::{run, said, tool};

fn pong(line: &str) -> Option<String> {
    line.strip_prefix("ping").map(|token| format!("200 pong{token}\n"))
}

/// Answers pings, and answers everything else with one CPU.
fn simple(line: &str) -> String {
    pong(line).unwrap_or_else(|| "200 physcpus=1\n".to_owned())
}

#[test]
fn an_old_answer_a_boot_log_and_a_prompt_do_not_get_in_the_way() {
    for noise in [
        &b"200 someone's=1\n404-a: no such statistic\n"[..],
        b"00-half=1\n200 of an answer\n",
        b"[    0.000000] Linux version 6.1.0\r\n\r\ndebian login: ",
        b"\xFF\xFE\x00\x1b[2J",
    ] {
        let host = FakeHost::raw(noise, simple);
        let answer = (0, "physcpus=1\n".to_owned(), String::new());
        assert_eq!(run(&host, "get physcpus"), answer, "{noise:?}");
    }
}

#[test]
fn a_first_answer_that_lost_its_first_bytes_is_asked_for_again() {
    let mut lost = false;
    let host = FakeHost::raw(b"", move |line| {
        let kept = if std::mem::replace(&mut lost, true) { 0 } else { 3 };
        simple(line).split_off(kept)
    });
    assert_eq!(run(&host, "get physcpus").0, 0);
}

#[test]
fn a_port_that_is_dead_at_first_is_given_a_second_look() {
    let start = Instant::now();
    let host = FakeHost::raw(b"", move |line| {
        let dead = start.elapsed() < Duration::from_millis(1200);
        if dead { String::new() } else { simple(line) }
    });
    assert_eq!(run(&host, "get physcpus --timeout 60").0, 0);
}

#[test]
fn lines_that_end_in_cr_lf_are_lines() {
    let host = FakeHost::raw(b"", |line| simple(line).replace('\n', "\r\n"));
    assert_eq!(run(&host, "get physcpus"), (0, "physcpus=1\n".to_owned(), String::new()));
}

/// The settings of the port.
fn modes(host: &FakeHost) -> (InputModes, OutputModes, ControlModes, LocalModes) {
    let modes = tcgetattr(&host.tty).unwrap();
    (modes.input_modes, modes.output_modes, modes.control_modes, modes.local_modes)
}

#[test]
fn the_tty_is_left_as_it_was_found() {
    let host = FakeHost::raw(b"", simple);
    let before = modes(&host);
    assert_eq!(run(&host, "get physcpus").0, 0);
    assert_eq!(modes(&host), before);
}

#[test]
fn the_tty_is_left_as_it_was_found_where_a_signal_ends_it_in_the_middle() {
    let folder = tempfile::tempdir().unwrap();
    let record = format!("record {}/r", folder.path().display());
    for command in ["get physcpus", "ping", "--every 1s", "serve --socket s --listen none", &record]
    {
        for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
            let host = FakeHost::raw(b"", |_| "");
            let before = modes(&host);
            let mut asking = tool(command)
                .args(["--timeout", "60"])
                .env("HOSTINFO_DEVICE", &host.path)
                .current_dir(folder.path())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            let begun = Instant::now();
            while modes(&host) == before {
                assert!(
                    begun.elapsed() < Duration::from_secs(120),
                    "{command} leaves the port as it was"
                );
                std::thread::sleep(Duration::from_millis(10));
            }
            kill_process(Pid::from_child(&asking), signal).unwrap();
            let ended = asking.wait().unwrap();
            assert_eq!(ended.signal(), Some(signal.as_raw()), "{command}: {ended}");
            assert_eq!(modes(&host), before, "{command}: {signal:?}");
        }
    }
}

#[test]
fn too_soon_is_status_4_with_the_time_to_wait() {
    let host = FakeHost::new(|_| "429 retry after 12.345 s\n");
    for arguments in ["", "get physcpus", "--json", "--format openmetrics"] {
        let (status, text, errors) = run(&host, arguments);
        assert_eq!((status, text.as_str()), (4, ""), "{arguments}");
        let told = "hostinfo: too soon: ask again in 12.345 s, or with --wait\n";
        assert!(errors.starts_with(told), "{errors}");
        assert!(errors.ends_with(" with hostinfo serve, each gets answers.\n"), "{errors}");
    }
}

#[test]
fn with_wait_it_sits_out_the_time_and_leaves_the_port_to_others_meanwhile() {
    let (told, is_told) = std::sync::mpsc::channel();
    let mut asked = 0;
    let host = FakeHost::new(move |line| {
        if line == "version" {
            return "200 hostinfo/1\n".to_owned();
        }
        asked += 1;
        told.send(()).unwrap();
        match asked {
            1 => "429 retry after 5.000 s\n".to_owned(),
            _ => "200 physcpus=1\n".to_owned(),
        }
    });
    let mut waiting = tool("get physcpus --wait")
        .env("HOSTINFO_DEVICE", &host.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    is_told.recv().unwrap();
    assert_eq!(run(&host, "ping --timeout 60").0, 0);
    assert!(waiting.try_wait().unwrap().is_none(), "the port was free while it waited");
    let told = "hostinfo: too soon to ask: waiting for 5 s\n".to_owned();
    let answer = (0, "physcpus=1\n".to_owned(), told);
    assert_eq!(said(waiting.wait_with_output().unwrap()), answer);
}

#[test]
fn a_silent_host_is_status_5_and_the_administrator_learns_what_to_do() {
    let host = FakeHost::raw(b"", |_| "");
    let start = Instant::now();
    let (status, text, errors) = run(&host, "--timeout 0.3");
    assert_eq!((status, text.as_str()), (5, ""));
    let path = host.path.display();
    assert!(errors.starts_with(&format!("hostinfo: no host answers: {path}: silent for 0.3 s\n")));
    assert!(
        errors.contains(&format!("\n{path} is there, but no host answers on it. ")),
        "{errors}"
    );
    assert!(errors.contains(" Send this to whoever runs your host:\n"));
    assert!(
        errors.find("  hostinfoctl doctor\n") < errors.find("<serial type='unix'>"),
        "{errors}"
    );
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_guest_without_the_port_is_status_5_too() {
    for path in ["/dev/no-such-port", "/dev/null/port"] {
        let (status, _, errors) = said(tool("--device").arg(path).output().unwrap());
        assert_eq!(status, 5, "{path}");
        assert!(errors.starts_with(&format!(
            "hostinfo: no host answers: {path}: no such device; leave out --device"
        )));
        assert!(!errors.contains("<serial"), "{errors}");
    }
}

#[test]
fn an_empty_variable_names_no_device() {
    let host = FakeHost::raw(b"", simple);
    let ask = |arguments: &str| said(tool(arguments).env("HOSTINFO_DEVICE", "").output().unwrap());
    let device = host.path.display();
    assert_eq!(ask(&format!("get physcpus --device {device}")).0, 0);
    // The usual ways are tried; this machine may even have one.
    let (status, _, errors) = ask("get physcpus --timeout 0.1");
    assert!(status != 2 && !errors.contains("--device <PATH>"), "{errors}");
}

#[test]
fn a_port_that_this_user_may_not_open_is_status_1_with_the_way_in() {
    let host = FakeHost::raw(b"", simple);
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("hostinfo");
    fs::copy(env!("CARGO_BIN_EXE_hostinfo"), &program).unwrap();
    fs::set_permissions(folder.path(), Permissions::from_mode(0o755)).unwrap();
    fs::set_permissions(&host.path, Permissions::from_mode(0o0)).unwrap();
    // Root may open everything.
    let nobody: &[&str] = match rustix::process::geteuid().is_root() {
        true => &["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"],
        false => &["env"],
    };
    let (first, more) = nobody.split_first().unwrap();
    let asked =
        Command::new(first).args(more).arg(&program).arg("--device").arg(&host.path).output();
    let (status, text, errors) = said(asked.unwrap());
    assert_eq!((status, text.as_str()), (1, ""));
    let told = format!("hostinfo: {}: permission denied: use sudo", host.path.display());
    assert!(errors.starts_with(&told) && errors.lines().count() == 1, "{errors}");
}

#[test]
fn an_older_host_and_a_newer_one_are_understood_as_far_as_they_can_be() {
    let host = FakeHost::new(|line| {
        let names: Vec<&str> = line.split(' ').skip(1).collect();
        let (last, more) = names.split_last().unwrap();
        let refused = |separator, name| format!("404{separator}{name}: no such statistic\n");
        more.iter().map(|name| refused("-", name)).collect::<String>() + &refused(" ", last)
    });
    let (status, text, errors) = run(&host, "");
    assert_eq!((status, errors.as_str()), (12, ""));
    assert!(text.starts_with("verdict   no such statistic (hostinfo --all shows"), "{text}");

    let host = FakeHost::new(|_| {
        "200-notice.1=eclipse at 2026-11-29T10:00Z: stay inside\n200-verdict.cpu=entangled: spooky\n\
         200-verdict.memory=ok: none waited\n200-hypervisor=kvm\n200-host.id=0123456789abcdef\n\
         200-host.name=a\n200-host.state=singing\n200-session.start=1\n200-sample.age=0.1\n\
         200 interval=1\n"
    });
    let (status, text, errors) = run(&host, "");
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(text.contains("cpu       unknown: entangled: spooky\n"), "{text}");
    assert!(
        text.contains("For memory, it is not the host; for CPU time, that is unknown"),
        "{text}"
    );
}

#[test]
fn a_device_that_is_no_port_is_not_written_to() {
    let file = tempfile::NamedTempFile::new().unwrap();
    assert_eq!(said(tool("--device").arg(file.path()).output().unwrap()).0, 1);
    assert_eq!(file.as_file().metadata().unwrap().len(), 0);
    let not_a_port = "this is not a serial port, a channel or a socket: name another with --device";
    let own = "this is the terminal that hostinfo was started from: name another with --device";
    for (path, why) in [
        ("/dev/null", not_a_port),
        ("/dev/zero", not_a_port),
        ("/dev/ptmx", not_a_port),
        ("/dev/tty", own),
    ] {
        let told = said(tool("ping --device").arg(path).output().unwrap());
        assert_eq!(told, (1, String::new(), format!("hostinfo: {path}: {why}\n")));
    }
}

#[test]
fn a_port_that_sends_without_end_is_given_up_in_time() {
    let host = FakeHost::raw(b"", |_| "noise ".repeat(1_000_000));
    let start = Instant::now();
    let (status, _, errors) = run(&host, "--timeout 3");
    assert_eq!(status, 5);
    assert!(errors.contains("it is not hostinfo"), "{errors}");
    assert!(start.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_reply_without_end_is_given_up_at_the_longest_that_there_can_be() {
    let host = FakeHost::new(|_| "200-x=1\n".repeat(100_000));
    let (status, text, errors) = run(&host, "get x");
    assert_eq!((status, text.as_str()), (1, ""));
    assert!(errors.contains("longer than a host's can be"), "{errors}");
}

#[test]
fn half_a_reply_is_not_shown() {
    let host = FakeHost::new(|_| Act::Die(b"200-physcpus=1\n".to_vec()));
    let (status, text, errors) = run(&host, "get * --timeout 3");
    assert_eq!((status, text.as_str()), (1, ""));
    assert!(errors.contains("hung up"), "{errors}");

    let host = FakeHost::raw(b"", |line| match line.strip_prefix("ping") {
        Some(token) => format!("200 pong{token}\n").into(),
        None => Act::Fall(b"200-physcpus=1\n200-load".to_vec()),
    });
    let (status, text, errors) = run(&host, "get * --timeout 3");
    assert_eq!((status, text.as_str()), (1, ""));
    assert!(errors.contains("stopped in the middle of its reply"), "{errors}");
}

#[test]
fn two_take_turns_on_one_port_and_who_waits_in_vain_says_so() {
    let host = FakeHost::raw(b"", simple);
    rustix::fs::flock(host.tty.as_fd(), FlockOperation::LockExclusive).unwrap();
    let (status, _, errors) = run(&host, "get physcpus --timeout 0.2");
    assert_eq!(status, 1);
    assert!(errors.contains("another program"), "{errors}");

    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| run(&host, "get physcpus"));
        std::thread::sleep(Duration::from_millis(200));
        rustix::fs::flock(host.tty.as_fd(), FlockOperation::Unlock).unwrap();
        assert_eq!(waiting.join().unwrap().0, 0);
    });
}

#[test]
fn many_at_once_all_get_their_own_answer() {
    let host = FakeHost::new(|line| line.replace("get ", "200 ") + "=1\n");
    std::thread::scope(|scope| {
        for number in 0..8 {
            let host = &host;
            scope.spawn(move || {
                let answer = (0, format!("loadavg.{number}=1\n"), String::new());
                assert_eq!(run(host, &format!("get loadavg.{number} --timeout 20")), answer);
            });
        }
    });
}

#[test]
fn a_reader_that_closes_the_pipe_gets_no_error() {
    let host = FakeHost::raw(b"", simple);
    let (reader, writer) = std::io::pipe().unwrap();
    drop(reader);
    let mut command = tool("get physcpus");
    let output = command.env("HOSTINFO_DEVICE", &host.path).stdout(writer).output().unwrap();
    assert_eq!(said(output), (0, String::new(), String::new()));

    let full = File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).output().unwrap();
    let (status, _, errors) = said(output);
    assert_eq!(status, 1);
    assert!(errors.starts_with("hostinfo: cannot write"), "{errors}");
}
