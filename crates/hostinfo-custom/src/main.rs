//! hostinfo-run: runs the administrator's own commands for hostinfod, as another user.

mod args;

use std::fs;
use std::os::fd::OwnedFd;
use std::path::Path;

use anyhow::{Context as _, bail};
use clap::Parser as _;
use hostinfo_custom::runner::{self, Options, apart, own_alone};
use hostinfo_peer::bind_with_mode;
use nix::unistd::User;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, listen, socket_with,
};
use rustix::process::{DumpableBehavior, set_dumpable_behavior};
use rustix::thread::{clear_ambient_capability_set, set_thread_groups};

/// Whoever writes definitions has commands run, so they are root's.
const OWNER: u32 = 0;

/// Callers that may wait: hostinfod has four connections at the most.
const BACKLOG: i32 = 16;

fn main() -> anyhow::Result<()> {
    let args = args::Args::parse();
    // What lets it become another user for a command is not the command's.
    clear_ambient_capability_set().context("its capabilities cannot be kept from commands")?;
    // Where it may act as other users, its groups are not theirs, and std leaves them to whoever is not root. Elsewhere
    // the kernel refuses this, and commands have the groups of its own user.
    let _ = set_thread_groups(&[]);
    // Commands may have its user, but they cannot trace it.
    set_dumpable_behavior(DumpableBehavior::NotDumpable)?;
    if !apart::is_offered() {
        eprintln!(
            "the kernel does not offer Landlock as Linux 5.19 does, or the service's filter refuses it: commands of the same \
             user can reach each other's processes"
        );
    }
    if !own_alone::is_offered() {
        eprintln!(
            "the kernel does not offer seccomp, or the service's filter refuses it: commands of the same user can change each \
             other's limits"
        );
    }
    let Some(caller) = User::from_name(&args.user)? else {
        bail!("there is no user {}: name that of hostinfod with --user", args.user);
    };
    let options = Options {
        directory: args.definitions,
        owner: OWNER,
        caller: caller.uid.as_raw(),
        ends_when_idle: args.listen.is_none(),
        kills_strays: true,
    };
    match args.listen {
        Some(path) => runner::serve(listening(&path)?, &options)?,
        None => runner::serve(rustix::stdio::stdin(), &options)?,
    }
    Ok(())
}

/// A socket of its own. Every user may connect to it, and none but hostinfod's is served.
fn listening(path: &Path) -> anyhow::Result<OwnedFd> {
    let socket =
        || socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None);
    let address = SocketAddrUnix::new(path)?;
    let listener = socket()?;
    let bind = || bind_with_mode(&listener, &address, Mode::from_raw_mode(0o666));
    let bound = match bind() {
        // What another one has left; one that is running answers.
        Err(Errno::ADDRINUSE) if connect(socket()?, &address) == Err(Errno::CONNREFUSED) => {
            fs::remove_file(path)?;
            bind()
        }
        bound => bound,
    };
    bound.with_context(|| format!("it cannot listen at {}", path.display()))?;
    listen(&listener, BACKLOG)?;
    Ok(listener)
}
