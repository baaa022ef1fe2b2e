//! Descriptors that come with bytes: refused, or taken.

use std::io::IoSliceMut;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};

use nix::libc;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// The most descriptors that the kernel lets come at once: SCM_MAX_FD. With room for fewer, it would close the others
/// here.
const AT_ONCE: usize = 253;

/// SO_PASSRIGHTS of `asm-generic/socket.h`, which libc does not have yet.
const PASS_RIGHTS: libc::c_int = 83;

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

/// Reads what is there without waiting, and takes the descriptors that came with it.
///
/// # Errors
/// Those of recvmsg(2).
pub(crate) fn take(socket: impl AsFd, buffer: &mut [u8]) -> Result<(usize, Vec<OwnedFd>), Errno> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(AT_ONCE))];
    let mut control = RecvAncillaryBuffer::new(&mut space);
    let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
    let length = recvmsg(socket, &mut [IoSliceMut::new(buffer)], &mut control, flags)?.bytes;
    let mut descriptors = Vec::new();
    for message in control.drain() {
        if let RecvAncillaryMessage::ScmRights(more) = message {
            descriptors.extend(more);
        }
    }
    Ok((length, descriptors))
}

/// The opposite of [`refuse_descriptors`].
#[cfg(any(test, feature = "examples"))]
pub(crate) fn permit_descriptors(socket: &impl AsFd) {
    let _ = nix::sys::socket::setsockopt(socket, PassRights, &true);
}
