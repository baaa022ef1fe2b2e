//! One command that runs.

use std::io::{self, Read};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt as _;
use std::process::{self, Command, ExitStatus, Stdio};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, kill_process_group, pidfd_open, waitid,
};

use crate::account::Account;
use crate::limits::{EXCERPT_MAX, OUTPUT_MAX};

/// All of a command's environment.
const ENVIRONMENT: [(&str, &str); 2] =
    [("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"), ("LANG", "C.UTF-8")];

/// A command that was started and has not been waited for.
///
/// Its output stays in the pipe until it ends: a page fits into every pipe, and who prints more
/// than that is in the wrong. Standard error as well, of which the beginning is shown.
pub(crate) struct Child {
    child: process::Child,
    pid: Pid,
    pidfd: Option<OwnedFd>,
}

impl Child {
    /// Starts a program with its arguments, in a process group of its own.
    ///
    /// # Errors
    /// Where it is not there, cannot be executed, or not as that user.
    pub(crate) fn start(words: &[String], account: Option<Account>) -> io::Result<Self> {
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
            // The groups of root go with it: std drops them where root becomes another user.
            command.uid(account.uid).gid(account.gid);
        }
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        // Not before Linux 5.3, and not where there are no descriptors left.
        let pidfd = pidfd_open(pid, PidfdFlags::empty()).ok();
        Ok(Self { child, pid, pidfd })
    }

    /// What becomes readable when it has ended, where the kernel has that.
    pub(crate) fn pidfd(&self) -> Option<BorrowedFd<'_>> {
        self.pidfd.as_ref().map(AsFd::as_fd)
    }

    /// Does without it.
    pub(crate) fn drop_pidfd(&mut self) {
        self.pidfd = None;
    }

    /// Whether it has ended. It keeps its number until [`Child::reap`]: what is killed by that
    /// number is this command's and no other's.
    pub(crate) fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        !matches!(waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Kills it and all that is left of its group.
    pub(crate) fn kill(&mut self) {
        // Nothing is left: that is as well.
        let _ = kill_process_group(self.pid, Signal::KILL);
        let _ = self.child.kill();
    }

    /// Takes how it ended off the kernel; `None` where it has not yet.
    ///
    /// # Errors
    /// Where somebody else did, or nobody is to.
    pub(crate) fn reap(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// What it has printed, as far as one byte over [`OUTPUT_MAX`].
    pub(crate) fn output(&mut self) -> Vec<u8> {
        drain(self.child.stdout.take(), OUTPUT_MAX)
    }

    /// The beginning of its standard error.
    pub(crate) fn errors(&mut self) -> Vec<u8> {
        drain(self.child.stderr.take(), EXCERPT_MAX)
    }
}

/// What is in a pipe, up to one byte over `bound`. Others may hold its other end open for good.
fn drain(pipe: Option<impl Read + AsFd>, bound: usize) -> Vec<u8> {
    let mut bytes = Vec::new();
    if let Some(pipe) = pipe
        && fcntl_getfl(&pipe).and_then(|now| fcntl_setfl(&pipe, now | OFlags::NONBLOCK)).is_ok()
    {
        // That there is nothing more yet is an error that leaves what was there.
        let _ = pipe.take(bound as u64 + 1).read_to_end(&mut bytes);
    }
    bytes
}
