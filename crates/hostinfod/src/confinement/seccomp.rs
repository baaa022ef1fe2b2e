//! seccomp, seccomp(2): only the system calls of `system_calls` are possible. The others fail with EPERM, so that a
//! library that can do without one does so, and what fails is in the log with its reason.

use std::collections::BTreeMap;
use std::env::consts::ARCH;

use nix::libc;
use rustix::fs::{MemfdFlags, memfd_create};
use rustix::io::Errno;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
    SeccompFilter, SeccompRule, apply_filter_all_threads,
};

use super::system_calls::{
    FCNTLS, IOCTLS, PERMITTED, PERMITTED_OLD, PRCTLS, SEND, SET_FILE_USER, SET_MODE, SET_OWNER,
    SOCKET_OPTIONS,
};

/// The bits of a mode that make a file run as its owner or its group, and a directory hand on its group: inode(7).
const SPECIAL_BITS: u64 = 0o6000;

/// By which the group, or others, write to a directory and search it. A mode that has both lets them make files there, also
/// such as the daemon cannot make, like symbolic links, which libvirt follows as root where it expects a guest's socket or
/// disk.
const WRITE_AND_SEARCH: [[u64; 2]; 2] = [[0o020, 0o010], [0o002, 0o001]];

/// chown(2): the owner stays.
const SAME_OWNER: u64 = 0xffff_ffff;

