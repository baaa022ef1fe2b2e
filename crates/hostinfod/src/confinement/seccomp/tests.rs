use super::*;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

use rustix::fs::{AtFlags, CWD, Mode, chmodat, chown, mkdirat};
use rustix::net::{AddressFamily, SocketType};

/// Runs a test in a thread of its own, which alone is confined.
fn confined(vsock: bool, test: impl FnOnce() + Send) {
    std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            for program in [without_clone3().unwrap(), permitted(vsock).unwrap()] {
                seccompiler::apply_filter(&program).unwrap();
            }
            test();
        });
        thread.join().unwrap();
    });
}

#[test]
fn threads_and_programs_are_started_but_no_copy_of_the_process_and_no_namespace() {
    confined(false, || {
        assert_eq!(std::thread::spawn(|| 7).join().unwrap(), 7);
        let start = || Command::new("/bin/true");
        assert!(start().status().unwrap().success());
        // A user to become is what makes it fork(2), and so copy the process.
        let user = rustix::process::getuid().as_raw();
        let error = start().uid(user).status().unwrap_err();
        assert_eq!(error.kind(), std::io::ErrorKind::PermissionDenied);
        let moved = nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWUSER);
        assert_eq!(moved, Err(nix::errno::Errno::EPERM));
    });
}

#[test]
fn a_socket_reaches_this_host_and_its_guests_alone() {
    let open = |family| rustix::net::socket(family, SocketType::STREAM, None).map(drop);
    for vsock in [false, true] {
        confined(vsock, || {
            open(AddressFamily::UNIX).unwrap();
            std::os::unix::net::UnixStream::pair().unwrap();
            for family in [AddressFamily::INET, AddressFamily::INET6, AddressFamily::NETLINK] {
                assert_eq!(open(family), Err(Errno::PERM));
            }
            let is_refused = open(AddressFamily::VSOCK) == Err(Errno::PERM);
            assert_eq!(is_refused, !vsock);
        });
    }
}

#[test]
fn sending_cannot_connect_an_accepted_socket_that_was_disconnected() {
    use rustix::net::{SendAncillaryBuffer, SendFlags, connect_unspec, sendmsg_addr, sendto};
    use std::net::{TcpListener, TcpStream};
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap();
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let aim = other.local_addr().unwrap();
    let fast_open = SendFlags::from_bits_retain(libc::MSG_FASTOPEN.cast_unsigned());
    let _client = TcpStream::connect(metrics.local_addr().unwrap()).unwrap();
    let (accepted, _) = metrics.accept().unwrap();
    confined(false, || {
        rustix::net::send(&accepted, b"x", SendFlags::NOSIGNAL).unwrap();
        connect_unspec(&accepted).unwrap();
        assert_eq!(sendto(&accepted, b"x", fast_open, &aim), Err(Errno::PERM));
        let none = &mut SendAncillaryBuffer::default();
        assert_eq!(sendmsg_addr(&accepted, &aim, &[], none, fast_open), Err(Errno::PERM));
    });
    other.set_nonblocking(true).unwrap();
    assert!(other.accept().is_err());
}

/// Of `linux/in.h`, which libc does not have yet: the lowest port, and the highest one above it.
const IP_LOCAL_PORT_RANGE: libc::c_int = 51;

#[derive(Clone)]
struct LocalPortRange;

#[derive(Clone)]
struct NumberOfAnotherLevel;

nix::setsockopt_impl!(
    LocalPortRange,
    libc::IPPROTO_IP,
    IP_LOCAL_PORT_RANGE,
    usize,
    nix::sys::socket::sockopt::SetUsize
);
nix::setsockopt_impl!(
    NumberOfAnotherLevel,
    libc::IPPROTO_IP,
    libc::SO_OOBINLINE,
    bool,
    nix::sys::socket::sockopt::SetBool
);

