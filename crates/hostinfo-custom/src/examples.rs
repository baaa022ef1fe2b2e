//! Statistics for tests of other crates.

// A test should fail on anything unexpected.
#![allow(clippy::unwrap_used)]

use std::fs::{self, Permissions};
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::thread;

use rustix::fs::{Mode, OFlags};
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};
use rustix::process::geteuid;

use crate::Custom;
use crate::account::Accounts;
use crate::directory;
use crate::runner::{Options, Runner, serve};

/// Statistics with these definitions, and hostinfo-run for them in a thread.
///
/// # Panics
/// If the definitions are bad.
pub fn custom(definitions: &str) -> Custom {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("x.toml");
    fs::write(&file, definitions).unwrap();
    fs::set_permissions(&file, Permissions::from_mode(0o644)).unwrap();
    let user = geteuid().as_raw();
    // The folder is removed below, but the socket can be reached by its descriptor as long as that is open.
    let socket = directory.path().join("socket");
    let listener = listening(&socket);
    let socket = rustix::fs::open(&socket, OFlags::PATH | OFlags::CLOEXEC, Mode::empty()).unwrap();
    let path = format!("/proc/self/fd/{}", socket.as_raw_fd());
    let (custom, problems) = Custom::load(directory.path(), user, Path::new(&path)).unwrap();
    assert_eq!(problems, []);
    let accounts = Accounts::of_host();
    let found = directory::read(directory.path(), user, &accounts);
    thread::spawn(move || {
        let _open = socket;
        Runner::new(|| (found.clone(), accounts.clone()), user).serve(&listener, false)
    });
    custom
}

/// hostinfo-run in a thread, with definitions of this process's user, which is also the one that may ask.
///
/// # Panics
/// If it cannot listen there.
pub fn run(socket: &Path, definitions: &Path) {
    let listener = listening(socket);
    let user = geteuid().as_raw();
    let directory = definitions.to_owned();
    let options = Options {
        directory,
        owner: user,
        caller: user,
        ends_when_idle: false,
        kills_strays: false,
    };
    thread::spawn(move || serve(&listener, &options));
}

fn listening(path: &Path) -> OwnedFd {
    let flags = SocketFlags::CLOEXEC;
    let listener = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(path).unwrap()).unwrap();
    listen(&listener, 16).unwrap();
    listener
}
