//! Settings that enable a guest no more, and upgrades, of guests that are connected.

use super::*;

#[test]
fn a_domain_that_is_enabled_no_more_is_hung_up_on_unless_it_has_a_port() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let vhostmd = |at: fn(&mut Names) -> &mut Vec<String>| {
        let mut domain = domain_with_address(9, false);
        at(&mut domain.names).push("qemu-a".to_owned());
        (domain, false)
    };
    for (domain, has_port) in [
        (domain_with_address(7, true), true),
        (domain_with_address(8, false), false),
        vhostmd(|names| &mut names.disks),
        vhostmd(|names| &mut names.vhostmd),
    ] {
        let helper = helper_that_knows(domain);
        let (mut guests, _, _far_end) = connected(folder.path(), helper, ctx);
        hear(&mut guests, ctx);
        let guest = guests.roster.named("qemu-a").unwrap();
        let mut is_served_after = |settings: &str| {
            guests.apply_vsock(toml::from_str(settings).unwrap(), ctx);
            guests.roster.is_connected(guest)
        };
        assert!(is_served_after("guests = ['qemu-[ab]']"), "it is still enabled");
        assert_eq!(is_served_after("guests = ['qemu-b']"), has_port);
    }
}

#[test]
fn a_domain_that_is_enabled_no_more_is_hung_up_on_while_libvirt_is_silent_unless_its_port_is_connected()
 {
    for is_port_connected in [true, false] {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let helper = helper_that_knows(domain_with_address(7, is_port_connected));
        let (mut guests, _, _far_end) = connected(folder.path(), helper, ctx);
        hear(&mut guests, ctx);
        let guest = guests.roster.named("qemu-a").unwrap();
        let (_own_far_end, fd) = UnixStream::pair().unwrap();
        if is_port_connected {
            add_socket(&mut guests, guest, Dialect::Hostinfo, fd, ctx);
        }
        *guests.responder.libvirt() = Libvirt::silent();
        let mut is_served_after = |settings: &str| {
            guests.apply_vsock(toml::from_str(settings).unwrap(), ctx);
            !guests.ports_at(guest, |at| matches!(at, Endpoint::Vsock(_))).is_empty()
        };
        assert!(is_served_after("guests = ['qemu-[ab]']"), "it is still enabled");
        assert_eq!(is_served_after("guests = ['qemu-b']"), is_port_connected);
    }
}

#[test]
fn a_peer_that_was_told_it_may_not_ask_is_not_told_again_after_an_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let mut connect = |cid| {
        let (far_end, fd) = UnixStream::pair().unwrap();
        let id = guests.vsock.unidentified.add(fd.into(), cid, ctx.now).unwrap();
        guests.refuse_unidentified(id, Refused::MayNotAsk, ctx);
        (far_end, id)
    };
    let ((mut told, id), (_not_told, _)) = (connect(3), connect(4));
    guests.on_unidentified_ready(id, false, ctx);
    let (_, handed_over) = guests.vsock.hand_over(&mut Outgoing::default());
    assert_eq!(handed_over.iter().map(|peer| peer.cid).collect::<Vec<_>>(), [4]);
    drop(guests);
    let mut heard = String::new();
    told.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "403 this guest may not ask\n");
}

#[test]
fn a_vmm_whose_socket_has_gone_during_an_upgrade_is_hung_up_on_over_vsock() {
    let folder = tempfile::tempdir().unwrap();
    let (mut guests, mut reactor) = (guests(folder.path()), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
    let (_far_end, fd) = UnixStream::pair().unwrap();
    let connection = Connection::new(OwnedFd::from(fd).into(), None, Dialect::Hostinfo, ctx.now);
    let port = Port::new(guest, Endpoint::Vsock(None), Dialect::Hostinfo, ctx.now);
    guests.roster.add_port(Port { connection: Some(connection), ..port });
    let (_own_far_end, fd) = UnixStream::pair().unwrap();
    let socket = add_socket(&mut guests, guest, Dialect::Hostinfo, fd, ctx);
    guests.take_over_later(Later::default(), ctx);
    assert!(guests.roster.is_connected(guest), "its socket is there");
    guests.roster.remove_port(socket);
    guests.take_over_later(Later::default(), ctx);
    assert!(!guests.roster.is_connected(guest));
}

#[test]
fn a_guest_that_the_settings_do_not_enable_any_more_is_hung_up_on_at_an_upgrade_although_libvirt_is_silent()
 {
    let is_served_after = |settings: &str| {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let helper = helper_that_knows(domain_with_address(7, false));
        let (mut before, _, _far_end) = connected(folder.path(), helper, ctx);
        hear(&mut before, ctx);
        let mut fds = Outgoing::default();
        let state = before.hand_over(&mut fds);
        let fds = fds.received();
        let elsewhere = tempfile::tempdir().unwrap();
        let mut after = guests(elsewhere.path());
        after.vsock = VsockState::new(toml::from_str(settings).unwrap());
        let later = after.take_over(state, fds, ctx);
        after.take_over_later(later, ctx);
        after.roster.is_connected(after.roster.named("qemu-a").unwrap())
    };
    assert!(is_served_after("enabled = true\nguests = ['qemu-a']"));
    assert!(!is_served_after("enabled = true\nguests = ['qemu-b']"));
    assert!(!is_served_after("guests = ['qemu-a']"), "over vsock, nobody is");
}
