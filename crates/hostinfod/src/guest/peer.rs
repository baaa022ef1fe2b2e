//! The process at the other end of a connection.

use std::fs::{self, File};
use std::io::{self, Read as _};
use std::os::fd::AsFd;
use std::path::Path;
use std::time::{Duration, Instant};

use hostinfo_answer::Peer;
use hostinfo_domains::{CGROUP_MAX, CMDLINE_MAX, Marks};
use hostinfo_sample::{Absent, Vmm};
use rustix::param::clock_ticks_per_second;
use rustix::process::geteuid;
use rustix::time::{ClockId, clock_gettime};

use crate::system::credentials::{Credentials, is_still_there};

/// The process at the other end, and what it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identified {
    pub(crate) peer: Peer,
    /// Whether it is libvirt. libvirt creates the socket and listens at it until QEMU takes it over,
    /// some tenths of a second later. SO_PEERCRED reports who last called listen before the connection
    /// was made.
    pub(crate) is_libvirt: bool,
}

/// The process that listens at the other end: QEMU, also under libvirt. `connecting` is a time before
/// the connection was made.
///
/// # Errors
/// The socket does not report it, for example if it is in another PID namespace; its start time is
/// unknown; or a later process has its PID, or may have it.
pub(crate) fn of(
    socket: impl AsFd,
    proc: &Path,
    connecting: Instant,
) -> Result<Identified, Absent> {
    let found = Credentials::of(&socket).ok_or(Vmm::UNSEEN)?;
    let (peer, has_name) = look(found.pid.ok_or(Vmm::UNSEEN)?, proc);
    // Any process can call itself so. libvirt is root, or in a person's session the user who has started this program.
    let is_libvirt = has_name && (found.uid.is_root() || found.uid == geteuid());
    // Checked after the start was read: if it had ended before, the start could be another's.
    let is_there = is_still_there(&socket);
    let Some(start) = peer.start else {
        return Err(if is_there == Some(false) { Vmm::HANDED_ON } else { Vmm::UNSEEN });
    };
    if is_who_listened(start, is_there, connecting) {
        Ok(Identified { peer, is_libvirt })
    } else {
        Err(Vmm::HANDED_ON)
    }
}

/// Whether a process that began at `start` is who listened, and not a later one with its number. Where the kernel cannot
/// say that it is still there, it must have begun before the connection was made.
fn is_who_listened(start: u64, is_there: Option<bool>, connecting: Instant) -> bool {
    is_there.unwrap_or_else(|| start <= ticks(boot_time_at(connecting)))
}

/// The time from boot to `then`, including suspension, as in the start times of processes: proc(5).
fn boot_time_at(then: Instant) -> Duration {
    let now = clock_gettime(ClockId::Boottime);
    Duration::try_from(now).unwrap_or_default().saturating_sub(then.elapsed())
}

fn ticks(time: Duration) -> u64 {
    let ticks = time.as_nanos() * u128::from(clock_ticks_per_second()) / 1_000_000_000;
    u64::try_from(ticks).unwrap_or(u64::MAX)
}

/// The process that has this PID now.
pub(crate) fn now(pid: i32, proc: &Path) -> Peer {
    look(pid, proc).0
}

/// The same, and whether it has the name of libvirt's.
fn look(pid: i32, proc: &Path) -> (Peer, bool) {
    let stat = line(pid, "stat", proc).unwrap_or_default();
    let stat = String::from_utf8_lossy(&stat);
    (
        Peer { pid, start: start_time(&stat) },
        name(&stat).is_some_and(|name| LIBVIRT.contains(&name)),
    )
}

/// libvirt's daemons that start QEMU: the one for all drivers, and the one for QEMU.
const LIBVIRT: [&str; 2] = ["libvirtd", "virtqemud"];

