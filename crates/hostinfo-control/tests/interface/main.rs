//! The Rust types and the interface's file agree.

#![allow(clippy::expect_used, clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod idl;

use std::fmt::Debug;

use hostinfo_control::{
    Call, Cleared, Counts, DESCRIPTION, Decision, Event, Explanation, Figure, FigureKind, Guest,
    GuestState, HostState, HostStateReply, INTERFACE, LastQuery, Libvirt, LibvirtState, Metrics,
    Missing, Notice, NoticeKind, Notices, Page, Place, Port, PortKind, PortState, Preview, Refusal,
    Rules, RulesState, SetNotice, Stats, Status, Upgraded, Watched, WhyWithout, Without,
};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use idl::Interface;

const TIME: &str = "2026-11-22T09:55:49.123Z";

/// Compares `value`, which has every optional field, with the fields of `shape`; then does the same
/// without the optional fields.
fn agree<T: Serialize + DeserializeOwned + PartialEq + Debug>(
    interface: &Interface,
    shape: &idl::Type,
    value: T,
) {
    let full = serde_json::to_value(&value).unwrap();
    interface.check(shape, &full).unwrap();
    assert_eq!(serde_json::from_value::<T>(full.clone()).unwrap(), value);
    let sparse = interface.without_options(shape, full);
    serde_json::from_value::<T>(sparse).unwrap();
}

fn text(text: &str) -> String {
    text.to_owned()
}

fn some(words: &str) -> Option<String> {
    Some(text(words))
}

fn rules_state() -> RulesState {
    RulesState { path: text("/r"), rules: 1, since: TIME.parse().unwrap(), problem: some("p") }
}

fn notice() -> Notice {
    Notice {
        id: 1,
        pattern: text("*"),
        kind: NoticeKind::Maintenance,
        text: text("t"),
        at: TIME.parse().unwrap(),
        until: TIME.parse().ok(),
    }
}

fn guest() -> Guest {
    Guest {
        guest: text("qemu-a"),
        driver: text("qemu"),
        name: text("a"),
        state: GuestState::Connected,
        problem: some("p"),
        ports: vec![Port {
            kind: PortKind::Hostinfo,
            state: PortState::Failed,
            path: some("/r/a.s"),
            problem: some("p"),
        }],
        uuid: some("u"),
        pattern: some("qemu-*"),
        line: Some(3),
        interval: 0.5,
        counts: Counts { answered: 1, ..Counts::default() },
        last: Some(LastQuery { at: TIME.parse().unwrap(), asked: text("get a"), code: 200 }),
    }
}

#[test]
fn every_reply_has_the_fields_of_its_method() {
    let interface = Interface::parse(DESCRIPTION);
    let reply = |method: &str| &interface.methods[method].1;
    let since = TIME.parse().unwrap();
    let status = Status {
        version: text("0"),
        pid: 1,
        since,
        settings: Place { path: text("/h"), problem: some("p") },
        socket_dir: Place { path: text("/s"), problem: some("p") },
        sockets: vec![Place { path: text("/r/{name}"), problem: some("p") }],
        custom_dir: Place { path: text("/c"), problem: some("p") },
        metrics: Some(Place { path: text("127.0.0.1:9101"), problem: some("p") }),
        guests: 2,
        connected: 1,
        rules: rules_state(),
        watched: Watched { guests: 3, left_out: 1, limit: 3 },
        libvirt: Libvirt {
            state: LibvirtState::Up,
            uri: text("qemu:///system"),
            hypervisor: some("QEMU 7.2"),
            domains: Some(2),
            problem: some("p"),
        },
        missing: vec![Missing { source: text("/proc/pressure"), why: text("w"), count: 1 }],
        without: vec![Without {
            source: text("cpufreq"),
            what: text("this host has none"),
            why: WhyWithout::Unsupported,
            count: 64,
        }],
    };
    agree(&interface, reply("Status"), status);
    agree(&interface, reply("List"), Page { guests: vec![guest()], complete: true });
    let event = Event {
        at: since,
        guest: text("qemu-a"),
        asked: text("get a"),
        code: 403,
        reply: text("403 a: not permitted\n"),
        bytes: 21,
        seconds: 0.000_01,
        left_out: 2,
    };
    agree(&interface, reply("Watch"), event);
    let figure = Figure {
        name: text("hostinfod_guests"),
        kind: FigureKind::Gauge,
        labels: [(text("state"), text("connected"))].into(),
        value: 1.0,
        unit: text(""),
        help: text("h"),
    };
    agree(&interface, reply("Stats"), Stats { since, figures: vec![figure] });
    agree(&interface, reply("Metrics"), Metrics { text: text("# EOF\n") });
    let explanation = Explanation {
        guest: text("qemu-a"),
        state: GuestState::Disabled,
        problem: some("p"),
        path: text("/r"),
        pattern: some("qemu-*"),
        line: Some(1),
        may_ask: false,
        interval: 1.0,
        watch: true,
        vhostmd_disk: true,
        statistics: vec![Decision { name: text("physcpus"), permitted: true, line: Some(2) }],
    };
    agree(&interface, reply("Explain"), explanation);
    agree(&interface, reply("Preview"), Preview { reply: text("200 pong\n") });
    agree(&interface, reply("Rules"), Rules { state: rules_state(), text: some("*:\n") });
    agree(&interface, reply("NoticeSet"), SetNotice { notice: notice(), guests: 2, hidden: 1 });
    agree(&interface, reply("NoticeList"), Notices { notices: vec![notice()] });
    agree(&interface, reply("NoticeClear"), Cleared { cleared: vec![notice()] });
    let said = HostStateReply { state: HostState::Draining, text: some("t"), since: Some(since) };
    agree(&interface, reply("HostStateGet"), said.clone());
    agree(&interface, reply("HostStateSet"), said);
    let upgraded = Upgraded { before: text("0.1.0"), version: text("0.2.0"), guests: 2 };
    agree(&interface, reply("Upgrade"), upgraded);
    assert_eq!(interface.methods.len(), 14, "a method without a reply here");
}

