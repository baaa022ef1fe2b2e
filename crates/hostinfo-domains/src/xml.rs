//! A domain's XML: <https://libvirt.org/formatdomain.html>.

use roxmltree::{Document, Node, ParsingOptions};

use crate::cut::cut;
use crate::directory::Directory;
use crate::limits::{DEV_MAX, DISKS_MAX, NAME_MAX, NAMES_MAX, XML_MAX, XML_NODES_MAX};
use crate::names::Names;

pub(crate) mod elements;
pub(crate) mod vhostmd;

use elements::{children, devices};

/// What is needed of a domain's XML; nothing where it cannot be read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Description {
    /// See [`Domain::driver`](crate::Domain::driver).
    pub driver: String,
    /// See [`Domain::is_kvm`](crate::Domain::is_kvm).
    pub is_kvm: bool,
    /// vCPUs that are online when it starts.
    pub vcpus: u64,
    /// vCPUs that it may have.
    pub vcpus_max: u64,
    /// See [`Domain::names`](crate::Domain::names).
    pub names: Names,
    /// See [`Domain::channel`](crate::Domain::channel).
    pub channel: Option<String>,
    /// Its disks by their names, in their order.
    pub disks: Vec<(String, Limits)>,
}

/// What a disk is limited to (`<iotune>`): in all, or as the sum of reads and writes where both
/// are limited. A limit of only one of the two is none of the disk's.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Limits {
    /// Bytes a second.
    pub bytes: Option<u64>,
    /// Operations a second.
    pub ops: Option<u64>,
}

/// XML that is no domain's.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It is longer than [`XML_MAX`].
    #[error("longer than {XML_MAX} bytes")]
    TooLong,
    /// It is no XML.
    #[error(transparent)]
    NoXml(#[from] roxmltree::Error),
    /// More than can be told.
    #[error("it has over {NAMES_MAX} ports for hostinfo")]
    TooManyPorts,
    /// Its outermost element is not `<domain type=...>`.
    #[error("not a <domain type=...>")]
    NoDomain,
}

/// Reads a domain's XML. `directory` is that of the sockets.
///
/// # Errors
/// [`Unreadable`].
pub fn describe(xml: &str, directory: &Directory) -> Result<Description, Unreadable> {
    let document = parse(xml)?;
    let domain = document.root_element();
    let devices = || devices(domain);
    let (vcpus, vcpus_max) = vcpus(domain);
    let id = domain.attribute("id").unwrap_or_default();
    Ok(Description {
        driver: driver(domain)?,
        is_kvm: domain.attribute("type") == Some("kvm"),
        vcpus,
        vcpus_max,
        names: Names::find(devices(), directory).ok_or(Unreadable::TooManyPorts)?,
        channel: devices().find_map(|device| vhostmd::channel(device, id)),
        disks: devices().filter_map(disk).take(DISKS_MAX).collect(),
    })
}

/// XML within its bounds.
///
/// # Errors
/// [`Unreadable`], but for [`Unreadable::NoDomain`].
pub(crate) fn parse(xml: &str) -> Result<Document<'_>, Unreadable> {
    if xml.len() > XML_MAX {
        return Err(Unreadable::TooLong);
    }
    let options = ParsingOptions { nodes_limit: XML_NODES_MAX, ..ParsingOptions::default() };
    Ok(Document::parse_with_options(xml, options)?)
}

/// The driver of a domain, by its outermost element.
///
/// # Errors
/// [`Unreadable::NoDomain`].
pub(crate) fn driver(domain: Node<'_, '_>) -> Result<String, Unreadable> {
    let driver = domain.attribute("type").filter(|_| domain.has_tag_name("domain"));
    Ok(match driver.ok_or(Unreadable::NoDomain)? {
        "kvm" | "qemu" => "qemu",
        other => cut(other, NAME_MAX),
    }
    .to_owned())
}

fn number(parent: Node<'_, '_>, name: &'static str) -> Option<u64> {
    children(parent, name).next()?.text()?.trim().parse().ok()
}