/// What libvirt has marked the process with, and its command line. `cmdline` gets the marks that are known without one, and
/// reads it if it is needed. Neither is returned if the process has ended meanwhile: they could be those of another process
/// with its number. There are no marks if it cannot be looked at, or if `/proc` has the numbers of another PID namespace, in
/// which another process has this number.
pub(crate) fn marks(
    peer: Peer,
    proc: &Path,
    cmdline: impl FnOnce(Option<&Marks>) -> Option<Vec<u8>>,
) -> (Option<Marks>, Option<Vec<u8>>) {
    let files = marking_files(peer.pid, proc);
    let of = |cmdline: &[u8]| {
        let (comm, cgroup) = files.as_ref()?;
        Marks::new(peer.pid, comm, cgroup, cmdline.get(..CMDLINE_MAX).unwrap_or(cmdline))
    };
    let mut marks = of(b"");
    let cmdline = cmdline(marks.as_ref());
    if let Some(cmdline) = &cmdline {
        marks = of(cmdline);
    }
    let is_any = marks.is_some() || cmdline.is_some();
    believed(is_any.then_some((marks, cmdline)), peer, proc).unwrap_or_default()
}

/// What was read of the process's files, if that is still the same process.
pub(crate) fn believed<T>(read: Option<T>, peer: Peer, proc: &Path) -> Option<T> {
    read.filter(|_| now(peer.pid, proc).is(peer))
}

/// Its `comm` and `cgroup`.
fn marking_files(pid: i32, proc: &Path) -> Option<(Vec<u8>, Vec<u8>)> {
    let own = fs::read_link(proc.join("self")).ok()?;
    if own.to_str()?.parse() != Ok(std::process::id()) {
        return None;
    }
    Some((line(pid, "comm", proc).ok()?, read(pid, "cgroup", CGROUP_MAX, proc).ok()?))
}

/// The beginning of a process's file, at most `bound` bytes.
pub(super) fn read(pid: i32, file: &str, bound: usize, proc: &Path) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let bound = u64::try_from(bound).unwrap_or(u64::MAX);
    File::open(proc.join(format!("{pid}/{file}")))?.take(bound).read_to_end(&mut bytes)?;
    Ok(bytes)
}

/// The beginning of a process's file of one line, which the kernel gives out in one piece: a daemon that starts
/// reads one for each of 10,000 guests, and [`std::fs::read`] takes seven system calls for one. Field 22 of `stat`
/// is in the first 500 bytes.
fn line(pid: i32, file: &str, proc: &Path) -> io::Result<Vec<u8>> {
    let mut line = vec![0; 1024];
    let length = File::open(proc.join(format!("{pid}/{file}")))?.read(&mut line)?;
    line.truncate(length);
    Ok(line)
}

/// Field 2 of `/proc/PID/stat`, without its brackets: the contents of `comm`.
fn name(stat: &str) -> Option<&str> {
    stat.split_once('(')?.1.rsplit_once(')').map(|(name, _)| name)
}

