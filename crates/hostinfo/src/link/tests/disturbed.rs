//! Others who write to the line, or read from it.

use super::*;
use crate::others::Holder;
use proptest::prelude::*;

/// A host that answers the requests with `replies`, one after the other, and then with `x=1`. They
/// are what comes between the tokens.
fn then_right(replies: &[&str]) -> impl FnMut(&str) -> Vec<u8> + use<> {
    let mut replies: VecDeque<Vec<u8>> = replies.iter().map(|reply| (*reply).into()).collect();
    host(move |_| replies.pop_front().unwrap_or_else(|| b"200 x=1\n".to_vec()))
}

fn ask(host: impl FnMut(&str) -> Vec<u8>) -> Result<Vec<Line>, Broken> {
    Fake::new(host).establish().unwrap().ask(&Question::get(&["x"]), TIMEOUT)
}

#[test]
fn a_question_is_asked_again_unless_exactly_one_reply_fits_it() {
    for wrong in [
        "",
        "200 loadavg.1=0.5\n",
        "200 x=2\n200 loadavg.1=0.5\n",
        "200 loadavg.1=0.5\n200 x=2\n",
        "200-x=2\n",
        "404 et: no such statistic\n404 x[: no such statistic\n",
        "400 not text\n",
        "200-x=2\ngarbage\n200 x=3\n",
        "200 x=\x1b[31m\n",
        "200-x=2\n\n200 x=3\n",
        "200 pong someone\n200 x=2\n",
    ] {
        let mut link = Fake::new(then_right(&[wrong])).establish().unwrap();
        let lines = link.ask(&Question::get(&["x"]), TIMEOUT).unwrap();
        assert_eq!(texts(&lines), ["x=1"], "{wrong:?}");
        assert!(link.was_disturbed());
    }
}

#[test]
fn a_reply_with_a_character_that_is_invisible_or_changes_the_direction_does_not_count() {
    for c in ['\u{ad}', '\u{200b}', '\u{2028}', '\u{202e}', '\u{2066}', '\u{feff}', '\u{e0041}'] {
        for wrong in [format!("200 x=a{c}b\n"), format!("503 x: a{c}b\n")] {
            assert_eq!(texts(&ask(then_right(&[&wrong])).unwrap()), ["x=1"], "{wrong:?}");
        }
    }
}

#[test]
fn replies_to_others_before_and_behind_the_own_one_are_not_looked_at() {
    let mut answer = then_right(&[]);
    let told = ask(move |sent: &str| {
        [&b"200 x=7\n"[..], &answer(sent), b"200 x=8\n200-half=9\n"].concat()
    });
    assert_eq!(texts(&told.unwrap()), ["x=1"]);
}

#[test]
fn a_token_that_did_not_come_back_is_not_waited_for_where_the_other_did() {
    let mut is_first = true;
    let mut answer = then_right(&[]);
    let fake = Fake::new(move |sent: &str| {
        let is_mangled = sent.contains("get") && std::mem::take(&mut is_first);
        let intruder = if is_mangled { "pi[  1.0] eth0: up\nng" } else { "ping" };
        answer(&sent.replacen("ping", intruder, 1))
    });
    let clock = fake.clock.clone();
    let start = clock.get();
    let lines = fake.establish().unwrap().ask(&Question::get(&["x"]), TIMEOUT).unwrap();
    assert_eq!(texts(&lines), ["x=1"]);
    assert!(clock.get() - start < Duration::from_secs(1));
}

#[test]
fn an_answer_of_which_another_program_may_have_read_a_part_does_not_count() {
    let mut link = Fake::new(then_right(&["200 x=2\n"])).establish().unwrap();
    let reader = Holder { pid: 7, name: "cat".to_owned(), reads: true };
    link.port.others.holders.push(reader);
    assert_eq!(texts(&link.ask(&Question::get(&["x"]), TIMEOUT).unwrap()), ["x=1"]);
    assert!(link.was_disturbed());
}

#[test]
fn a_program_that_was_seen_while_the_line_was_disturbed_is_remembered() {
    let mut link = Fake::new(then_right(&["200 y=2\n"])).establish().unwrap();
    let writer = Holder { pid: 7, name: "sh".to_owned(), reads: false };
    link.port.others.holders.push(writer);
    assert!(link.ask(&Question::get(&["x"]), TIMEOUT).is_ok());
    assert_eq!(link.others().named(), "sh (PID 7)");
}

#[test]
fn a_link_that_is_always_disturbed_gives_up_at_the_timeout_and_keeps_the_hosts_pace() {
    let asked = Rc::new(Cell::new(0));
    let counted = asked.clone();
    let fake = Fake::new(host(move |_| {
        counted.set(counted.get() + 1);
        b"200 loadavg.1=0.5\n".to_vec()
    }));
    let clock = fake.clock.clone();
    let start = clock.get();
    let told = fake.establish().unwrap().ask(&Question::get(&["x"]), TIMEOUT);
    assert!(matches!(told, Err(Broken::Disturbed(TIMEOUT))));
    let time = clock.get() - start;
    assert!(time <= TIMEOUT && time > TIMEOUT - 2 * LONGEST_PAUSE, "{time:?}");
    // Four lines each.
    assert!((5..=25).contains(&asked.get()), "{}", asked.get());
}

proptest! {
    /// Another program's lines get into the request at any place, as when the kernel logs to the
    /// line.
    #[test]
    fn whatever_gets_into_the_line_the_answer_is_right(
        intruders in proptest::collection::vec(("[ -~]{0,12}\n?|loadavg.1\n|x\n|y", 0usize..60), 1..6),
    ) {
        let mut intruders = intruders.into_iter();
        let told = ask(move |sent: &str| {
            let mut sent: Vec<char> = sent.chars().collect();
            if sent.iter().collect::<String>().contains("get")
                && let Some((text, at)) = intruders.next()
            {
                let at = at.min(sent.len());
                sent.splice(at..at, text.chars());
            }
            host(|line| match line {
                "get x" => b"200 x=1\n".to_vec(),
                "x" => b"200 x=1\n".to_vec(),
                "loadavg.1" => b"200 loadavg.1=0.5\n".to_vec(),
                other => format!("404 {other}: no such statistic\n").into_bytes(),
            })(&sent.into_iter().collect::<String>())
        });
        let lines = told.unwrap();
        prop_assert_eq!(texts(&lines), ["x=1"]);
    }

    /// Another program reads part of the answer, which is then missing.
    #[test]
    fn whatever_is_missing_of_the_answer_no_wrong_name_or_half_reply_is_believed(
        at in 0usize..80, length in 1usize..40,
    ) {
        let mut is_first = true;
        let told = ask(move |sent: &str| {
            let mut answer = host(|_| b"200 x=1\n".to_vec())(sent);
            if sent.contains("get") && std::mem::take(&mut is_first) {
                let at = at.min(answer.len());
                let end = (at + length).min(answer.len());
                answer.drain(at..end);
            }
            answer
        });
        // If all of it is missing, the host may still be at work.
        if !matches!(told, Err(Broken::Silent(_))) {
            let lines = told.unwrap();
            prop_assert_eq!(lines.len(), 1);
            prop_assert_eq!(lines[0].subject(), Some("x"));
        }
    }
}
