//! Input is reported once, and whatever one read has left of it is read all the same.

use super::*;

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::Shutdown;
use std::os::unix::net::UnixStream;
use std::time::Instant;

use hostinfo_answer::{Dialect, Name};
use hostinfo_peer::{PeerSocket, Unclosed, refuse_descriptors};
use hostinfo_wire::limits::READ_CHUNK;
use rustix::net::{SendFlags, send};

use crate::guests::tests::guests;
use crate::reactor::Reactor;

/// A guest, and the daemon that it is connected to.
struct Scene {
    guests: Guests,
    reactor: Reactor,
    port: PortId,
    guest: UnixStream,
    _folder: tempfile::TempDir,
}

impl Scene {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let (mut guests, reactor) = (guests(folder.path()), Reactor::new().unwrap());
        let (guest, fd) = UnixStream::pair().unwrap();
        for end in [&guest, &fd] {
            end.set_nonblocking(true).unwrap();
        }
        let (name, now) = (Name::parse("qemu-a").unwrap(), Instant::now());
        let number = guests.guest(&name, now).unwrap();
        // As before each connection is made. From Linux 6.16 on, new input is then reported once.
        refuse_descriptors(&fd);
        let fd = PeerSocket::new(fd.into(), Unclosed::default());
        let connection = Connection::new(fd, None, Dialect::Hostinfo, now);
        let interest = connection.interest();
        let port = Port {
            connection: Some(connection),
            ..Port::new(number, Endpoint::Socket, Dialect::Hostinfo, now)
        };
        let port = guests.roster.add_port(port);
        let connection = guests.roster.ports.get(port).unwrap().connection.as_ref().unwrap();
        reactor.add(connection, Token::Port(port), interest).unwrap();
        Self { guests, reactor, port, guest, _folder: folder }
    }

    /// Gives turns until nothing is ready and no alarm is due. Returns what the guest has read then.
    fn answers(&mut self) -> String {
        let mut ready = Vec::new();
        loop {
            // So it does not sleep.
            self.reactor.set_alarm(Alarm::Watchdog, Some(Instant::now()));
            self.reactor.wait(&mut ready).unwrap();
            self.guests.begin_round();
            for event in &ready {
                self.guests.turn(self.port, event.how, &mut self.reactor.now());
            }
            self.guests.begin_round();
            let (now, mut is_idle) = (Instant::now(), ready.is_empty());
            while let Some(alarm) = self.reactor.due(now) {
                if alarm == Alarm::Port(self.port) {
                    self.guests.on_port_alarm(self.port, &mut self.reactor.now());
                    is_idle = false;
                }
            }
            if is_idle {
                break;
            }
        }
        let mut answers = String::new();
        match self.guest.read_to_string(&mut answers) {
            Err(error) if error.kind() != ErrorKind::WouldBlock => panic!("{error}"),
            Ok(_) | Err(_) => answers,
        }
    }

    fn is_connected(&self) -> bool {
        self.guests.roster.ports.get(self.port).unwrap().connection.is_some()
    }
}

#[test]
fn a_line_that_one_read_does_not_get_whole_is_answered() {
    let mut scene = Scene::new();
    let too_long = [b"x".repeat(2 * READ_CHUNK), b"\nping\n".to_vec()].concat();
    scene.guest.write_all(&too_long).unwrap();
    let answers = scene.answers();
    assert!(answers.ends_with("200 pong\n") && answers.len() > "200 pong\n".len(), "{answers}");
    assert!(scene.is_connected());
}

#[test]
fn what_is_behind_a_byte_that_was_sent_with_msg_oob_is_answered() {
    let mut scene = Scene::new();
    scene.guest.write_all(b"pi").unwrap();
    send(&scene.guest, b"n", SendFlags::OOB).unwrap();
    scene.guest.write_all(b"g\n").unwrap();
    assert_eq!(scene.answers(), "200 pong\n");
    scene.guest.write_all(b"ping\n").unwrap();
    assert_eq!(scene.answers(), "200 pong\n");
}

#[test]
fn a_guest_that_says_no_more_after_its_line_is_answered_and_hung_up_on() {
    let mut scene = Scene::new();
    scene.guest.write_all(b"ping\n").unwrap();
    scene.guest.shutdown(Shutdown::Write).unwrap();
    assert_eq!(scene.answers(), "200 pong\n");
    assert!(!scene.is_connected());
}

#[test]
fn a_guest_that_is_gone_after_its_line_is_hung_up_on() {
    let mut scene = Scene::new();
    scene.guest.write_all(b"ping").unwrap();
    scene.guest.shutdown(Shutdown::Both).unwrap();
    scene.answers();
    assert!(!scene.is_connected());
}
