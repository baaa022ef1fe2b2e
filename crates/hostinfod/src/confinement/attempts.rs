//! What an attacker would do who has taken over the daemon, for tests: the environment of a debug build says what to
//! try, and the log what became of it. A release build has none of this.

use std::env;
use std::fs::{self, DirBuilder, File, Permissions};
use std::io::{self, Error, Result};
use std::net::TcpStream;
use std::os::fd::AsRawFd as _;
use std::os::unix::fs::{DirBuilderExt as _, PermissionsExt as _, chown};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};

use rustix::fs::{MemfdFlags, memfd_create};

/// Attempts, each a word and what it is about, with `;` between them.
const VARIABLE: &str = "HOSTINFOD_ATTEMPTS";

/// How many processes are started: more than a service may have.
const PROCESSES: usize = 100;

/// Makes those that the environment names.
pub(super) fn make() {
    for attempt in env::var(VARIABLE).unwrap_or_default().split(';') {
        let Some((what, about)) = attempt.trim().split_once(' ') else { continue };
        match attempt_to(what, about) {
            Ok(()) => tracing::info!("attempt {what} {about}: done"),
            Err(error) => tracing::info!("attempt {what} {about}: {error}"),
        }
    }
}

fn attempt_to(what: &str, about: &str) -> Result<()> {
    match what {
        "write" => File::create(about).map(drop),
        "append" => File::options().append(true).open(about).map(drop),
        "mkdir" => DirBuilder::new().mode(0o700).create(about),
        "remove" => fs::remove_file(about),
        "open-to-all" => fs::set_permissions(about, Permissions::from_mode(0o777)),
        "setuid" => fs::set_permissions(about, Permissions::from_mode(0o4755)),
        // To the user who has it.
        "give" => chown(about, Some(rustix::process::getuid().as_raw()), None),
        "connect" => TcpStream::connect(about).map(drop),
        // Where it is not refused, the daemon is that program from now on.
        "execute" => Err(Command::new(about).exec()),
        "copy-and-start" => copy_and_start(about),
        "start" => quiet(about).spawn().and_then(|mut child| child.wait()).map(drop),
        // A user to become is what makes it fork(2).
        "fork" => {
            let user = rustix::process::getuid().as_raw();
            quiet(about).uid(user).spawn().and_then(|mut child| child.wait()).map(drop)
        }
        "start-many" => start_many(about),
        other => Err(Error::other(format!("no such attempt: {other}"))),
    }
}

/// In memory, where no rule on paths holds.
fn copy_and_start(program: &str) -> Result<()> {
    let path = |file: &File| format!("/proc/self/fd/{}", file.as_raw_fd());
    let mut written = File::from(memfd_create("hostinfo-attempt", MemfdFlags::CLOEXEC)?);
    io::copy(&mut File::open(program)?, &mut written)?;
    let copy = File::open(path(&written))?;
    // What is open for writing is not executed.
    drop(written);
    quiet(&path(&copy)).spawn().and_then(|mut child| child.wait()).map(drop)
}

/// Until it is refused. A process that has ended counts until it is waited for.
fn start_many(program: &str) -> Result<()> {
    let (mut children, mut result) = (Vec::new(), Ok(()));
    while result.is_ok() && children.len() < PROCESSES {
        match quiet(program).spawn() {
            Ok(child) => children.push(child),
            Err(error) => result = Err(error),
        }
    }
    children.iter_mut().map(Child::wait).filter_map(Result::err).for_each(drop);
    result
}

fn quiet(program: &str) -> Command {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null());
    command
}
