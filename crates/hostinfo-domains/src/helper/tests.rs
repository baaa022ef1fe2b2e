use super::*;
use crate::examples::domain;
use crate::limits::{
    ANSWER_DEADLINE, DEADLINE, ERRORS_EVERY, LINE_MAX, RESTART_FIRST, RESTART_LONGEST,
};
use crate::message::{Message, VERSION};
use crate::process::programs;
use crate::{Claim, Domain, Figures, to_line};
use hostinfo_peer::examples::{HeldPipe, Slow, pair};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;
use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};
use std::os::fd::OwnedFd;
use std::sync::mpsc::channel;
use std::time::Duration;

const UUID: Uuid = Uuid::from_u128(7);

fn said(message: &Message) -> String {
    String::from_utf8(to_line(message).unwrap()).unwrap().replace('\n', "\\n")
}

/// A line of shell that sends this message.
fn say(message: &Message) -> String {
    format!("printf '{}'\n", said(message))
}

/// How every helper begins: it reports one domain, and libvirt answers.
fn up() -> String {
    say(&Message::Hello { version: VERSION })
        + &say(&Message::Domain(domain(7, "a")))
        + &say(&Message::Done(0))
}

/// Runs a shell script in place of the helper, to do what a real helper only does when something is
/// wrong.
fn helper(script: &str) -> Helper {
    let arguments = ["-c", script].map(OsString::from).to_vec();
    Helper::new(vec!["/nonexistent".into(), "/bin/sh".into()], arguments).unwrap()
}

/// Starts it, and listens until there is a new snapshot.
fn hear(helper: &mut Helper, now: Instant) {
    helper.want(now);
    if helper.process.is_none() && helper.on_time(now) {
        return;
    }
    for _ in 0..10_000 {
        let patience = Timespec { tv_sec: 180, tv_nsec: 0 };
        let mut polled = [PollFd::new(&helper.poll, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1), "nothing comes");
        if helper.on_ready(now) {
            return;
        }
    }
    panic!("much is said and nothing new");
}

fn outage(helper: &Helper) -> &str {
    helper.snapshot().outage().unwrap()
}

#[test]
fn the_helper_is_neither_started_nor_waited_for_before_it_is_wanted() {
    let mut helper = helper("exit");
    assert_eq!(helper.next_deadline(), None);
    assert!(!helper.on_time(Instant::now()));
    assert!(helper.process.is_none());
    assert_eq!(outage(&helper), "libvirt was not asked yet");
}

#[test]
fn after_the_helpers_snapshot_its_domains_are_known_and_no_deadline_is_left() {
    let mut helper = helper(&(up() + "cat >/dev/null"));
    let now = Instant::now();
    hear(&mut helper, now);
    assert_eq!(helper.snapshot().outage(), None);
    assert_eq!(helper.snapshot().whose().of("qemu-a"), Claim::Named(UUID));
    assert_eq!(helper.next_deadline(), None);
}

