//! Descriptors on their way to another program, which has no other of this one's: they wait in a socket, unix(7), from
//! which the program takes them. So they need not be left open for it one by one, and stay closed to every other
//! program.

use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, stdin};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags,
    SendAncillaryBuffer, SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg,
    sendmsg, socketpair,
};
use serde::{Deserialize, Serialize};

/// Descriptors in one message: SCM_MAX_FD of unix(7).
const EACH_MAX: usize = 253;

/// The number of a descriptor among all that are handed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Number(u32);

/// Descriptors to be handed over.
#[derive(Debug, Default)]
pub(crate) struct Outgoing<'fd>(Vec<BorrowedFd<'fd>>);

/// Descriptors that were handed over. Those that nobody takes are closed.
#[derive(Debug, Default)]
pub(crate) struct Incoming(Vec<Option<OwnedFd>>);

impl<'fd> Outgoing<'fd> {
    /// Adds one.
    pub(crate) fn add(&mut self, fd: BorrowedFd<'fd>) -> Number {
        self.0.push(fd);
        // There are at most 2^31 descriptors.
        Number(u32::try_from(self.0.len() - 1).unwrap_or(u32::MAX))
    }

    /// Has `first` and then these wait in a socket, whose other end is the result.
    ///
    /// # Errors
    /// The socket has no room for so many, which is a matter of net.core.wmem_max, or the user has too many on their
    /// way.
    pub(crate) fn send(&self, first: BorrowedFd<'_>) -> io::Result<OwnedFd> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, flags, None)?;
        send_some(&ours, &[first])?;
        self.0.chunks(EACH_MAX).try_for_each(|some| send_some(&ours, some))?;
        Ok(theirs)
    }
}

#[cfg(test)]
impl Outgoing<'_> {
    /// What the other program has then.
    pub(crate) fn received(&self) -> Incoming {
        Incoming(self.0.iter().map(|fd| fd.try_clone_to_owned().ok()).collect())
    }
}

fn send_some(socket: &OwnedFd, fds: &[BorrowedFd<'_>]) -> io::Result<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(EACH_MAX))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if !control.push(SendAncillaryMessage::ScmRights(fds)) {
        return Err(io::ErrorKind::InvalidInput.into());
    }
    sendmsg(socket, &[IoSlice::new(&[0])], &mut control, SendFlags::NOSIGNAL)?;
    Ok(())
}

impl Incoming {
    /// Takes over what waits at standard input, which is nothing from then on. The first one comes apart.
    ///
    /// # Errors
    /// Standard input is no such socket.
    pub(crate) fn receive() -> io::Result<(OwnedFd, Self)> {
        let received = receive(stdin());
        rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
        received
    }

    /// The one of that number, once.
    pub(crate) fn take(&mut self, Number(number): Number) -> Option<OwnedFd> {
        self.0.get_mut(usize::try_from(number).ok()?)?.take()
    }
}

fn receive(socket: impl AsFd) -> io::Result<(OwnedFd, Incoming)> {
    let mut received = Vec::new();
    loop {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(EACH_MAX))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0];
        let into = &mut [IoSliceMut::new(&mut byte)];
        let message = recvmsg(&socket, into, &mut control, RecvFlags::CMSG_CLOEXEC)?;
        // Where some are left out, each of the others has another's number.
        if message.flags.contains(ReturnFlags::CTRUNC) {
            return Err(Errno::MFILE.into());
        }
        for received_one in control.drain() {
            if let RecvAncillaryMessage::ScmRights(fds) = received_one {
                received.extend(fds);
            }
        }
        // Who sent them has closed its end.
        if message.bytes == 0 {
            break;
        }
    }
    let mut received = received.into_iter();
    let first = received.next().ok_or(io::ErrorKind::UnexpectedEof)?;
    Ok((first, Incoming(received.map(Some).collect())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read as _, Write as _};
    use std::os::unix::net::UnixStream;

    #[test]
    fn each_descriptor_comes_out_under_its_number_once_however_many_there_are() {
        let pairs: Vec<(UnixStream, UnixStream)> =
            (0..600).map(|_| UnixStream::pair().unwrap()).collect();
        let mut outgoing = Outgoing::default();
        let numbers: Vec<Number> = pairs.iter().map(|(one, _)| outgoing.add(one.as_fd())).collect();
        let first = File::open("/dev/null").unwrap();
        let socket = outgoing.send(first.as_fd()).unwrap();
        let (_, mut incoming) = receive(&socket).unwrap();
        for (number, (_, other)) in numbers.iter().zip(&pairs).rev() {
            let mut one = UnixStream::from(incoming.take(*number).unwrap());
            assert!(incoming.take(*number).is_none());
            one.write_all(b"x").unwrap();
            let mut byte = [0];
            (&*other).read_exact(&mut byte).unwrap();
        }
        assert!(incoming.take(Number(600)).is_none() && incoming.take(Number(u32::MAX)).is_none());
    }

    #[test]
    fn a_descriptor_that_is_no_such_socket_has_nothing_to_take_over() {
        assert!(receive(File::open("/dev/null").unwrap()).is_err());
        let (one, other) = UnixStream::pair().unwrap();
        drop(other);
        assert!(receive(one).is_err(), "nothing was sent");
    }
}
