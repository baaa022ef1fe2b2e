use super::*;
use std::collections::BTreeMap;
use std::io::Read as _;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Instant;

use hostinfo_answer::{Dialect, Name, Peer, Standing};
use hostinfo_domains::examples::domain;
use hostinfo_domains::limits::DEADLINE;
use hostinfo_domains::{Domain, Helper, Marks, Message, Names, Tags, Uuid, VERSION};
use rustix::event::{PollFd, PollFlags, Timespec};

use crate::guest::begin_session;
use crate::guests::handover::Later;
use crate::guests::tests::guests;
use crate::libvirt::Libvirt;
use crate::port::Port;
use crate::port::connection::Connection;
use crate::reactor::Reactor;
use crate::reactor::id::{Id as _, PortId};
use crate::rules_file::RulesFile;
use crate::system::watch::Watcher;

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

/// Guests of a libvirt whose helper has just been started, and a connection of whoever has the CID 3.
fn connected(
    below: &Path,
    helper: Helper,
    ctx: &mut Ctx<'_>,
) -> (Guests, UnidentifiedId, TcpStream) {
    let mut guests = guests(below);
    let (id, far_end) = ask_for(&mut guests, helper, ctx);
    (guests, id, far_end)
}

/// The same, of these guests.
fn ask_for(guests: &mut Guests, helper: Helper, ctx: &mut Ctx<'_>) -> (UnidentifiedId, TcpStream) {
    guests.vsock.settings = toml::from_str("guests = ['qemu-a']").unwrap();
    *guests.responder.libvirt() = Libvirt::asked_by(helper);
    guests.responder.libvirt().begin(ctx.now);
    guests.turn_of_helper(Helper::on_time, ctx);
    connect(guests, ctx)
}

/// Whoever has the CID 3 connects, by a socket that says of no process that it is at the other end, as those of AF_VSOCK.
fn connect(guests: &mut Guests, ctx: &mut Ctx<'_>) -> (UnidentifiedId, TcpStream) {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let far_end = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (fd, _) = listener.accept().unwrap();
    fd.set_nonblocking(true).unwrap();
    let id = guests.vsock.unidentified.add(fd.into(), 3, ctx.now).unwrap();
    guests.look_up(id, ctx);
    (id, far_end)
}

/// A helper that reports that domain alone.
fn helper_that_knows(domain: Domain) -> Helper {
    let said = [Message::Hello { version: VERSION }, Message::Domain(domain), Message::Done(0)];
    Libvirt::helper_that_says(&said)
}

/// The domain `a`, which has the CID 3, and a hostinfo port or none.
fn domain_with_address(number: u128, has_port: bool) -> Domain {
    let domain = Domain { cid: Some(3), ..domain(number, "a") };
    match has_port {
        true => domain,
        false => Domain { names: Names::default(), ..domain },
    }
}

/// Waits until libvirt has said whose the connection is.
fn hear(guests: &mut Guests, ctx: &mut Ctx<'_>) {
    while !guests.vsock.unidentified.awaiting().is_empty() {
        take_report(guests, ctx);
    }
}

fn take_report(guests: &mut Guests, ctx: &mut Ctx<'_>) {
    let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
    let helper = guests.responder.libvirt().helper().unwrap();
    let mut polled = [PollFd::new(helper, PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1), "nothing comes");
    guests.turn_of_helper(Helper::on_ready, ctx);
}

#[test]
fn a_domain_that_was_renamed_leaves_neither_its_standing_nor_its_tags_to_its_old_name() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let tags = Tags::Known(BTreeMap::from([("role".to_owned(), Some("db".to_owned()))]));
    let domain = Domain { cid: Some(3), tags, ..domain(7, "a") };
    let helper = helper_that_knows(domain);
    let (mut guests, _, _far_end) = connected(folder.path(), helper, ctx);
    hear(&mut guests, ctx);
    let (libvirt, by_cid) = (guests.responder.libvirt(), Some(Uuid::from_u128(7)));
    assert_eq!(libvirt.standing("qemu-old", None, by_cid), Some(Standing::Unnamed));
    let none = hostinfo_rules::Tags::NONE;
    assert_eq!(libvirt.tags("qemu-old", None, by_cid), none);
    assert_ne!(libvirt.tags("qemu-a", None, by_cid), none);
}

