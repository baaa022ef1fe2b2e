use std::time::Duration;

use super::*;
use crate::Sample;
use crate::sample::{Interface, Net, Passed, Way as Figures};

const LENGTH: Duration = Duration::from_secs(60);

/// One minute of an interface, with packets of 1,000 bytes.
fn way(packets: u64, drops: u64) -> Figures {
    let passed = Passed { packets: Some(packets), drops: Some(drops) };
    Figures { bytes: Some(packets * 1000), limit: None, passed }
}

fn interface(rx: Figures, tx: Figures) -> Interface {
    Interface { number: "0".to_owned(), rx, tx }
}

/// On a host that received and sent this much.
fn on_host(interface: Interface, rx: (u64, u64), tx: (u64, u64)) -> Net {
    let passed = |(packets, drops)| Passed { packets: Some(packets), drops: Some(drops) };
    Net { interfaces: vec![interface], host_rx: passed(rx), host_tx: passed(tx) }
}

/// On a host that drops nothing.
fn quiet(interface: Interface) -> Net {
    on_host(interface, (1_000_000, 0), (1_000_000, 0))
}

fn sample(net: Net) -> Sample {
    Sample { net, ..Sample::default() }
}

fn judge(brought: Net, permits: Permits<'_>) -> Verdict {
    let zero = interface(way(0, 0), way(0, 0));
    let before = sample(on_host(zero, (0, 0), (0, 0)));
    let after = sample(brought);
    net(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]), permits)
}

fn verdict(brought: Net) -> String {
    judge(brought, &|_, _| true).to_string()
}

fn state(brought: Net) -> State {
    judge(brought, &|_, _| true).state
}

#[test]
fn packets_that_flow_are_ok() {
    let flows = |rx, tx| verdict(quiet(interface(rx, tx)));
    assert_eq!(
        flows(way(60_000, 0), way(60_000, 0)),
        "ok: none of your packets were dropped in the last 60 s"
    );
    assert_eq!(
        flows(way(60_000, 3), way(60_000, 0)),
        "ok: hardly any of your packets were dropped in the last 60 s"
    );
    assert_eq!(
        flows(way(0, 0), way(0, 0)),
        "ok: no packets of yours came or went in the last 60 s"
    );
}

#[test]
fn only_the_host_can_drop_packets_that_the_guest_sends() {
    let sends = |drops| quiet(interface(way(60_000, 0), way(60_000 - drops, drops)));
    assert_eq!(
        verdict(sends(60)),
        "contended: the host dropped 60 packets that you sent over your interface 0 in the last 60 s"
    );
    assert_eq!(state(sends(59)), State::Ok, "less than one of a thousand, and one a second");
    let few = quiet(interface(way(0, 0), way(100, 59)));
    assert_eq!(state(few), State::Ok, "too few to be felt");
}

#[test]
fn packets_that_the_guest_did_not_take_are_nobodys_fault_that_could_be_seen() {
    let late = interface(way(60_000, 5_200), way(60_000, 0));
    assert_eq!(
        verdict(quiet(late.clone())),
        "unknown: 5200 packets for your interface 0 were dropped in the last 60 s, because they came \
         faster than your guest took them: verdict.cpu shows whether it lacked CPU time"
    );
    assert_eq!(
        verdict(on_host(late, (1_000_000, 1_002), (1_000_000, 0))),
        "contended: the host dropped 5200 packets for your interface 0 in the last 60 s, and others \
         at its own interfaces"
    );
}

#[test]
fn an_interface_at_its_own_limit_is_self_limited_whether_or_not_drops_are_seen() {
    let limited = |packets, drops| {
        let tx = Figures { limit: Some(1_000_000), ..way(packets, drops) };
        quiet(interface(way(60_000, 0), tx))
    };
    let told = "self-limited: your interface 0 was at its own limit of 976.5 KiB a second for what you send in the last \
                60 s";
    assert_eq!(verdict(limited(54_000, 0)), told);
    assert_eq!(verdict(limited(54_000, 9_000)), told);
    assert_eq!(state(limited(53_999, 0)), State::Ok);
    assert_eq!(state(limited(53_999, 9_000)), State::Contended);
    let rx = Figures { limit: Some(1_000_000), ..way(60_000, 0) };
    assert!(
        verdict(quiet(interface(rx, way(0, 0))))
            .contains("limit of 976.5 KiB a second for what you receive")
    );
    let none = Figures { limit: Some(0), ..way(60_000, 0) };
    assert_eq!(state(quiet(interface(none, way(0, 0)))), State::Ok);
}

