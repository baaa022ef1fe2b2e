use super::*;
use proptest::prelude::*;
use std::path::Path;
use std::time::{Duration, Instant};

fn read(xml: &str) -> Result<Description, Unreadable> {
    describe(xml, &Directory::of_text(Path::new("/var/lib/hostinfo")), &TagSources::default())
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
fn other_devices_and_what_is_deeper_or_elsewhere_are_no_ports() {
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
fn another_device_in_the_directories_is_told_of_and_a_port_that_is_shown_twice_is_not() {
    let others = |devices: &str| {
        let xml = format!("<domain type='kvm'><devices>{devices}</devices></domain>");
        read(&xml).unwrap().names.others
    };
    let virtio = "<target type='virtio' port='1'/></console>";
    for path in ["qemu-a", "vhostmd/qemu-a", "./qemu-a"] {
        let console = port("console", &format!("/var/lib/hostinfo/{path}"));
        assert_eq!(others(&console.replace("</console>", virtio)), ["qemu-a"], "{path}");
    }
    let twice = "<target type='serial' port='1'/></console>";
    let console = port("console", "/var/lib/hostinfo/qemu-a").replace("</console>", twice);
    assert_eq!(others(&console), [""; 0]);
    assert_eq!(others(&port("serial", "/var/lib/hostinfo/qemu-a")), [""; 0]);
    assert_eq!(others(&port("parallel", "/run/qemu-a")), [""; 0]);
}

#[test]
fn a_directory_that_cannot_be_looked_at_hides_only_what_may_be_a_guests_socket() {
    let folder = tempfile::tempdir().unwrap();
    let directory = Directory::of_host(folder.path());
    let hidden = |element: &str, name: &str| {
        let port = port(element, &format!("/nonexistent/{name}"));
        let xml = format!("<domain type='kvm'><devices>{port}</devices></domain>");
        describe(&xml, &directory, &TagSources::default()).unwrap().names.hidden
    };
    assert_eq!(hidden("serial", "qemu-a"), ["qemu-a"]);
    assert_eq!(hidden("parallel", "qemu-a"), ["qemu-a"]);
    assert_eq!(hidden("interface", "vhost-user-1"), [""; 0]);
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
fn a_uuid_of_its_own_for_the_machine_is_read_where_there_is_one() {
    let own = |more: &str| read(&format!("<domain type='kvm'>{more}</domain>")).unwrap().hwuuid;
    let uuid = Uuid::from_u128(7);
    assert_eq!(own(&format!("<uuid>x</uuid><hwuuid>{uuid}</hwuuid>")), Some(uuid));
    assert_eq!((own("<hwuuid>x</hwuuid>"), own("")), (None, None));
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
fn a_text_that_is_no_domain_or_is_too_large_is_an_error() {
    for (xml, why) in [
        ("", "not a <domain type=...>"),
        (
            "<domain",
            "not XML at byte 7: syntax error: tag not closed: `>` not found before end of input",
        ),
        ("<domain/>", "not a <domain type=...>"),
        ("<network type='kvm'/>", "not a <domain type=...>"),
        ("<domain type='kvm'>", "not XML: it is cut short"),
        ("<domain type='kvm'/><domain type='kvm'/>", "not a <domain type=...>"),
        ("<domain type='kvm'/>x", "not a <domain type=...>"),
        ("<domain type='kvm'><name>&x;</name></domain>", "not XML: unknown entity &x;"),
        ("<!DOCTYPE a><a/>", "it has a document type, which no domain's XML has"),
    ] {
        assert_eq!(read(xml).unwrap_err().to_string(), why, "{xml}");
    }
    assert!(read(&"<a>".repeat(XML_MAX / 3 - 1)).is_err());
    assert!(matches!(read(&" ".repeat(XML_MAX + 1)), Err(Unreadable::TooLong)));
    let nested = format!("{}{}", "<a>".repeat(90_000), "</a>".repeat(90_000));
    assert!(read(&format!("<domain type='kvm'>{nested}</domain>")).is_ok());
}

#[test]
fn a_domain_with_more_than_a_bound_permits_is_an_error_that_names_the_bound() {
    let with =
        |devices: &str| read(&format!("<domain type='kvm'><devices>{devices}</devices></domain>"));
    let why = |devices: &str| with(devices).unwrap_err().to_string();
    let ours = port("serial", "/var/lib/hostinfo/qemu-a");
    assert!(with(&ours.repeat(NAMES_MAX)).is_ok());
    assert_eq!(why(&ours.repeat(NAMES_MAX + 1)), "it has over 16 ports for hostinfo");
    let theirs = port("parallel", "/run/x");
    assert!(with(&theirs.repeat(PATHS_MAX)).is_ok());
    assert_eq!(why(&theirs.repeat(PATHS_MAX + 1)), "its devices have over 1024 paths");
    // In addition to <domain> and <devices>.
    assert!(with(&"<a/>".repeat(ELEMENTS_MAX - 2)).is_ok());
    assert_eq!(
        why(&"<a/>".repeat(ELEMENTS_MAX - 1)),
        "it has over 16384 elements in <devices> and <os>"
    );
    let attributes = |count: usize| {
        let all: String = (0..count).map(|number| format!(" a{number}=''")).collect();
        format!("<serial{all}/>")
    };
    assert!(with(&attributes(ATTRIBUTES_MAX)).is_ok());
    assert_eq!(
        why(&attributes(ATTRIBUTES_MAX + 1)),
        "it has an element <serial> with over 64 attributes"
    );
}

#[test]
fn whatever_a_management_program_keeps_in_it_a_domain_is_read() {
    let port = port("serial", "/var/lib/hostinfo/qemu-a");
    let domain = |notes: &str| {
        format!("<domain type='kvm'><metadata>{notes}</metadata><devices>{port}</devices></domain>")
    };
    for note in ["<a/>x", "<a/>", "<!---->", "<a b='' c='' xmlns:d='e'/>"] {
        let xml = domain(&note.repeat((XML_MAX - domain("").len()) / note.len()));
        assert_eq!(read(&xml).unwrap().names.clauses, ["qemu-a"], "{note}");
    }
    // With a tree and its namespaces, this took half a minute.
    let spaces: String = (0..2000).map(|number| format!(" xmlns:x{number}='u'")).collect();
    let heavy = format!("<r{spaces}>{}</r>", "<y xmlns:z='z'/>".repeat(15_000));
    let start = Instant::now();
    assert_eq!(read(&domain(&heavy)).unwrap().names.clauses, ["qemu-a"]);
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
}

#[test]
fn the_seeds_of_the_fuzzer_are_what_their_names_say() {
    let has_sockets = |found: &Description| {
        !found.names.clauses.is_empty() || found.names.beside().next().is_some()
    };
    for seed in std::fs::read_dir("../../fuzz/seeds/domain").unwrap() {
        let path = seed.unwrap().path();
        let read = read(&std::fs::read_to_string(&path).unwrap());
        let is_it = match path.file_name().unwrap().to_str().unwrap() {
            "live" | "two-ports" | "other-devices" => read.as_ref().is_ok_and(has_sockets),
            "deep" | "devices-in-metadata" | "metadata-heavy" | "many-namespaces" => {
                read.as_ref().is_ok_and(|found| !has_sockets(found))
            }
            "tags" => read.as_ref().is_ok_and(|found| {
                matches!(&found.tags, Tags::Known(tags) if tags.len() == 9 && tags["a"].is_none())
            }),
            "references" => matches!(read, Err(Unreadable::Entity(_))),
            "many-attributes" => matches!(read, Err(Unreadable::TooManyAttributes(_))),
            "cut-short" => matches!(read, Err(Unreadable::CutShort)),
            other => panic!("say here what {other} is"),
        };
        assert!(is_it, "{}: {read:?}", path.display());
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

#[test]
fn a_domain_has_the_vsock_address_that_libvirt_gave_it() {
    for (device, expected) in [
        (
            "<vsock model='virtio'><cid auto='yes' address='3'/><alias name='vsock0'/></vsock>",
            Some(3),
        ),
        ("<vsock model='virtio'><cid auto='yes'/></vsock>", None),
        ("<vsock><cid address='-1'/></vsock>", None),
        ("<serial><cid address='3'/></serial>", None),
        ("", None),
    ] {
        let xml = format!("<domain type='kvm'><devices>{device}</devices></domain>");
        assert_eq!(read(&xml).unwrap().cid, expected, "{device}");
    }
}