/// `<vcpu placement='static' current='1'>2</vcpu>`
fn vcpus(domain: Node<'_, '_>) -> (u64, u64) {
    let most = number(domain, "vcpu").unwrap_or(1);
    let vcpu = children(domain, "vcpu").next();
    let now = vcpu.and_then(|vcpu| vcpu.attribute("current")?.parse().ok());
    (now.unwrap_or(most), most)
}

fn disk(device: Node<'_, '_>) -> Option<(String, Limits)> {
    let target = device.has_tag_name("disk").then(|| children(device, "target").next())??;
    let dev = target.attribute("dev").filter(|dev| dev.len() <= DEV_MAX)?;
    let limits = children(device, "iotune").next().map_or_else(Limits::default, |tune| {
        let limit = |total, read, write| {
            // 0 is no limit.
            let of = |name| number(tune, name).filter(|limit| *limit != 0);
            of(total).or_else(|| of(read)?.checked_add(of(write)?))
        };
        Limits {
            bytes: limit("total_bytes_sec", "read_bytes_sec", "write_bytes_sec"),
            ops: limit("total_iops_sec", "read_iops_sec", "write_iops_sec"),
        }
    });
    Some((dev.to_owned(), limits))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::path::Path;

    fn read(xml: &str) -> Result<Description, Unreadable> {
        describe(xml, &Directory::of_text(Path::new("/var/lib/hostinfo")))
    }

    fn clauses(devices: &str) -> Vec<String> {
        let xml = format!("<domain type='kvm'><devices>{devices}</devices></domain>");
        read(&xml).unwrap().names.clauses
    }

    fn port(element: &str, path: &str) -> String {
        format!("<{element} type='unix'><source mode='bind' path='{path}'/></{element}>")
    }

    #[test]
    fn serial_ports_and_channels_in_the_socket_directory_count() {
        for name in ["qemu-a", "qemu&#45;a"] {
            assert_eq!(clauses(&port("serial", &format!("/var/lib/hostinfo/{name}"))), ["qemu-a"]);
        }
        assert_eq!(clauses(&port("channel", "/var/lib/hostinfo/qemu-a b")), ["qemu-a b"]);
        let both = port("serial", "/var/lib/hostinfo/x") + &port("channel", "/var/lib/hostinfo/y");
        assert_eq!(clauses(&both), ["x", "y"]);
    }

    #[test]
    fn consoles_disks_and_what_is_deeper_or_elsewhere_do_not_count() {
        let socket = "/var/lib/hostinfo/qemu-a";
        for device in [
            &*port("console", socket),
            &port("serial", "/var/lib/hostinfo/vhostmd/qemu-a"),
            &port("serial", "/var/lib/hostinfo"),
            &port("serial", "/var/lib/hostinfo/"),
            &port("serial", "/var/lib/hostinfo2/qemu-a"),
            &port("serial", "var/lib/hostinfo/qemu-a"),
            &port("serial", &format!("/var/lib/hostinfo/{}", "x".repeat(256))),
            &format!("<disk><target dev='vda'/>{}</disk>", port("serial", socket)),
            "<disk><serial>/var/lib/hostinfo/qemu-a</serial></disk>",
            "<channel type='spicevmc'><target type='virtio' name='com.redhat.spice.0'/></channel>",
            "<serial type='pty'><source/></serial><serial type='pty'/>",
        ] {
            assert_eq!(clauses(device), [""; 0], "{device}");
        }
        let outside = format!("<domain type='kvm'>{}</domain>", port("serial", socket));
        assert_eq!(read(&outside).unwrap().names.clauses, [""; 0]);
        let metadata = format!(
            "<domain type='kvm'><metadata><devices>{}</devices></metadata></domain>",
            port("serial", socket)
        );
        assert_eq!(read(&metadata).unwrap().names.clauses, [""; 0]);
    }

    #[test]
    fn kvm_and_qemu_are_one_driver_and_others_are_their_own() {
        for (kind, driver) in [("kvm", "qemu"), ("qemu", "qemu"), ("xen", "xen"), ("lxc", "lxc")] {
            let xml = format!("<domain type='{kind}' id='1'/>");
            let found = read(&xml).unwrap();
            assert_eq!((&*found.driver, found.is_kvm), (driver, kind == "kvm"));
        }
    }

    #[test]
    fn all_vcpus_are_online_unless_it_says_otherwise() {
        for (vcpu, expected) in [
            ("<vcpu placement='static' current='1'>2</vcpu>", (1, 2)),
            ("<vcpu>4</vcpu>", (4, 4)),
            ("<vcpu>-4</vcpu>", (1, 1)),
            ("", (1, 1)),
        ] {
            let found = read(&format!("<domain type='kvm'>{vcpu}</domain>")).unwrap();
            assert_eq!((found.vcpus, found.vcpus_max), expected, "{vcpu}");
        }
    }

    #[test]
    fn a_disk_is_limited_in_all_or_by_the_sum_of_both_directions() {
        let limits = |tune: &str| {
            let disk = format!("<disk><target dev='vda'/><iotune>{tune}</iotune></disk>");
            let xml = format!("<domain type='kvm'><devices>{disk}</devices></domain>");
            let disks = read(&xml).unwrap().disks;
            assert_eq!(disks[0].0, "vda");
            (disks[0].1.bytes, disks[0].1.ops)
        };
        assert_eq!(limits(""), (None, None));
        assert_eq!(limits("<total_bytes_sec>7</total_bytes_sec>"), (Some(7), None));
        assert_eq!(
            limits("<read_iops_sec>7</read_iops_sec><write_iops_sec> 8 </write_iops_sec>"),
            (None, Some(15))
        );
        assert_eq!(limits("<read_iops_sec>7</read_iops_sec>"), (None, None));
        assert_eq!(limits("<total_iops_sec>0</total_iops_sec>"), (None, None));
    }

    #[test]
    fn what_is_no_domain_or_too_large_is_an_error() {
        for xml in ["", "<domain", "<domain/>", "<network type='kvm'/>", "<!DOCTYPE a><a/>"] {
            assert!(read(xml).is_err(), "{xml}");
        }
        assert!(read(&"<a>".repeat(XML_MAX / 3 - 1)).is_err());
        assert!(matches!(read(&" ".repeat(XML_MAX + 1)), Err(Unreadable::TooLong)));
        let nested = format!("{}{}", "<a>".repeat(90_000), "</a>".repeat(90_000));
        assert!(read(&format!("<domain type='kvm'>{nested}</domain>")).is_ok());
        let many = port("serial", "/var/lib/hostinfo/qemu-a").repeat(NAMES_MAX + 1);
        let many = format!("<domain type='kvm'><devices>{many}</devices></domain>");
        assert!(matches!(read(&many), Err(Unreadable::TooManyPorts)));
    }

    #[test]
    fn whatever_a_management_program_keeps_in_it_a_domain_is_read() {
        let port = port("serial", "/var/lib/hostinfo/qemu-a");
        let domain = |notes: &str| {
            format!(
                "<domain type='kvm'><metadata>{notes}</metadata><devices>{port}</devices></domain>"
            )
        };
        for note in ["<a/>x", "<a/>", "<!---->"] {
            let xml = domain(&note.repeat((XML_MAX - domain("").len()) / note.len()));
            assert_eq!(read(&xml).unwrap().names.clauses, ["qemu-a"], "{note}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_described_or_an_error(
            xml in r"(<(domain|devices|serial|source)( (type|path)='[a-z/.]{0,12}')?/?>|</(domain|devices|serial)>|.){0,12}",
        ) {
            let _ = read(&xml);
        }

        #[test]
        fn a_clause_is_never_more_than_a_file_name(path in "[a-z./]{0,20}") {
            for name in clauses(&port("serial", &format!("/var/lib/hostinfo/{path}"))) {
                prop_assert!(!name.is_empty() && !name.contains('/') && name != ".." && name != ".");
            }
        }
    }
}
