//! Unix sockets as the kernel lists them, with what is at the other end: sock_diag(7). Every user
//! may ask. `/proc/net/unix` says neither which file a socket is at nor who its peer is.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use rustix::net::sockopt::{Timeout, set_socket_timeout};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, netlink, recv, send, socket_with,
};

/// The file of a socket: its device as the kernel numbers it, and the lower half of its inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct File {
    pub(crate) device: u32,
    pub(crate) inode: u32,
}

/// What is at a socket's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// A connection that was accepted; the number of the client's socket.
    Client(u32),
    /// Connections that were not accepted yet.
    Queue,
}

/// The kernel answers at once.
const DEADLINE: Duration = Duration::from_secs(5);

/// What the kernel sends at a time (NLMSG_GOODSIZE in netlink_dump): 32 KiB at most.
const CHUNK: usize = 32 * 1024;

// linux/netlink.h, linux/sock_diag.h, linux/unix_diag.h, net/tcp_states.h
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_DUMP: u16 = 0x301;
const SOCK_DIAG_BY_FAMILY: u16 = 20;
const AF_UNIX: u8 = 1;
const ESTABLISHED: u8 = 1;
const LISTEN: u8 = 10;
/// UDIAG_SHOW_VFS, UDIAG_SHOW_PEER, UDIAG_SHOW_ICONS
const SHOW: u32 = 2 | 4 | 8;
const VFS: u16 = 1;
const PEER: u16 = 2;
const ICONS: u16 = 3;

/// What is at these files, in no order.
///
/// # Errors
/// The kernel cannot be asked.
pub(crate) fn at(files: &HashSet<File>) -> io::Result<Vec<(File, Found)>> {
    let flags = SocketFlags::CLOEXEC;
    let protocol = Some(netlink::SOCK_DIAG);
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, protocol)?;
    set_socket_timeout(&socket, Timeout::Recv, Some(DEADLINE))?;
    send(&socket, &request(), SendFlags::empty())?;
    let mut all = Vec::new();
    let mut buffer = vec![0; CHUNK];
    loop {
        let (length, _) = recv(&socket, &mut *buffer, RecvFlags::empty())?;
        let (found, is_last) = parse(buffer.get(..length).unwrap_or_default());
        all.extend(found.into_iter().filter(|(file, _)| files.contains(file)));
        if is_last || length == 0 {
            return Ok(all);
        }
    }
}

/// `struct nlmsghdr` and `struct unix_diag_req`: all that listen or are connected.
fn request() -> Vec<u8> {
    let states: u32 = 1 << ESTABLISHED | 1 << LISTEN;
    let mut bytes = Vec::new();
    bytes.extend(40u32.to_ne_bytes());
    bytes.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
    bytes.extend(REQUEST_DUMP.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes.extend([AF_UNIX, 0, 0, 0]);
    bytes.extend(states.to_ne_bytes());
    bytes.extend([0; 4]);
    bytes.extend(SHOW.to_ne_bytes());
    bytes.extend([0; 8]);
    bytes
}

/// What one answer of the kernel lists, and whether it is the last. One that is cut short ends the
/// list as well.
fn parse(mut bytes: &[u8]) -> (Vec<(File, Found)>, bool) {
    let mut found = Vec::new();
    while let Some((kind, body, rest)) = message(bytes) {
        match kind {
            NLMSG_DONE | NLMSG_ERROR => return (found, true),
            _ => found.extend(socket(body)),
        }
        bytes = rest;
    }
    (found, !bytes.is_empty())
}

/// The type of the first message, its body, and what comes behind it.
fn message(bytes: &[u8]) -> Option<(u16, &[u8], &[u8])> {
    let length = usize::try_from(u32::from_ne_bytes(at_of(bytes, 0)?)).ok()?;
    let kind = u16::from_ne_bytes(at_of(bytes, 4)?);
    Some((kind, bytes.get(16..length)?, bytes.get(aligned(length)..).unwrap_or_default()))
}

/// `struct unix_diag_msg` and its attributes.
fn socket(body: &[u8]) -> Option<(File, Found)> {
    let [_, _, state, _] = at_of(body, 0)?;
    let mut rest = body.get(16..)?;
    let (mut file, mut peer, mut is_queued) = (None, None, false);
    while let Some(length) = at_of(rest, 0).map(u16::from_ne_bytes).map(usize::from) {
        let (Some(kind), Some(value)) = (at_of(rest, 2), rest.get(4..length)) else { break };
        match u16::from_ne_bytes(kind) {
            VFS => file = at_of(value, 0).zip(at_of(value, 4)),
            PEER => peer = at_of(value, 0).map(u32::from_ne_bytes),
            ICONS => is_queued = !value.is_empty(),
            _ => {}
        }
        rest = rest.get(aligned(length)..).unwrap_or_default();
    }
    let (inode, device) = file?;
    let file = File { inode: u32::from_ne_bytes(inode), device: u32::from_ne_bytes(device) };
    let found = match state {
        // 0: it has gone.
        ESTABLISHED => Found::Client(peer.filter(|peer| *peer != 0)?),
        _ => Some(Found::Queue).filter(|_| is_queued)?,
    };
    Some((file, found))
}

fn at_of<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// NLMSG_ALIGN, and NLA_ALIGN as well.
fn aligned(length: usize) -> usize {
    length.next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt as _;
    use std::os::unix::net::{UnixListener, UnixStream};

    #[test]
    fn a_client_that_was_accepted_and_one_that_waits_are_found_by_the_sockets_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("socket");
        let listener = UnixListener::bind(&path).unwrap();
        let files = HashSet::from([crate::held::file(&path).unwrap()]);
        assert_eq!(at(&files).unwrap(), []);
        let client = UnixStream::connect(&path).unwrap();
        let [(_, Found::Queue)] = at(&files).unwrap()[..] else { panic!("nobody waits") };
        let _accepted = listener.accept().unwrap();
        let [(_, Found::Client(peer))] = at(&files).unwrap()[..] else { panic!("nobody is there") };
        let own = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&client));
        assert_eq!(u64::from(peer), std::fs::metadata(own).unwrap().ino());
    }

    #[test]
    fn an_answer_that_is_cut_short_anywhere_is_the_last() {
        let mut answer = Vec::new();
        answer.extend(36u32.to_ne_bytes());
        answer.extend(SOCK_DIAG_BY_FAMILY.to_ne_bytes());
        answer.extend([0; 10]);
        answer.extend([AF_UNIX, 1, ESTABLISHED, 0]);
        answer.extend([0; 12]);
        answer.extend([8, 0, 2, 0]);
        for length in 0..answer.len() {
            let (found, is_last) = parse(answer.get(..length).unwrap());
            assert!(found.is_empty() && (is_last || length == 0), "{length}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_an_answer(bytes in proptest::collection::vec(0u8..24, 0..128)) {
            let _ = parse(&bytes);
        }
    }
}
