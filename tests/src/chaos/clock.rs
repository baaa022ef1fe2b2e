//! Lets the clocks of a daemon that runs leap ahead, in a time namespace: time_namespaces(7).
//!
//! CLOCK_MONOTONIC and CLOCK_BOOTTIME have offsets in such a namespace, which cannot be changed once a process is in
//! it. So each leap makes a namespace with a larger offset, and the daemon enters it with setns(2), which acts on the
//! caller alone: ptrace(2) has the daemon call it in the place of a call of its own, which it makes after that. A
//! process with several threads cannot enter a time namespace. CLOCK_REALTIME has no namespace, and the machine's
//! own is not for a test to set; the kernel's monotonic clocks never go back.

use anyhow::{Context as _, Result};

use super::world::World;
use crate::deadline::{PATIENCE, wait_until};
use crate::process::{Process, tied};

/// The longest leap: an hour, in which all that waits for a time is due.
const LEAP_MAX: u64 = 3600;

/// A leap of a random length.
pub(super) fn leap(world: &mut World) -> Result<()> {
    let seconds = *world.rng.choice(&[2, 10, 100, LEAP_MAX]).context("no leaps")?;
    let ahead = world.ahead + seconds;
    let mut command = tied("unshare");
    for clock in ["monotonic", "boottime"] {
        command.arg(format!("--{clock}={ahead}"));
    }
    command.args([
        "--time",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        "echo $$ && exec sleep infinity",
    ]);
    let keeper = Process::start(&mut command, world.host.path().join("clock.log"))?;
    wait_until("a time namespace", PATIENCE, || Ok(keeper.log().ends_with('\n')))?;
    let inside = keeper.log().trim().parse().with_context(|| keeper.log())?;
    enter(world.pid()?, inside)?;
    world.ahead = ahead;
    // The daemon keeps its own namespace.
    Ok(())
}

#[cfg(not(target_arch = "x86_64"))]
fn enter(_: u32, _: u32) -> Result<()> {
    anyhow::bail!("the registers of this CPU's calls are not known here")
}

/// Has process `pid` enter the time namespace of `other`.
#[cfg(target_arch = "x86_64")]
fn enter(pid: u32, other: u32) -> Result<()> {
    use nix::libc::{CLONE_NEWTIME, SYS_close, SYS_pidfd_open, SYS_setns};

    let tracee = Tracee::seize(pid)?;
    let other = u64::from(other);
    let pidfd = tracee.call(SYS_pidfd_open, [other, 0])?;
    let entered = tracee.call(SYS_setns, [pidfd, u64::try_from(CLONE_NEWTIME)?]);
    tracee.call(SYS_close, [pidfd, 0])?;
    entered.context("enter a time namespace")?;
    Ok(())
}

#[cfg(target_arch = "x86_64")]
use tracee::Tracee;

#[cfg(target_arch = "x86_64")]
mod tracee {
    use anyhow::{Context as _, Result, bail};
    use nix::errno::Errno;
    use nix::libc::c_long;
    use nix::sys::ptrace;
    use nix::sys::wait::{WaitStatus, waitpid};
    use nix::unistd::Pid;

    /// The length of the instruction `syscall`.
    const SYSCALL: u64 = 2;

    /// A process that is about to make a call. It goes on when this value is dropped.
    pub(super) struct Tracee(Pid);

    impl Tracee {
        pub(super) fn seize(pid: u32) -> Result<Self> {
            let pid = Pid::from_raw(pid.cast_signed());
            ptrace::seize(pid, ptrace::Options::PTRACE_O_TRACESYSGOOD)?;
            let tracee = Self(pid);
            ptrace::interrupt(pid)?;
            waitpid(pid, None)?;
            tracee.to_next_stop()?;
            Ok(tracee)
        }

        /// Has it make that call, after which it is about to make its own again. To be called at a call's entry.
        pub(super) fn call(&self, number: c_long, arguments: [u64; 2]) -> Result<u64> {
            let own = ptrace::getregs(self.0)?;
            let mut other = own;
            [other.rdi, other.rsi] = arguments;
            other.orig_rax = number.cast_unsigned();
            ptrace::setregs(self.0, other)?;
            self.to_next_stop()?;
            let result = ptrace::getregs(self.0)?.rax.cast_signed();
            let mut again = own;
            again.rip -= SYSCALL;
            again.rax = own.orig_rax;
            // No call that the kernel would restart.
            again.orig_rax = u64::MAX;
            ptrace::setregs(self.0, again)?;
            self.to_next_stop()?;
            match u64::try_from(result) {
                Ok(result) => Ok(result),
                Err(_) => Err(Errno::from_raw(i32::try_from(-result)?).into()),
            }
        }

        /// To the entry of its next call, or the exit of this one.
        fn to_next_stop(&self) -> Result<()> {
            let mut signal = None;
            loop {
                ptrace::syscall(self.0, signal).context("trace the daemon")?;
                signal = match waitpid(self.0, None)? {
                    WaitStatus::PtraceSyscall(_) => return Ok(()),
                    WaitStatus::Stopped(_, signal) => Some(signal),
                    WaitStatus::PtraceEvent(..) => None,
                    other => bail!("the daemon is traced and has ended: {other:?}"),
                };
            }
        }
    }

    impl Drop for Tracee {
        fn drop(&mut self) {
            // It goes on with the call that it is about to make.
            let _ = ptrace::detach(self.0, None);
        }
    }
}
