//! A running command.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};

use super::printed::{Printed, Reader};
use crate::account::Account;

/// The whole environment of a command.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

/// A command that was started and has not been waited for.
///
/// Its output and its standard error stay in their pipes until it ends. All output that is accepted fits into every
/// pipe. Whoever writes more than a pipe holds (usually 64 KiB) to either waits, and is killed at the deadline.
pub(super) struct Child {
    child: process::Child,
    pid: Pid,
    pidfd: Option<OwnedFd>,
    reader: Reader,
}

/// A program with its arguments, in a process group of its own.
///
/// # Errors
/// There is no program.
pub(super) fn command(words: &[String], account: Option<Account>) -> io::Result<Command> {
    let (program, arguments) = words.split_first().ok_or(io::ErrorKind::InvalidInput)?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env_clear()
        .envs(ENVIRONMENT)
        .current_dir("/")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    if let Some(account) = account {
        // This drops root's groups too: std does that if root becomes another user.
        command.uid(account.uid).gid(account.gid);
    }
    Ok(command)
}

impl Child {
    /// Starts it, and returns when the program is executed.
    ///
    /// # Errors
    /// If the program does not exist, cannot be executed, or cannot be executed as that user.
    pub(super) fn start(mut command: Command, reader: Reader) -> io::Result<Self> {
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        // Not available before Linux 5.3, or if there are no descriptors left.
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        Ok(Self { child, pid, pidfd, reader })
    }

    /// Its process number, which is no other process's before [`Child::reap`].
    pub(super) fn pid(&self) -> Pid {
        self.pid
    }

    /// Becomes readable when the command has ended, if the kernel reports that.
    pub(super) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Stops using the pidfd.
    pub(super) fn drop_pidfd(&mut self) {
        self.pidfd = None;
    }

    /// Whether it has ended. Its process number stays reserved until [`Child::reap`], so a kill by
    /// that number cannot hit another process.
    pub(super) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Kills it and everything left of its process group, and has read what it has printed.
    pub(super) fn kill(&mut self) {
        // If nothing is left, that is fine too.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.kill();
        self.reader.read((self.child.stdout.take(), self.child.stderr.take()));
    }

    /// Collects its exit status from the kernel; `None` if it has not ended yet.
    ///
    /// # Errors
    /// If somebody else collected it, or exit statuses are not kept.
    pub(super) fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// What it had printed when it was killed; `None` if that takes longer than `patience` to read.
    pub(super) fn printed(&self, patience: Duration) -> Option<Printed> {
        self.reader.take(patience)
    }

    /// What remains of it once it is reaped.
    pub(super) fn into_reader(self) -> Reader {
        self.reader
    }
}
