//! The ports that a domain's XML has for hostinfo, and whether there is room for another.

use std::collections::BTreeSet;

use crate::directory::{Directory, Leads};
use crate::limits::{NAMES_MAX, UARTS};
use crate::place::Place;
use crate::whose::Conflict;
use crate::xml::element::Element;
use crate::xml::reader::parse;
use crate::xml::vhostmd::VHOSTMD_DIR;
use crate::xml::{Unreadable, driver, paths};

/// The ports that a domain's XML has for hostinfo.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ports {
    /// The domain's name.
    pub name: String,
    /// See [`Domain::driver`](crate::Domain::driver).
    pub driver: String,
    /// Its hostinfo ports: at most one is right.
    pub hostinfo: Vec<Port>,
    /// Its ports for vhostmd's clients: at most one is right.
    pub vhostmd: Vec<Port>,
    /// Whether it has a controller that channels can be plugged into.
    pub has_virtio_serial: bool,
    /// The numbers used by serial ports of any kind.
    taken: BTreeSet<u32>,
    /// The names used by channels of any kind.
    channels: BTreeSet<String>,
    has_uarts: bool,
    /// Whether its machine has a bus for virtio devices, which a channel needs.
    pub has_virtio_bus: bool,
    /// Whether it has a console and no serial port: libvirt would make a serial port its first
    /// console, and `virsh console` would lead there.
    pub has_lone_console: bool,
}

/// A serial port or a channel whose socket is in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Where the guest finds it.
    pub place: Place,
    /// The socket's name.
    pub socket: String,
    /// Whether it is a Unix socket that the hypervisor listens on.
    listens: bool,
    /// The device as it is written in the XML.
    pub xml: String,
}

impl Ports {
    /// Finds them. `directory` is the socket directory.
    ///
    /// # Errors
    /// [`Unreadable`].
    pub fn find(xml: &str, directory: &Directory) -> Result<Self, Unreadable> {
        let domain = parse(xml)?;
        // The same limit as in hostinfod.
        paths(&domain)?;
        let devices = || domain.devices();
        Ok(Self {
            name: domain.child("name").map(|name| name.text.clone()).unwrap_or_default(),
            driver: driver(&domain)?,
            hostinfo: ports(&domain, xml, directory),
            vhostmd: ports(&domain, xml, &directory.below(VHOSTMD_DIR)),
            taken: devices().filter(|device| device.name == "serial").filter_map(number).collect(),
            channels: devices().filter_map(channel).map(str::to_owned).collect(),
            has_virtio_serial: devices().any(is_virtio_serial),
            has_uarts: has_uarts(&domain),
            has_virtio_bus: devices().any(is_virtio_serial) || has_virtio_bus(&domain),
            has_lone_console: devices().any(|device| device.name == "console")
                && devices().all(|device| device.name != "serial"),
        })
    }

    /// The name that its sockets must have: `$driver-$name`.
    pub fn socket_name(&self) -> String {
        format!("{}-{}", self.driver, self.name)
    }

    /// Where hostinfo's port belongs unless somebody asks for another place: serial port 1 (ttyS1,
    /// COM2), which is the only one that the guest's tool tries, or else the channel.
    pub fn default_place(&self) -> Place {
        let second = Place::Serial(1);
        match self.is_free(&second) && !self.has_lone_console {
            true => second,
            false => Place::channel(),
        }
    }

    /// A free serial port: 1 if possible, otherwise the next one.
    pub fn free_uart(&self) -> Option<Place> {
        // 0 comes last: that is where people expect a guest's console.
        let mut places = (1..UARTS).chain([0]).map(Place::Serial);
        places.find(|place| self.is_free(place))
    }

    /// Whether the domain can have such a port and has none there, whatever its path.
    pub fn is_free(&self, place: &Place) -> bool {
        match place {
            Place::Serial(number) => {
                self.has_uarts && *number < UARTS && !self.taken.contains(number)
            }
            Place::Channel(name) => self.has_virtio_bus && !self.channels.contains(name),
            Place::Other(_) => false,
        }
    }

    /// What is wrong with its hostinfo ports.
    pub fn conflict(&self) -> Option<Conflict> {
        self.wrong(&self.hostinfo)
    }

    /// What is wrong with its ports for vhostmd's clients.
    pub fn vhostmd_conflict(&self) -> Option<Conflict> {
        self.wrong(&self.vhostmd)
    }

