use super::*;
use std::io::ErrorKind;
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::net::SendFlags;

use crate::closing::take_out_of;
use crate::examples::{self, Slow};

/// Nothing here takes that long, but what waits for a slow one.
const SOON: Duration = Duration::from_secs(180);

fn pair() -> (UnixStream, PeerSocket, Unclosed) {
    let unclosed = Unclosed::default();
    let (sender, socket) = examples::pair(&unclosed).unwrap();
    (sender, socket, unclosed)
}

/// What it returns, if it does not wait for a slow one.
fn at_once<T>(does: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = does();
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    result
}

fn wait_until_closed(unclosed: &Unclosed) {
    let begun = Instant::now();
    while unclosed.count() > 0 {
        assert!(begun.elapsed() < SOON);
        std::thread::sleep(Duration::from_millis(1));
    }
}

#[test]
fn whoever_reads_bytes_does_not_wait_for_a_descriptor_that_came_with_them() {
    for flags in [SendFlags::empty(), SendFlags::OOB] {
        let (mut sender, socket, unclosed) = pair();
        sender.write_all(b"ping\n").unwrap();
        let far_end = Slow::new().unwrap().send(&sender, flags).unwrap();
        let reads = || (0..2).map(|_| socket.read(&mut [0; 64])).find_map(Result::err);
        assert_eq!(at_once(reads), Some(ReadError::Descriptors));
        assert_eq!(at_once(reads), Some(ReadError::Descriptors), "it stays where it was");
        at_once(|| drop(socket));
        assert_eq!(unclosed.count(), 1);
        drop(far_end);
        wait_until_closed(&unclosed);
    }
}

#[test]
fn whoever_hangs_up_does_not_wait_for_a_descriptor_that_nobody_has_read() {
    for flags in [SendFlags::empty(), SendFlags::OOB] {
        let (mut sender, socket, unclosed) = pair();
        sender.write_all(b"ping\n").unwrap();
        let far_end = Slow::new().unwrap().send(&sender, flags).unwrap();
        at_once(|| drop(socket));
        assert_eq!(unclosed.count(), 1);
        assert_eq!(sender.write(b"x").unwrap_err().kind(), ErrorKind::BrokenPipe);
        drop(far_end);
        wait_until_closed(&unclosed);
    }
}

fn packets() -> (OwnedFd, PeerSocket, Unclosed) {
    let unclosed = Unclosed::default();
    let (sender, socket) = examples::packets(&unclosed).unwrap();
    (sender, socket, unclosed)
}

#[test]
fn packets_are_read_one_by_one_until_one_has_descriptors() {
    let (sender, socket, unclosed) = packets();
    for packet in [&b"one"[..], b"two"] {
        rustix::net::send(&sender, packet, SendFlags::empty()).unwrap();
    }
    let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
    let mut buffer = [0; 64];
    assert_eq!((socket.read(&mut buffer), &buffer[..3]), (Ok(3), &b"one"[..]));
    assert_eq!((socket.read(&mut buffer), &buffer[..3]), (Ok(3), &b"two"[..]));
    assert_eq!(at_once(|| socket.read(&mut buffer)), Err(ReadError::Descriptors));
    at_once(|| drop(socket));
    assert_eq!(unclosed.count(), 1);
    drop(far_end);
    wait_until_closed(&unclosed);
}

#[test]
fn whoever_hangs_up_finds_descriptors_behind_an_empty_packet_and_behind_an_error() {
    let (sender, socket, unclosed) = packets();
    rustix::net::send(&socket, b"not read, so that the error comes", SendFlags::empty()).unwrap();
    rustix::net::send(&sender, b"", SendFlags::empty()).unwrap();
    let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
    drop(sender);
    at_once(|| drop(socket));
    assert_eq!(unclosed.count(), 1);
    drop(far_end);
    wait_until_closed(&unclosed);
}

#[test]
fn packets_that_have_no_descriptors_left_are_closed_here() {
    for leaves in [&[][..], &[&b""[..]], &[b"", b"x", b""]] {
        let (sender, socket, unclosed) = packets();
        for packet in leaves {
            rustix::net::send(&sender, packet, SendFlags::empty()).unwrap();
        }
        drop(socket);
        assert_eq!(unclosed.count(), 0, "{leaves:?}");
    }
}

