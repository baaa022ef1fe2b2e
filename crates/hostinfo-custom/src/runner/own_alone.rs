//! Keeps a command from changing the limits and priorities of other processes of its user, which Landlock does not see: by
//! limits of CPU time or files it could end them. A filter of seccomp(2) refuses calls that name a process. A command
//! changes its own limits and priorities by the number 0, as ulimit, nice(1), taskset(1) and ionice(1) do.
//!
//! It also keeps a command out of the process group of whoever started it. A group whose last tie to its session ends while
//! one of its processes is stopped gets SIGHUP from the kernel itself (kernel/exit.c, kill_orphaned_pgrp), which Landlock
//! does not see: a command could so end hostinfo-run, and with it all others.

use std::env::consts::ARCH;
use std::io;
use std::sync::LazyLock;
use std::thread;

use nix::libc;
use rustix::process::getpgrp;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter,
};

/// IOPRIO_WHO_PROCESS of ioprio_set(2).
const IO_PRIORITY_OF_PROCESS: u64 = 1;

/// PRIO_PROCESS of setpriority(2).
const PRIORITY_OF_PROCESS: u64 = 0;

/// System calls of x32 have this bit: syscall(2). They are refused alike, and do not exist elsewhere.
const X32: i64 = 0x4000_0000;

/// `None` where there is none for this architecture, or the kernel or the service's own filter refuses it.
static FILTER: LazyLock<Option<BpfProgram>> = LazyLock::new(|| {
    let filter = filter().ok()?;
    // A thread of its own, which ends.
    let probe = thread::scope(|scope| scope.spawn(|| apply_filter(&filter)).join());
    matches!(probe, Ok(Ok(()))).then_some(filter)
});

/// Whether the kernel can do it.
pub fn is_offered() -> bool {
    FILTER.is_some()
}

/// Restricts this thread and what it starts, if that is offered.
pub(super) fn restrict() -> io::Result<()> {
    FILTER.as_ref().map_or(Ok(()), |filter| apply_filter(filter).map_err(io::Error::other))
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
    let of_x32 = refused.clone().into_iter().map(|(call, rules)| (call | X32, rules));
    let refused = refused.into_iter().chain(of_x32).collect();
    let fails = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    SeccompFilter::new(refused, SeccompAction::Allow, fails, ARCH.try_into()?)?.try_into()
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
