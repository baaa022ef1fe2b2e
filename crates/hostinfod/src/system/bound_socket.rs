//! The file that bind(2) has just made for a Unix socket. bind(2) does not say which one that is, and whoever may write to
//! its directory can put another socket of the daemon's user in its place before anybody has looked.

use std::os::fd::AsFd;

use rustix::fs::{Mode, Stat};
use rustix::io::Errno;
use rustix::process::geteuid;

/// S_ISVTX, which means nothing to a socket, so no other program's has it. Neither the umask nor a default ACL takes it away.
const MARK: Mode = Mode::SVTX;

/// Marks a socket before bind(2), whose file takes the socket's own mode (`unix_bind_bsd` in the kernel's
/// net/unix/af_unix.c). The mark tells that file from all others. Only its owner can connect to it until it gets another
/// mode.
///
/// # Errors
/// The confinement of an older version that is still in force.
pub(crate) fn mark(socket: impl AsFd) -> Result<(), Errno> {
    rustix::fs::fchmod(socket, MARK | Mode::RUSR | Mode::WUSR)
}

/// Whether bind(2) has made that file for a socket of this user's that was marked, and nobody has set its mode since. One
/// that somebody has linked to their directory is another socket's.
pub(crate) fn is_marked(file: &Stat) -> bool {
    let is_own = file.st_uid == geteuid().as_raw() && file.st_nlink == 1;
    is_own && Mode::from_raw_mode(file.st_mode).contains(MARK)
}