#[test]
fn of_sockets_only_what_guests_connections_need_is_set_and_no_port_is_chosen() {
    use nix::sys::socket::{setsockopt, sockopt};
    use rustix::net::sockopt::{set_socket_oobinline, set_socket_passcred};
    use std::net::{TcpListener, TcpStream};
    let metrics = TcpListener::bind("127.0.0.1:0").unwrap();
    let _client = TcpStream::connect(metrics.local_addr().unwrap()).unwrap();
    let (accepted, _) = metrics.accept().unwrap();
    let (guest, _peer) = std::os::unix::net::UnixStream::pair().unwrap();
    confined(true, || {
        set_socket_oobinline(&guest, true).unwrap();
        set_socket_passcred(&guest, true).unwrap();
        rustix::net::connect_unspec(&accepted).unwrap();
        let refused = Err(nix::errno::Errno::EPERM);
        assert_eq!(setsockopt(&accepted, LocalPortRange, &0x7531_7531), refused);
        assert_eq!(setsockopt(&accepted, NumberOfAnotherLevel, &true), refused);
        assert_eq!(setsockopt(&accepted, sockopt::ReuseAddr, &true), refused);
    });
}

/// Whether the kernel finds out, when the filter is installed, that a call is allowed whatever its arguments, and then
/// no longer runs the filter for it: `seccomp_is_const_allow` in kernel/seccomp.c, since Linux 5.11.
fn is_always_allowed(filter: &BpfProgram, call: i64) -> bool {
    let arch: u32 = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
    let (mut register, mut at) = (0, 0);
    loop {
        let instruction = &filter[at];
        match (instruction.code, instruction.k) {
            (0x20, 0) => register = u32::try_from(call).unwrap(),
            (0x20, 4) => register = arch,
            (0x05, ahead) => at += ahead as usize,
            (0x15, value) if register == value => at += usize::from(instruction.jt),
            (0x15, _) => at += usize::from(instruction.jf),
            (0x06, action) => return action == libc::SECCOMP_RET_ALLOW,
            _ => return false,
        }
        at += 1;
    }
}

/// But for sendto(2), whose flags the filter looks at.
#[test]
fn the_system_calls_of_a_query_are_allowed_without_running_the_filter() {
    for filter in [without_clone3().unwrap(), permitted(false).unwrap()] {
        for call in [
            libc::SYS_epoll_pwait,
            libc::SYS_pread64,
            libc::SYS_read,
            libc::SYS_recvfrom,
            libc::SYS_sched_getaffinity,
            libc::SYS_statx,
            libc::SYS_write,
        ] {
            assert!(is_always_allowed(&filter, call), "{call}");
        }
    }
    assert!(!is_always_allowed(&permitted(false).unwrap(), libc::SYS_socket));
    assert!(!is_always_allowed(&without_clone3().unwrap(), libc::SYS_clone3));
}

#[test]
fn a_memory_file_can_be_made_only_if_it_cannot_be_executed() {
    let create = |flags| memfd_create("x", MemfdFlags::CLOEXEC | flags).map(drop);
    // Before Linux 6.3, no memory file says whether it can be executed, and all are permitted.
    if create(MemfdFlags::NOEXEC_SEAL) == Err(Errno::INVAL) {
        confined(false, || create(MemfdFlags::ALLOW_SEALING).unwrap());
        return;
    }
    confined(false, || {
        create(MemfdFlags::NOEXEC_SEAL).unwrap();
        create(MemfdFlags::NOEXEC_SEAL | MemfdFlags::ALLOW_SEALING).unwrap();
        for refused in [MemfdFlags::empty(), MemfdFlags::ALLOW_SEALING, MemfdFlags::EXEC] {
            assert_eq!(create(refused), Err(Errno::PERM), "{refused:?}");
        }
    });
}

#[test]
fn a_descriptor_is_copied_and_its_flags_are_set_and_nothing_else_is_done_to_what_is_open() {
    use nix::errno::Errno;
    use nix::fcntl::{FcntlArg, FdFlag, OFlag, fcntl};
    let (reader, _writer) = std::io::pipe().unwrap();
    let permitted = [
        FcntlArg::F_GETFD,
        FcntlArg::F_SETFD(FdFlag::FD_CLOEXEC),
        FcntlArg::F_GETFL,
        FcntlArg::F_SETFL(OFlag::O_NONBLOCK),
    ];
    confined(false, || {
        reader.try_clone().unwrap();
        for command in permitted {
            fcntl(&reader, command).unwrap();
        }
        // It stands for all commands that are refused: this crate offers neither leases nor owners.
        assert_eq!(fcntl(&reader, FcntlArg::F_GETPIPE_SZ), Err(Errno::EPERM));
    });
}

