//! Which system calls are possible once the daemon has confined itself.
//!
//! Those that the whole-system tests were seen to make (`strace -f -c` of the daemon and of hostinfo-libvirt), and what
//! stands beside each of them: another libc, kernel or version of libvirt reads by readv(2) what this one reads by
//! read(2), and waits by ppoll(2) instead of poll(2). Such a neighbour reaches nothing that the one beside it does not
//! reach. What is not here was neither seen nor is a neighbour: other processes' memory, mounts, namespaces, keys, BPF,
//! io_uring, modules, the clock, links and special files, priorities, users and groups but for files.
//!
//! Whoever adds one counts up `NEEDS` in `layers`.
//!
//! The kernel decides without running the filter where it does not depend on arguments (since Linux 5.11), so what a
//! guest's request takes is in this list, and not among the calls whose arguments are looked at.

use nix::libc::{self, c_long};

/// Without regard to arguments.
pub(super) const PERMITTED: &[c_long] = &[
    // Memory.
    libc::SYS_brk,
    libc::SYS_madvise,
    libc::SYS_mmap,
    libc::SYS_mprotect,
    libc::SYS_mremap,
    libc::SYS_munmap,
    // Threads, what a libc begins a program with, and the end.
    #[cfg(target_arch = "x86_64")]
    libc::SYS_arch_prctl,
    // Answered by the filter before this one.
    libc::SYS_clone3,
    libc::SYS_exit,
    libc::SYS_exit_group,
    libc::SYS_futex,
    libc::SYS_getcpu,
    libc::SYS_gettid,
    libc::SYS_membarrier,
    libc::SYS_rseq,
    libc::SYS_sched_getaffinity,
    libc::SYS_sched_yield,
    libc::SYS_set_robust_list,
    libc::SYS_set_tid_address,
    // Signals. Which processes they reach is up to Landlock, and to who owns them.
    libc::SYS_kill,
    libc::SYS_pidfd_open,
    libc::SYS_pidfd_send_signal,
    libc::SYS_restart_syscall,
    libc::SYS_rt_sigaction,
    libc::SYS_rt_sigpending,
    libc::SYS_rt_sigprocmask,
    libc::SYS_rt_sigreturn,
    libc::SYS_rt_sigsuspend,
    libc::SYS_rt_sigtimedwait,
    libc::SYS_sigaltstack,
    libc::SYS_tgkill,
    // Programs that it starts. Which these are is up to Landlock.
    libc::SYS_execve,
    libc::SYS_execveat,
    libc::SYS_wait4,
    libc::SYS_waitid,
    // Who and where it is, and its limits.
    libc::SYS_capget,
    libc::SYS_getcwd,
    libc::SYS_get_mempolicy,
    libc::SYS_getegid,
    libc::SYS_geteuid,
    libc::SYS_getgid,
    libc::SYS_getgroups,
    libc::SYS_getpid,
    libc::SYS_getppid,
    libc::SYS_getresgid,
    libc::SYS_getresuid,
    libc::SYS_getrusage,
    libc::SYS_getuid,
    libc::SYS_sysinfo,
    libc::SYS_umask,
    libc::SYS_uname,
    // hostinfo-libvirt confines itself further, also by seccomp(2). Nobody gains anything by them.
    libc::SYS_landlock_add_rule,
    libc::SYS_landlock_create_ruleset,
    libc::SYS_landlock_restrict_self,
    // For a file of custom.d, which is read as its `user`: no capability is gained by it.
    libc::SYS_capset,
    // Time.
    libc::SYS_clock_getres,
    libc::SYS_clock_gettime,
    libc::SYS_clock_nanosleep,
    libc::SYS_gettimeofday,
    libc::SYS_nanosleep,
    libc::SYS_getrandom,
    // Files as such.
    libc::SYS_close,
    libc::SYS_close_range,
    libc::SYS_dup,
    libc::SYS_dup3,
    libc::SYS_faccessat,
    libc::SYS_faccessat2,
    libc::SYS_flock,
    libc::SYS_fstat,
    libc::SYS_fstatfs,
    libc::SYS_getdents64,
    libc::SYS_lseek,
    libc::SYS_newfstatat,
    libc::SYS_openat,
    libc::SYS_openat2,
    libc::SYS_pread64,
    libc::SYS_preadv,
    libc::SYS_read,
    libc::SYS_readlinkat,
    libc::SYS_readv,
    libc::SYS_statfs,
    libc::SYS_statx,
    // Files that it writes, and the handover to a new version. Where these are is up to Landlock.
    libc::SYS_fallocate,
    libc::SYS_fdatasync,
    libc::SYS_fsync,
    libc::SYS_ftruncate,
    libc::SYS_pwrite64,
    libc::SYS_pwritev,
    libc::SYS_renameat,
    libc::SYS_unlinkat,
    libc::SYS_write,
    libc::SYS_writev,
    // Waiting.
    libc::SYS_epoll_create1,
    libc::SYS_epoll_ctl,
    libc::SYS_epoll_pwait,
    libc::SYS_epoll_pwait2,
    libc::SYS_eventfd2,
    libc::SYS_inotify_add_watch,
    libc::SYS_inotify_init1,
    libc::SYS_inotify_rm_watch,
    libc::SYS_pipe2,
    libc::SYS_ppoll,
    libc::SYS_pselect6,
    libc::SYS_timerfd_create,
    libc::SYS_timerfd_gettime,
    libc::SYS_timerfd_settime,
    // Sockets.
    libc::SYS_accept,
    libc::SYS_accept4,
    libc::SYS_bind,
    libc::SYS_connect,
    libc::SYS_getpeername,
    libc::SYS_getsockname,
    libc::SYS_getsockopt,
    libc::SYS_listen,
    libc::SYS_recvfrom,
    libc::SYS_recvmsg,
    libc::SYS_shutdown,
];