#[test]
fn the_hosts_own_drops_are_nobodys_until_they_are_many() {
    let host = |drops| {
        on_host(interface(way(60_000, 0), way(60_000, 0)), (1_000_000 - drops, drops), (0, 0))
    };
    assert_eq!(state(host(9_999)), State::Ok);
    assert_eq!(
        verdict(host(10_000)),
        "unknown: the host dropped many packets at its own interfaces in the last 60 s; whether yours \
         were among them is unknown"
    );
}

#[test]
fn drops_that_nobody_counts_are_not_said_to_be_few() {
    let uncounted = |packets| {
        let passed = Passed { packets: Some(packets), drops: None };
        Figures { passed, ..way(packets, 0) }
    };
    let untold = "unknown: this host does not count the dropped packets of all your interfaces, so \
                  it cannot tell whether you lost any in the last 60 s";
    for packets in [60_000, 0] {
        let both = interface(uncounted(packets), uncounted(packets));
        assert_eq!(verdict(quiet(both)), untold);
    }
    let one = interface(uncounted(60_000), way(60_000, 3));
    assert_eq!(verdict(quiet(one)), untold);
    let lost = interface(uncounted(60_000), way(60_000, 900));
    assert!(verdict(quiet(lost)).starts_with("contended: the host dropped 900 packets"));
}

#[test]
fn the_direction_that_lost_most_packets_is_named() {
    let mut brought = quiet(interface(way(60_000, 100), way(60_000, 0)));
    brought
        .interfaces
        .push(Interface { number: "1".to_owned(), ..interface(way(60_000, 0), way(6_000, 900)) });
    let mut before = quiet(interface(way(0, 0), way(0, 0)));
    before
        .interfaces
        .insert(0, Interface { number: "1".to_owned(), ..interface(way(0, 0), way(0, 0)) });
    let (before, after) = (sample(before), sample(brought));
    let verdict =
        net(&Interval::new(vec![(Duration::ZERO, &before), (LENGTH, &after)]), &|_, _| true);
    assert!(
        verdict.to_string().starts_with(
            "contended: the host dropped 900 packets that you sent over your interface 1"
        ),
        "{verdict}"
    );
}

#[test]
fn a_burst_is_reported_where_the_rest_of_the_window_hides_it() {
    let mut samples = vec![sample(quiet(interface(way(0, 0), way(0, 0))))];
    for at in 1..=6 {
        let mut next = samples.last().unwrap().clone();
        let tx = &mut next.net.interfaces[0].tx;
        tx.limit = Some(1_000_000);
        let packets = if at == 4 { 10_000 } else { 100 };
        tx.bytes = tx.bytes.map(|bytes| bytes + packets * 1000);
        tx.passed.packets = tx.passed.packets.map(|so_far| so_far + packets);
        samples.push(next);
    }
    let timed = (0..).map(|at| Duration::from_secs(10 * at)).zip(&samples).collect();
    assert_eq!(
        net(&Interval::new(timed), &|_, _| true).to_string(),
        "self-limited: for 10 s of the last 60 s, your interface 0 was at its own limit of 976.5 KiB a second for what you \
         send in that time"
    );
}

#[test]
fn the_reason_names_only_what_the_guest_may_see() {
    let hidden = |brought| judge(brought, &|_, _| false).reason;
    assert_eq!(
        hidden(quiet(interface(way(0, 0), way(60_000, 600)))),
        "the host dropped packets that you sent over one of your interfaces in the last 60 s"
    );
}

#[test]
fn without_figures_nothing_is_known() {
    let untold = "unknown: this host has no figures of your network interfaces: they come from \
                  libvirt";
    let once = sample(quiet(interface(way(0, 0), way(0, 0))));
    let none = sample(Net::default());
    let timed = vec![(Duration::ZERO, &none), (LENGTH, &once)];
    assert_eq!(
        net(&Interval::new(timed).with_next(LENGTH), &|_, _| true).to_string(),
        "unknown: ask again in 60 s"
    );
    let nothing = interface(Figures::default(), Figures::default());
    let nothing = sample(quiet(nothing));
    let timed = vec![(Duration::ZERO, &nothing), (LENGTH, &nothing)];
    assert_eq!(net(&Interval::new(timed), &|_, _| true).to_string(), untold);
    assert_eq!(net(&Interval::new(Vec::new()), &|_, _| true).to_string(), untold);
}
