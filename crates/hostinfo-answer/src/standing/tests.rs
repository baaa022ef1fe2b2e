use super::*;

use hostinfo_domains::examples::domain;
use hostinfo_domains::{Domain, Names, Run, State};

use crate::examples::{UUID, snapshot};

#[test]
fn a_socket_is_its_domains_or_nobodys_or_refused() {
    let clone = Domain { name: "clone".into(), uuid: Uuid::from_u128(9), ..domain(8, "b") };
    let known = snapshot([domain(7, "a"), domain(8, "b"), clone].map(|domain| (domain, None)));
    let standing = |socket| Standing::of(socket, None, &known, false);
    assert_eq!(standing("qemu-a"), Standing::Domain(UUID, Run { id: Some(1), reverts: 0 }));
    assert_eq!(standing("qemu-x"), Standing::Unnamed);
    let Standing::Refused(why) = standing("qemu-b") else { panic!("it is served") };
    assert!(why.contains("\"clone\""), "{why}");
}

#[test]
fn a_process_other_than_the_domains_own_is_refused() {
    let known = snapshot([(domain(7, "a"), None)]);
    let other = Marks::new(9, b"socat", b"", b"socat\0").unwrap();
    let Standing::Refused(why) = Standing::of("qemu-a", Some(&other), &known, false) else {
        panic!("it is served")
    };
    assert!(why.contains("\"socat\", process 9"), "{why}");
    assert_eq!(Standing::of("qemu-x", Some(&other), &known, false), Standing::Unnamed);
}

#[test]
fn a_domain_that_is_known_by_its_address_is_not_the_process_that_listens_at_a_socket_of_its_name() {
    let known = snapshot([(domain(7, "a"), None)]);
    let standing = |marks: &Marks| Standing::of_domain(UUID, "qemu-a", Some(marks), &known);
    let by_hand = Marks::new(9, b"qemu-system-x86", b"", b"qemu-system-x86_64\0").unwrap();
    let Some(Standing::Refused(why)) = standing(&by_hand) else { panic!("it is served") };
    assert!(why.contains("\"qemu-system-x86\", process 9"), "{why}");
    let cmdline = format!("qemu-system-x86_64\0-uuid\0{UUID}\0-smp\0");
    let own = Marks::new(10, b"qemu-system-x86", b"", cmdline.as_bytes()).unwrap();
    let run = Run { id: Some(1), reverts: 0 };
    assert_eq!(standing(&own), Some(Standing::Domain(UUID, run)));
    assert_eq!(
        Standing::of_domain(UUID, "qemu-a", None, &known),
        Some(Standing::Domain(UUID, run))
    );
}

#[test]
fn a_domain_that_was_renamed_is_not_known_by_its_address_under_its_old_name() {
    let known = snapshot([(domain(7, "renamed"), None)]);
    assert_eq!(Standing::of_domain(UUID, "qemu-a", None, &known), None);
    assert!(Standing::of_domain(UUID, "qemu-renamed", None, &known).is_some());
}

#[test]
fn if_a_domain_is_required_only_guests_that_libvirt_confirmed_are_served() {
    let known = snapshot([(domain(7, "a"), None)]);
    assert!(Standing::of("qemu-a", None, &known, true).may_ask());
    assert_eq!(Standing::of("qemu-x", None, &known, true), Standing::Refused(REQUIRED.to_owned()));
    let nothing = Snapshot::default();
    assert_eq!(Standing::unknown("qemu-a", None, &nothing, true), Standing::Awaited);
    assert_eq!(Standing::unknown("qemu-a", None, &nothing, false), Standing::Unnamed);
}

#[test]
fn while_libvirt_does_not_answer_a_conflict_stays_and_a_domain_is_not_taken_for_granted() {
    let clone = Domain { name: "clone".into(), uuid: Uuid::from_u128(9), ..domain(8, "b") };
    let known = snapshot([domain(7, "a"), domain(8, "b"), clone].map(|domain| (domain, None)));
    for required in [false, true] {
        let unknown = |socket| Standing::unknown(socket, None, &known, required);
        assert!(matches!(unknown("qemu-b"), Standing::Refused(why) if why.contains("\"clone\"")));
        assert!(!matches!(unknown("qemu-a"), Standing::Domain(..) | Standing::Refused(_)));
    }
}

#[test]
fn while_libvirt_does_not_answer_a_new_process_that_is_not_a_running_domains_waits_at_its_socket() {
    let portless = Domain { names: Names::default(), id: Some(2), ..domain(8, "b") };
    let known = snapshot([(domain(7, "a"), None), (portless, None)]);
    for (run, [at_a, at_b]) in [
        (1, [Standing::Unnamed, Standing::Awaited]),
        (2, [Standing::Awaited, Standing::Unnamed]),
        (3, [Standing::Awaited, Standing::Awaited]),
    ] {
        let cgroup = format!("0::/machine.slice/machine-qemu\\x2d{run}\\x2da.scope\n");
        let marks = Marks::new(9, b"qemu", cgroup.as_bytes(), b"").unwrap();
        let unknown = |socket| Standing::unknown(socket, Some(&marks), &known, false);
        assert_eq!(
            ["qemu-a", "qemu-b", "qemu-c"].map(unknown),
            [at_a, at_b, Standing::Unnamed],
            "{run}"
        );
    }
}

#[test]
fn a_domain_that_is_off_names_nobody() {
    let known = snapshot([(Domain { id: None, state: State::Off, ..domain(7, "a") }, None)]);
    assert_eq!(Standing::of("qemu-a", None, &known, false), Standing::Unnamed);
}
