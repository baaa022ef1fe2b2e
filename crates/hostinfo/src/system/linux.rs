//! Linux.

mod device;
mod fd;
mod kind;
mod look;
mod processes;
mod raw;
mod signal;
mod socket;
mod tty;
mod vsock_device;

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use crate::args::BROKER;
use crate::port::{OpenError, Port};
use crate::views::roots::Roots;
use crate::way::{HOST_CID, Way};

pub(crate) use crate::serve::run as serve;
pub(crate) use device::others_on;
pub(crate) use processes::copies;
pub(crate) use signal::on_end_by_signal;
pub(crate) use tty::RawTty;

/// The virtio channel.
const CHANNEL: &str = "/dev/virtio-ports/org.hostinfo.0";

/// The second serial port.
pub(crate) const SERIAL: &str = "/dev/ttyS1";

/// The guest's own kernel is looked at.
pub(crate) const WHY_NO_OWN_VIEW: Option<&str> = None;

/// The ways to try, in this order: the broker, through which everybody gets an answer; the
/// channel, which loses no data and exists only for this purpose; vsock; and the serial port.
/// The broker is only included if it exists, and vsock if it leads to a host.
pub(crate) fn usual_ways() -> Vec<Way> {
    let broker = Path::new(BROKER).exists().then(|| Way::Unix(BROKER.into()));
    broker.into_iter().chain(ways_without_broker()).collect()
}

/// The same for the broker itself.
pub(crate) fn ways_without_broker() -> Vec<Way> {
    let mut ways = vec![Way::Device(CHANNEL.into())];
    if Path::new("/dev/vsock").exists() && leads_to_host(HOST_CID) {
        ways.push(Way::vsock());
    }
    ways.push(Way::Device(SERIAL.into()));
    ways
}

/// Whether a directory belongs to the user as whom this program runs.
pub(crate) fn is_own(directory: &Path) -> bool {
    rustix::fs::stat(directory)
        .is_ok_and(|found| found.st_uid == rustix::process::geteuid().as_raw())
}

/// Whether vsock leads to the host, and not back to this machine, where that is its address.
fn leads_to_host(cid: u32) -> bool {
    cid != HOST_CID || vsock_device::is_there(Path::new("/sys"))
}

/// Whether there is a Unix socket at that path.
pub(crate) fn is_socket(path: &Path) -> bool {
    path.metadata().is_ok_and(|meta| meta.file_type().is_socket())
}

/// Opens a way that no other program has open. If one has, tries again for `timeout`.
///
/// # Errors
/// [`OpenError`].
pub(crate) fn open(way: &Way, timeout: Duration) -> Result<Box<dyn Port>, OpenError> {
    Ok(match way {
        Way::Device(path) => Box::new(device::Device::open(path, timeout)?),
        Way::Unix(path) => Box::new(socket::unix(path)?),
        Way::Vsock { cid, .. } if !leads_to_host(*cid) => return Err(OpenError::NobodyListens),
        Way::Vsock { cid, port } => Box::new(socket::vsock(*cid, *port)?),
    })
}

impl From<Errno> for OpenError {
    fn from(error: Errno) -> Self {
        Self::Io(error.into())
    }
}

/// Opens a file to read it and append to it, and creates it if necessary. `None` if another copy of this program
/// has it open in this way.
///
/// # Errors
/// Those of open(2).
pub(crate) fn open_to_append(path: &Path) -> io::Result<Option<File>> {
    let file = OpenOptions::new().read(true).append(true).create(true).open(path)?;
    Ok(flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(file))
}

/// Where the kernel's file systems are.
pub(crate) fn own_roots() -> Roots {
    Roots { proc: "/proc".into(), sys: "/sys".into() }
}

/// Bytes per page of memory, the unit in which swapping is counted.
pub(crate) fn page_size() -> u64 {
    u64::try_from(rustix::param::page_size()).unwrap_or(4096)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_socket_is_known_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert!(is_socket(&path));
        assert!(!is_socket(folder.path()) && !is_socket(&folder.path().join("none")));
    }

    #[test]
    fn the_serial_port_is_tried_last() {
        let ways = usual_ways();
        assert_eq!(ways.last(), Some(&Way::Device(SERIAL.into())));
        assert!(ways.contains(&Way::Device(CHANNEL.into())));
    }
}
