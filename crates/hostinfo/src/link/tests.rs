//! Conversations with made-up hosts, by a clock that runs only when somebody waits.

use super::*;
use std::cell::Cell;
use std::collections::VecDeque;
use std::rc::Rc;

const TIMEOUT: Duration = Duration::from_secs(5);

/// A port behind which `host` sits: it is handed what was written, and gives back what is to
/// be read.
struct Fake<H> {
    /// Shared, so that it can be read when the port is gone.
    clock: Rc<Cell<Instant>>,
    host: H,
    incoming: VecDeque<u8>,
    /// The most bytes of one read, and the time that it takes.
    pace: (usize, Duration),
    connected: bool,
}

impl<H: FnMut(&str) -> Vec<u8>> Fake<H> {
    fn new(host: H) -> Self {
        let clock = Rc::new(Cell::new(Instant::now()));
        let pace = (usize::MAX, Duration::from_millis(1));
        Self { clock, host, incoming: VecDeque::new(), pace, connected: true }
    }

    fn with(mut self, before: &[u8]) -> Self {
        self.incoming.extend(before);
        self
    }

    fn establish(self) -> Result<Link<Self>, Broken> {
        let mut count = 0;
        Link::establish(self, TIMEOUT, || {
            count += 1;
            format!("token{count}")
        })
    }
}

impl<H: FnMut(&str) -> Vec<u8>> Port for Fake<H> {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        if !self.connected {
            return Err(ErrorKind::NotConnected.into());
        }
        if self.incoming.is_empty() {
            self.clock.set(until);
            return Err(ErrorKind::TimedOut.into());
        }
        self.sleep(self.pace.1);
        let length = buffer.len().min(self.pace.0).min(self.incoming.len());
        for (to, from) in buffer.iter_mut().zip(self.incoming.drain(..length)) {
            *to = from;
        }
        Ok(length)
    }

    fn write(&mut self, bytes: &[u8], _until: Instant) -> io::Result<()> {
        if !self.connected {
            return Err(ErrorKind::NotConnected.into());
        }
        let text = String::from_utf8_lossy(bytes).into_owned();
        self.incoming.extend((self.host)(&text));
        Ok(())
    }

    fn sleep(&mut self, time: Duration) {
        self.clock.set(self.clock.get() + time);
    }

    fn now(&self) -> Instant {
        self.clock.get()
    }
}

/// Answers pings, and everything else with `reply`.
fn host(reply: impl Into<Vec<u8>>) -> impl FnMut(&str) -> Vec<u8> {
    let reply = reply.into();
    move |sent| match sent.rsplit_once("ping ") {
        Some((_, token)) => format!("200 pong {token}").into_bytes(),
        None => reply.clone(),
    }
}