#[test]
fn more_senders_than_there_are_threads_hold_nobody_up() {
    let leave_one = |_| {
        let (sender, socket, unclosed) = pair();
        let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
        at_once(|| drop(socket));
        (far_end, unclosed)
    };
    let (far_ends, unclosed): (Vec<_>, Vec<_>) = (0..20).map(leave_one).unzip();
    assert!(unclosed.iter().all(|unclosed| unclosed.count() == 1));
    drop(far_ends);
    unclosed.iter().for_each(wait_until_closed);
}

#[test]
fn nobody_hears_any_more_of_a_socket_that_was_dropped_though_no_thread_is_free_to_close_it() {
    let epoll = Arc::new(epoll::create(CreateFlags::CLOEXEC).unwrap());
    take_out_of(&epoll);
    let leave_one = |_| {
        let (sender, socket, unclosed) = pair();
        epoll::add(&*epoll, &socket, EventData::new_u64(7), EventFlags::IN).unwrap();
        let far_end = Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap();
        drop(socket);
        (far_end, unclosed)
    };
    let (far_ends, unclosed): (Vec<_>, Vec<_>) = (0..20).map(leave_one).unzip();
    let mut polled = [PollFd::new(&*epoll, PollFlags::IN)];
    assert_eq!(rustix::event::poll(&mut polled, Some(&Timespec::default())), Ok(0));
    drop(far_ends);
    unclosed.iter().for_each(wait_until_closed);
}

#[test]
fn a_socket_that_has_no_descriptors_left_is_closed_here() {
    let (mut sender, socket, unclosed) = pair();
    sender.write_all(&[b'x'; 10_000]).unwrap();
    drop(socket);
    assert_eq!(unclosed.count(), 0);
    assert!(sender.write(b"x").is_err());
}

/// The version of the running kernel.
fn kernel() -> (u32, u32) {
    let uname = rustix::system::uname();
    let mut numbers = uname.release().to_str().unwrap().split(['.', '-']);
    let mut number = || numbers.next().unwrap().parse().unwrap();
    (number(), number())
}

#[test]
fn a_kernel_that_can_refuses_descriptors_before_a_connection_is_accepted() {
    let folder = tempfile::tempdir().unwrap();
    let listener = UnixListener::bind(folder.path().join("s")).unwrap();
    if nix::sys::socket::setsockopt(&listener, crate::descriptors::PassRights, &false).is_err() {
        assert!(kernel() < (6, 16), "it can from Linux 6.16 on");
        return;
    }
    let sender = UnixStream::connect(folder.path().join("s")).unwrap();
    assert_eq!(Slow::new().unwrap().send(&sender, SendFlags::empty()).unwrap_err(), Errno::PERM);
    let accepted = PeerSocket::from(OwnedFd::from(listener.accept().unwrap().0));
    assert_eq!(accepted.kind, Kind::Socket);
    let (connected, receiver) = UnixStream::pair().unwrap();
    let socket = PeerSocket::from(OwnedFd::from(receiver));
    assert_eq!(socket.kind, Kind::WithDescriptors, "some may have come before");
    assert_eq!(Slow::new().unwrap().send(&connected, SendFlags::empty()).unwrap_err(), Errno::PERM);
}

#[test]
fn a_byte_out_of_band_is_read_as_all_others_are_also_where_descriptors_are_refused() {
    for are_refused in [false, true] {
        let (sender, receiver) = UnixStream::pair().unwrap();
        if are_refused {
            refuse_descriptors(&receiver);
        }
        receiver.set_nonblocking(true).unwrap();
        let socket = PeerSocket::from(OwnedFd::from(receiver));
        rustix::net::send(&sender, b"x", SendFlags::OOB).unwrap();
        assert_eq!(socket.read(&mut [0; 8]), Ok(1));
    }
}

#[test]
fn what_is_no_unix_socket_is_read_and_written_as_well() {
    let (reader, writer) = std::io::pipe().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (accepted, _) = listener.accept().unwrap();
    let (pipe, tcp) = ([reader.into(), writer.into()], [accepted.into(), connected.into()]);
    for (ends, kind) in [(pipe, Kind::File), (tcp, Kind::Socket)] {
        let [reader, writer]: [PeerSocket; 2] = ends.map(|end: OwnedFd| end.into());
        assert_eq!((reader.kind, writer.kind), (kind, kind));
        assert_eq!(writer.send(b"x"), Ok(1));
        assert_eq!(reader.read(&mut [0; 8]), Ok(1));
        drop(writer);
        assert_eq!(reader.read(&mut [0; 8]), Ok(0));
    }
}
