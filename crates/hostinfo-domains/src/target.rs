//! What a port is in the guest: `<target>` of its XML.

use std::fmt;

/// The virtio channel of hostinfo.
pub const CHANNEL: &str = "org.hostinfo.0";

/// The virtio channel of vhostmd's clients.
pub(crate) const VHOSTMD_CHANNEL: &str = "org.github.vhostmd.1";

/// What the guest sees its port as.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// The UART of that number, from 0.
    Serial(u32),
    /// The virtio channel with that name.
    Channel(String),
    /// Something else, by libvirt's name for it, such as `usb-serial`.
    Other(String),
}

impl Target {
    /// The hostinfo channel.
    pub fn channel() -> Self {
        Self::Channel(CHANNEL.to_owned())
    }

    /// The channel for vhostmd's clients.
    pub fn vhostmd() -> Self {
        Self::Channel(VHOSTMD_CHANNEL.to_owned())
    }

    /// The device name in a Linux guest.
    pub fn linux(&self) -> String {
        match self {
            Self::Serial(number) => format!("/dev/ttyS{number}"),
            Self::Channel(name) => format!("/dev/virtio-ports/{name}"),
            Self::Other(kind) => format!("a device of {kind}"),
        }
    }

    /// The device name in a Windows guest.
    pub fn windows(&self) -> String {
        match self {
            // COM ports are numbered from 1.
            Self::Serial(number) => format!("COM{}", u64::from(*number) + 1),
            Self::Channel(name) => format!(r"\\.\Global\{name}"),
            Self::Other(kind) => format!("a device of {kind}"),
        }
    }

    /// Whether it can be hot-plugged and unplugged: a UART cannot.
    pub fn is_pluggable(&self) -> bool {
        matches!(self, Self::Channel(_))
    }
}

impl fmt::Display for Target {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(number) => write!(out, "serial port {number}"),
            Self::Channel(name) => write!(out, "channel {name}"),
            Self::Other(kind) => out.write_str(kind),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn linux_counts_serial_ports_from_0_and_windows_from_1() {
        let second = Target::Serial(1);
        assert_eq!((&*second.linux(), &*second.windows()), ("/dev/ttyS1", "COM2"));
        assert_eq!(Target::channel().linux(), "/dev/virtio-ports/org.hostinfo.0");
    }
}
