//! VMMs, by their command lines and sockets, beside libvirt's domains of the same names.

use super::*;

#[test]
fn an_address_that_two_vmms_claim_is_logged_with_both() {
    let folder = tempfile::tempdir().unwrap();
    let (mut guests, now) = (guests(folder.path()), Instant::now());
    let both = [("qemu-a", 11), ("qemu-b", 12)].map(|(name, pid)| {
        let number = guests.guest(&Name::parse(name).unwrap(), now).unwrap();
        let who = &mut guests.roster.guests.get_mut(number).unwrap().who;
        who.connected(Some(Peer { pid, start: None }), begin_session).unwrap();
        number
    });
    let why = guests.claimed_by(both);
    assert!(why.starts_with("qemu-a (process 11) and qemu-b (process 12) both "), "{why}");
}

#[test]
fn a_guest_that_its_vmms_command_line_names_may_ask_only_while_its_own_socket_is_served() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let mut guests = guests(folder.path());
    let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
    let mut far_ends = Vec::new();
    let mut fd = || {
        let (far_end, fd) = UnixStream::pair().unwrap();
        far_ends.push(far_end);
        OwnedFd::from(fd)
    };
    let mut own_socket = || {
        let connection = Some(Connection::new(fd().into(), None, Dialect::Hostinfo, ctx.now));
        let port = Port::new(guest, Endpoint::Socket, Dialect::Hostinfo, ctx.now);
        Port { connection, ..port }
    };
    let (socket, another) = (own_socket(), own_socket());
    let mut connect = |guests: &mut Guests, ctx: &mut Ctx<'_>| {
        guests.roster.guests.get_mut(guest).unwrap().rare_mut().cid = Some(3);
        // An address is looked up once a second.
        ctx.now += Duration::from_secs(1);
        let id = guests.vsock.unidentified.add(fd(), 3, ctx.now).unwrap();
        guests.look_up(id, ctx);
        guests.vsock.unidentified.remove(id);
    };
    let count = |guests: &Guests| {
        let ports = guests.roster.ports_of(guest);
        ports.filter(|(_, port)| matches!(port.endpoint, Endpoint::Vsock(_))).count()
    };
    let process = |pid| Ok(Peer { pid, start: Some(1) });
    let socket = guests.roster.add_port(socket);
    guests.identify_peer(socket, process(7), ctx).unwrap();
    connect(&mut guests, ctx);
    assert_eq!(count(&guests), 1);
    guests.identify_peer(socket, process(8), ctx).unwrap();
    assert_eq!(count(&guests), 0, "it was the guest of another process");
    connect(&mut guests, ctx);
    let another = guests.roster.add_port(another);
    guests.remove_port(socket, ctx);
    assert_eq!(count(&guests), 1, "it has another socket");
    guests.hang_up(another, "its VMM has ended", ctx);
    assert_eq!(count(&guests), 0, "its address may be anybody's");
    connect(&mut guests, ctx);
    assert_eq!(count(&guests), 0, "its socket is not served");
}

#[test]
fn a_vmm_without_libvirt_is_hung_up_on_when_a_domain_has_its_name() {
    for has_port in [true, false] {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let domain = domain_with_address(7, has_port);
        let helper = helper_that_knows(domain);
        let (mut guests, _, _far_end) = connected(folder.path(), helper, ctx);
        let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
        let vmms = [Endpoint::Accepted(PortId::of(7)), Endpoint::Vsock(None)].map(|at| {
            let (far_end, fd) = UnixStream::pair().unwrap();
            let fd = OwnedFd::from(fd).into();
            let connection = Some(Connection::new(fd, None, Dialect::Hostinfo, ctx.now));
            let port = Port::new(guest, at, Dialect::Hostinfo, ctx.now);
            guests.roster.add_port(Port { connection, ..port });
            far_end
        });
        hear(&mut guests, ctx);
        let left: Vec<_> = guests.roster.ports_of(guest).map(|(_, port)| &port.endpoint).collect();
        assert!(matches!(left[..], [Endpoint::Vsock(Some(_))]), "{left:?}");
        drop(vmms);
    }
}