/// Field 22 of `/proc/PID/stat`, proc(5). The name in field 2 may contain blanks and brackets.
///
/// `4242 (CPU 0/KVM (x)) S 1 4242 4242 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 3 0 123456 1000 ...`
fn start_time(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    behind_name.split_ascii_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::fd::OwnedFd;
    use std::os::unix::net::{UnixListener, UnixStream};
    use std::process::{Child, Command, Stdio};

    #[test]
    fn the_name_of_a_process_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "4242 (CPU 0/KVM (x)) S 1 4242 4242 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 3 0 123456 1000 9";
        assert_eq!(start_time(stat), Some(123_456));
        for broken in ["", "1 (a", "1 (a) S 1", "1 (a) S 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k x"]
        {
            assert_eq!(start_time(broken), None, "{broken}");
        }
    }

    #[test]
    fn another_users_process_that_calls_itself_libvirtd_is_not_libvirt() {
        const ANOTHER: u32 = 65_534;
        assert!(geteuid().is_root(), "needs root, to listen as another user");
        let (folder, proc) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let pid = std::process::id();
        fs::create_dir(proc.path().join(pid.to_string())).unwrap();
        let stat = format!("{pid} (libvirtd) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 1 1 2\n");
        fs::write(proc.path().join(format!("{pid}/stat")), stat).unwrap();
        let listener = UnixListener::bind(folder.path().join("s")).unwrap();
        for (user, is_libvirt) in [(0, true), (ANOTHER, false)] {
            std::thread::scope(|scope| {
                let listen = || {
                    let user = rustix::process::Uid::from_raw(user);
                    rustix::thread::set_thread_res_uid(None, user, None).unwrap();
                    // The kernel tells who called this last.
                    rustix::net::listen(&listener, 1).unwrap();
                };
                scope.spawn(listen).join().unwrap();
            });
            let socket = UnixStream::connect(folder.path().join("s")).unwrap();
            let found = of(&socket, proc.path(), Instant::now()).unwrap();
            assert_eq!(found.is_libvirt, is_libvirt, "user {user}");
        }
    }

    #[test]
    fn libvirt_is_known_by_its_name() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("7")).unwrap();
        assert!(!look(7, proc.path()).1);
        for (name, is) in [
            ("libvirtd", true),
            ("virtqemud", true),
            ("qemu-system-x86", false),
            ("x) (libvirtd", false),
        ] {
            fs::write(proc.path().join("7/stat"), format!("7 ({name}) S 1 7 7 0 -1 0")).unwrap();
            assert_eq!(look(7, proc.path()).1, is, "{name}");
        }
    }

    const PROC: &str = "/proc";

    #[test]
    fn the_peer_of_a_socket_is_the_process_that_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let connecting = Instant::now();
        let found = of(UnixStream::connect(&path).unwrap(), Path::new(PROC), connecting);
        let Identified { peer, is_libvirt } = found.unwrap();
        assert!(!is_libvirt);
        assert_eq!(peer.pid.cast_unsigned(), std::process::id());
        assert!(
            is_who_listened(peer.start.unwrap(), None, connecting),
            "as an older kernel needs it"
        );
    }

    #[test]
    fn on_an_older_kernel_a_process_that_began_after_the_daemon_connected_is_not_who_listened() {
        let connecting = Instant::now();
        // Starts are told in hundredths of a second.
        std::thread::sleep(Duration::from_millis(50));
        let mut later = Command::new("sleep").arg("1000").spawn().unwrap();
        let start = now(later.id().cast_signed(), Path::new(PROC)).start.unwrap();
        later.kill().unwrap();
        later.wait().unwrap();
        assert!(!is_who_listened(start, None, connecting));
        assert!(is_who_listened(start, None, Instant::now()));
        for is_there in [true, false] {
            assert_eq!(is_who_listened(start, Some(is_there), connecting), is_there);
        }
    }

    #[test]
    fn a_process_is_looked_at_only_in_a_proc_of_this_pid_namespace_and_only_while_it_is_the_same() {
        let own = now(std::process::id().cast_signed(), Path::new("/proc"));
        let line = Some(b"x".to_vec());
        let marks = |peer, proc: &Path| marks(peer, proc, |_| line.clone());
        let (found, read) = marks(own, Path::new("/proc"));
        assert_eq!((found.is_some(), read), (true, line.clone()));
        let another = Peer { start: Some(1), ..own };
        assert_eq!(marks(another, Path::new("/proc")), (None, None));
        let proc = tempfile::tempdir().unwrap();
        let process = proc.path().join(own.pid.to_string());
        std::os::unix::fs::symlink("/proc/self", &process).unwrap();
        assert_eq!(marks(own, proc.path()).0, None, "nothing says whose numbers these are");
        std::os::unix::fs::symlink("1", proc.path().join("self")).unwrap();
        assert_eq!(marks(own, proc.path()).0, None);
    }

    /// A `/proc` with one process, which has the command line of a domain.
    fn proc_of(pid: i32, start: u64, cgroup: &str) -> tempfile::TempDir {
        let proc = tempfile::tempdir().unwrap();
        let own = std::process::id().to_string();
        std::os::unix::fs::symlink(own, proc.path().join("self")).unwrap();
        fs::create_dir(proc.path().join(pid.to_string())).unwrap();
        becomes(&proc, pid, start);
        fs::write(proc.path().join(format!("{pid}/comm")), "qemu-system-x86\n").unwrap();
        fs::write(proc.path().join(format!("{pid}/cgroup")), cgroup).unwrap();
        proc
    }

    /// Another process has the number, which began then.
    fn becomes(proc: &tempfile::TempDir, pid: i32, start: u64) {
        let stat = format!("{pid} (qemu) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 {start} 1 2\n");
        fs::write(proc.path().join(format!("{pid}/stat")), stat).unwrap();
    }

    const OF_DOMAIN: &str = "0::/machine.slice/machine-qemu\\x2d3\\x2dweb.scope\n";

    #[test]
    fn a_process_that_ends_while_it_is_looked_at_is_believed_nothing() {
        let line = b"qemu\0-uuid\x0079c0da0d-7a82-4207-baa0-9902f653e577\0".to_vec();
        for (cgroup, line) in
            [(OF_DOMAIN, None), ("0::/\n", Some(line.clone())), (OF_DOMAIN, Some(line))]
        {
            let proc = proc_of(7, 100, cgroup);
            let peer = Peer { pid: 7, start: Some(100) };
            let found = marks(peer, proc.path(), |_| line.clone());
            assert!(found.0.is_some() && found.1 == line, "it is the same");
            // Its number is another's, before anything was read, or since.
            for is_before in [true, false] {
                becomes(&proc, 7, if is_before { 200 } else { 100 });
                let read = |_: Option<&Marks>| {
                    becomes(&proc, 7, 200);
                    line.clone()
                };
                assert_eq!(marks(peer, proc.path(), read), (None, None), "{cgroup}");
            }
            becomes(&proc, 7, 100);
            let read = |_: Option<&Marks>| {
                fs::remove_dir_all(proc.path().join("7")).unwrap();
                line.clone()
            };
            assert_eq!(marks(peer, proc.path(), read), (None, None), "{cgroup}: nobody has it");
        }
    }

    #[test]
    fn a_command_line_is_read_by_what_the_cgroup_says() {
        for (cgroup, is_marked) in [(OF_DOMAIN, true), ("0::/\n", false)] {
            let proc = proc_of(7, 100, cgroup);
            let mut told = None;
            let peer = Peer { pid: 7, start: Some(100) };
            let found = marks(peer, proc.path(), |by_cgroup| {
                told = Some(by_cgroup.cloned());
                None
            });
            assert_eq!(told.as_ref().map(Option::is_some), Some(is_marked));
            assert_eq!(found, (told.flatten(), None));
        }
    }

    #[test]
    fn a_peer_whose_start_cannot_be_read_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let of = || of(UnixStream::connect(&path).unwrap(), folder.path(), Instant::now());
        assert!(of().is_err(), "it is not seen");
        let process = folder.path().join(std::process::id().to_string());
        fs::create_dir(&process).unwrap();
        fs::write(process.join("stat"), "7 (junk").unwrap();
        assert!(of().is_err());
    }

    /// Has another process listen at a socket, which this one keeps; its number, which nobody has any more.
    fn listened_by_another(listener: &UnixListener) -> i32 {
        let program = std::env::current_exe().unwrap();
        let mut child = Command::new(program)
            .args(["--exact", "guest::peer::tests::listens_at_its_standard_input", "--ignored"])
            .stdin(listener.try_clone().map(OwnedFd::from).unwrap())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let pid = child.id().cast_signed();
        assert!(child.wait().unwrap().success());
        pid
    }

    #[test]
    #[ignore = "another test runs it in a process of its own"]
    fn listens_at_its_standard_input() {
        rustix::net::listen(std::io::stdin(), 8).unwrap();
    }

    /// A process that has this number, where root can have one made.
    fn process_numbered(pid: i32) -> Option<Child> {
        for _ in 0..1000 {
            fs::write("/proc/sys/kernel/ns_last_pid", (pid - 1).to_string()).ok()?;
            let mut child = Command::new("sleep").arg("1000").spawn().unwrap();
            if child.id().cast_signed() == pid {
                return Some(child);
            }
            child.kill().unwrap();
            child.wait().unwrap();
        }
        None
    }

    #[test]
    fn a_process_that_has_the_number_of_who_listened_is_not_taken_for_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let pid = listened_by_another(&listener);
        let connect = || UnixStream::connect(&path).unwrap();
        assert_eq!(Credentials::of(&connect()).unwrap().pid, Some(pid));
        let why = |socket| of(socket, Path::new(PROC), Instant::now()).map_err(|why| why.reason);
        let handed_on = Err(Vmm::HANDED_ON.reason);
        let is_handed_on = || why(connect()).map(|found| found.peer.pid) == handed_on;
        // For other users than root, only the end of this is tested.
        if let Some(mut other) = process_numbered(pid) {
            let is_found_out = is_handed_on();
            other.kill().unwrap();
            other.wait().unwrap();
            assert!(is_found_out, "another process has its number");
        }
        assert!(is_handed_on(), "nobody has its number");
    }
}
