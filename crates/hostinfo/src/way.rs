//! Ways to a host: the one given with `--device`, and those tried without it.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::args::BROKER;

/// The virtio channel.
pub(crate) const CHANNEL: &str = "/dev/virtio-ports/org.hostinfo.0";

/// The second serial port.
pub(crate) const SERIAL: &str = "/dev/ttyS1";

/// The host's address on vsock(7): VMADDR_CID_HOST.
const HOST_CID: u32 = 2;

/// The port on which hostinfod listens there.
const VSOCK_PORT: u32 = 4678;

/// One way to a host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// A serial port or a channel.
    Device(PathBuf),
    /// A Unix socket.
    Unix(PathBuf),
    /// vsock(7).
    Vsock { cid: u32, port: u32 },
}

impl Way {
    /// The way that a user gives: `/dev/ttyS2`, `unix:/run/hostinfo.sock`, `vsock`, `vsock:2:4678`.
    /// The path of an existing socket does not need `unix:`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn named(name: &Path) -> Result<Self, String> {
        let Some(text) = name.to_str() else { return Ok(Self::at(name)) };
        if let Some(path) = text.strip_prefix("unix:") {
            return Ok(Self::Unix(path.into()));
        }
        if text == "vsock" {
            return Ok(Self::Vsock { cid: HOST_CID, port: VSOCK_PORT });
        }
        let Some(address) = text.strip_prefix("vsock:") else { return Ok(Self::at(name)) };
        let numbers = address.split_once(':').and_then(|(cid, port)| {
            Some(Self::Vsock { cid: cid.parse().ok()?, port: port.parse().ok()? })
        });
        numbers.ok_or_else(|| {
            format!("{text}: write vsock:CID:PORT, such as vsock:{HOST_CID}:{VSOCK_PORT}")
        })
    }

    fn at(path: &Path) -> Self {
        use std::os::unix::fs::FileTypeExt as _;
        let is_socket = path.metadata().is_ok_and(|meta| meta.file_type().is_socket());
        if is_socket { Self::Unix(path.to_owned()) } else { Self::Device(path.to_owned()) }
    }

    /// The ways to try, in this order: the broker, through which everybody gets an answer; the
    /// channel, which loses no data and exists only for this purpose; vsock; and the serial port.
    /// The broker and vsock are only included if they exist.
    pub(crate) fn usual() -> Vec<Self> {
        let broker = Path::new(BROKER).exists().then(|| Self::Unix(BROKER.into()));
        broker.into_iter().chain(Self::without_broker()).collect()
    }

    /// The same for the broker itself.
    pub(crate) fn without_broker() -> Vec<Self> {
        let mut ways = vec![Self::Device(CHANNEL.into())];
        if Path::new("/dev/vsock").exists() {
            ways.push(Self::Vsock { cid: HOST_CID, port: VSOCK_PORT });
        }
        ways.push(Self::Device(SERIAL.into()));
        ways
    }

    /// The device, which other programs may have open as well.
    pub(crate) fn device(&self) -> Option<&Path> {
        match self {
            Self::Device(path) => Some(path),
            Self::Unix(_) | Self::Vsock { .. } => None,
        }
    }
}

impl fmt::Display for Way {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Device(path) => write!(out, "{}", path.display()),
            Self::Unix(path) => write!(out, "unix:{}", path.display()),
            Self::Vsock { cid, port } => write!(out, "vsock:{cid}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(name: &str) -> Result<Way, String> {
        Way::named(Path::new(name))
    }

    #[test]
    fn a_way_is_a_device_a_unix_socket_or_vsock() {
        assert_eq!(named("/dev/ttyS2"), Ok(Way::Device("/dev/ttyS2".into())));
        assert_eq!(named("unix:/run/x.sock"), Ok(Way::Unix("/run/x.sock".into())));
        assert_eq!(named("vsock"), Ok(Way::Vsock { cid: 2, port: 4678 }));
        assert_eq!(named("vsock:3:99"), Ok(Way::Vsock { cid: 3, port: 99 }));
        for name in ["vsock:", "vsock:3", "vsock:3:", "vsock:a:1", "vsock:3:4:5", "vsock:-1:4"] {
            assert!(named(name).unwrap_err().ends_with("such as vsock:2:4678"), "{name}");
        }
    }

    #[test]
    fn a_way_is_told_as_it_is_named() {
        for name in ["/dev/ttyS2", "unix:/run/x.sock", "vsock:2:4678"] {
            assert_eq!(named(name).unwrap().to_string(), name);
        }
    }

    #[test]
    fn a_socket_is_known_by_what_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("s");
        let _listener = std::os::unix::net::UnixListener::bind(&path).unwrap();
        assert_eq!(Way::named(&path), Ok(Way::Unix(path.clone())));
    }

    #[test]
    fn the_serial_port_is_tried_last() {
        let ways = Way::usual();
        assert_eq!(ways.last(), Some(&Way::Device(SERIAL.into())));
        assert!(ways.contains(&Way::Device(CHANNEL.into())));
    }
}
