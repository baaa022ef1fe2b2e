//! hostinfo-run as systemd starts it: the socket is its standard input.

// What surprises a test is to end it.
#![allow(clippy::panic, clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use hostinfo_custom::message::{Answer as Packet, PACKET_MAX};
use hostinfo_custom::{Answer, Custom};
use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SocketAddrUnix, SocketFlags, SocketType, bind, connect, listen,
    socket_with,
};
use rustix::process::geteuid;

/// Only a hang meets it.
const PATIENCE: Duration = Duration::from_secs(60);

/// Ended when the test ends.
struct Runner(Child);

impl Runner {
    fn start(command: &mut Command) -> Self {
        Self(command.stderr(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Runner {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostinfo-run"));
    command.args(["--definitions", "/nonexistent/custom.d"]);
    command
}

fn socket() -> OwnedFd {
    socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap()
}

/// A connection to it, once it listens.
fn caller(path: &Path) -> OwnedFd {
    let begun = Instant::now();
    loop {
        let caller = socket();
        if connect(&caller, &SocketAddrUnix::new(path).unwrap()).is_ok() {
            return caller;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not listen");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// What it says to this process's user.
fn refusal(path: &Path) -> String {
    let caller = caller(path);
    set_socket_timeout(&caller, Timeout::Recv, Some(PATIENCE)).unwrap();
    let mut packet = vec![0; PACKET_MAX];
    let (length, _) =
        rustix::net::recv(&caller, packet.as_mut_slice(), RecvFlags::empty()).unwrap();
    packet.truncate(length);
    let Some(Packet::Refused(why)) = Packet::parse(&packet) else { panic!("{packet:?}") };
    why
}

/// A user that this process is not.
fn other() -> &'static str {
    if geteuid().is_root() { "nobody" } else { "root" }
}

#[test]
fn a_caller_that_is_not_the_daemons_user_is_refused_before_it_has_said_anything() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let listener = socket();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 8).unwrap();
    let mut command = program();
    let _runner = Runner::start(command.args(["--user", other()]).stdin(Stdio::from(listener)));
    for _ in 0..2 {
        assert!(refusal(&path).starts_with("hostinfo-run serves only user "));
    }
}

#[test]
fn without_systemd_the_runner_listens_itself_even_where_a_killed_one_left_its_socket() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    for _ in 0..2 {
        let mut command = program();
        let _runner = Runner::start(command.args(["--user", other(), "--listen"]).arg(&path));
        assert!(refusal(&path).starts_with("hostinfo-run serves only user "));
        let second = program().args(["--user", other(), "--listen"]).arg(&path).output().unwrap();
        let told = String::from_utf8(second.stderr).unwrap();
        assert!(!second.status.success() && told.contains("it cannot listen at"), "{told}");
    }
    assert!(path.exists());
    fs::remove_file(path).unwrap();
}

/// What a guest gets that waits.
fn value(custom: &mut Custom, name: &str) -> String {
    let asked = Instant::now();
    loop {
        assert!(asked.elapsed() < PATIENCE, "no answer");
        match custom.value(name, "qemu-a", asked, Instant::now()) {
            Answer::Ready(Ok(value)) => return value.to_string(),
            Answer::Ready(Err(absent)) => panic!("{}", absent.reason),
            Answer::Pending { .. } => {
                custom.turn(Instant::now());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
    }
}

/// Prints the numbers of two processes in sessions of their own that it leaves behind, of which one has started the
/// other.
const LEAVES: &str = "f=$(mktemp); \
     setsid sh -c \"setsid sleep 1000 & echo \\$\\$ \\$! >$f; exec sleep 1000\" & \
     until [ -s $f ]; do sleep 0.01; done; cat $f; rm $f";

#[test]
fn what_a_command_leaves_outside_its_process_group_is_killed_when_it_ends() {
    assert!(geteuid().is_root(), "needs root, whose definitions are");
    let folder = tempfile::tempdir().unwrap();
    let (socket, file) = (folder.path().join("socket"), folder.path().join("x.toml"));
    let words = format!("['/bin/sh', '-c', '''{LEAVES}''']");
    let definition = format!("[custom.x]\nkind = 'info'\nhelp = 'h'\ncommand = {words}\n");
    fs::write(&file, definition).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_hostinfo-run"));
    command.arg("--definitions").arg(folder.path()).args(["--user", "root", "--listen"]);
    let _runner = Runner::start(command.arg(&socket));
    let (mut custom, problems) = Custom::load(folder.path(), 0, &socket).unwrap();
    assert_eq!(problems, []);
    drop(caller(&socket));
    let pids = value(&mut custom, "x");
    assert_eq!(pids.split(' ').count(), 2, "{pids}");
    let begun = Instant::now();
    for pid in pids.split(' ') {
        while Path::new("/proc").join(pid).exists() {
            assert!(begun.elapsed() < PATIENCE, "{pid} is left");
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

#[test]
fn without_a_socket_or_the_daemons_user_it_ends_with_an_error() {
    for user in [other(), "no-such-user"] {
        let output = program().args(["--user", user]).stdin(Stdio::null()).output().unwrap();
        assert!(!output.status.success() && !output.stderr.is_empty());
    }
}
