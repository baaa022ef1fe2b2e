//! `/sys/class/net`: which interfaces carry the host's own traffic, each counted once.

use std::collections::HashMap;
use std::path::Path;

use crate::Roots;
use crate::device::Folder;
use crate::devices::{Class, Found, Identity};
use crate::text::{lines, number};

/// Values of `type` for interfaces that show what other interfaces of their radio receive:
/// ARPHRD_IEEE80211, ARPHRD_IEEE80211_PRISM, ARPHRD_IEEE80211_RADIOTAP.
const MONITORS: [u64; 3] = [801, 802, 803];

/// The interfaces of a host.
pub(crate) struct Interfaces<'a>(Folder<'a>);

impl<'a> Interfaces<'a> {
    pub(crate) fn new(roots: &'a Roots) -> Self {
        Self(Folder::new(roots, "class/net"))
    }

    fn index(&mut self, interface: &Path) -> Option<u64> {
        self.0.number(interface.join("ifindex"))
    }

    /// Whether another interface's figures include everything it counts.
    fn is_in_another(&mut self, interface: &Path) -> bool {
        self.has_master(interface)
            || self.is_guests_end(interface)
            || self.is_representor(interface)
            || self.is_switch_port(interface)
            || self.is_behind_switch(interface)
            || self.0.number(interface.join("type")).is_some_and(|kind| MONITORS.contains(&kind))
    }

    /// Whether it is a virtual function below a Hyper-V interface (netvsc) or a failover pair,
    /// whose own figures include it. A bridge or bond has no device, so what is below it counts.
    fn has_master(&mut self, interface: &Path) -> bool {
        let master = interface.join("master");
        let Some(name) = self.0.target(&master) else {
            return self.0.has(master.join("device"));
        };
        self.0.hardware(&name).is_some()
    }

    /// The host's end of a Xen guest's interface.
    fn is_guests_end(&mut self, interface: &Path) -> bool {
        match self.0.target(interface.join("device/subsystem")) {
            Some(bus) => bus == b"xen-backend",
            None => interface.file_name().is_some_and(|name| is_vif(name.as_encoded_bytes())),
        }
    }

    /// The host's end of a function that a NIC's switch gives to a guest.
    fn is_representor(&mut self, interface: &Path) -> bool {
        let port = self.0.text(interface.join("phys_port_name")).map(<[u8]>::to_vec);
        port.is_some_and(|port| {
            // mlx5 named functions by a bare number up to Linux 4.19.
            is_function(&port) || (is_only_number(&port) && self.is_on_switch(interface))
        })
    }

    /// A port of a switch whose other end is an interface of the host (DSA).
    fn is_switch_port(&mut self, interface: &Path) -> bool {
        let uevent = self.0.text(interface.join("uevent"));
        uevent.is_some_and(|text| lines(text).any(|line| line == b"DEVTYPE=dsa"))
    }

    /// A function that the host itself uses, on a NIC that works as a switch: the uplink's
    /// figures already count everything on the wire.
    fn is_behind_switch(&mut self, interface: &Path) -> bool {
        // For a virtual function, and for a subfunction, which is a device below its NIC.
        ["device/physfn/net", "device/../net"].iter().any(|folder| {
            let folder = interface.join(folder);
            let names = self.0.names(&folder);
            let is_own = names.iter().any(|name| interface.ends_with(name));
            !is_own && names.iter().any(|name| self.is_on_switch(&folder.join(name)))
        })
    }

    fn is_on_switch(&mut self, interface: &Path) -> bool {
        self.0.text(interface.join("phys_switch_id")).is_some()
    }
}

impl Class for Interfaces<'_> {
    fn inodes(&mut self) -> HashMap<Vec<u8>, u64> {
        self.0.inodes()
    }

    fn find(&mut self, name: &[u8]) -> Option<Found> {
        let interface = self.0.hardware(name)?;
        if self.is_in_another(&interface) {
            return None;
        }
        let index = self.index(&interface);
        let identity = index.map_or_else(|| Identity::Name(name.to_owned()), Identity::Number);
        // Ports of one function are numbered.
        let port = self.0.number(interface.join("dev_port")).unwrap_or(0);
        let place = self.0.place(interface.join("device"));
        Some(Found { identity, place: place.map(|place| place.join(port.to_string())) })
    }

    fn is_still(&mut self, name: &[u8], identity: &Identity) -> bool {
        let Some(interface) = self.0.hardware(name) else { return false };
        let is_same = match identity {
            Identity::Number(index) => self.index(&interface) == Some(*index),
            Identity::Name(_) => true,
        };
        // A function is put below its master if the master exists already.
        is_same && !self.has_master(&interface)
    }
}

/// `vif3.0`.
fn is_vif(name: &[u8]) -> bool {
    let mut numbers = name.strip_prefix(b"vif").unwrap_or_default().splitn(2, |byte| *byte == b'.');
    numbers.next().is_some_and(is_only_number) && numbers.next().is_some_and(is_only_number)
}

/// The name of a port that is really a function: `pf0`, `pf0vf1`, `pf0sf88`, prefixed with the
/// controller's number (`c1pf0vf1`) or the port's (`p0pf0vf1`). Real ports are `p0` and `p0s1`.
fn is_function(port: &[u8]) -> bool {
    let port = numbered(port, b"c").or_else(|| numbered(port, b"p")).unwrap_or(port);
    numbered(port, b"pf").is_some_and(|rest| {
        rest.is_empty() || numbered(rest, b"vf").is_some() || numbered(rest, b"sf").is_some()
    })
}

/// What follows `prefix` and a number.
fn numbered<'w>(word: &'w [u8], prefix: &[u8]) -> Option<&'w [u8]> {
    let rest = word.strip_prefix(prefix)?;
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    if digits == 0 { None } else { rest.get(digits..) }
}

fn is_only_number(word: &[u8]) -> bool {
    number(word).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn functions_are_told_from_ports_by_the_names_that_drivers_give_them() {
        for port in ["pf0", "pf0vf0", "pf1vf127", "pf0sf88", "c1pf0", "c1pf0vf3", "p0pf0vf1"] {
            assert!(is_function(port.as_bytes()), "{port}");
        }
        for port in ["p0", "p1", "p0s3", "0", "", "pf", "pfx", "c1", "c1p0", "uplink", "pf0x"] {
            assert!(!is_function(port.as_bytes()), "{port}");
        }
    }

    #[test]
    fn xens_ends_have_the_guests_number_and_the_devices() {
        for (name, is) in [
            ("vif1.0", true),
            ("vif12.3", true),
            ("vif1", false),
            ("vif1.0-emu", false),
            ("eth0", false),
        ] {
            assert_eq!(is_vif(name.as_bytes()), is, "{name}");
        }
    }

    proptest! {
        #[test]
        fn any_bytes_have_an_answer(bytes: Vec<u8>, port in "[cpfvs0-9]{0,12}") {
            is_vif(&bytes);
            is_function(&bytes);
            is_function(port.as_bytes());
        }
    }
}
