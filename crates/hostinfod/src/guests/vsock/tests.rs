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

mod no_longer_enabled;
mod vmms;

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
fn a_domain_that_was_renamed_leaves_neither_its_standing_nor_its_tags_to_its_old_name() {
    let (folder, mut reactor) = (tempfile::tempdir().unwrap(), Reactor::new().unwrap());
    let ctx = &mut reactor.now();
    let tags = Tags::Known(BTreeMap::from([("role".to_owned(), Some("db".to_owned()))]));
    let domain = Domain { cid: Some(3), tags, ..domain(7, "a") };
    let helper = helper_that_knows(domain);
    let (mut guests, _, _far_end) = connected(folder.path(), helper, ctx);
    hear(&mut guests, ctx);
    let (libvirt, by_cid) = (guests.responder.libvirt(), Some(Uuid::from_u128(7)));
    assert_eq!(libvirt.standing("qemu-old", None, None, by_cid), Some(Standing::Unnamed));
    let none = hostinfo_rules::Tags::NONE;
    assert_eq!(libvirt.tags("qemu-old", None, None), none);
    assert_ne!(libvirt.tags("qemu-a", None, None), none);
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