#[test]
fn a_process_elsewhere_that_has_a_domains_name_is_not_taken_for_the_domain_that_asks_over_vsock() {
    let of_domain = format!("x\0-uuid\0{}\0", Uuid::from_u128(7));
    for cmdline in ["x\0", &of_domain] {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let domain = domain_with_address(7, false);
        let helper = helper_that_knows(domain);
        let (mut guests, _, _far_end) = connected(folder.path(), helper, ctx);
        let number = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
        let guest = guests.roster.guests.get_mut(number).unwrap();
        let process = Peer { pid: 7, start: Some(1) };
        guest.who.connected(Some(process), begin_session).unwrap();
        guest.marks = Marks::new(7, b"x", b"0::/user.slice\n", cmdline.as_bytes()).map(Box::new);
        assert!(guest.marks.is_some());
        hear(&mut guests, ctx);
        let guest = guests.roster.guests.get(number).unwrap();
        assert!(matches!(guest.who.standing(), Standing::Domain(..)), "{:?}", guest.who.standing());
        assert!(guest.who.peer().is_none(), "{:?}", guest.who.peer());
    }
}

#[test]
fn what_a_vmms_command_line_says_counts_for_nothing_where_libvirt_has_a_domain_or_may_have_one() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let mut guests = guests(folder.path());
    let vmm = guests.guest(&Name::parse("qemu-vmm").unwrap(), ctx.now).unwrap();
    let (_own_far_end, fd) = UnixStream::pair().unwrap();
    let socket = add_socket(&mut guests, vmm, Dialect::Hostinfo, fd, ctx);
    guests.identify_peer(socket, Ok(Peer { pid: 7, start: Some(1) }), ctx).unwrap();
    guests.roster.guests.get_mut(vmm).unwrap().rare_mut().cid = Some(3);
    let count = |guests: &Guests| guests.ports_at(vmm, |at| matches!(at, Endpoint::Vsock(_))).len();
    *guests.responder.libvirt() = Libvirt::stopped();
    connect(&mut guests, ctx);
    assert_eq!(count(&guests), 0, "the domains may be running still");
    *guests.responder.libvirt() = Libvirt::none();
    // An address is looked up once a second.
    ctx.now += Duration::from_secs(1);
    connect(&mut guests, ctx);
    assert_eq!(count(&guests), 1);
    report(&mut guests, Domain { cid: Some(4), ..domain(7, "a") }, ctx);
    assert_eq!(count(&guests), 1);
    report(&mut guests, domain_with_address(7, true), ctx);
    assert_eq!(count(&guests), 0, "a domain has had that address all along");
}

#[test]
fn a_vmm_whose_guest_has_a_socket_for_vhostmds_clients_alone_does_not_ask_over_vsock() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let mut guests = guests(folder.path());
    let guest = guests.guest(&Name::parse("qemu-a").unwrap(), ctx.now).unwrap();
    guests.roster.guests.get_mut(guest).unwrap().rare_mut().cid = Some(3);
    let mut far_ends = Vec::new();
    let mut fd = || {
        let (far_end, fd) = UnixStream::pair().unwrap();
        far_ends.push(far_end);
        fd
    };
    let count =
        |guests: &Guests| guests.ports_at(guest, |at| matches!(at, Endpoint::Vsock(_))).len();
    add_socket(&mut guests, guest, Dialect::Vhostmd, fd(), ctx);
    connect(&mut guests, ctx);
    assert_eq!(count(&guests), 0);
    let socket = add_socket(&mut guests, guest, Dialect::Hostinfo, fd(), ctx);
    // An address is looked up once a second.
    ctx.now += Duration::from_secs(1);
    connect(&mut guests, ctx);
    assert_eq!(count(&guests), 1);
    guests.remove_port(socket, ctx);
    assert_eq!(count(&guests), 0, "only the other one is left");
}

