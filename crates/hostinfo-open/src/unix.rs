//! What both hostinfod and the opener do with Unix sockets and the processes behind them.

use std::os::fd::{AsRawFd as _, OwnedFd};

use hostinfo_peer::refuse_descriptors;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// Connects to a socket whose file was opened with O_PATH. It is the file that was checked, whatever has its
/// path by now, and the path may be longer than the 107 bytes of unix(7).
///
/// # Errors
/// Those of socket(2) and connect(2).
pub fn connect_to(file: &OwnedFd) -> Result<OwnedFd, Errno> {
    let address = SocketAddrUnix::new(format!("/proc/self/fd/{}", file.as_raw_fd()))?;
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    refuse_descriptors(&socket);
    connect(&socket, &address)?;
    Ok(socket)
}

/// Whether a process has ended: its pidfd is then readable, pidfd_open(2).
pub fn has_ended(pidfd: &OwnedFd) -> bool {
    let mut polled = [PollFd::new(pidfd, PollFlags::IN)];
    poll(&mut polled, Some(&Timespec::default())) != Ok(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_has_ended_is_known_by_its_handle() {
        let mut child = std::process::Command::new("sleep").arg("600").spawn().unwrap();
        let pid = rustix::process::Pid::from_child(&child);
        let flags = rustix::process::PidfdFlags::empty();
        let handle = rustix::process::pidfd_open(pid, flags).unwrap();
        assert!(!has_ended(&handle));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(has_ended(&handle));
    }
}
