//! What the daemon's helper gives up before it talks to libvirt, within what confines the daemon. The daemon and its helper
//! have the same user. Without a layer of Landlock, landlock(7), the helper could send the daemon signals, read its
//! memory, and make guests' sockets. Landlock does not see who opens the daemon's files and directories to others by
//! their modes: that is refused by seccomp(2).

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use landlock::{
    ABI, Access as _, AccessFs, AccessNet, CompatLevel, Compatible as _, Ruleset, RulesetAttr as _,
    RulesetError, Scope,
};
use nix::libc::{self, c_int, c_long};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

/// All ways to change files that Linux has up to 6.10, and to connect to or listen at TCP ports.
const BOUNDED: ABI = ABI::V5;

/// Confines this thread and those that it starts, as far as the kernel can: signals only since Linux 6.12. Nothing is
/// permitted below any directory: whatever is written was opened before.
///
/// # Errors
/// If the kernel refuses what it offers.
pub(crate) fn enter_layer() -> Result<(), RulesetError> {
    Ruleset::default()
        .set_compatibility(CompatLevel::BestEffort)
        .handle_access(AccessFs::from_write(BOUNDED) | AccessFs::Execute)?
        .handle_access(AccessNet::from_all(BOUNDED))?
        .scope(Scope::Signal | Scope::AbstractUnixSocket)?
        .create()?
        .restrict_self()
        .map(drop)
}

/// What changes modes and owners, starts programs, and whatever else is done to paths without opening them, for a kernel
/// without Landlock. The daemon's filter, which holds as well, permits some of them, and no calls of x32.
const REFUSED: &[c_long] = &[
    libc::SYS_fchmod,
    libc::SYS_fchmodat,
    libc::SYS_fchmodat2,
    libc::SYS_fchown,
    libc::SYS_fchownat,
    libc::SYS_linkat,
    libc::SYS_mkdirat,
    libc::SYS_mknodat,
    libc::SYS_renameat,
    libc::SYS_renameat2,
    libc::SYS_symlinkat,
    libc::SYS_unlinkat,
    libc::SYS_openat2,
    libc::SYS_execve,
    libc::SYS_execveat,
    // While a directory is read, nobody else makes a name in it.
    libc::SYS_getdents64,
    // Locks, and watches, of which the kernel grants only so many to a user: the daemon has the same one.
    libc::SYS_flock,
    libc::SYS_epoll_create1,
    libc::SYS_inotify_init1,
    // It waits for nobody to connect.
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_listen,
];

/// The same by calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
const REFUSED_OLD: &[c_long] = &[
    libc::SYS_chmod,
    libc::SYS_chown,
    libc::SYS_lchown,
    libc::SYS_link,
    libc::SYS_mkdir,
    libc::SYS_mknod,
    libc::SYS_rename,
    libc::SYS_rmdir,
    libc::SYS_symlink,
    libc::SYS_unlink,
    libc::SYS_fork,
    libc::SYS_vfork,
    libc::SYS_epoll_create,
    libc::SYS_inotify_init,
];
#[cfg(not(target_arch = "x86_64"))]
const REFUSED_OLD: &[c_long] = &[];

/// An argument of a call, the bits of it that are looked at, and what they are.
type Is = (u8, c_int, c_int);

const ALL_BITS: c_int = -1;

/// Refused where all of these arguments are so.
const REFUSED_WITH: &[(c_long, &[Is])] = &[
    // A new process would outlive the helper. Threads may be started.
    (libc::SYS_clone, &[(0, libc::CLONE_THREAD, 0)]),
    // Emptying a file, which Landlock sees only since Linux 6.2.
    (libc::SYS_openat, &[(2, libc::O_TRUNC, libc::O_TRUNC)]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, &[(1, libc::O_TRUNC, libc::O_TRUNC)]),
    // While a file is read in this way, nobody else writes to it.
    (libc::SYS_openat, &[(2, libc::O_DIRECT, libc::O_DIRECT)]),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_open, &[(1, libc::O_DIRECT, libc::O_DIRECT)]),
    // Commands that take no value, such as F_GETFD, are called with whatever the register holds.
    (libc::SYS_fcntl, &[(1, ALL_BITS, libc::F_SETFL), (2, libc::O_DIRECT, libc::O_DIRECT)]),
];

/// Refuses this thread and those that it starts the calls of [`REFUSED`] and [`REFUSED_WITH`], with EPERM.
///
/// # Errors
/// If there is no filter for this architecture, or the kernel, the daemon's or the service's filter refuses it.
pub(crate) fn filter_calls() -> Result<(), seccompiler::Error> {
    let mut rules = BTreeMap::<_, Vec<_>>::new();
    for (call, arguments) in REFUSED_WITH {
        let conditions = arguments.iter().map(|is| condition(*is)).collect::<Result<_, _>>()?;
        rules.entry(*call).or_default().push(SeccompRule::new(conditions)?);
    }
    rules.extend(REFUSED.iter().chain(REFUSED_OLD).map(|call| (*call, Vec::new())));
    refuse(rules)
}

fn condition(
    (argument, looked_at, value): Is,
) -> Result<SeccompCondition, seccompiler::BackendError> {
    let compare = SeccompCmpOp::MaskedEq(looked_at.cast_unsigned().into());
    let value = value.cast_unsigned().into();
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)
}

/// Refuses this thread to start others.
///
/// # Errors
/// As [`filter_calls`].
pub(crate) fn start_no_threads() -> Result<(), seccompiler::Error> {
    refuse([libc::SYS_clone, libc::SYS_clone3].map(|call| (call, Vec::new())).into())
}

fn refuse(rules: BTreeMap<c_long, Vec<SeccompRule>>) -> Result<(), seccompiler::Error> {
    let fails = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, fails, ARCH.try_into()?)?;
    let program: BpfProgram = filter.try_into()?;
    apply_filter(&program)
}
