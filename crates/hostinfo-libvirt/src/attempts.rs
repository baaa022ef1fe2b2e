//! What an attacker would do who has taken over the daemon's helper, for tests: the environment of a debug build says
//! what to try, and standard error what became of it. A release build has none of this.
#![expect(unsafe_code, reason = "no crate offers leases")]

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{Error, Result};
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;
use std::thread;

use nix::libc;
use rustix::event::epoll;
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::fs::{Mode, OFlags};
use rustix::process::{Pid, getppid, test_kill_process};

/// Attempts, each a word and what it is about, with `;` between them.
const VARIABLE: &str = "HOSTINFO_LIBVIRT_ATTEMPTS";

/// Makes those that the environment names.
pub(crate) fn make() {
    for attempt in std::env::var(VARIABLE).unwrap_or_default().split(';') {
        let Some((what, about)) = attempt.trim().split_once(' ') else { continue };
        match attempt_to(what, about) {
            Ok(()) => eprintln!("helper's attempt {what} {about}: done"),
            Err(error) => eprintln!("helper's attempt {what} {about}: {error}"),
        }
    }
}

fn attempt_to(what: &str, about: &str) -> Result<()> {
    match (what, about) {
        ("signal", "daemon") => Ok(test_kill_process(daemon()?)?),
        ("read-memory", "daemon") => {
            File::open(format!("/proc/{}/mem", daemon()?.as_raw_nonzero())).map(drop)
        }
        ("write", path) => {
            OpenOptions::new().write(true).create(true).truncate(false).open(path).map(drop)
        }
        ("empty", path) => {
            Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::TRUNC, Mode::empty()).map(drop)?)
        }
        ("list", path) => fs::read_dir(path)?.next().transpose().map(drop),
        ("read-past-cache", path) => {
            Ok(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECT, Mode::empty()).map(drop)?)
        }
        ("watch", path) => {
            let watches = inotify::init(CreateFlags::CLOEXEC)?;
            Ok(inotify::add_watch(watches, path, WatchFlags::MODIFY).map(drop)?)
        }
        ("poll", _) => Ok(epoll::create(epoll::CreateFlags::CLOEXEC).map(drop)?),
        ("thread", _) => thread::Builder::new().spawn(|| ()).map(drop),
        ("remove", path) => fs::remove_file(path),
        ("open-to-all", path) => fs::set_permissions(path, Permissions::from_mode(0o777)),
        ("lease", path) => lease(&File::open(path)?),
        ("read-flags", path) => call_fcntl(&File::open(path)?, libc::F_GETFD),
        ("set-flags", path) => call_fcntl(&File::open(path)?, libc::F_SETFL),
        ("start", program) => {
            // Standard output is the daemon's socket.
            let mut command = Command::new(program);
            command.arg("--version").stdout(std::io::stderr()).status().map(drop)
        }
        _ => Err(Error::other("no such attempt")),
    }
}

/// Whoever opens the file to write has to wait until it is given up: fcntl(2).
fn lease(file: &File) -> Result<()> {
    // SAFETY: the descriptor is open, and the command's argument is a number.
    match unsafe { libc::fcntl(file.as_raw_fd(), libc::F_SETLEASE, libc::F_RDLCK) } {
        0 => Ok(()),
        _ => Err(Error::last_os_error()),
    }
}

/// As libvirt does: a command that takes no value is called with whatever the register holds.
fn call_fcntl(file: &File, command: libc::c_int) -> Result<()> {
    // SAFETY: the descriptor is open, and the command's argument is a number, if it has one.
    match unsafe { libc::fcntl(file.as_raw_fd(), command, libc::O_DIRECT) } {
        -1 => Err(Error::last_os_error()),
        _ => Ok(()),
    }
}

fn daemon() -> Result<Pid> {
    getppid().ok_or_else(|| Error::other("no parent"))
}