/// Why there is no filter.
#[derive(Debug, thiserror::Error)]
pub(super) enum Error {
    /// The list makes none.
    #[error("no filter for {ARCH}: {0}")]
    Filter(#[from] BackendError),
    /// The kernel refused it.
    #[error("the kernel does not offer it, or the service's own filter refuses it: {0}")]
    Refused(#[from] seccompiler::Error),
}

/// Confines all threads of this process and what it starts. With `vsock`, sockets of AF_VSOCK can be made.
///
/// # Errors
/// [`Error`].
pub(super) fn restrict(vsock: bool) -> Result<(), Error> {
    for program in [without_clone3()?, permitted(vsock)?] {
        apply_filter_all_threads(&program)?;
    }
    Ok(())
}

/// clone3(2) is passed its flags by a pointer, and no filter can read what is there. It fails as on a kernel that does not
/// have it: then a libc uses clone(2).
fn without_clone3() -> Result<BpfProgram, BackendError> {
    let number = libc::ENOSYS.unsigned_abs();
    let rules = [(libc::SYS_clone3, Vec::new())].into();
    program(rules, SeccompAction::Allow, SeccompAction::Errno(number))
}

fn permitted(vsock: bool) -> Result<BpfProgram, BackendError> {
    let families = [Some(libc::AF_UNIX), vsock.then_some(libc::AF_VSOCK)];
    let families = families.into_iter().flatten().map(bits);
    let permitted = PERMITTED.iter().chain(PERMITTED_OLD);
    let mut rules: BTreeMap<_, _> = permitted.map(|call| (*call, Vec::new())).collect();
    rules.insert(libc::SYS_socket, one_of(0, families)?);
    rules.insert(libc::SYS_socketpair, one_of(0, [bits(libc::AF_UNIX)])?);
    rules.insert(libc::SYS_setsockopt, socket_options()?);
    rules.insert(libc::SYS_ioctl, one_of(1, IOCTLS)?);
    rules.insert(libc::SYS_fcntl, one_of(1, FCNTLS.map(bits))?);
    rules.insert(libc::SYS_prctl, one_of(0, PRCTLS.map(bits))?);
    rules.insert(libc::SYS_clone, starts()?);
    // Its own limits alone, by the PID 0: by another's it could end that, which no rule on signals sees.
    rules.insert(libc::SYS_prlimit64, one_of(0, [0])?);
    // hostinfo-libvirt filters its own calls further, in its only thread and with no listener for them.
    rules.insert(libc::SYS_seccomp, vec![own_filter()?]);
    rules.insert(libc::SYS_memfd_create, memory_files()?);
    rules.insert(libc::SYS_renameat2, vec![without_whiteout()?]);
    rules.extend(file_users()?);
    rules.extend(modes_and_owners()?);
    rules.extend(without_fast_open()?);
    let refused = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    program(rules, refused, SeccompAction::Allow)
}

/// Threads, and what posix_spawn(3) does: the new process shares memory with this one, which waits until it executes a
/// program. So there are no copies of the daemon, no new namespaces, and no processes that are not its own children.
fn starts() -> Result<Vec<SeccompRule>, BackendError> {
    let refused = libc::CLONE_PARENT
        | libc::CLONE_NEWNS
        | libc::CLONE_NEWCGROUP
        | libc::CLONE_NEWUTS
        | libc::CLONE_NEWIPC
        | libc::CLONE_NEWUSER
        | libc::CLONE_NEWPID
        | libc::CLONE_NEWNET;
    [libc::CLONE_THREAD, libc::CLONE_VM | libc::CLONE_VFORK]
        .into_iter()
        .map(|wanted| {
            let looked_at = SeccompCmpOp::MaskedEq(bits(refused | wanted));
            rule(0, looked_at, bits(wanted))
        })
        .collect()
}

/// Memory files that cannot be executed, which Landlock does not see. Kernels before 6.3 know no others than those that
/// can.
fn memory_files() -> Result<Vec<SeccompRule>, BackendError> {
    let wanted = MemfdFlags::NOEXEC_SEAL;
    if memfd_create("hostinfo-probe", MemfdFlags::CLOEXEC | wanted).err() == Some(Errno::INVAL) {
        return Ok(Vec::new());
    }
    let wanted = wanted.bits().into();
    Ok(vec![rule(1, SeccompCmpOp::MaskedEq(wanted), wanted)?])
}

/// SECCOMP_SET_MODE_FILTER without flags.
fn own_filter() -> Result<SeccompRule, BackendError> {
    let is = |argument, value: u32| {
        let equal = SeccompCmpOp::Eq;
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, equal, value.into())
    };
    SeccompRule::new(vec![is(0, libc::SECCOMP_SET_MODE_FILTER)?, is(1, 0)?])
}

fn socket_options() -> Result<Vec<SeccompRule>, BackendError> {
    let is = |argument, value| {
        SeccompCondition::new(argument, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, bits(value))
    };
    let permitted =
        SOCKET_OPTIONS.map(|name| SeccompRule::new(vec![is(1, libc::SOL_SOCKET)?, is(2, name)?]));
    permitted.into_iter().collect()
}

/// Neither root nor its group, nobody more than a user with one group: setgroups(2) with none.
fn file_users() -> Result<Vec<(i64, Vec<SeccompRule>)>, BackendError> {
    let mut rules = vec![(libc::SYS_setgroups, one_of(0, [0])?)];
    for call in SET_FILE_USER {
        rules.push((call, vec![rule(0, SeccompCmpOp::Ne, 0)?]));
    }
    Ok(rules)
}

/// Modes without [`SPECIAL_BITS`] and without either pair of [`WRITE_AND_SEARCH`], and other groups. What open(2) makes can
/// have such bits, but it makes no directories, and whoever is not privileged writes nothing to a file without its losing
/// those that are special: `file_remove_privs` in the kernel's fs/inode.c.
fn modes_and_owners() -> Result<Vec<(i64, Vec<SeccompRule>)>, BackendError> {
    let [of_group, of_others] = WRITE_AND_SEARCH;
    let missing = of_group.map(|group| of_others.map(|others| SPECIAL_BITS | group | others));
    let modes = SET_MODE.iter().map(|(call, argument)| {
        let without = |bits: &u64| rule(*argument, SeccompCmpOp::MaskedEq(*bits), 0);
        Ok((*call, missing.as_flattened().iter().map(without).collect::<Result<_, _>>()?))
    });
    let owners = SET_OWNER
        .iter()
        .map(|(call, argument)| Ok((*call, vec![rule(*argument, SeccompCmpOp::Eq, SAME_OWNER)?])));
    modes.chain(owners).collect()
}

/// RENAME_WHITEOUT, rename(2), leaves a character device where a file was, and that is the only way left to make one.
fn without_whiteout() -> Result<SeccompRule, BackendError> {
    rule(4, SeccompCmpOp::MaskedEq(libc::RENAME_WHITEOUT.into()), 0)
}

/// MSG_FASTOPEN, tcp(7), connects before it sends, which Landlock does not see: a connection that was accepted at `[metrics]
/// listen` can be disconnected, and then go to any port.
fn without_fast_open() -> Result<Vec<(i64, Vec<SeccompRule>)>, BackendError> {
    let flag = SeccompCmpOp::MaskedEq(bits(libc::MSG_FASTOPEN));
    SEND.iter()
        .map(|(call, argument)| Ok((*call, vec![rule(*argument, flag.clone(), 0)?])))
        .collect()
}

/// One argument has one of these values. The kernel looks at the lower half of each.
fn one_of(
    argument: u8,
    values: impl IntoIterator<Item = u64>,
) -> Result<Vec<SeccompRule>, BackendError> {
    values.into_iter().map(|value| rule(argument, SeccompCmpOp::Eq, value)).collect()
}

fn rule(argument: u8, compare: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, compare, value)?;
    SeccompRule::new(vec![condition])
}

fn bits(argument: i32) -> u64 {
    u64::from(argument.cast_unsigned())
}

/// What becomes of calls that no rule is about, and of those that meet one.
fn program(
    rules: BTreeMap<i64, Vec<SeccompRule>>,
    others: SeccompAction,
    these: SeccompAction,
) -> Result<BpfProgram, BackendError> {
    SeccompFilter::new(rules, others, these, ARCH.try_into()?)?.try_into()
}

#[cfg(test)]
mod tests;
