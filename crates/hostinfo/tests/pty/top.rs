//! The live view, on a pseudo-terminal of its own.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, kill_process};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use crate::host::{FakeHost, pty};
use crate::{run, tool};

/// Only a hang takes this long.
const DEADLINE: Duration = Duration::from_secs(120);

const ANSWER: &str = "200-session=a\n200-host.id=df1a367eaff5239f\n200-hypervisor=kvm\n\
                      200-verdict.cpu=contended: your vCPUs waited 34% of the last 5 s\n\
                      200-verdict.incident.1=cpu contended from 2026-11-28T10:02Z to now: 34% waited\n\
                      200 verdict.memory=ok: nothing waited for memory\n";

/// `hostinfo top` on a terminal.
pub(crate) struct Top {
    child: Child,
    screen: File,
    tty: OwnedFd,
    shown: String,
}

impl Top {
    fn start(host: &FakeHost, columns: u16, lines: u16) -> Self {
        Self::run("top --every 1s", &host.path, columns, lines)
    }

    pub(crate) fn run(arguments: &str, device: &Path, columns: u16, lines: u16) -> Self {
        let (screen, tty, _) = pty();
        let size = Winsize { ws_col: columns, ws_row: lines, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&tty, size).unwrap();
        let end = || Stdio::from(tty.try_clone().unwrap());
        let mut command = tool(arguments);
        command.env("HOSTINFO_DEVICE", device).env("TERM", "vt220").env_remove("NO_COLOR");
        let child = command.stdin(end()).stdout(end()).stderr(end()).spawn().unwrap();
        Self { child, screen, tty, shown: String::new() }
    }

    /// Reads output until the text is on the screen.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let begin = Instant::now();
        while !screen(&self.shown).contains(text) {
            assert!(begin.elapsed() < DEADLINE, "{text:?} is not in {}", screen(&self.shown));
            self.read();
        }
    }

    fn read(&mut self) {
        let time = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
        if poll(&mut [PollFd::new(&self.screen, PollFlags::IN)], Some(&time)).unwrap() > 0 {
            let mut bytes = [0; 4096];
            let length = self.screen.read(&mut bytes).unwrap_or(0);
            self.shown.push_str(&String::from_utf8_lossy(&bytes[..length]));
        }
    }

    /// Ends it as a person does.
    pub(crate) fn quit(mut self) {
        self.screen.write_all(b"q").unwrap();
        assert!(self.end().0.success());
    }

    /// Its exit status, and whether the terminal was restored.
    fn end(mut self) -> (ExitStatus, bool, String) {
        let begin = Instant::now();
        let status = loop {
            self.read();
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(begin.elapsed() < DEADLINE, "it does not end");
        };
        self.read();
        let modes = tcgetattr(&self.tty).unwrap().local_modes;
        let is_cooked = modes.contains(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
        let is_left = self.shown.contains("\u{1b}[?25h\u{1b}[?1049l");
        (status, is_cooked && is_left, self.shown)
    }
}

/// The contents of a screen of 120 columns after that output; it supports as much of ECMA-48 as is
/// used.
fn screen(shown: &str) -> String {
    let mut grid = vec![[' '; 120]; 24];
    let (mut x, mut y) = (0, 0);
    let mut rest = shown.chars();
    while let Some(sign) = rest.next() {
        if sign != '\u{1b}' {
            if let Some(place) = grid.get_mut(y).and_then(|line| line.get_mut(x)) {
                *place = sign;
            }
            x += 1;
            continue;
        }
        let mut code = String::new();
        let mut codes = rest.by_ref().skip(1);
        let letter = codes.find(|sign| {
            code.push(*sign);
            sign.is_alphabetic()
        });
        match (letter, code.trim_end_matches('H').split_once(';')) {
            (Some('H'), Some((line, column))) => {
                (y, x) = (line.parse::<usize>().unwrap() - 1, column.parse::<usize>().unwrap() - 1);
            }
            (Some('J'), _) => grid.fill([' '; 120]),
            _ => {}
        }
    }
    grid.into_iter().map(|line| line.iter().collect::<String>() + "\n").collect()
}

#[test]
fn top_shows_verdicts_figures_and_incidents_until_a_key_ends_it() {
    for key in [&b"q"[..], b"\x03"] {
        let host = FakeHost::new(|_| ANSWER);
        let mut top = Top::start(&host, 80, 24);
        top.wait_for("cpu contended from about 2026-11-28 10:02 UTC to now: 34% waited");
        top.wait_for("guest CPU busy");
        top.wait_for("your vCPUs waited 34% of the last 5 s");
        assert!(!tcgetattr(&top.tty).unwrap().local_modes.contains(LocalModes::ICANON));
        top.screen.write_all(key).unwrap();
        let (status, is_restored, shown) = top.end();
        assert!(status.success() && is_restored, "{status} {shown:?}");
        assert!(shown.is_ascii(), "a vt220 has no blocks");
    }
}

