//! Descriptors that come with bytes: refused, or seen.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::AsFd;

use nix::libc;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvFlags, ReturnFlags, recvmsg};

/// SO_PASSRIGHTS of `asm-generic/socket.h`, which libc does not have yet.
pub const PASS_RIGHTS: libc::c_int = 83;

nix::setsockopt_impl!(
    PassRights,
    libc::SOL_SOCKET,
    PASS_RIGHTS,
    bool,
    nix::sys::socket::sockopt::SetBool
);
nix::getsockopt_impl!(
    PassRights,
    libc::SOL_SOCKET,
    PASS_RIGHTS,
    bool,
    nix::sys::socket::sockopt::GetBool
);

/// Whether descriptors may come.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PassRights;

/// Has the kernel refuse descriptors, so that whoever sends them gets EPERM; from Linux 6.16 on, and of a Unix socket.
/// Connections that are accepted at a listening one refuse them as well, from before they are accepted.
pub fn refuse_descriptors(socket: &impl AsFd) {
    let _ = nix::sys::socket::setsockopt(socket, PassRights, &false);
}

/// Whether the kernel refuses them. One before 6.16 never does.
pub(crate) fn are_refused(socket: &impl AsFd) -> bool {
    nix::sys::socket::getsockopt(socket, PassRights).is_ok_and(|passes| !passes)
}

/// Reads what is there without waiting and without taking it. Returns how much it is, and whether descriptors came with it.
/// If some did, they stay where they are: without room for them, the kernel only says so (MSG_CTRUNC).
///
/// # Errors
/// Those of recvmsg(2).
pub(crate) fn peek(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, bool), Errno> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let no_room = &mut RecvAncillaryBuffer::default();
    let message = recvmsg(socket, &mut [IoSliceMut::new(buffer)], no_room, flags)?;
    Ok((message.bytes, message.flags.contains(ReturnFlags::CTRUNC)))
}

/// The same of a socket of packets, of which an empty one is not the end; `None` at the end. To tell them apart, the socket
/// must have SO_PASSCRED: then the kernel adds credentials to each packet. There is room for them alone.
///
/// # Errors
/// Those of recvmsg(2).
pub(crate) fn peek_packet(
    socket: impl AsFd,
    buffer: &mut [u8],
) -> Result<Option<(usize, bool)>, Errno> {
    let flags = RecvFlags::PEEK | RecvFlags::DONTWAIT;
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmCredentials(1))];
    let mut credentials = RecvAncillaryBuffer::new(&mut space);
    let message = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut credentials, flags)?;
    let is_there = credentials.drain().next().is_some();
    Ok(is_there.then(|| (message.bytes, message.flags.contains(ReturnFlags::CTRUNC))))
}

/// The opposite of [`refuse_descriptors`].
#[cfg(any(test, feature = "examples"))]
pub(crate) fn permit_descriptors(socket: &impl AsFd) {
    let _ = nix::sys::socket::setsockopt(socket, PassRights, &true);
}
