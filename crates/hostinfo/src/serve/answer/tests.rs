//! Checks replies of a broker against the protocol.

use super::*;
use crate::reply::Line;
use std::rc::Rc;

const NOW: Duration = Duration::from_secs(1000);

fn lines(texts: &[&str]) -> Vec<Line> {
    texts.iter().map(|text| Line { code: Code::Done, text: (*text).to_owned() }).collect()
}

fn snapshot() -> Snapshot {
    let values = lines(&[
        "sample.age=0.1",
        "loadavg.1=0.42",
        "vm.cpu.0.delay=6",
        "hypervisor=k\"vm",
        "custom.rack-1=7.5",
        "newer.thing=12",
    ]);
    let listed = lines(&[
        "sample.age gauge seconds how old",
        "loadavg.1 gauge - load average",
        "hypervisor info - the driver",
        "swap.free gauge bytes free swap",
        "vm.cpu.N.delay counter seconds waited",
        "custom.rack-1 counter bytes of \"rack\" 1",
        "newer.thing gauge kelvins how warm",
    ]);
    Snapshot::new(NOW, &values, listed.into())
}

fn ask(line: &str) -> String {
    let mut reply = Reply::new();
    let request = Request::parse(line.as_bytes()).unwrap();
    if !at_once(request, &mut reply) {
        from_snapshot(request, &snapshot(), NOW + Duration::from_secs(2), &mut reply);
    }
    String::from_utf8(reply.end().to_vec()).unwrap()
}

#[test]
fn a_request_that_needs_no_host_is_answered_at_once() {
    assert_eq!(ask("ping x"), "200 pong x\n");
    assert_eq!(ask("version"), "200 hostinfo/1\n");
    assert!(ask("help").starts_with("200-get NAME..."));
    assert!(ask("GET /metrics/XML").starts_with("503 /metrics/XML: "));
}

#[test]
fn get_answers_each_name_with_its_own_code() {
    assert_eq!(
        ask("loadavg sample.age swap.free host.name no.such"),
        "200-loadavg.1=0.42\n200-sample.age=2.1\n503-swap.free: not available now\n\
         403-host.name: not permitted\n404 no.such: no such statistic\n"
    );
}

#[test]
fn json_is_one_line_with_the_refused_names_under_errors() {
    assert_eq!(
        ask("json loadavg.1 hypervisor host.name newer.thing swap"),
        "200 {\"loadavg.1\":0.42,\"hypervisor\":\"k\\\"vm\",\"newer.thing\":12,\
         \"errors\":{\"host.name\":403,\"swap\":503}}\n"
    );
    assert_eq!(ask("json host.name no.such"), "403 host.name: not permitted\n");
}

#[test]
fn metrics_are_those_of_the_host_also_of_the_administrators_own() {
    let without_help: String = ask("metrics loadavg.1 custom vm.cpu.0.delay newer.thing")
        .split_inclusive('\n')
        .filter(|line| !line.contains(" HELP hostinfo_vm_") && !line.contains(" HELP hostinfo_l"))
        .collect();
    assert_eq!(
        without_help,
        "200-# TYPE hostinfo_loadavg_1 gauge\n\
         200-hostinfo_loadavg_1 0.42\n\
         200-# TYPE hostinfo_vm_cpu_delay_seconds counter\n\
         200-# UNIT hostinfo_vm_cpu_delay_seconds seconds\n\
         200-hostinfo_vm_cpu_delay_seconds_total{vcpu=\"0\"} 6\n\
         200-# TYPE hostinfo_custom_rack_1_bytes counter\n\
         200-# UNIT hostinfo_custom_rack_1_bytes bytes\n\
         200-# HELP hostinfo_custom_rack_1_bytes of \\\"rack\\\" 1\n\
         200-hostinfo_custom_rack_1_bytes_total 7.5\n\
         200 # EOF\n"
    );
    assert!(ask("metrics").ends_with("200 # EOF\n"));
}

#[test]
fn a_list_is_as_the_host_gave_it() {
    assert_eq!(
        ask("list loadavg vm.cpu.3.delay host.name no.such LOADAVG.1"),
        "200-loadavg.1 gauge - load average\n200-vm.cpu.N.delay counter seconds waited\n\
         403-host.name: not permitted\n404 no.such: no such statistic\n"
    );
    assert_eq!(ask("list").lines().count(), 7);
}

#[test]
fn without_an_answer_of_the_host_each_name_is_refused_with_the_reason() {
    let answer_to = |line: &str| {
        let mut reply = Reply::new();
        let request = Request::parse(line.as_bytes()).unwrap();
        nothing_yet(request, &NotYet::Silent, &mut reply);
        String::from_utf8(reply.end().to_vec()).unwrap()
    };
    let why = "the host has not answered";
    assert_eq!(answer_to("a b"), format!("503-a: {why}\n503 b: {why}\n"));
    assert_eq!(answer_to("json a b"), format!("503 a: {why}\n"));
    assert_eq!(answer_to("metrics"), format!("503 *: {why}\n"));
    assert_eq!(answer_to("list"), format!("503 list: {why}\n"));
}

#[test]
fn a_guest_that_may_not_ask_is_told_so_by_its_broker() {
    let blocked = [Line { code: Code::NotPermitted, text: BLOCKED.to_owned() }];
    let snapshot = Snapshot::new(NOW, &blocked, Rc::default());
    for (line, expected) in [
        ("get x", "403 this guest may not ask\n"),
        ("json x", "403 this guest may not ask\n"),
        ("metrics", "403 this guest may not ask\n"),
        ("list", "403 list: not permitted\n"),
    ] {
        let mut reply = Reply::new();
        from_snapshot(Request::parse(line.as_bytes()).unwrap(), &snapshot, NOW, &mut reply);
        assert_eq!(String::from_utf8(reply.end().to_vec()).unwrap(), expected);
    }
}
