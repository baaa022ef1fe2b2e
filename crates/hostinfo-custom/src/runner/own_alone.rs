//! Keeps a command from changing the limits and priorities of other processes of its user, which Landlock does not see: by
//! limits of CPU time or files it could end them. A filter of seccomp(2) refuses calls that name a process. A command
//! changes its own limits and priorities by the number 0, as ulimit, nice(1), taskset(1) and ionice(1) do.
//!
//! It also keeps a command out of the process group of whoever started it. A group whose last tie to its session ends while
//! one of its processes is stopped gets SIGHUP from the kernel itself (kernel/exit.c, kill_orphaned_pgrp), which Landlock
//! does not see: a command could so end hostinfo-run, and with it all others.
//!
//! And it keeps a command from sending signals to the thread of hostinfo-run that has started it. That has the layer of the
//! command's run, so Landlock permits this until the thread has ended, and a signal to it can end or stop hostinfo-run.

use std::env::consts::ARCH;
use std::io;
use std::sync::LazyLock;
use std::thread;

use nix::libc;
use rustix::process::getpgrp;
use rustix::thread::gettid;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

/// IOPRIO_WHO_PROCESS of ioprio_set(2).
const IO_PRIORITY_OF_PROCESS: u64 = 1;

/// PRIO_PROCESS of setpriority(2).
const PRIORITY_OF_PROCESS: u64 = 0;

/// fcntl(2) and ioctl(2): whom the kernel sends a signal when something happens to a file.
const F_SETOWN: u64 = 8;
const F_SETOWN_EX: u64 = 15;
const FIOSETOWN: u64 = 0x8901;
const SIOCSPGRP: u64 = 0x8902;

/// System calls of x32 have this bit: syscall(2). They are refused alike, and do not exist elsewhere.
const X32: i64 = 0x4000_0000;

/// Calls that have another number in x32.
const X32_IOCTL: i64 = X32 + 514;
const X32_SIGQUEUEINFO: i64 = X32 + 524;
const X32_TGSIGQUEUEINFO: i64 = X32 + 536;

/// Not where there is no filter for this architecture, or the kernel or the service's own filter refuses it.
static IS_OFFERED: LazyLock<bool> = LazyLock::new(|| {
    // A thread of its own, which ends.
    let probe = thread::scope(|scope| scope.spawn(apply).join());
    matches!(probe, Ok(Ok(())))
});

/// Whether the kernel can do it.
pub fn is_offered() -> bool {
    *IS_OFFERED
}

/// Restricts this thread and what it starts, if that is offered.
pub(super) fn restrict() -> io::Result<()> {
    if is_offered() { apply().map_err(io::Error::other) } else { Ok(()) }
}

fn apply() -> Result<(), seccompiler::Error> {
    apply_filter(&filter()?)
}

fn filter() -> Result<BpfProgram, BackendError> {
    let mut refused = vec![
        // Without new limits, it only reads them.
        (libc::SYS_prlimit64, vec![all_of([is_not(0, 0)?, is_set(2)?])?]),
        // Those of groups and users are refused as well.
        (
            libc::SYS_setpriority,
            vec![all_of([is_not(0, PRIORITY_OF_PROCESS)?])?, all_of([is_not(1, 0)?])?],
        ),
        (
            libc::SYS_ioprio_set,
            vec![all_of([is_not(0, IO_PRIORITY_OF_PROCESS)?])?, all_of([is_not(1, 0)?])?],
        ),
    ];
    // Shells with job control and timeout(1) name 0 or a process of their own.
    let own_group = u64::try_from(getpgrp().as_raw_pid()).unwrap_or_default();
    refused.push((libc::SYS_setpgid, vec![all_of([is(1, own_group)?])?]));
    for call in [
        libc::SYS_sched_setaffinity,
        libc::SYS_sched_setattr,
        libc::SYS_sched_setparam,
        libc::SYS_sched_setscheduler,
    ] {
        refused.push((call, vec![all_of([is_not(0, 0)?])?]));
    }
    refused.extend(signals_to_this_thread()?);
    let of_x32 = refused.clone().into_iter().map(|(call, rules)| (call | X32, rules));
    let refused = refused.into_iter().chain(of_x32).collect();
    let fails = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(refused, SeccompAction::Allow, fails, ARCH.try_into()?)?.try_into()
}

/// All ways to send a signal to this thread. A filter does not see for whom a pidfd or a file of /proc stands, so no signal is
/// sent by one at all. Nor does it see behind a pointer, so F_SETOWN_EX and the two ioctls are refused for everybody.
fn signals_to_this_thread() -> Result<Vec<(i64, Vec<SeccompRule>)>, BackendError> {
    let this = u64::try_from(gettid().as_raw_pid()).unwrap_or_default();
    let by_number = |argument| Ok::<_, BackendError>(vec![all_of([is(argument, this)?])?]);
    let command = |number: u64| is(1, number);
    let owner_of_file =
        vec![all_of([command(F_SETOWN)?, is(2, this)?])?, all_of([command(F_SETOWN_EX)?])?];
    let owner_by_ioctl = vec![all_of([command(FIOSETOWN)?])?, all_of([command(SIOCSPGRP)?])?];
    Ok(vec![
        (libc::SYS_kill, by_number(0)?),
        (libc::SYS_tkill, by_number(0)?),
        (libc::SYS_tgkill, by_number(1)?),
        (libc::SYS_rt_sigqueueinfo, by_number(0)?),
        (X32_SIGQUEUEINFO, by_number(0)?),
        (libc::SYS_rt_tgsigqueueinfo, by_number(1)?),
        (X32_TGSIGQUEUEINFO, by_number(1)?),
        (libc::SYS_pidfd_send_signal, Vec::new()),
        (libc::SYS_fcntl, owner_of_file),
        (libc::SYS_ioctl, owner_by_ioctl.clone()),
        (X32_IOCTL, owner_by_ioctl),
    ])
}

/// One rule, of conditions that are all met.
fn all_of<const N: usize>(conditions: [SeccompCondition; N]) -> Result<SeccompRule, BackendError> {
    SeccompRule::new(conditions.into())
}

/// A number, of which the kernel looks at the lower half.
fn is(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, value)
}

/// As in [`is`].
fn is_not(argument: u8, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Ne, value)
}

/// A pointer.
fn is_set(argument: u8) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 0)
}
