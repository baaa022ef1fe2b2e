//! Replies to this request, and replies to others on the line.

use super::*;
use proptest::prelude::*;

fn reply(lines: &[&str]) -> Vec<Line> {
    let line = |line: &&str| {
        let (code, text) = line.split_once(' ').unwrap();
        let code = Code::from_number(code.parse().unwrap()).unwrap();
        Line { code, text: text.to_owned() }
    };
    lines.iter().map(line).collect()
}

fn answers(question: &Question, lines: &[&str]) -> bool {
    question.is_answered_by(&reply(lines))
}

#[test]
fn a_question_is_sent_as_the_protocol_has_it() {
    assert_eq!(Question::get(&["loadavg", "physcpus"]).to_string(), "get loadavg physcpus");
    assert_eq!(Question::list_all().to_string(), "list");
    assert_eq!(Question::ping().to_string(), "ping");
}

#[test]
fn a_get_is_answered_by_a_line_for_each_name() {
    let question = Question::get(&["LoadAvg", "host.name", "no.such", "swap"]);
    let whole = [
        "200 loadavg.1=0.4",
        "200 loadavg.5=0.3",
        "403 host.name: not permitted",
        "404 no.such: no such statistic",
        "503 swap: this host has no swap",
    ];
    assert!(answers(&question, &whole));
    for missing in [2, 3, 4] {
        let mut some = whole.to_vec();
        some.remove(missing);
        assert!(!answers(&question, &some), "{some:?}");
    }
}

#[test]
fn the_reply_to_somebody_elses_question_is_no_answer() {
    let question = Question::get(&["physcpus"]);
    for others in [
        &["200 loadavg.1=0.4"][..],
        &["200 physcpus=4", "200 loadavg.1=0.4"],
        &["200 physcpus.x"],
        &["404 us: no such statistic"],
        &["404 NAME: no such statistic"],
        &["404 Aget: no such statistic", "404 physcpus: no such statistic"],
        &["200 hostinfo/1"],
        &["200 pong x"],
        &[],
    ] {
        assert!(!answers(&question, others), "{others:?}");
    }
}

#[test]
fn a_group_stands_for_all_in_it_and_star_for_everything() {
    let vm = Question::get(&["vm.cpu.*"]);
    assert!(answers(&vm, &["200 vm.cpu.0.delay=1"]));
    assert!(answers(&vm, &["403 vm.cpu.*: not permitted"]));
    assert!(!answers(&vm, &["200 vm.cpus=1"]));
    let all = Question::get(&["*"]);
    assert!(answers(&all, &["200 a=1", "200 custom.x-y.z=ü"]));
    assert!(answers(&all, &["403 *: not permitted"]));
    assert!(!answers(&all, &["200 a b=1"]));
}

#[test]
fn a_request_as_a_whole_can_be_refused_in_one_line() {
    let query = Question::json(&["x"]);
    for line in [
        "429 retry after 1.000 s",
        "403 this guest may not ask",
        "503 reply too long, ask for a group",
    ] {
        assert!(answers(&query, &[line]), "{line}");
        assert!(!answers(&query, &[line, "200 {\"x\":1}"]), "{line}");
    }
    assert!(!answers(&query, &["429 come back later"]));
    assert!(!answers(&query, &["400 not text"]), "something came into the line on its way");
    let list = Question::list_all();
    assert!(answers(&list, &["403 list: not permitted"]));
    assert!(!answers(&list, &["403 this guest may not ask"]));
    assert!(!answers(&list, &["429 retry after 1.000 s"]));
}

#[test]
fn json_is_answered_by_one_object_with_all_names_in_it() {
    let question = Question::json(&["loadavg.1", "host.name"]);
    assert!(answers(&question, &["200 {\"loadavg.1\":0.4,\"errors\":{\"host.name\":403}}"]));
    assert!(answers(&question, &["403 loadavg.1: not permitted"]));
    for other in [
        "200 {\"loadavg.1\":0.4}",
        "200 {\"loadavg.1\":0.4,\"host.name\":\"a\",\"physcpus\":1}",
        "200 {\"loadavg.1\":0.4,\"host.name\":",
        "200 {\"loadavg.1\":0.4,\"errors\":{\"host.name\":403,\"host.name.\\u001b[2J\":404}}",
        "200 physcpus=1",
        "403 physcpus: not permitted",
    ] {
        assert!(!answers(&question, &[other]), "{other}");
    }
}

#[test]
fn a_list_is_about_the_names_or_about_anything_where_there_are_none() {
    let some = Question::list(&["vm.cpu.3", "nope"]);
    assert!(answers(
        &some,
        &["200 vm.cpu.N.delay counter seconds time", "404 nope: no such statistic"]
    ));
    assert!(!answers(&some, &["200 physcpus gauge cpus online"]));
    let custom = Question::list(&["custom.rack.inlet"]);
    assert!(answers(&custom, &["200 custom.NAME info - a statistic of the administrator"]));
    let all = Question::list_all();
    assert!(answers(&all, &["200 physcpus gauge cpus online"]));
    assert!(!answers(&all, &["200 physcpus"]));
}

#[test]
fn ping_and_version_have_one_answer_each() {
    assert!(answers(&Question::ping(), &["200 pong"]));
    assert!(!answers(&Question::ping(), &["200 pong x"]));
    assert!(answers(&Question::version(), &["200 hostinfo/2"]));
    assert!(!answers(&Question::version(), &["404 version: no such statistic"]));
}

proptest! {
    #[test]
    fn any_reply_is_one_or_is_none(
        texts in proptest::collection::vec(("\\PC{0,40}|[a-z.]{1,9}(=|: )x", 0..Code::ALL.len()), 0..5),
        name in "[a-z]{1,5}(\\.[a-z]{1,5})?(\\.\\*)?|\\*",
    ) {
        let lines: Vec<Line> =
            texts.into_iter().map(|(text, code)| Line { code: Code::ALL[code], text }).collect();
        for question in [
            Question::get(&[&name]),
            Question::json(&[&name]),
            Question::list(&[&name]),
        ] {
            let _ = question.is_answered_by(&lines);
        }
    }
}
