//! What the tool shows without arguments, and how it waits for verdicts.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use crate::host::{FakeHost, pty};
use crate::{run, said, tool};

/// A host that answers `early` until `time` has passed since the first request, and `late` after
/// that.
fn host_after(time: Duration, early: &'static str, late: &'static str) -> FakeHost {
    let mut first = None;
    FakeHost::new(move |line| {
        assert!(line.starts_with("get ") || line.starts_with("json "), "{line}");
        let first = first.get_or_insert_with(Instant::now);
        if first.elapsed() < time { early } else { late }
    })
}

const FIRST: &str = "200-verdict.cpu=unknown: ask again in 2 s\n\
                     200-verdict.memory=unknown: ask again in 2 s\n\
                     503-notice: there are none\n200-hypervisor=kvm\n403-session.start: not permitted\n\
                     200-sample.age=0.1\n\
                     200-interval=1\n200 host.id=0123456789abcdef\n";

const THEN: &str = "200-verdict.cpu=contended: your vCPUs waited 34% of the last 2 s\n\
                    200-verdict.memory=ok: nothing waited for memory\n\
                     503-notice: there are none\n200-hypervisor=kvm\n403-session.start: not permitted\n\
                    200-sample.age=0.1\n\
                     200-interval=1\n200 host.id=0123456789abcdef\n";

#[test]
fn alone_it_waits_for_the_verdict_and_shows_it_with_its_reason() {
    let host = host_after(Duration::from_secs(2), FIRST, THEN);
    assert_eq!(
        run(&host, ""),
        (
            0,
            "cpu       contended: your vCPUs waited 34% of the last 2 s\n\
             memory    ok: nothing waited for memory\n\
             host      01234567, kvm\n\
             It is the host (CPU time). To show whoever runs it: hostinfo diagnose\n"
                .to_owned(),
            String::new()
        )
    );
}

#[test]
fn the_page_says_when_to_ask_again_if_the_verdict_takes_longer() {
    let start = Instant::now();
    let host = FakeHost::new(|_| {
        "200-verdict.cpu=unknown: ask again in 600 s\n503-notice: there are none\n200-hypervisor=kvm\n\
         403-session.start: not permitted\n200-sample.age=0.1\n\
                     200-interval=1\n200 host.id=0123456789abcdef\n"
    });
    let (status, text, errors) = run(&host, "");
    assert_eq!((status, errors.as_str()), (0, ""));
    assert!(text.starts_with("cpu       unknown: ask again in 600 s\n"), "{text}");
    assert!(start.elapsed() < Duration::from_secs(300));
}

#[test]
fn a_guest_that_may_ask_again_soon_waits_and_one_that_may_not_shows_what_it_has() {
    let soon = host_after(Duration::from_secs(1), "429 retry after 1.000 s\n", THEN);
    assert_eq!(run(&soon, "").0, 0);
    let mut asked = 0;
    let host = FakeHost::new(move |_| {
        asked += 1;
        if asked == 1 { FIRST } else { "429 retry after 60.000 s\n" }
    });
    let (status, text, _) = run(&host, "");
    assert!(status == 0 && text.starts_with("cpu       unknown: ask again in 2 s\n"), "{text}");
}

#[test]
fn get_with_wait_returns_a_verdict_too() {
    let early = "200 verdict.cpu=unknown: ask again in 1 s\n";
    let host = host_after(Duration::from_secs(1), early, "200 verdict.cpu=ok: your vCPUs ran\n");
    assert_eq!(run(&host, "get verdict.cpu").1, "verdict.cpu=unknown: ask again in 1 s\n");
    assert_eq!(run(&host, "get verdict.cpu --wait").1, "verdict.cpu=ok: your vCPUs ran\n");
    let early = "200 {\"verdict.cpu\":\"unknown: ask again in 1 s\"}\n";
    let host = host_after(Duration::from_secs(1), early, "200 {\"verdict.cpu\":\"ok: x\"}\n");
    assert_eq!(run(&host, "--json verdict.cpu --wait").1, "{\"verdict.cpu\":\"ok: x\"}\n");
}

#[test]
fn a_host_that_keeps_putting_off_its_verdict_is_waited_for_twice_and_that_is_said() {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let host = FakeHost::new(move |_| {
        counted.fetch_add(1, Ordering::Relaxed);
        "200 verdict.cpu=unknown: ask again in 4 s\n"
    });
    let (status, text, errors) = run(&host, "verdict.cpu --wait");
    assert_eq!((status, text.as_str()), (4, "verdict.cpu=unknown: ask again in 4 s\n"));
    assert_eq!(errors, "hostinfo: waiting for the host's verdict for 4 s\n");
    assert_eq!(asked.load(Ordering::Relaxed), 3);
}

#[test]
fn a_terminal_shows_what_is_waited_for() {
    let host = host_after(Duration::from_secs(2), FIRST, THEN);
    let (mut terminal, tty, _) = pty();
    let mut command = tool("");
    command.env("HOSTINFO_DEVICE", &host.path).stdout(Stdio::piped()).stderr(tty);
    assert_eq!(said(command.spawn().unwrap().wait_with_output().unwrap()).0, 0);
    let mut shown = [0; 200];
    let length = terminal.read(&mut shown).unwrap();
    let shown = String::from_utf8_lossy(&shown[..length]);
    assert!(shown.starts_with("\rhostinfo: waiting for the host's verdict, 2 s left"), "{shown:?}");
    drop(command);
}

#[test]
fn again_and_again_each_page_has_its_time_and_a_long_interval_is_said_once() {
    let host = FakeHost::new(|_| {
        "200-verdict.cpu=ok: x\n503-notice: there are none\n200-hypervisor=kvm\n\
         403-session.start: not permitted\n\
         200-sample.age=0.1\n200-interval=5\n200 host.id=0123456789abcdef\n"
    });
    let mut child = tool("--every 1s")
        .env("HOSTINFO_DEVICE", &host.path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    for _ in 0..2 {
        let time = lines.next().unwrap();
        assert!(time.starts_with("20") && time.ends_with(" UTC"), "{time}");
        assert!(lines.next().unwrap().starts_with("cpu "));
        assert!(lines.nth(1).unwrap().starts_with("It is not the host."));
    }
    child.kill().unwrap();
    let mut errors = String::new();
    child.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    child.wait().unwrap();
    assert_eq!(errors, "hostinfo: this host answers every 5 s\n");
}
