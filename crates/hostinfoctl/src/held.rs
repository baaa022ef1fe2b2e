//! Programs that hold guests' ports: QEMU serves one client, and hostinfod waits behind them without
//! being told.

use std::collections::{HashMap, HashSet};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};

use hostinfo_control::{Guest, Port, PortKind};
use hostinfo_domains::VHOSTMD_DIR;
use hostinfo_wire::text::escaped;
use serde::Serialize;

use crate::sock_diag::{self, File, Found};

/// The process's name in `/proc/PID/comm`.
const DAEMON: &str = "hostinfod";

/// A guest whose port another program holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct HeldPort {
    /// The whole name.
    pub(crate) guest: String,
    /// The port's socket, by what the daemon says.
    pub(crate) path: PathBuf,
    /// `None`: this user cannot see it.
    pub(crate) holder: Option<Holder>,
}

/// A process that is connected to a socket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Holder {
    pub(crate) pid: u32,
    /// As the kernel shows it; programs choose it themselves.
    pub(crate) program: String,
}

impl HeldPort {
    /// What is wrong, with the remedy.
    pub(crate) fn words(&self) -> String {
        let guest = escaped(&self.guest);
        let path = escaped(&self.path.to_string_lossy());
        match &self.holder {
            Some(Holder { pid, program }) => format!(
                "{guest}: {}, process {pid}, is connected to its port {path}, and QEMU serves one \
                 client at a time. Make sure that it is there for that before you end it: whoever \
                 connects can pass the connection on to most programs",
                escaped(program)
            ),
            None => format!(
                "{guest}: another program is connected to its port {path} or waits for it, and \
                 QEMU serves one client at a time; which one is not known to this user: run hostinfoctl \
                 status as root"
            ),
        }
    }
}

/// Ports of these guests that another program than the daemon holds, in their order. `directory`:
/// that of the sockets.
///
/// # Errors
/// The kernel does not list sockets.
pub(crate) fn find(directory: &Path, guests: &[Guest], daemon: u32) -> io::Result<Vec<HeldPort>> {
    let ports: Vec<_> = guests.iter().flat_map(|guest| ports(directory, guest)).collect();
    let found = sock_diag::at(&ports.iter().map(|port| port.file).collect())?;
    let proc = Path::new("/proc");
    let is_daemon = fs::read_to_string(proc.join(format!("{daemon}/comm")))
        .is_ok_and(|name| name.trim_end() == DAEMON);
    let own = Some(daemon).filter(|_| is_daemon).and_then(|pid| sockets(proc, pid).ok());
    let suspects = suspects(&ports, &found, own.as_ref());
    let wanted = suspects.iter().filter_map(|(_, socket)| *socket).collect();
    let mut holders = holders(proc, wanted);
    let held = suspects.into_iter().map(|(port, socket)| HeldPort {
        guest: port.guest.to_owned(),
        path: port.path.clone(),
        holder: socket.and_then(|socket| holders.remove(&socket)),
    });
    Ok(held.collect())
}

/// A guest's socket.
struct Socket<'g> {
    guest: &'g str,
    path: PathBuf,
    file: File,
}

/// A guest's sockets that are there.
fn ports<'g>(directory: &Path, guest: &'g Guest) -> Vec<Socket<'g>> {
    let path = |port: &Port| match port.kind {
        PortKind::Hostinfo => {
            Some(port.path.as_ref().map_or_else(|| directory.join(&guest.guest), PathBuf::from))
        }
        PortKind::Vhostmd => Some(directory.join(VHOSTMD_DIR).join(&guest.guest)),
        PortKind::Pty | PortKind::Vsock => None,
    };
    let paths = guest.ports.iter().filter_map(path);
    paths
        .filter_map(|path| Some(Socket { guest: &guest.guest, file: file(&path)?, path }))
        .collect()
}

/// A file as the kernel numbers it in its answers: `MKDEV` has the minor number in its lower 20 bits.
pub(crate) fn file(path: &Path) -> Option<File> {
    let found = path.symlink_metadata().ok()?;
    let device = rustix::fs::major(found.dev()) << 20 | rustix::fs::minor(found.dev());
    // The kernel reports the lower half.
    let inode = u32::try_from(found.ino() & u64::from(u32::MAX)).ok()?;
    Some(File { device, inode })
}

