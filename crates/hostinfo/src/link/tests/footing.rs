//! From a dirty line to a synchronized host.

use super::*;

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
        let mut link = Fake::new(saying("200 x=1\n")).with(noise).establish().unwrap();
        assert_eq!(texts(&link.ask(&question(), TIMEOUT).unwrap()), ["x=1"], "{noise:?}");
        assert!(!link.was_disturbed());
    }
}

#[test]
fn an_echo_and_line_ends_turned_to_crlf_by_a_terminal_do_no_harm() {
    let mut host = saying("200-x=1\r\n200 y=2\r\n");
    let mut is_first = true;
    let mut fake = Fake::new(move |sent: &str| {
        // Until the tool has made the tty raw.
        let echoes = std::mem::take(&mut is_first);
        let echo = if echoes { sent.replace('\n', "\r\n") } else { String::new() };
        [echo.into_bytes(), host(sent)].concat()
    });
    fake.pace.0 = 1;
    let mut link = fake.establish().unwrap();
    assert_eq!(texts(&link.ask(&question(), TIMEOUT).unwrap()), ["x=1", "y=2"]);
}

#[test]
fn a_ping_that_was_lost_is_sent_again_under_another_token() {
    let pings = Rc::new(Cell::new(0));
    let counted = pings.clone();
    let fake = Fake::new(move |sent: &str| {
        assert!(sent.starts_with("\u{FFFD}\nping token"), "{sent:?}");
        counted.set(counted.get() + 1);
        if counted.get() < 3 { Vec::new() } else { b"200 pong token3\n".to_vec() }
    });
    assert!(fake.establish().is_ok());
    assert_eq!(pings.get(), 3);
}

#[test]
fn a_pong_of_an_older_token_is_no_footing() {
    // This host answers each ping when the next one comes.
    let (mut late, mut host) = (Vec::new(), saying(""));
    let fake = Fake::new(move |sent: &str| std::mem::replace(&mut late, host(sent)));
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
fn a_port_with_nobody_at_its_other_end_is_given_up() {
    let mut fake = Fake::new(|_: &str| Vec::new());
    fake.connected = false;
    assert!(matches!(fake.establish(), Err(Broken::NotConnected)));
}

#[test]
fn noise_without_end_is_no_footing_and_is_given_up() {
    for byte in [b'x', b'\n'] {
        let mut fake = Fake::new(move |_: &str| vec![byte; 10 * REPLY_MAX]);
        fake.pace.1 = Duration::from_millis(10);
        assert!(matches!(fake.establish(), Err(Broken::Strange)));
    }
}

#[test]
fn what_a_host_says_in_place_of_an_answer_is_believed_where_nobody_else_can_say_it() {
    for why in [BLOCKED, ASK_AGAIN] {
        let code = if why == BLOCKED { 403 } else { 503 };
        let line = format!("{code} {why}\n");
        let mut said = Some(line.clone().into_bytes());
        let mut fake = Fake::new(move |_: &str| said.take().unwrap_or_default());
        fake.shared = false;
        let told = fake.establish().err().unwrap();
        assert!(matches!(told, Broken::Refused(told) if told == why), "{told}");
        assert!(matches!(
            Fake::new(move |_: &str| line.clone().into_bytes()).establish(),
            Err(Broken::Strange)
        ));
        // Another program's on a serial port, or what was asked for before.
        let late = format!("200 x=1\n{code} {why}\n").into_bytes();
        let mut fake = Fake::new(saying("200 x=1\n")).with(&late);
        fake.shared = false;
        assert!(fake.establish().is_ok());
    }
}

#[test]
fn a_socket_that_was_hung_up_on_is_not_waited_for() {
    let mut fake = Fake::new(|_: &str| Vec::new());
    (fake.connected, fake.shared) = (false, false);
    let (clock, start) = (fake.clock.clone(), fake.clock.get());
    assert!(matches!(fake.establish(), Err(Broken::HungUp)) && clock.get() == start);
}
