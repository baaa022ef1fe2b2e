//! The opener as systemd starts it: the socket is its standard input.

// What surprises a test is to end it.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use hostinfo_open::{Answer, Request, message};
use rustix::io::Errno;
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen, socket_with,
};

/// Only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ended when the test ends.
struct Opener(Child);

impl Opener {
    fn start(listener: OwnedFd) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_hostinfo-open"));
        command.arg("--config").arg("/nonexistent/hostinfod.toml");
        Self(command.stdin(Stdio::from(listener)).stderr(Stdio::piped()).spawn().unwrap())
    }
}

impl Drop for Opener {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn socket() -> OwnedFd {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

fn listening(path: &Path) -> OwnedFd {
    let listener = socket();
    bind(&listener, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&listener, 8).unwrap();
    fs::set_permissions(path, Permissions::from_mode(0o600)).unwrap();
    listener
}

#[test]
fn a_caller_that_is_not_the_daemon_is_refused_before_it_has_said_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let _opener = Opener::start(listening(&path));
    for _ in 0..2 {
        let caller = socket();
        set_socket_timeout(&caller, Timeout::Recv, Some(PATIENCE)).unwrap();
        connect(&caller, &SocketAddrUnix::new(&path).unwrap()).unwrap();
        let (packet, fd) = message::receive(&caller).unwrap();
        let Some(Answer::Refused(why)) = Answer::parse(&packet) else { panic!("{packet:?}") };
        assert!(why.starts_with("hostinfo-open serves only hostinfod: the caller, process "));
        assert!(why.ends_with(" is not in hostinfo.service") && fd.is_none(), "{why}");
        let asked =
            Request { pattern: "/r/{name}".into(), driver: "qemu".into(), name: "a".into() };
        let said = message::send(&caller, &asked.to_packet(), None);
        // The kernel tells the end so where a packet was not read.
        let is_over = said.is_err()
            || match message::receive(&caller) {
                Ok((rest, _)) => rest.is_empty(),
                Err(error) => error == Errno::CONNRESET,
            };
        assert!(is_over, "it hangs up");
    }
}

#[test]
fn without_a_socket_on_standard_input_it_ends_with_an_error() {
    let output = Command::new(env!("CARGO_BIN_EXE_hostinfo-open")).stdin(Stdio::null()).output();
    assert!(!output.unwrap().status.success());
}
