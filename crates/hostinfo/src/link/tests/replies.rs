//! What a host answers when nobody else is on the line.

use super::*;

fn ask(reply: impl Into<Vec<u8>>) -> Result<Vec<Line>, Broken> {
    Fake::new(saying(reply)).establish().unwrap().ask(&question(), TIMEOUT)
}

#[test]
fn a_request_goes_out_in_one_write_between_two_tokens_that_are_new() {
    let mut sent = Rc::new(Cell::new(Vec::new()));
    let written = sent.clone();
    let mut host = saying("200 x=1\n");
    let fake = Fake::new(move |text: &str| {
        let mut all = written.take();
        all.push(text.to_owned());
        written.set(all);
        host(text)
    });
    fake.establish().unwrap().ask(&Question::get(&["x"]), TIMEOUT).unwrap();
    let sent = Rc::get_mut(&mut sent).unwrap().take();
    assert_eq!(sent, ["\u{FFFD}\nping token1\n", "\u{FFFD}\nping token2\nget x\nping token3\n"]);
}

#[test]
fn a_reply_is_read_to_its_last_line_however_it_is_cut() {
    for cut in [1, 2, 7, 4096] {
        let mut fake = Fake::new(saying("200-a=1\n403-b: not permitted\n200 c=ü\n"));
        fake.pace.0 = cut;
        let names = ["a", "b", "c"];
        let lines = fake.establish().unwrap().ask(&Question::get(&names), TIMEOUT).unwrap();
        assert_eq!(texts(&lines), ["a=1", "b: not permitted", "c=ü"]);
        assert_eq!(lines[1].code, Code::NotPermitted);
    }
}

#[test]
fn a_value_may_be_of_any_script() {
    for name in
        ["Zürich-é", "שלום", "می\u{200c}خواهم", "क्\u{200d}ष", "東京", "👩\u{200d}🚀 ❤\u{fe0f}"]
    {
        let lines = ask(format!("200 host.name={name}\n")).unwrap();
        assert_eq!(texts(&lines), [format!("host.name={name}")]);
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
fn a_request_that_is_refused_as_none_again_and_again_is_not_understood() {
    let told = ask("400 usage: get NAME...\n");
    assert!(matches!(told, Err(Broken::NotUnderstood(why)) if why == "usage: get NAME..."));
}

#[test]
fn a_host_that_hangs_up_says_nothing_that_counts() {
    let mut link = Fake::new(saying("")).establish().unwrap();
    link.port.connected = false;
    assert!(matches!(link.ask(&question(), TIMEOUT), Err(Broken::HungUp)));
}

#[test]
fn a_host_that_works_out_its_reply_may_be_silent_for_the_timeout() {
    // It only says that it has come this far.
    let mut host = saying("");
    let mut link =
        Fake::new(move |sent: &str| host(sent.split("get").next().unwrap())).establish().unwrap();
    let start = link.port.now();
    assert!(matches!(link.ask(&question(), TIMEOUT), Err(Broken::Silent(TIMEOUT))));
    assert!(link.port.now() - start >= TIMEOUT);
}

#[test]
fn a_host_that_falls_silent_is_told_apart_from_one_that_does_not_answer() {
    let cut = |part: &'static str| {
        let mut is_asked = false;
        let mut link = Fake::new(move |sent: &str| {
            is_asked |= sent.contains("get");
            let answer = host(|_| part.as_bytes().to_vec())(sent);
            let end = answer.len() - if is_asked { "200 pong token3\n".len() } else { 0 };
            answer[..end].to_vec()
        })
        .establish()
        .unwrap();
        link.ask(&question(), TIMEOUT)
    };
    for part in ["2", "200-a=1\n", "200-a=1\n200 b"] {
        assert!(matches!(cut(part), Err(Broken::Stalled)), "{part:?}");
    }
    assert!(matches!(cut(""), Err(Broken::Silent(TIMEOUT))));
}

#[test]
fn a_host_that_drips_does_not_hold_up_for_longer_than_a_host_would_wait() {
    let mut link = Fake::new(saying("200-x=1\n".repeat(1000))).establish().unwrap();
    link.port.pace = (1, Duration::from_secs(1));
    let start = link.port.now();
    assert!(link.ask(&question(), Duration::from_secs(120)).is_err());
    assert!(link.port.now() - start <= 2 * Duration::from_secs(120));
}

#[test]
fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
    for seed in std::fs::read_dir("../../fuzz/seeds/reply").unwrap() {
        let path = seed.unwrap().path();
        // As in `fuzzing.rs`: the host has sent everything by then, and every token is the same.
        let said = std::fs::read(&path).unwrap();
        let ask = |question: Question| {
            let fake = Fake::new(|_: &str| Vec::new()).with(&said);
            Link::establish(fake, TIMEOUT, || "t".to_owned()).unwrap().ask(&question, TIMEOUT)
        };
        let names = ["loadavg"];
        let answer = match path.file_name().unwrap().to_str().unwrap() {
            "get" | "refused" | "too-soon" | "disturbed" => ask(Question::get(&names)),
            "json" => ask(Question::json(&names)),
            "list" => ask(Question::list_all()),
            "version" => ask(Question::version()),
            "usage" => {
                assert!(ask(Question::get(&names)).is_err());
                continue;
            }
            other => panic!("say here what {other} is"),
        };
        assert!(answer.is_ok(), "{}: {answer:?}", path.display());
    }
}