/// The same by calls that newer architectures do not have.
#[cfg(target_arch = "x86_64")]
pub(super) const PERMITTED_OLD: &[c_long] = &[
    libc::SYS_access,
    libc::SYS_dup2,
    libc::SYS_epoll_create,
    libc::SYS_epoll_wait,
    libc::SYS_getrlimit,
    libc::SYS_inotify_init,
    libc::SYS_lstat,
    libc::SYS_open,
    libc::SYS_pipe,
    libc::SYS_poll,
    libc::SYS_readlink,
    libc::SYS_rename,
    libc::SYS_select,
    libc::SYS_stat,
    libc::SYS_time,
    libc::SYS_unlink,
];
#[cfg(not(target_arch = "x86_64"))]
pub(super) const PERMITTED_OLD: &[c_long] = &[];

/// ioctl(2), by the numbers of asm-generic/ioctls.h, which libc types differently for each C library: whether a
/// descriptor waits (FIONBIO), how much can be read (FIONREAD), closing when a program is executed (FIOCLEX, FIONCLEX),
/// whether it is a terminal (TCGETS, TCGETS2, TIOCGWINSZ), and throwing away what a terminal holds (TCFLSH).
pub(super) const IOCTLS: [u64; 8] =
    [0x5421, 0x541b, 0x5451, 0x5450, 0x5401, 0x802c_542a, 0x5413, 0x540b];

/// fcntl(2): copies of descriptors, their flags and those of what is open, and the seals of memory files. So there are no
/// leases, with which a file's owner keeps others from opening it, and nobody is sent a signal when something happens.
pub(super) const FCNTLS: [i32; 8] = [
    libc::F_DUPFD,
    libc::F_DUPFD_CLOEXEC,
    libc::F_GETFD,
    libc::F_SETFD,
    libc::F_GETFL,
    libc::F_SETFL,
    libc::F_ADD_SEALS,
    libc::F_GET_SEALS,
];

/// prctl(2): the names of threads and of memory, the capabilities that a program has, that it ends with whoever
/// started it, that it gains no privileges, which Landlock wants, and whether its memory can be dumped.
pub(super) const PRCTLS: [i32; 8] = [
    libc::PR_SET_NAME,
    libc::PR_GET_NAME,
    libc::PR_SET_VMA,
    libc::PR_CAPBSET_READ,
    libc::PR_CAP_AMBIENT,
    libc::PR_SET_PDEATHSIG,
    libc::PR_SET_NO_NEW_PRIVS,
    libc::PR_GET_DUMPABLE,
];

/// setsockopt(2) at SOL_SOCKET, which is all that is set of a socket that the daemon connects or accepts: urgent bytes stay
/// among the others, packets come with their sender's credentials, and descriptors do not come. So there are no options of IP
/// or TCP, such as IP_LOCAL_PORT_RANGE: a scraper's connection that was disconnected can listen(2), which Landlock does not
/// see, and would do so at a port of choice. libvirt's library sets nothing of its Unix socket.
pub(super) const SOCKET_OPTIONS: [i32; 3] =
    [libc::SO_OOBINLINE, libc::SO_PASSCRED, hostinfo_peer::PASS_RIGHTS];

/// What sends, with the argument that has the flags.
pub(super) const SEND: [(c_long, u8); 2] = [(libc::SYS_sendmsg, 2), (libc::SYS_sendto, 3)];

/// What makes a thread another user and group to the kernel's checks of files, so that a file of custom.d is read as its
/// `user`. The kernel refuses it without the capabilities that only the drop-in of hostinfo-custom(5) gives the service.
pub(super) const SET_FILE_USER: [c_long; 2] = [libc::SYS_setfsuid, libc::SYS_setfsgid];

/// What sets a file's or a directory's mode, with the argument that has it.
pub(super) const SET_MODE: &[(c_long, u8)] = &[
    (libc::SYS_fchmod, 1),
    (libc::SYS_fchmodat, 2),
    (libc::SYS_mkdirat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chmod, 1),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_mkdir, 1),
];

/// What sets a file's owner and group, with the argument that has the owner; the group follows.
pub(super) const SET_OWNER: &[(c_long, u8)] = &[
    (libc::SYS_fchown, 1),
    (libc::SYS_fchownat, 2),
    #[cfg(target_arch = "x86_64")]
    (libc::SYS_chown, 1),
];