#[test]
fn a_process_that_had_a_domains_name_while_it_was_off_is_not_taken_for_it_when_it_runs_again() {
    let disks = Names { disks: vec!["qemu-a".to_owned()], ..Names::default() };
    for (names, is_hidden) in [(Names::default(), false), (Names::default(), true), (disks, true)] {
        let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
        let ctx = &mut reactor.now();
        let domain = Domain { names, ..domain_with_address(7, false) };
        let (mut guests, _, _far_end) =
            connected(folder.path(), helper_that_knows(domain.clone()), ctx);
        hear(&mut guests, ctx);
        report(&mut guests, Domain { id: None, ..domain.clone() }, ctx);
        let number = guests.roster.named("qemu-a").unwrap();
        let guest = guests.roster.guests.get_mut(number).unwrap();
        assert_eq!(*guest.who.standing(), Standing::Unnamed);
        let process = Peer { pid: 7, start: Some(1) };
        guest.who.connected(Some(process), begin_session).unwrap();
        let cmdline = format!("x\0-uuid\0{}\0", Uuid::from_u128(7));
        let marks = Marks::new(7, b"x", b"0::/user.slice\n", cmdline.as_bytes());
        guest.marks = marks.filter(|_| !is_hidden).map(Box::new);
        report(&mut guests, domain, ctx);
        let guest = guests.roster.guests.get(number).unwrap();
        assert!(matches!(guest.who.standing(), Standing::Domain(..)), "{:?}", guest.who.standing());
        assert!(guest.who.peer().is_none(), "{:?}", guest.who.peer());
    }
}

#[test]
fn a_vmm_elsewhere_that_shows_nothing_of_itself_does_not_ask_as_a_domain_of_its_name() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let domain = domain_with_address(7, false);
    let (mut guests, _, _far_end) =
        connected(folder.path(), helper_that_knows(domain.clone()), ctx);
    hear(&mut guests, ctx);
    report(&mut guests, Domain { id: None, ..domain.clone() }, ctx);
    let number = guests.roster.named("qemu-a").unwrap();
    let guest = guests.roster.guests.get_mut(number).unwrap();
    guest.who.connected(Some(Peer { pid: 7, start: Some(1) }), begin_session).unwrap();
    guest.marks = Marks::new(7, b"x", b"0::/user.slice\n", b"x\0").map(Box::new);
    report(&mut guests, domain, ctx);
    let guest = guests.roster.guests.get_mut(number).unwrap();
    assert!(matches!(guest.who.standing(), Standing::Refused(_)), "{:?}", guest.who.standing());
    // The kernel has no command line of a process that has unmapped it.
    let (proc, pid) = (folder.path().join("proc"), std::process::id().to_string());
    let process = proc.join(&pid);
    std::fs::create_dir_all(&process).unwrap();
    std::os::unix::fs::symlink(&pid, proc.join("self")).unwrap();
    let stat = format!("{pid} (x) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 1 1 2\n");
    for (file, text) in
        [("stat", stat.as_str()), ("comm", "x\n"), ("cgroup", "0::/user.slice\n"), ("cmdline", "")]
    {
        std::fs::write(process.join(file), text).unwrap();
    }
    guests.roots = std::sync::Arc::new(hostinfo_sample::Roots { proc, sys: "/sys".into() });
    let (_vmm, fd) = UnixStream::pair().unwrap();
    guests.admit(number, OwnedFd::from(fd).into(), Endpoint::Accepted(PortId::of(7)), ctx);
    let standing = guests.roster.guests.get(number).unwrap().who.standing();
    assert!(!(guests.roster.is_connected(number) && standing.may_ask()), "{standing:?}");
}
