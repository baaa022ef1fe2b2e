//! The ports that a domain's XML has for hostinfo, and whether there is room for another.

use std::collections::{BTreeMap, BTreeSet};

use crate::conflict::Conflict;
use crate::directory::{Directory, Leads};
use crate::limits::{NAMES_MAX, UARTS};
use crate::target::Target;
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
    /// The controllers that channels can be plugged into, by their index, and how many ports each has.
    controllers: BTreeMap<u32, u32>,
    /// The ports of controllers that are used.
    plugged: BTreeSet<Slot>,
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

/// A port of a virtio-serial controller, into which one channel can be plugged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Slot {
    /// The controller's index.
    pub controller: u32,
    /// The number, from 1: a console has 0.
    pub port: u32,
}

/// The ports of a controller whose XML does not say how many.
/// <https://libvirt.org/formatdomain.html#controllers>
const SLOTS: u32 = 31;

/// A serial port or a channel whose socket is in the directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// Where the guest finds it.
    pub target: Target,
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
            controllers: devices().filter_map(virtio_serial).collect(),
            plugged: devices().filter_map(slot).collect(),
            has_uarts: has_uarts(&domain),
            has_virtio_bus: devices().any(|device| virtio_serial(device).is_some())
                || has_virtio_bus(&domain),
            has_lone_console: devices().any(|device| device.name == "console")
                && devices().all(|device| device.name != "serial"),
        })
    }

    /// The name that its sockets must have: `$driver-$name`.
    pub fn socket_name(&self) -> String {
        format!("{}-{}", self.driver, self.name)
    }

    /// Where hostinfo's port belongs unless somebody asks for another target: serial port 1 (ttyS1,
    /// COM2), the only serial port that the guest's tool tries, or else the channel.
    pub fn default_target(&self) -> Target {
        let second = Target::Serial(1);
        match self.is_free(&second) && !self.has_lone_console {
            true => second,
            false => Target::channel(),
        }
    }

    /// A free serial port: 1 if possible, otherwise the next one.
    pub fn free_uart(&self) -> Option<Target> {
        // 0 comes last: that is where people expect a guest's console.
        let mut targets = (1..UARTS).chain([0]).map(Target::Serial);
        targets.find(|target| self.is_free(target))
    }

    /// Whether the domain can have such a port and has none there, whatever its path.
    pub fn is_free(&self, target: &Target) -> bool {
        match target {
            Target::Serial(number) => {
                self.has_uarts && *number < UARTS && !self.taken.contains(number)
            }
            Target::Channel(name) => self.has_virtio_bus && !self.channels.contains(name),
            Target::Other(_) => false,
        }
    }

    /// Whether it has a controller that channels can be plugged into.
    pub fn has_virtio_serial(&self) -> bool {
        !self.controllers.is_empty()
    }

    /// Where channels can be plugged in, the first that libvirt would choose first.
    pub fn free_slots(&self) -> impl Iterator<Item = Slot> {
        let all = self.controllers.iter().flat_map(|(controller, ports)| {
            (1..(*ports).min(SLOTS)).map(|port| Slot { controller: *controller, port })
        });
        all.filter(|slot| !self.plugged.contains(slot))
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
            && matches!(&self.target, Target::Other(kind) if kind == "virtio")
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
            target: target(device),
            socket,
            listens: device.attribute("type") == Some("unix")
                && device.children("source").all(binds),
            xml: xml.get(device.range.clone())?.to_owned(),
        })
    };
    domain.devices().filter_map(port).take(NAMES_MAX).collect()
}

fn target(device: &Element<'_>) -> Target {
    let kind = device.child("target").and_then(|target| target.attribute("type"));
    let element = device.name;
    match (number(device), channel(device)) {
        (_, Some(name)) => Target::Channel(name.to_owned()),
        (Some(number), _) if element == "serial" && kind.is_none_or(|k| k == "isa-serial") => {
            Target::Serial(number)
        }
        _ => Target::Other(kind.unwrap_or(element).to_owned()),
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

/// `<controller type='virtio-serial' index='0' ports='16'/>`
fn virtio_serial(device: &Element<'_>) -> Option<(u32, u32)> {
    let is_one = device.name == "controller" && device.attribute("type") == Some("virtio-serial");
    let number = |name| device.attribute(name).and_then(|number| number.parse().ok());
    is_one.then(|| (number("index").unwrap_or(0), number("ports").unwrap_or(SLOTS)))
}

/// `<address type='virtio-serial' controller='0' bus='0' port='1'/>`
fn slot(device: &Element<'_>) -> Option<Slot> {
    let address = device.child("address")?;
    let number = |name| address.attribute(name).and_then(|number| number.parse().ok());
    let is_one = address.attribute("type") == Some("virtio-serial");
    Some(Slot { controller: number("controller")?, port: number("port")? }).filter(|_| is_one)
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