    fn wrong(&self, ports: &[Port]) -> Option<Conflict> {
        let sockets: Vec<&str> = ports.iter().map(|port| &*port.socket).collect();
        let wrong = || ports.iter().any(|port| !port.listens);
        let nameless = || ports.iter().any(Port::is_nameless);
        let domain = || self.name.clone();
        Conflict::of(&self.name, &self.socket_name(), &sockets)
            .or_else(|| wrong().then(|| Conflict::NoSocket { domain: domain() }))
            .or_else(|| nameless().then(|| Conflict::NoName { domain: domain() }))
    }

    /// Whether a port of this domain is as it must be.
    pub fn is_right(&self, port: &Port) -> bool {
        port.listens && !port.is_nameless() && port.socket == self.socket_name()
    }
}

impl Port {
    /// Whether it is a virtio channel without a name: nothing in the guest can tell what it is for.
    fn is_nameless(&self) -> bool {
        self.xml.starts_with("<channel")
            && matches!(&self.place, Place::Other(kind) if kind == "virtio")
    }
}

fn ports(domain: &Element<'_>, xml: &str, directory: &Directory) -> Vec<Port> {
    let port = |device: &Element<'_>| {
        let socket = device.paths().find_map(|path| match directory.find(path) {
            Leads::Here(name) => Some(name.to_owned()),
            // The path leads to no socket of a guest, or cannot be repaired here.
            Leads::Hidden(_) | Leads::Elsewhere => None,
        })?;
        let binds = |source: &Element<'_>| source.attribute("mode") == Some("bind");
        Some(Port {
            place: place(device),
            socket,
            listens: device.attribute("type") == Some("unix")
                && device.children("source").all(binds),
            xml: xml.get(device.range.clone())?.to_owned(),
        })
    };
    domain.devices().filter_map(port).take(NAMES_MAX).collect()
}

fn place(device: &Element<'_>) -> Place {
    let kind = device.child("target").and_then(|target| target.attribute("type"));
    let element = device.name;
    match (number(device), channel(device)) {
        (_, Some(name)) => Place::Channel(name.to_owned()),
        (Some(number), _) if element == "serial" && kind.is_none_or(|k| k == "isa-serial") => {
            Place::Serial(number)
        }
        _ => Place::Other(kind.unwrap_or(element).to_owned()),
    }
}

/// `<target type='virtio' name='org.hostinfo.0'/>`
fn channel<'a>(device: &'a Element<'_>) -> Option<&'a str> {
    device.child("target").filter(|_| device.name == "channel")?.attribute("name")
}

/// `<target type='isa-serial' port='1'/>`
fn number(serial: &Element<'_>) -> Option<u32> {
    serial.child("target")?.attribute("port")?.parse().ok()
}

/// `<controller type='virtio-serial' index='0'/>`
fn is_virtio_serial(device: &Element<'_>) -> bool {
    device.name == "controller" && device.attribute("type") == Some("virtio-serial")
}

/// Whether libvirt can give its machine a virtio device: by PCI, by CCW on s390, or by virtio-mmio on the
/// boards of Arm and RISC-V that have it. <https://libvirt.org/formatdomain.html#device-addresses>
fn has_virtio_bus(domain: &Element<'_>) -> bool {
    let kind = domain.child("os").and_then(|os| os.child("type"));
    let of = |name| kind.and_then(|kind| kind.attribute(name)).unwrap_or_default();
    let is_pci = |device: &Element<'_>| {
        device.name == "controller" && device.attribute("type") == Some("pci")
    };
    match (of("arch"), of("machine")) {
        (_, "none" | "microvm" | "isapc") => domain.devices().any(is_pci),
        ("armv6l" | "armv7l" | "aarch64", machine) => {
            ["virt", "vexpress", ""].contains(&machine)
                || machine.starts_with("virt-")
                || domain.devices().any(is_pci)
        }
        _ => true,
    }
}

/// PCs have them, except that a `microvm` machine only has the one for its console.
fn has_uarts(domain: &Element<'_>) -> bool {
    let kind = domain.child("os").and_then(|os| os.child("type"));
    let is = |name, ok: fn(&str) -> bool| kind.and_then(|kind| kind.attribute(name)).is_none_or(ok);
    is("arch", |arch| matches!(arch, "x86_64" | "i686")) && is("machine", |m| m != "microvm")
}

#[cfg(test)]
mod tests;