fn ask(reply: impl Into<Vec<u8>>) -> Result<Vec<Line>, Broken> {
    Fake::new(host(reply)).establish().unwrap().ask("get x", TIMEOUT)
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

#[test]
fn a_line_left_dirty_is_skipped_up_to_the_token() {
    for noise in [
        &b"200 someone's=1\n503 else: x\n"[..],
        b"ging token1\n",
        b"debian login: ",
        b"ping token1\r\n",
        b"200 pong token0\n",
        b"\xFF\0\n\n\xC3",
    ] {
        let mut link = Fake::new(host("200 x=1\n")).with(noise).establish().unwrap();
        assert_eq!(texts(&link.ask("get x", TIMEOUT).unwrap()), ["x=1"], "{noise:?}");
    }
}

#[test]
fn what_a_terminal_echoed_or_turned_to_crlf_does_no_harm() {
    let mut host = host("200-x=1\r\n200 y=2\r\n");
    let mut fake = Fake::new(move |sent: &str| {
        let echo = if sent.contains("ping") { sent.replace('\n', "\r\n") } else { String::new() };
        [echo.into_bytes(), host(sent)].concat()
    });
    fake.pace.0 = 1;
    let mut link = fake.establish().unwrap();
    assert_eq!(texts(&link.ask("get x y", TIMEOUT).unwrap()), ["x=1", "y=2"]);
}

#[test]
fn a_ping_that_was_lost_is_sent_again_under_another_token() {
    let mut pings = 0;
    let fake = Fake::new(|sent: &str| {
        assert!(sent.starts_with("\u{FFFD}\nping token"), "{sent:?}");
        pings += 1;
        if pings < 3 { Vec::new() } else { b"200 pong token3\n".to_vec() }
    });
    assert!(fake.establish().is_ok());
    assert_eq!(pings, 3);
}

#[test]
fn a_pong_of_an_older_token_is_no_footing() {
    // This host answers each ping when the next one comes.
    let mut late = Vec::new();
    let fake = Fake::new(move |sent: &str| {
        let now = host("")(sent);
        std::mem::replace(&mut late, now)
    });
    assert!(matches!(fake.establish(), Err(Broken::Strange)));
}

#[test]
fn a_silent_host_is_given_up_after_the_timeout() {
    let fake = Fake::new(|_: &str| Vec::new());
    let clock = fake.clock.clone();
    let start = clock.get();
    assert!(matches!(fake.establish(), Err(Broken::Silent(TIMEOUT))));
    assert_eq!(clock.get() - start, TIMEOUT);
}

#[test]
fn a_port_with_nobody_at_its_other_end_is_given_up_after_the_timeout() {
    let mut fake = Fake::new(|_: &str| Vec::new());
    fake.connected = false;
    assert!(matches!(fake.establish(), Err(Broken::NotConnected)));
}

#[test]
fn noise_without_end_is_given_up_after_the_timeout_and_not_kept() {
    for byte in [b'x', b'\n'] {
        let mut fake = Fake::new(|_: &str| vec![byte; 10 * REPLY_MAX]);
        fake.pace.1 = Duration::from_millis(10);
        assert!(matches!(fake.establish(), Err(Broken::Strange)));
    }
}

#[test]
fn a_reply_is_read_to_its_last_line_however_it_is_cut() {
    for cut in [1, 2, 7, 4096] {
        let mut fake = Fake::new(host("200-a=1\n403-b: not permitted\n200 c=ü\n200 more\n"));
        fake.pace.0 = cut;
        let lines = fake.establish().unwrap().ask("get a b c", TIMEOUT).unwrap();
        assert_eq!(texts(&lines), ["a=1", "b: not permitted", "c=ü"]);
        assert_eq!(lines[1].code, Code::NotPermitted);
    }
}

#[test]
fn a_reply_with_a_line_that_is_none_is_damaged() {
    for reply in ["200-a=1\nb=2\n200 c\n", "200 a\x1b[31m\n", "200-a=1\n\n", "garbage\n"] {
        assert!(matches!(ask(reply), Err(Broken::Damaged)), "{reply:?}");
    }
}

#[test]
fn a_reply_is_no_longer_than_a_host_may_say() {
    let line = "200-x=1\n";
    let many = line.repeat(REPLY_MAX / line.len() + 1);
    assert!(matches!(ask(many), Err(Broken::TooLong)));
    assert!(matches!(ask("x".repeat(2 * REPLY_MAX)), Err(Broken::TooLong)));
    let most = line.repeat(REPLY_MAX / line.len() - 1) + "200 x=1\n";
    assert_eq!(ask(most).unwrap().len(), REPLY_MAX / line.len());
}

#[test]
fn a_host_that_falls_silent_or_hangs_up_is_told_apart_from_one_that_does_not_answer() {
    assert!(matches!(ask(""), Err(Broken::Silent(TIMEOUT))));
    for part in ["2", "200-a=1\n", "200-a=1\n200 b"] {
        assert!(matches!(ask(part), Err(Broken::Stalled)), "{part:?}");
    }
    let mut link = Fake::new(host("")).establish().unwrap();
    link.port.connected = false;
    assert!(matches!(link.ask("get x", TIMEOUT), Err(Broken::HungUp)));
}

#[test]
fn a_host_that_drips_does_not_hold_up_for_longer_than_a_host_would_wait() {
    let mut link = Fake::new(host("200-x=1\n".repeat(1000))).establish().unwrap();
    link.port.pace = (1, Duration::from_secs(1));
    let start = link.port.now();
    assert!(matches!(link.ask("get x", TIMEOUT), Err(Broken::Stalled)));
    assert_eq!(link.port.now() - start, WRITE_DEADLINE);
}