#[test]
fn every_call_has_the_name_and_the_parameters_of_its_method() {
    let interface = Interface::parse(DESCRIPTION);
    let time = TIME.parse().ok();
    let calls = [
        Call::Status {},
        Call::List { after: some("qemu-a") },
        Call::Watch { guest: some("a") },
        Call::Stats {},
        Call::Metrics {},
        Call::Explain { guest: text("a"), names: Some(vec![text("vm")]) },
        Call::Preview { guest: text("a"), line: text("get a") },
        Call::Rules {},
        Call::NoticeSet {
            pattern: text("*"),
            kind: NoticeKind::Info,
            text: text("t"),
            at: time,
            until: time,
        },
        Call::NoticeList {},
        Call::NoticeClear { ids: Some(vec![1]) },
        Call::HostStateGet {},
        Call::HostStateSet { state: HostState::Degraded, text: some("t") },
        Call::Upgrade {},
    ];
    assert_eq!(calls.len(), interface.methods.len());
    for call in calls {
        let value = serde_json::to_value(&call).unwrap();
        let method = value["method"].as_str().unwrap();
        assert!(Call::is_method(method));
        let name = method.strip_prefix(INTERFACE).unwrap().strip_prefix('.').unwrap();
        let parameters = &interface.methods[name].0;
        interface.check(parameters, &value["parameters"]).unwrap();
        let sparse = interface.without_options(parameters, value["parameters"].clone());
        serde_json::from_value::<Call>(json!({ "method": method, "parameters": sparse })).unwrap();
        let mut more = value.clone();
        more["parameters"]["typo"] = json!(1);
        serde_json::from_value::<Call>(more).unwrap_err();
    }
    for none in
        ["Status", "org.hostinfo.Control.Stat", "org.hostinfo.Control.", "org.hostinfo.Controls"]
    {
        assert!(!Call::is_method(none), "{none}");
    }
}

#[test]
fn every_error_has_its_name_and_its_parameters() {
    let interface = Interface::parse(DESCRIPTION);
    let message = || text("m");
    let refusals = [
        Refusal::NoSuchGuest { guest: text("a"), message: message() },
        Refusal::NoSuchStatistic { name: text("a"), message: message() },
        Refusal::NoSuchNotice { id: 1, message: message() },
        Refusal::BadNotice { message: message() },
        Refusal::BadHostState { message: message() },
        Refusal::NotPermitted { message: message() },
        Refusal::Busy { message: message() },
        Refusal::Failed { message: message() },
    ];
    assert_eq!(refusals.len(), interface.errors.len());
    for refusal in refusals {
        let value = serde_json::to_value(&refusal).unwrap();
        let name = value["error"].as_str().unwrap().rsplit('.').next().unwrap();
        interface.check(&interface.errors[name], &value["parameters"]).unwrap();
        assert_eq!(refusal.to_string(), "m");
    }
}

#[test]
fn every_word_of_a_choice_is_known_to_both() {
    fn agree<T: Serialize>(words: &idl::Type, all: &[T]) {
        let idl::Type::Choice(words) = words else { panic!("no choice: {words:?}") };
        let ours: Vec<Value> = all.iter().map(|one| serde_json::to_value(one).unwrap()).collect();
        assert_eq!(words.iter().map(|word| json!(word)).collect::<Vec<_>>(), ours);
    }
    let interface = Interface::parse(DESCRIPTION);
    let types = &interface.types;
    agree(&types["HostState"], &HostState::ALL);
    agree(
        &types["GuestState"],
        &[
            GuestState::Connected,
            GuestState::Waiting,
            GuestState::Failed,
            GuestState::Refused,
            GuestState::Disabled,
            GuestState::Absent,
        ],
    );
    agree(
        types["Port"].field("kind"),
        &[PortKind::Hostinfo, PortKind::Vhostmd, PortKind::Pty, PortKind::Vsock],
    );
    agree(
        types["Port"].field("state"),
        &[PortState::Connected, PortState::Waiting, PortState::Failed],
    );
    agree(
        types["Libvirt"].field("state"),
        &[LibvirtState::Off, LibvirtState::Missing, LibvirtState::Up, LibvirtState::Down],
    );
    agree(types["Without"].field("why"), &[WhyWithout::Unsupported, WhyWithout::Chosen]);
    agree(
        types["Figure"].field("kind"),
        &[FigureKind::Counter, FigureKind::Gauge, FigureKind::Histogram, FigureKind::Time],
    );
    agree(
        &types["NoticeKind"],
        &[NoticeKind::Maintenance, NoticeKind::Migration, NoticeKind::Info],
    );
}