#[test]
fn no_mode_gives_anybodys_rights_or_lets_others_into_a_directory_and_no_owner_changes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "x").unwrap();
    let (user, group) = (rustix::process::getuid(), rustix::process::getgid());
    confined(false, || {
        let mode = |bits| {
            let mode = Mode::from_raw_mode(bits);
            let descriptor = std::fs::File::open(&file).unwrap();
            let results = [
                chmodat(CWD, &file, mode, AtFlags::empty()),
                rustix::fs::fchmod(descriptor, mode),
                mkdirat(CWD, folder.path().join(format!("{bits:o}")), mode),
            ];
            assert!(results.iter().all(|result| *result == results[0]), "{results:?}");
            results[0]
        };
        for permitted in [0o600, 0o666, 0o700, 0o711, 0o755, 0o721, 0o712, 0o1600] {
            mode(permitted).unwrap();
        }
        for refused in [0o4755, 0o2755, 0o6711, 0o777, 0o770, 0o733, 0o730, 0o703, 0o1777] {
            assert_eq!(mode(refused), Err(Errno::PERM), "{refused:o}");
        }
        chown(&file, None, Some(group)).unwrap();
        assert_eq!(chown(&file, Some(user), None), Err(Errno::PERM));
    });
}

#[test]
fn a_file_that_is_renamed_leaves_no_device_behind() {
    use rustix::fs::{RenameFlags, renameat_with};
    let folder = tempfile::tempdir().unwrap();
    let [from, to] = ["from", "to"].map(|name| folder.path().join(name));
    std::fs::write(&from, "x").unwrap();
    confined(false, || {
        let rename = |flags| renameat_with(CWD, &from, CWD, &to, flags);
        for refused in [RenameFlags::WHITEOUT, RenameFlags::WHITEOUT | RenameFlags::NOREPLACE] {
            assert_eq!(rename(refused), Err(Errno::PERM));
        }
        rename(RenameFlags::NOREPLACE).unwrap();
        std::fs::rename(&to, &from).unwrap();
    });
}

#[test]
fn files_are_read_as_another_user_and_group_but_not_as_roots_and_in_no_further_group() {
    use nix::unistd::{Gid, Uid, setfsgid, setfsuid};
    use rustix::thread::set_thread_groups;
    // Both say who it was before, or -1 where the call is refused.
    let as_user = |id| setfsuid(Uid::from_raw(id)).as_raw();
    let in_group = |id| setfsgid(Gid::from_raw(id)).as_raw();
    confined(false, || {
        assert_eq!([as_user(0), in_group(0)], [u32::MAX; 2]);
        assert!(as_user(4321) != u32::MAX && in_group(4321) != u32::MAX);
        assert_eq!(set_thread_groups(&[rustix::process::Gid::from_raw(4321)]), Err(Errno::PERM));
        if rustix::process::getuid().is_root() {
            assert_eq!((as_user(4322), in_group(4322)), (4321, 4321));
            set_thread_groups(&[]).unwrap();
        }
    });
}

/// Which is why open(2) needs no rule. What root writes to stays as it is, so root becomes somebody else for this.
#[test]
fn a_file_that_was_made_set_user_id_is_so_no_more_after_its_first_byte() {
    use std::io::Write as _;
    use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o777)).unwrap();
    let path = folder.path().join("file");
    let write = || {
        if rustix::process::getuid().is_root() {
            let somebody = rustix::process::Uid::from_raw(4321);
            rustix::thread::set_thread_res_uid(somebody, somebody, somebody).unwrap();
        }
        let mut options = std::fs::File::options();
        let mut file = options.write(true).create_new(true).mode(0o6755).open(path).unwrap();
        let mode = |file: &std::fs::File| file.metadata().unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode(&file), 0o6755);
        file.write_all(b"x").unwrap();
        assert_eq!(mode(&file), 0o755);
    };
    std::thread::scope(|scope| scope.spawn(write).join().unwrap());
}
