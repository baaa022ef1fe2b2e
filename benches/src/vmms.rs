//! Processes that the daemon takes for VMMs: each listens at a guest's socket and has threads with
//! the names of QEMU's. The guests behind them are still played by one thread.

use std::io::{self, Read as _};
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType};
use rustix::process::{Signal, set_parent_process_death_signal};

/// The threads of a VMM, beside its first one.
#[derive(Clone, Copy, clap::Args)]
pub(crate) struct Threads {
    /// How many are vCPUs
    pub(crate) vcpus: u16,
    /// How many are none
    pub(crate) others: u16,
}

impl Threads {
    /// A guest like many: with its first thread, the VMM has 7 that are no vCPUs.
    pub(crate) const USUAL: Self = Self { vcpus: 8, others: 6 };
}

/// The stack of a thread that only sleeps, in bytes: small, so that there is room for thousands.
const STACK: usize = 64 * 1024;

/// VMMs that run, and end when let go.
pub(crate) struct Vmms(Vec<Child>);

impl Vmms {
    /// Starts one with each number of `threads`, and makes a socket in `sockets` for each.
    pub(crate) fn start(
        sockets: &Path,
        threads: &[Threads],
    ) -> anyhow::Result<(Self, Vec<UnixListener>)> {
        let (mut vmms, mut listeners) = (Self(Vec::new()), Vec::new());
        for (number, Threads { vcpus, others }) in threads.iter().enumerate() {
            let socket = bound(&sockets.join(format!("qemu-guest{number}")))?;
            let child = Command::new(std::env::current_exe()?)
                .args(["vmm", &vcpus.to_string(), &others.to_string()])
                .stdin(socket.try_clone()?)
                .stdout(Stdio::piped())
                .spawn()?;
            vmms.0.push(child);
            listeners.push(UnixListener::from(socket));
        }
        for vmm in &mut vmms.0 {
            let ready = vmm.stdout.as_mut().context("no pipe")?;
            ready.read_exact(&mut [0]).context("a VMM did not start")?;
        }
        Ok((vmms, listeners))
    }

    /// Their process numbers.
    pub(crate) fn pids(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(Child::id)
    }
}

impl Drop for Vmms {
    fn drop(&mut self) {
        for vmm in &mut self.0 {
            // It has ended already where this fails.
            let _ = vmm.kill();
            let _ = vmm.wait();
        }
    }
}

/// Is such a process, for the socket that is its standard input: who listens is the peer.
pub(crate) fn run(Threads { vcpus, others }: Threads) -> anyhow::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    rustix::thread::set_name(c"qemu-system-x86")?;
    let vcpus = (0..vcpus).map(|number| format!("CPU {number}/KVM"));
    let others = (0..others).map(|number| match number {
        0 => "IO iothread1".to_owned(),
        _ => "worker".to_owned(),
    });
    for name in vcpus.chain(others) {
        let thread = std::thread::Builder::new().name(name).stack_size(STACK);
        thread.spawn(|| std::thread::sleep(Duration::MAX))?;
    }
    rustix::net::listen(io::stdin(), 1)?;
    rustix::io::write(io::stdout(), b"\n")?;
    std::thread::sleep(Duration::MAX);
    Ok(())
}

/// A socket that nobody listens at yet.
fn bound(path: &Path) -> anyhow::Result<OwnedFd> {
    let socket = rustix::net::socket_with(
        AddressFamily::UNIX,
        SocketType::STREAM,
        SocketFlags::CLOEXEC,
        None,
    )?;
    rustix::net::bind(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}