#[test]
fn the_terminal_is_as_it_was_after_a_signal() {
    let host = FakeHost::new(|_| ANSWER);
    let mut top = Top::start(&host, 80, 24);
    top.wait_for("guest CPU busy");
    kill_process(Pid::from_child(&top.child), Signal::TERM).unwrap();
    let (status, is_restored, shown) = top.end();
    assert_eq!(status.signal(), Some(15));
    assert!(is_restored, "{shown:?}");
}

#[test]
fn a_terminal_that_is_gone_is_the_end_of_it() {
    let host = FakeHost::new(|_| ANSWER);
    let mut top = Top::start(&host, 80, 24);
    top.wait_for("guest CPU busy");
    let Top { mut child, screen, tty, .. } = top;
    drop((screen, tty));
    let begin = Instant::now();
    while child.try_wait().unwrap().is_none() {
        assert!(begin.elapsed() < DEADLINE, "it does not end");
        std::thread::sleep(Duration::from_millis(50));
    }
}

#[test]
fn top_without_a_terminal_or_in_one_too_small_says_what_it_needs() {
    let host = FakeHost::new(|_| ANSWER);
    let top = Top::start(&host, 20, 24);
    let (status, _, shown) = top.end();
    assert_eq!(status.code(), Some(2));
    assert!(shown.lines().all(|line| line.len() < 20) && !shown.contains('\u{1b}'), "{shown:?}");
    let words = shown.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(words.contains("needs a terminal of 40 columns and 10 lines"), "{words}");
    let (status, text, errors) = run(&host, "top");
    assert_eq!((status, text.as_str()), (2, ""));
    assert!(errors.contains("top needs a terminal; plain hostinfo"), "{errors}");
    assert_eq!(run(&host, "top --json").0, 2);
}

#[test]
fn top_runs_on_a_console_that_does_not_say_how_large_it_is() {
    let host = FakeHost::new(|_| ANSWER);
    let mut top = Top::start(&host, 0, 0);
    top.wait_for("guest CPU busy");
    top.screen.write_all(b"q").unwrap();
    assert!(top.end().0.success());
}

#[test]
fn a_host_that_does_not_answer_is_said_and_the_guests_own_figures_are_shown() {
    let silent = FakeHost::raw(b"", |_| "");
    let mut top = Top::start(&silent, 100, 24);
    top.wait_for("no host answers: ");
    top.wait_for("guest CPU busy");
    // In the middle of a request that takes seconds.
    top.screen.write_all(b"q").unwrap();
    assert!(top.end().1);
}

#[test]
fn a_host_that_answers_only_pings_is_waited_for_while_the_guest_is_watched_and_keys_work() {
    let host = FakeHost::new(|_| "");
    let mut clocks = Vec::new();
    let mut top = Top::run("top --every 1s --timeout 60", &host.path, 120, 24);
    for waited in ["3 s", "5 s"] {
        top.wait_for(&format!("the host was asked {waited} ago: waiting for its answer"));
        let clock = screen(&top.shown).lines().next().unwrap_or_default().to_owned();
        assert!(clock.contains(" UTC ") && !clock.contains("--:--"), "a sample: {clock}");
        clocks.push(clock);
    }
    assert_ne!(clocks[0], clocks[1], "another sample");
    let typed = Instant::now();
    top.screen.write_all(b"q").unwrap();
    assert!(top.end().1 && typed.elapsed() < Duration::from_secs(50), "{:?}", typed.elapsed());
}

#[test]
fn the_port_is_left_as_it_was_found_where_top_ends_while_it_asks() {
    for signal in [None, Some(Signal::TERM)] {
        let host = FakeHost::raw(b"", |_| "");
        let is_cooked = || tcgetattr(&host.tty).unwrap().local_modes.contains(LocalModes::ICANON);
        let mut top = Top::start(&host, 120, 24);
        top.wait_for("q quits");
        let begun = Instant::now();
        while is_cooked() {
            assert!(begun.elapsed() < DEADLINE, "it leaves the terminal as it was");
            std::thread::sleep(Duration::from_millis(10));
        }
        match signal {
            Some(signal) => kill_process(Pid::from_child(&top.child), signal).unwrap(),
            None => top.screen.write_all(b"q").unwrap(),
        }
        let (_, is_restored, shown) = top.end();
        assert!(is_restored, "{shown}");
        assert!(is_cooked(), "{signal:?}");
    }
}
