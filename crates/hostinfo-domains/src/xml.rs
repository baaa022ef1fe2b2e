//! A domain's XML: <https://libvirt.org/formatdomain.html>.

use uuid::Uuid;

use crate::cut::cut;
use crate::directory::Directory;
use crate::iotune::{Limits, limits};
use crate::limits::{
    ATTRIBUTES_MAX, DEV_MAX, DISKS_MAX, ELEMENTS_MAX, NAME_MAX, NAMES_MAX, PATHS_MAX, XML_MAX,
};
use crate::names::Names;
use crate::tags::{TagSources, Tags};

mod devices;
pub(crate) mod element;
mod metadata;
pub(crate) mod reader;
pub(crate) mod vhostmd;

use devices::other_paths;
use element::Element;
use reader::parse_tagged;

/// The parts of a domain's XML that are needed; empty if it cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// See [`Domain::driver`](crate::Domain::driver).
    pub driver: String,
    /// See [`Domain::hwuuid`](crate::Domain::hwuuid).
    pub hwuuid: Option<Uuid>,
    /// See [`Domain::is_kvm`](crate::Domain::is_kvm).
    pub is_kvm: bool,
    /// vCPUs that are online when it starts.
    pub vcpus: u64,
    /// The most vCPUs it may have.
    pub vcpus_max: u64,
    /// See [`Domain::names`](crate::Domain::names).
    pub names: Names,
    /// See [`Domain::channel`](crate::Domain::channel).
    pub channel: Option<String>,
    /// See [`Domain::cid`](crate::Domain::cid).
    pub cid: Option<u32>,
    /// See [`Domain::tags`](crate::Domain::tags).
    pub tags: Tags,
    /// Its disks, in the order of the XML.
    pub disks: Vec<Configured>,
}

/// The configuration of a disk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Configured {
    /// See [`Disk::dev`](crate::Disk::dev).
    pub dev: String,
    /// Its limits.
    pub limits: Limits,
}

/// XML that is not a domain's, or exceeds a limit.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than [`XML_MAX`].
    #[error("longer than {XML_MAX} bytes")]
    TooLong,
    /// It is not XML.
    #[error("not XML at byte {at}: {error}")]
    NoXml {
        /// How far it was read.
        at: u64,
        /// What is wrong at that point.
        error: quick_xml::Error,
    },
    /// It ends in the middle of an element.
    #[error("not XML: it is cut short")]
    CutShort,
    /// It contains something that libvirt never writes.
    #[error("it has a document type, which no domain's XML has")]
    DocType,
    /// It has an entity that is not predefined in XML.
    #[error("not XML: unknown entity &{0};")]
    Entity(String),
    /// More elements than the limit.
    #[error("it has over {ELEMENTS_MAX} elements in <devices> and <os>")]
    TooManyElements,
    /// More attributes than the limit.
    #[error("it has an element <{0}> with over {ATTRIBUTES_MAX} attributes")]
    TooManyAttributes(String),
    /// More paths than the limit.
    #[error("its devices have over {PATHS_MAX} paths")]
    TooManyPaths,
    /// More ports than the limit.
    #[error("it has over {NAMES_MAX} ports for hostinfo")]
    TooManyPorts,
    /// Its outermost element is not `<domain type=...>`.
    #[error("not a <domain type=...>")]
    NoDomain,
}

/// Reads a domain's XML. `directory` is the socket directory.
///
/// # Errors
/// [`Unreadable`].
pub fn describe(
    xml: &str,
    directory: &Directory,
    sought: &TagSources,
) -> Result<Description, Unreadable> {
    let (domain, tags) = parse_tagged(xml, sought)?;
    let (vcpus, vcpus_max) = vcpus(&domain);
    let id = domain.attribute("id").unwrap_or_default();
    Ok(Description {
        driver: driver(&domain)?,
        hwuuid: domain.child("hwuuid").and_then(|own| Uuid::try_parse(own.text.trim()).ok()),
        is_kvm: domain.attribute("type") == Some("kvm"),
        vcpus,
        vcpus_max,
        names: Names::find(&domain, directory)?,
        channel: domain.devices().find_map(|device| vhostmd::channel(device, id)),
        cid: domain.devices().find_map(cid),
        tags,
        disks: domain.devices().filter_map(disk).take(DISKS_MAX).collect(),
    })
}

/// The paths of a domain's serial ports and channels, and those of its other devices: each has to
/// be checked on the host.
///
/// # Errors
/// [`Unreadable::TooManyPaths`].
pub(crate) fn paths<'a>(
    domain: &'a Element<'_>,
) -> Result<(Vec<&'a str>, Vec<&'a str>), Unreadable> {
    let (ports, others) = (domain.devices().flat_map(Element::paths), other_paths(domain));
    let ports: Vec<&str> = ports.take(PATHS_MAX + 1).collect();
    match ports.len() + others.len() {
        0..=PATHS_MAX => Ok((ports, others)),
        _ => Err(Unreadable::TooManyPaths),
    }
}

/// The driver of a domain, from its outermost element.
///
/// # Errors
/// [`Unreadable::NoDomain`].
pub(crate) fn driver(domain: &Element<'_>) -> Result<String, Unreadable> {
    let driver = domain.attribute("type").filter(|_| domain.name == "domain");
    Ok(match driver.ok_or(Unreadable::NoDomain)? {
        "kvm" | "qemu" => "qemu",
        other => cut(other, NAME_MAX),
    }
    .to_owned())
}

fn number(parent: &Element<'_>, name: &str) -> Option<u64> {
    parent.child(name)?.text.trim().parse().ok()
}

/// `<vcpu placement='static' current='1'>2</vcpu>`
fn vcpus(domain: &Element<'_>) -> (u64, u64) {
    let most = number(domain, "vcpu").unwrap_or(1);
    let now = domain.child("vcpu").and_then(|vcpu| vcpu.attribute("current")?.parse().ok());
    (now.unwrap_or(most), most)
}

/// `<vsock model='virtio'><cid auto='yes' address='3'/></vsock>`, of which a domain has one at most.
fn cid(device: &Element<'_>) -> Option<u32> {
    let cid = device.child("cid").filter(|_| device.name == "vsock")?;
    cid.attribute("address")?.parse().ok()
}

fn disk(device: &Element<'_>) -> Option<Configured> {
    let target = device.child("target").filter(|_| device.name == "disk")?;
    let dev = target.attribute("dev").filter(|dev| dev.len() <= DEV_MAX)?;
    Some(Configured { dev: dev.to_owned(), limits: limits(device) })
}

#[cfg(test)]
mod tests;
