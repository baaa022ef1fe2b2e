use super::*;

use hostinfo_domains::{Domain, Run, State};

use crate::libvirt::examples::{UUID, domain, libvirt};

#[test]
fn a_socket_is_its_domains_or_nobodys_or_refused() {
    let clone = Domain { name: "clone".into(), uuid: Uuid::from_u128(9), ..domain("b") };
    let libvirt = libvirt(&[domain("a"), domain("b"), clone], false);
    assert_eq!(
        libvirt.standing("qemu-a"),
        Some(Standing::Domain(UUID, Run { id: Some(1), reverts: 0 }))
    );
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
