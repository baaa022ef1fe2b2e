//! The process at the other end of a connection.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use hostinfo_answer::Peer;

use crate::system::credentials::Credentials;

/// The process that listens at the other end: QEMU, also under libvirt. `None` if the socket does
/// not report it, for example if it is in another PID namespace, or if its start time is unknown:
/// by the time that its files are read, another process may have its PID.
pub(crate) fn of(socket: impl AsFd, proc: &Path) -> Option<Peer> {
    let pid = Credentials::of(&socket)?.pid?;
    Some(now(pid, proc)).filter(|peer| peer.start.is_some())
}

/// The process that has this PID now.
pub(crate) fn now(pid: i32, proc: &Path) -> Peer {
    let stat = fs::read_to_string(proc.join(format!("{pid}/stat"))).ok();
    Peer { pid, start: stat.as_deref().and_then(start_time) }
}

/// Whether it is libvirt. libvirt creates the socket and listens at it until QEMU takes it over,
/// some tenths of a second later. SO_PEERCRED reports who last called listen before the connection
/// was made.
pub(crate) fn is_libvirt(peer: Peer, proc: &Path) -> bool {
    let name = fs::read(proc.join(format!("{}/comm", peer.pid))).unwrap_or_default();
    LIBVIRT.contains(&name.trim_ascii_end())
}

/// libvirt's daemons that start QEMU: the one for all drivers, and the one for QEMU.
const LIBVIRT: [&[u8]; 2] = [b"libvirtd", b"virtqemud"];

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
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_name_with_blanks_and_brackets_does_not_shift_the_fields() {
        let stat = "4242 (CPU 0/KVM (x)) S 1 4242 4242 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 3 0 123456 1000 9";
        assert_eq!(start_time(stat), Some(123_456));
        for broken in ["", "1 (a", "1 (a) S 1", "1 (a) S 1 2 3 4 5 6 7 8 9 a b c d e f g h i j k x"]
        {
            assert_eq!(start_time(broken), None, "{broken}");
        }
    }

    #[test]
    fn libvirt_is_known_by_its_name() {
        let proc = tempfile::tempdir().unwrap();
        fs::create_dir(proc.path().join("7")).unwrap();
        let peer = Peer { pid: 7, start: None };
        assert!(!is_libvirt(peer, proc.path()));
        for (name, is) in
            [("libvirtd\n", true), ("virtqemud\n", true), ("qemu-system-x86\n", false)]
        {
            fs::write(proc.path().join("7/comm"), name).unwrap();
            assert_eq!(is_libvirt(peer, proc.path()), is, "{name}");
        }
    }

    #[test]
    fn the_peer_of_a_socket_is_the_process_that_listens() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let peer = of(UnixStream::connect(&path).unwrap(), Path::new("/proc")).unwrap();
        assert_eq!(peer.pid.cast_unsigned(), std::process::id());
        assert!(peer.start.is_some());
    }

    #[test]
    fn a_peer_of_which_nothing_tells_when_it_began_is_not_believed() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let _listener = UnixListener::bind(&path).unwrap();
        let of = || of(UnixStream::connect(&path).unwrap(), folder.path());
        assert!(of().is_none(), "it has ended");
        let process = folder.path().join(std::process::id().to_string());
        fs::create_dir(&process).unwrap();
        fs::write(process.join("stat"), "7 (junk").unwrap();
        assert!(of().is_none());
    }
}
