use super::*;

use hostinfo_peer::Unclosed;
use hostinfo_peer::examples::packets;
use proptest::prelude::*;

use crate::fuzzing::definitions;

fn request(name: &str, guest: &str) -> Request {
    let fingerprint = definitions().get(name).map(Definition::fingerprint);
    let fingerprint = fingerprint.unwrap_or_else(|| "0".repeat(FINGERPRINT));
    Request { fingerprint, name: name.to_owned(), guest: guest.to_owned() }
}

fn words(request: &Request) -> Result<Vec<String>, BadRequest> {
    Request::parse(&request.to_packet())?.command(&definitions()).map(|(_, words)| words)
}

#[test]
fn a_request_names_a_definition_and_the_words_are_those_of_the_definition() {
    assert_eq!(words(&request("all", "")).unwrap(), ["/bin/echo", "7"]);
    assert_eq!(words(&request("own", "qemu-a b")).unwrap(), ["/bin/echo", "qemu-a b", "x"]);
}

#[test]
fn a_request_that_differs_from_the_definition_is_refused() {
    let owned = str::to_owned;
    for (asked, why) in [
        (request("none", ""), BadRequest::Unknown(owned("none"))),
        (request("file", ""), BadRequest::Changed(owned("file"))),
        (request("all", "qemu-a"), BadRequest::Scope(owned("all"))),
        (request("own", ""), BadRequest::Scope(owned("own"))),
        (
            Request { fingerprint: request("own", "").fingerprint, ..request("all", "") },
            BadRequest::Changed(owned("all")),
        ),
    ] {
        assert_eq!(words(&asked), Err(why), "{asked:?}");
    }
}

#[test]
fn a_packet_that_is_no_request_is_refused_before_anything_is_looked_up() {
    let long = "x".repeat(NAME_MAX + 1);
    let long_guest = "x".repeat(GUEST_MAX + 1);
    for (name, guest) in [
        ("", ""),
        ("All", ""),
        ("a b", ""),
        ("../all", ""),
        ("all\n", ""),
        (&*long, ""),
        ("own", "-rf"),
        ("own", ".."),
        ("own", "a/b"),
        ("own", "a\0"),
        ("own", "a\nb"),
        ("own", &*long_guest),
    ] {
        let asked = Request { name: name.to_owned(), ..request("own", guest) };
        assert_eq!(Request::parse(&asked.to_packet()), Err(BadRequest::Malformed), "{asked:?}");
    }
    for fingerprint in ["", "0", &"0".repeat(65), &"G".repeat(64), &"A".repeat(64)] {
        let asked = Request { fingerprint: fingerprint.to_owned(), ..request("all", "") };
        assert_eq!(Request::parse(&asked.to_packet()), Err(BadRequest::Malformed), "{asked:?}");
    }
    assert_eq!(Request::parse(b"\xFF"), Err(BadRequest::Malformed));
    let later = String::from_utf8(request("all", "").to_packet()).unwrap();
    for packet in ["", "hostinfo-run 2\nx", &later.replacen("run 1", "run 10", 1)] {
        assert_eq!(Request::parse(packet.as_bytes()), Err(BadRequest::Version), "{packet}");
    }
}

#[test]
fn an_answer_arrives_as_it_was_given_and_nothing_longer_does() {
    let (one, two) = packets(&Unclosed::default()).unwrap();
    assert_eq!(receive(&two), Err(Errno::AGAIN.into()));
    for answer in [
        Answer::Printed(b"7\n\xFF".to_vec()),
        Answer::Printed(vec![b'x'; OUTPUT_MAX]),
        Answer::TooLong,
        Answer::Failed(ExitStatus::from_raw(3 << 8), b"no such rack".to_vec()),
        Answer::Late(vec![b'x'; EXCERPT_MAX + 1]),
        Answer::NotRun(Errno::NOENT),
        Answer::Refused("since".to_owned()),
    ] {
        send(&one, &answer.to_packet()).unwrap();
        assert_eq!(Answer::parse(&receive(&two).unwrap()), Some(answer));
    }
    send(&one, &[b'x'; PACKET_MAX + 1]).unwrap();
    assert_eq!(receive(&two), Err(Errno::MSGSIZE.into()));
    drop(one);
    assert_eq!(receive(&two).unwrap(), b"");
}

#[test]
fn an_answer_that_hostinfo_run_cannot_have_given_is_none() {
    let long = [&b"hostinfo-run 1 printed 0\n"[..], &[b'x'; OUTPUT_MAX + 1]].concat();
    for packet in [
        &b""[..],
        b"7\n",
        b"hostinfo-run 1 printed 0",
        b"hostinfo-run 1 printed\n7",
        b"hostinfo-run 1 printed x\n7",
        b"hostinfo-run 2 printed 0\n7",
        b"hostinfo-run 1 else 0\n7",
        b"hostinfo-run 1 not-run 0\n",
        b"hostinfo-run 1 not-run -7\n",
        b"hostinfo-run 1 not-run 99999\n",
        &long,
    ] {
        assert_eq!(Answer::parse(packet), None, "{:?}", String::from_utf8_lossy(packet));
    }
    let told = b"hostinfo-run 1 refused 0\na\nb\x1b[2J\xFF";
    assert_eq!(Answer::parse(told), Some(Answer::Refused("a b [2J\u{FFFD}".to_owned())));
}

#[test]
fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
    for seed in std::fs::read_dir("../../fuzz/seeds/run").unwrap() {
        let path = seed.unwrap().path();
        let packet = std::fs::read(&path).unwrap();
        let asked = Request::parse(&packet);
        let answer = Answer::parse(&packet);
        let is_it = match path.file_name().unwrap().to_str().unwrap() {
            "own" | "all" => asked.is_ok_and(|asked| asked.command(&definitions()).is_ok()),
            "changed" => asked.is_ok_and(|asked| asked.command(&definitions()).is_err()),
            "malformed" => asked == Err(BadRequest::Malformed),
            "printed" => matches!(answer, Some(Answer::Printed(_))),
            "failed" => matches!(answer, Some(Answer::Failed(..))),
            "refused" => matches!(answer, Some(Answer::Refused(_))),
            other => panic!("say here what {other} is"),
        };
        assert!(is_it, "{}", path.display());
    }
}

proptest! {
    #[test]
    fn any_packet_is_a_request_that_can_be_said_again_or_an_error(
        packet in prop::collection::vec(any::<u8>(), 0..99),
        rest in "(\n[0-9a-f]{64}\n[a-z.]{1,9}\n[a-z/.-]{0,9}|[a-z\n]{0,40})",
    ) {
        for packet in [packet, format!("{GREETING}{rest}").into_bytes()] {
            if let Ok(asked) = Request::parse(&packet) {
                prop_assert_eq!(asked.to_packet(), packet);
            }
        }
    }

    #[test]
    fn any_packet_is_an_answer_that_can_be_said_again_or_none(
        packet in prop::collection::vec(any::<u8>(), 0..99),
        word in "printed|too-long|failed|late|not-run|refused",
        number: i32,
    ) {
        prop_assert_eq!(Answer::parse(&packet), None);
        let said = [format!("{GREETING} {word} {number}\n").as_bytes(), &packet].concat();
        if let Some(answer) = Answer::parse(&said) {
            prop_assert_eq!(Answer::parse(&answer.to_packet()), Some(answer));
        }
    }
}