/// Ports at which somebody else is, with the number of that one's socket. Where it is not known
/// which sockets are the daemon's `own`, these are the ports where somebody waits.
fn suspects<'p, 'g>(
    ports: &'p [Socket<'g>],
    found: &[(File, Found)],
    own: Option<&HashSet<u32>>,
) -> Vec<(&'p Socket<'g>, Option<u32>)> {
    let is_own = |socket: &u32| own.is_some_and(|own| own.contains(socket));
    let (mut clients, mut queues) = (HashMap::new(), HashSet::new());
    for (file, found) in found {
        match found {
            Found::Client(socket) if is_own(socket) => {}
            Found::Client(socket) => drop(clients.insert(file, *socket)),
            Found::Queue => drop(queues.insert(file)),
        }
    }
    let suspect = |port: &'p Socket<'g>| {
        let socket = *clients.get(&port.file)?;
        match own {
            Some(_) => Some((port, Some(socket))),
            None => queues.contains(&port.file).then_some((port, None)),
        }
    };
    ports.iter().filter_map(suspect).collect()
}

/// The numbers of a process's sockets.
fn sockets(proc: &Path, pid: u32) -> io::Result<HashSet<u32>> {
    let links = fs::read_dir(proc.join(format!("{pid}/fd")))?.flatten();
    let links = links.filter_map(|entry| fs::read_link(entry.path()).ok());
    Ok(links.filter_map(|link| socket_of(link.to_str()?)).collect())
}

/// `socket:[123456]`
fn socket_of(link: &str) -> Option<u32> {
    link.strip_prefix("socket:[")?.strip_suffix(']')?.parse().ok()
}

/// The processes that have these sockets, as far as this user can see them. No process is looked at
/// where none is wanted.
fn holders(proc: &Path, mut wanted: HashSet<u32>) -> HashMap<u32, Holder> {
    let mut holders = HashMap::new();
    for entry in fs::read_dir(proc).into_iter().flatten().flatten() {
        if wanted.is_empty() {
            break;
        }
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
            continue;
        };
        for socket in sockets(proc, pid).unwrap_or_default() {
            if wanted.remove(&socket) {
                let name = fs::read(proc.join(format!("{pid}/comm"))).unwrap_or_default();
                let program = String::from_utf8_lossy(name.trim_ascii_end()).into_owned();
                holders.insert(socket, Holder { pid, program });
            }
        }
    }
    holders
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::net::UnixStream;

    const FILE: File = File { device: 1, inode: 2 };

    fn suspected(found: &[Found], own: Option<&[u32]>) -> Vec<Option<u32>> {
        let found: Vec<(File, Found)> = found.iter().map(|found| (FILE, *found)).collect();
        let own = own.map(|own| own.iter().copied().collect());
        let port = |guest, file| Socket { guest, path: PathBuf::from(guest), file };
        let ports = [port("qemu-a", FILE), port("qemu-b", File { inode: 3, ..FILE })];
        let all = suspects(&ports, &found, own.as_ref());
        assert!(all.iter().all(|(port, _)| port.guest == "qemu-a"));
        all.into_iter().map(|(_, socket)| socket).collect()
    }

    #[test]
    fn a_client_other_than_the_daemon_holds_the_port() {
        let client = Found::Client(7);
        assert_eq!(suspected(&[client], Some(&[7])), []);
        assert_eq!(suspected(&[client, Found::Queue], Some(&[7])), [], "it waits for the daemon");
        assert_eq!(suspected(&[client, Found::Queue], Some(&[8])), [Some(7)]);
        assert_eq!(suspected(&[Found::Queue], Some(&[8])), [], "QEMU is about to accept it");
    }

    #[test]
    fn nobody_is_named_if_the_daemons_sockets_cannot_be_seen() {
        assert_eq!(suspected(&[Found::Client(7)], None), []);
        assert_eq!(suspected(&[Found::Client(7), Found::Queue], None), [None]);
        let held = HeldPort { guest: "qemu-a".to_owned(), path: "/s/qemu-a".into(), holder: None };
        assert!(held.words().contains("is not known to this user"), "{}", held.words());
    }

    #[test]
    fn the_process_that_has_a_socket_is_found() {
        let (socket, _other) = UnixStream::pair().unwrap();
        let link = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&socket));
        let number = socket_of(fs::read_link(link).unwrap().to_str().unwrap()).unwrap();
        let found = holders(Path::new("/proc"), HashSet::from([number, 0]));
        assert_eq!(found[&number].pid, std::process::id());
        assert!(!found.contains_key(&0));
    }
}