#[test]
fn a_domain_in_its_next_run_has_no_rule_while_its_tags_cannot_be_read() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let tags = Tags::Known(BTreeMap::from([("role".to_owned(), Some("db".to_owned()))]));
    let first = Domain { tags, ..domain_with_address(7, false) };
    let off = Domain { id: None, ..first.clone() };
    let next = Domain { id: Some(2), tags: Tags::Unreadable, ..first.clone() };
    let said = [Message::Hello { version: VERSION }, Message::Domain(first), Message::Done(0)];
    let later = [off, next].map(Message::Domain);
    let mut guests = guests(folder.path());
    let rules = "qemu-a role=db:\n  all = 0\n*:\n";
    let path = folder.path().join("hostinfo.conf");
    guests.rules = RulesFile::taken_over(Some(rules), &path, Watcher::new().unwrap()).unwrap();
    let helper = Libvirt::helper_that_answers(&said, &later);
    let (_, _far_end) = ask_for(&mut guests, helper, ctx);
    hear(&mut guests, ctx);
    let number = guests.roster.named("qemu-a").unwrap();
    let rule = |guests: &Guests| {
        let who = &guests.roster.guests.get(number).unwrap().who;
        (who.grant().rule().map(|rule| rule.line), who.is_undecided())
    };
    assert_eq!(rule(&guests), (Some(1), false));
    while guests.roster.is_connected(number) {
        take_report(&mut guests, ctx);
    }
    ctx.now += Duration::from_secs(1);
    let (_, _far_end) = connect(&mut guests, ctx);
    hear(&mut guests, ctx);
    assert!(guests.roster.is_connected(number));
    assert!(rule(&guests).1, "{:?}", rule(&guests));
}

#[test]
fn a_connection_is_held_until_a_helper_that_has_just_been_started_says_whose_it_is() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let domain = domain_with_address(7, true);
    let helper = helper_that_knows(domain);
    let (mut guests, id, _far_end) = connected(folder.path(), helper, ctx);
    // On a host that emulates another one, it has taken as long.
    ctx.now += Duration::from_secs(4);
    guests.on_unidentified_alarm(id, ctx);
    assert_eq!(guests.vsock.unidentified.awaiting(), [id], "it is refused");
    hear(&mut guests, ctx);
    assert!(guests.roster.is_connected(guests.roster.named("qemu-a").unwrap()));
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

/// A guest's socket, of the directory of a dialect, is served.
fn add_socket(
    guests: &mut Guests,
    guest: GuestId,
    dialect: Dialect,
    fd: UnixStream,
    ctx: &Ctx<'_>,
) -> PortId {
    let connection = Some(Connection::new(OwnedFd::from(fd).into(), None, dialect, ctx.now));
    let port = Port::new(guest, Endpoint::Socket, dialect, ctx.now);
    guests.roster.add_port(Port { connection, ..port })
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
fn a_guest_that_libvirt_has_not_named_in_time_is_to_ask_again_and_is_not_forbidden_to() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let hangs = ["-c", "exec sleep 1000"].map(Into::into).to_vec();
    let helper = Helper::new(vec!["/bin/sh".into()], hangs).unwrap();
    let (mut guests, id, mut far_end) = connected(folder.path(), helper, ctx);
    ctx.now += DEADLINE;
    guests.turn_of_helper(Helper::on_time, ctx);
    assert_eq!(guests.vsock.unidentified.awaiting(), [id], "the next helper may know");
    ctx.now += DEADLINE;
    guests.on_unidentified_alarm(id, ctx);
    guests.on_unidentified_ready(id, false, ctx);
    drop(guests);
    let mut heard = String::new();
    far_end.read_to_string(&mut heard).unwrap();
    assert_eq!(heard, "503 ask again in 1 s\n");
}

/// Has libvirt's helper be another one, which reports that domain alone.
fn report(guests: &mut Guests, domain: Domain, ctx: &mut Ctx<'_>) {
    *guests.responder.libvirt() = Libvirt::asked_by(helper_that_knows(domain));
    guests.responder.libvirt().begin(ctx.now);
    guests.turn_of_helper(Helper::on_time, ctx);
    while guests.responder.libvirt().known().is_none() {
        let patience = Timespec { tv_sec: 10, tv_nsec: 0 };
        let helper = guests.responder.libvirt().helper().unwrap();
        let mut polled = [PollFd::new(helper, PollFlags::IN)];
        assert_eq!(rustix::event::poll(&mut polled, Some(&patience)), Ok(1), "nothing comes");
        guests.turn_of_helper(Helper::on_ready, ctx);
    }
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
