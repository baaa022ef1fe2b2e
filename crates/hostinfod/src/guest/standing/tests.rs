use super::*;

use hostinfo_domains::{Domain, Run, State};
use hostinfo_rules::Rules;

use crate::guest::Name;
use crate::libvirt::examples::{UUID, domain, libvirt};

fn guest(name: &str) -> Guest {
    let name = Name::parse(name).unwrap();
    let grant = Rules::builtin().decide(name.whole());
    Guest::new(name, grant, String::new(), Session::begin().unwrap())
}

fn run(id: u32, reverts: u32) -> Run {
    Run { id: Some(id), reverts }
}

#[test]
fn a_socket_is_its_domains_or_nobodys_or_refused() {
    let clone = Domain { name: "clone".into(), uuid: Uuid::from_u128(9), ..domain("b") };
    let libvirt = libvirt(&[domain("a"), domain("b"), clone], false);
    assert_eq!(libvirt.standing("qemu-a"), Some(Standing::Domain(UUID, run(1, 0))));
    assert_eq!(libvirt.standing("qemu-x"), Some(Standing::Unnamed));
    let Some(Standing::Refused(why)) = libvirt.standing("qemu-b") else { panic!("it is served") };
    assert!(why.contains("\"clone\""), "{why}");
}

#[test]
fn where_a_domain_is_required_no_other_is_served_and_nobody_before_libvirt_has_told() {
    let libvirt = libvirt(&[domain("a")], true);
    assert!(libvirt.standing("qemu-a").unwrap().may_ask());
    assert_eq!(libvirt.standing("qemu-x"), Some(Standing::Refused(REQUIRED.to_owned())));
    assert!(!libvirt.unknown().may_ask());
    assert!(Standing::unknown(false).may_ask());
}

#[test]
fn a_domain_that_is_off_names_nobody() {
    let libvirt = libvirt(&[Domain { id: None, state: State::Off, ..domain("a") }], false);
    assert_eq!(libvirt.standing("qemu-a"), Some(Standing::Unnamed));
}

#[test]
fn who_is_refused_may_not_ask_whatever_its_rule_says_and_gets_no_document_of_before() {
    let (mut guest, now) = (guest("qemu-a"), Instant::now());
    guest.document = Some("<metrics>".into());
    assert!(guest.may_ask());
    assert!(guest.stand(Standing::Refused("why".to_owned()), now));
    assert!(!guest.may_ask() && guest.document.is_none());
    assert!(!guest.stand(Standing::Refused("why".to_owned()), now), "it is logged once");
    assert!(guest.stand(Standing::Unnamed, now) && guest.may_ask());
}

#[test]
fn a_session_begins_when_the_same_process_runs_another_guest() {
    let (mut guest, now) = (guest("qemu-a"), Instant::now());
    let first = guest.session.id.clone();
    guest.stand(Standing::Domain(UUID, run(1, 0)), now);
    assert_eq!(guest.session.id, first, "it was only found out who it is");
    guest.stand(Standing::Domain(UUID, run(2, 0)), now);
    let second = guest.session.id.clone();
    assert_ne!(second, first);
    guest.stand(Standing::Domain(UUID, run(2, 1)), now);
    assert_ne!(guest.session.id, second, "it went back to a snapshot");
}
