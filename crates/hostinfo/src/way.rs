//! Ways to a host, as a user names them with `--device`. Those tried without it depend on the system.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::args::BROKER;

/// The host's address on vsock(7): VMADDR_CID_HOST.
pub(crate) const HOST_CID: u32 = 2;

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
    /// The way that a user gives: `/dev/ttyS2`, `COM2`, `unix:/run/hostinfo.sock`, `vsock`, `vsock:2:4678`.
    /// The paths of the broker's socket and of any that exists do not need `unix:`.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn named(name: &Path, is_socket: impl Fn(&Path) -> bool) -> Result<Self, String> {
        let at = |path: &Path| match is_socket(path) || path == Path::new(BROKER) {
            true => Self::Unix(path.to_owned()),
            false => Self::Device(path.to_owned()),
        };
        let Some(text) = name.to_str() else { return Ok(at(name)) };
        if let Some(path) = text.strip_prefix("unix:") {
            if path.is_empty() {
                return Err(format!(
                    "unix: names no socket: write unix:PATH, such as unix:{BROKER}"
                ));
            }
            return Ok(Self::Unix(path.into()));
        }
        if text == "vsock" {
            return Ok(Self::vsock());
        }
        let Some(address) = text.strip_prefix("vsock:") else { return Ok(at(name)) };
        let numbers = address.split_once(':').and_then(|(cid, port)| {
            Some(Self::Vsock { cid: cid.parse().ok()?, port: port.parse().ok()? })
        });
        numbers.ok_or_else(|| {
            format!("{text}: write vsock:CID:PORT, such as vsock:{HOST_CID}:{VSOCK_PORT}")
        })
    }

    /// The host's usual address.
    pub(crate) fn vsock() -> Self {
        Self::Vsock { cid: HOST_CID, port: VSOCK_PORT }
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
        Way::named(Path::new(name), |path| path == Path::new("/run/socket"))
    }

    #[test]
    fn a_way_is_a_device_a_unix_socket_or_vsock() {
        assert_eq!(named("/dev/ttyS2"), Ok(Way::Device("/dev/ttyS2".into())));
        assert_eq!(named("/run/socket"), Ok(Way::Unix("/run/socket".into())));
        assert_eq!(named(BROKER), Ok(Way::Unix(BROKER.into())), "no broker may run yet");
        assert_eq!(named("unix:/run/x.sock"), Ok(Way::Unix("/run/x.sock".into())));
        assert!(named("unix:").unwrap_err().ends_with("such as unix:/run/hostinfo.sock"));
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
}