#[test]
fn figures_are_asked_for_once_however_often_they_are_wanted_meanwhile() {
    let figures = Figures { memory_current: Some(5), ..Figures::default() };
    let answer =
        |number| say(&Message::Figures(UUID, figures.clone())) + &say(&Message::Done(number));
    let expect = |line: &str| format!("read -r line; [ \"$line\" = '{line}' ] || exit\n");
    let script = up()
        + &expect(&format!(r#"{{"figures":{{"number":1,"of":["{UUID}"]}}}}"#))
        + &answer(1)
        + &expect(r#"{"figures":{"number":2,"of":[]}}"#)
        + &answer(2)
        + "cat >/dev/null";
    let mut helper = helper(&script);
    let now = Instant::now();
    hear(&mut helper, now);
    helper.refresh(Some(UUID), now);
    assert_eq!(helper.next_deadline(), Some(now + DEADLINE));
    helper.look(now);
    helper.refresh(Some(UUID), now);
    helper.refresh(None, now);
    hear(&mut helper, now);
    assert!(helper.next_deadline().is_some(), "the second request has gone out");
    hear(&mut helper, now);
    assert_eq!(helper.next_deadline(), None);
    let guest = Arc::clone(helper.snapshot().guest(UUID).unwrap());
    assert_eq!(guest.figures, Some((figures, now)));
}

#[test]
fn a_helper_that_does_not_answer_is_killed_after_5_s_and_started_again() {
    let mut helper = helper(&(up() + "read -r line; exec sleep 1000"));
    let now = Instant::now();
    hear(&mut helper, now);
    helper.refresh(None, now);
    assert!(!helper.on_time(now + DEADLINE - Duration::from_millis(1)));
    let late = now + DEADLINE;
    assert!(helper.on_time(late));
    assert_eq!(outage(&helper), "libvirt did not answer within 5 s");
    assert_eq!(helper.snapshot().whose().of("qemu-a"), Claim::Named(UUID), "as it was last");
    assert!(helper.snapshot().guest(UUID).is_none());
    assert_eq!(helper.next_deadline(), Some(late + RESTART_FIRST));
    // The kernel may take longer to end it than there are tries.
    helper.leaving.as_mut().unwrap().wait().unwrap();
    let now = late + RESTART_FIRST;
    assert!(!helper.on_time(now) && helper.process.is_some());
    hear(&mut helper, now);
    assert_eq!(helper.snapshot().outage(), None);
}

#[test]
fn a_helper_that_trickles_lines_without_end_is_killed_after_two_minutes() {
    let line = say(&Message::Domain(domain(7, "a")));
    let trickle = format!("while :; do {line}sleep 0.01; done");
    for script in [trickle.clone(), up() + "read -r line\n" + &trickle] {
        let mut helper = helper(&(say(&Message::Hello { version: VERSION }) + &script));
        let begun = Instant::now();
        helper.want(begun);
        assert!(!helper.on_time(begun));
        let mut now = begun;
        while helper.process.is_some() {
            assert!(now < begun + 2 * ANSWER_DEADLINE, "it goes on and on");
            let patience = Timespec { tv_sec: 180, tv_nsec: 0 };
            let mut polled = [PollFd::new(&helper.poll, PollFlags::IN)];
            assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1));
            if helper.on_ready(now) {
                helper.refresh(None, now);
            }
            // A line every 4 s does not count as silence.
            now += Duration::from_secs(4);
            let _ = helper.on_time(now);
        }
        let words = "libvirt did not come to the end of an answer within 120 s";
        assert_eq!(outage(&helper), words);
    }
}

#[test]
fn a_helper_that_hangs_before_its_first_answer_is_killed_too() {
    let mut helper = helper("exec sleep 1000");
    let now = Instant::now();
    helper.want(now);
    assert!(!helper.on_time(now));
    assert_eq!(helper.next_deadline(), Some(now + DEADLINE));
    assert!(helper.on_time(now + DEADLINE));
    assert_eq!(outage(&helper), "libvirt did not answer within 5 s");
}

#[test]
fn a_part_of_the_first_answer_is_not_taken_for_the_whole() {
    let mut helper = helper(&(up().replace("\"done\":0", "\"done\":1") + "exec sleep 1000"));
    let now = Instant::now();
    helper.want(now);
    assert!(!helper.on_time(now));
    std::thread::sleep(Duration::from_millis(100));
    assert!(!helper.on_ready(now));
    assert_eq!(outage(&helper), "libvirt was not asked yet");
}

#[test]
fn every_way_to_fail_is_told_in_words() {
    let long = format!("head -c {} /dev/zero | tr '\\0' x", LINE_MAX + 1);
    for (script, words) in [
        (up() + &say(&Message::Down("no such host".to_owned())), "no such host"),
        ("exit 127".to_owned(), "hostinfo-libvirt ended without an answer"),
        (
            say(&Message::Hello { version: VERSION + 1 }),
            "hostinfo-libvirt is of another release than this program: install both again",
        ),
        (
            say(&Message::Done(0)),
            "hostinfo-libvirt is of another release than this program: install both again",
        ),
        (
            "echo libvirt: error".to_owned(),
            "not a message of hostinfo-libvirt, version 4: expected value at line 1 column 1",
        ),
        (long, "hostinfo-libvirt sent a line over 1310720 bytes"),
    ] {
        let mut helper = helper(&script);
        let now = Instant::now();
        for _ in 0..2 {
            if helper.snapshot().outage().is_none_or(|outage| outage != words) {
                hear(&mut helper, now);
            }
        }
        assert_eq!(outage(&helper), words);
        assert!(helper.process.is_none());
    }
    let mut missing = Helper::new(programs(Path::new("/nonexistent/sbin/x")), Vec::new()).unwrap();
    hear(&mut missing, Instant::now());
    assert_eq!(outage(&missing), "hostinfo-libvirt is not installed");
}

#[test]
fn standard_error_comes_as_lines_a_chunk_at_a_time_and_its_end_wakes_nobody() {
    let now = Instant::now();
    let mut closed = helper(&(up() + "echo one >&2; printf two >&2; exec 2>&-; cat >/dev/null"));
    hear(&mut closed, now);
    let mut later = now;
    for _ in 0..30 {
        std::thread::sleep(Duration::from_millis(10));
        later += ERRORS_EVERY;
        let _ = (closed.on_time(later), closed.on_ready(later));
    }
    assert_eq!(closed.take_errors(), ["one"]);
    let at_once = Timespec::default();
    let mut polled = [PollFd::new(&closed.poll, PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut polled, Some(&at_once)), Ok(0));
    assert_eq!(closed.next_deadline(), None);
    closed.end("x", later);
    assert_eq!(closed.take_errors(), ["two"]);

    let mut endless = helper(&(up() + "exec yes forged >&2"));
    hear(&mut endless, now);
    for chunk in 0..100 {
        let now = now + chunk * ERRORS_EVERY;
        let _ = (endless.on_time(now), endless.on_ready(now), endless.on_ready(now));
        let lines = endless.take_errors();
        assert!(lines.len() <= 2 * 4096 / "forged\n".len(), "{}", lines.len());
        assert!(lines.iter().all(|line| line == "forged"), "{lines:?}");
    }
}

#[test]
fn the_last_words_of_a_helper_that_ends_are_read() {
    let mut helper = helper("echo no library >&2; exit 127");
    hear(&mut helper, Instant::now());
    assert_eq!(helper.take_errors(), ["no library"]);
}

#[test]
fn a_helper_that_reports_more_than_fits_is_refused_and_its_words_are_one_line() {
    let large = Domain { channel: Some("x".repeat(100_000)), ..domain(7, "a") };
    let line = say(&Message::Domain(large)).replace("000000000007", "00000000%s");
    let script = format!("for n in $(seq 1000 1999); do {} $n; done", line.trim_end());
    let mut helper = helper(&(up() + &script));
    let now = Instant::now();
    hear(&mut helper, now);
    hear(&mut helper, now);
    assert_eq!(outage(&helper), "hostinfo-libvirt reported over 67108864 bytes about domains");
    helper.end("no\nWARN forged", now);
    assert_eq!(outage(&helper), "no WARN forged");
}

/// A copy of the helper's descriptor with that number.
fn far_end(helper: &Helper, number: i32) -> OwnedFd {
    let child = Pid::from_raw(helper.processes().next().unwrap().cast_signed()).unwrap();
    let child = pidfd_open(child, PidfdFlags::empty()).unwrap();
    pidfd_getfd(child, number, PidfdGetfdFlags::empty()).unwrap()
}

#[test]
fn a_helper_that_holds_its_ends_of_what_the_daemon_reads_keeps_nobody_waiting() {
    let (tell, told) = channel();
    let (mut helper, now) = (helper(&(up() + "exec sleep 1000")), Instant::now());
    hear(&mut helper, now);
    let held = [0, 1, 2].map(|number| HeldPipe::hold(&far_end(&helper, number)));
    std::thread::spawn(move || {
        let _ = helper.on_ready(now);
        helper.end("x", now);
        drop(helper);
        tell.send(())
    });
    let waits = told.recv_timeout(Duration::from_secs(60));
    drop(held);
    waits.unwrap();
}

#[test]
fn a_helper_that_sends_descriptors_which_take_long_to_close_keeps_nobody_waiting() {
    let ends = [|helper: &mut Helper, now| helper.on_ready(now), Helper::renew];
    for (ends, number) in ends.into_iter().flat_map(|ends| [(ends, 0), (ends, 2)]) {
        let mut helper = helper(&(up() + "exec sleep 1000"));
        let now = Instant::now();
        hear(&mut helper, now);
        // From Linux 6.16 on, none can be sent.
        let sent = Slow::new().unwrap().send(&far_end(&helper, number), SendFlags::empty());
        assert_eq!(ends(&mut helper, now), sent.is_ok());
        helper.end("x", now);
        assert!(now.elapsed() < Duration::from_secs(180));
    }
}

#[test]
fn no_helper_is_started_while_what_another_has_sent_is_not_closed() {
    let mut helper = helper(&(up() + "exec sleep 1000"));
    let now = Instant::now();
    hear(&mut helper, now);
    let (sender, socket) = pair(&helper.unclosed).unwrap();
    let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
    drop(socket);
    helper.end("x", now);
    assert!(outage(&helper).starts_with("hostinfo-libvirt has sent descriptors that take long"));
    helper.leaving.as_mut().unwrap().wait().unwrap();
    let mut later = now;
    for _ in 0..20 {
        later = helper.next_deadline().unwrap_or(later) + RESTART_LONGEST;
        helper.want(later);
        assert!(!helper.on_time(later) && helper.process.is_none());
        assert!(helper.next_deadline().is_none_or(|next| next > later));
    }
    drop(far_end);
    while helper.unclosed.count() > 0 {
        assert!(now.elapsed() < Duration::from_secs(180));
        std::thread::sleep(Duration::from_millis(1));
    }
    helper.want(later);
    hear(&mut helper, later + RESTART_LONGEST);
    assert_eq!(helper.snapshot().outage(), None);
}

#[test]
fn a_helper_that_is_renewed_is_started_again_and_what_is_known_counts_until_it_answers() {
    let mut helper = helper(&(up() + "exec sleep 1000"));
    let now = Instant::now();
    assert!(!helper.renew(now) && helper.next_deadline().is_none(), "there is none");
    hear(&mut helper, now);
    assert!(!helper.renew(now) && helper.process.is_none());
    assert_eq!(helper.snapshot().whose().of("qemu-a"), Claim::Named(UUID));
    assert_eq!((helper.snapshot().outage(), helper.as_of()), (None, Some(now)));
    helper.leaving.as_mut().unwrap().wait().unwrap();
    let later = now + RESTART_FIRST;
    assert_eq!(helper.next_deadline(), Some(later));
    assert!(!helper.on_time(later) && helper.process.is_some());
    hear(&mut helper, later);
    assert_eq!((helper.snapshot().outage(), helper.as_of()), (None, Some(later)));
}
