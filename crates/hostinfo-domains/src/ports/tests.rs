use super::*;
use crate::{Clause, edit};
use proptest::prelude::*;
use std::path::Path;

fn find(devices: &str) -> Ports {
    find_in("<os><type arch='x86_64' machine='pc-q35-7.2'>hvm</type></os>", devices)
}

fn find_in(os: &str, devices: &str) -> Ports {
    let xml = format!(
        "<domain type='kvm'><name>web &amp; mail</name>{os}<devices>{devices}</devices></domain>"
    );
    Ports::find(&xml, &Directory::of_text(Path::new("/var/lib/hostinfo"))).unwrap()
}

fn port(element: &str, socket: &str, target: &str) -> String {
    format!(
        "<{element} type='unix'><source mode='bind' path='/var/lib/hostinfo/{socket}'/>\
         <target {target}/></{element}>"
    )
}

const RIGHT: &str = "qemu-web &amp; mail";

#[test]
fn a_port_is_found_with_its_place_and_as_it_is_written() {
    let written = port("serial", RIGHT, "type='isa-serial' port='2'");
    let found = find(&format!("<disk/>\n{written}"));
    let [only] = &found.hostinfo[..] else { panic!("{found:?}") };
    assert_eq!((&only.target, &only.xml), (&Target::Serial(2), &written));
    assert_eq!(only.socket, "qemu-web & mail");
    assert!(found.is_right(only) && found.conflict().is_none());
}

#[test]
fn a_channel_can_be_plugged_into_what_no_other_device_has() {
    let taken = |controller, port| {
        format!(
            "<channel type='pty'><target type='virtio' name='x{port}'/><address type='virtio-serial' \
             controller='{controller}' bus='0' port='{port}'/></channel>"
        )
    };
    let slots = |devices: &str| -> Vec<Slot> { find(devices).free_slots().collect() };
    assert!(slots(&taken(0, 1)).is_empty() && !find("").has_virtio_serial());
    let first = "<controller type='virtio-serial' index='0' ports='4'/>";
    let free = |controller, port| Slot { controller, port };
    let with_disk = format!(
        "{first}{}<disk><address type='drive' controller='0' bus='0' port='3'/></disk>",
        taken(0, 1)
    );
    assert_eq!(slots(&with_disk), [free(0, 2), free(0, 3)]);
    let second = "<controller type='virtio-serial' index='7'/>";
    assert_eq!(slots(&format!("{second}{first}{}", taken(0, 1))).len(), 2 + 30);
    assert_eq!(slots(&format!("{second}{}", taken(0, 1)))[0], free(7, 1));
    let absurd = "<controller type='virtio-serial' index='0' ports='4000000000'/>";
    assert_eq!(slots(absurd).len(), 30);
}

#[test]
fn vhostmds_channel_is_no_hostinfo_port() {
    let target = "type='virtio' name='org.github.vhostmd.1'";
    let found = find(&port("channel", &format!("vhostmd/{RIGHT}"), target));
    assert_eq!((found.hostinfo.len(), found.vhostmd.len()), (0, 1));
    assert_eq!(found.vhostmd[0].target, Target::vhostmd());
    assert_eq!(found.vhostmd_conflict(), None);
}

#[test]
fn port_1_is_free_or_else_the_next_and_port_0_is_last() {
    let serial = |number| format!("<serial type='pty'><target port='{number}'/></serial>");
    assert_eq!(find("").free_uart(), Some(Target::Serial(1)));
    let mut devices = String::new();
    for (number, next) in [(1, Some(2)), (2, Some(3)), (3, Some(0)), (0, None)] {
        devices += &serial(number);
        assert_eq!(find(&devices).free_uart(), next.map(Target::Serial), "{devices}");
    }
    assert!(!find("").is_free(&Target::Serial(4)));
}

#[test]
fn a_port_belongs_at_serial_port_1_or_else_on_the_channel_and_nowhere_else() {
    assert_eq!(find("").default_target(), Target::Serial(1));
    let console = "<serial type='pty'><target port='0'/></serial>\
                   <console type='pty'><target type='serial' port='0'/></console>";
    assert_eq!(find(console).default_target(), Target::Serial(1));
    let taken = "<serial type='pty'><target port='1'/></serial>";
    assert_eq!(find(taken).default_target(), Target::channel(), "and not serial port 2");
}

#[test]
fn a_console_without_a_serial_port_stays_the_first_console() {
    let console = "<console type='pty'><target type='virtio' port='0'/></console>";
    assert_eq!(find(console).default_target(), Target::channel());
}

#[test]
fn a_channel_is_free_unless_there_is_one_of_that_name_for_anything() {
    let channel = "<channel type='pty'><target type='virtio' name='org.hostinfo.0'/></channel>";
    assert!(find("").is_free(&Target::channel()) && !find(channel).is_free(&Target::channel()));
}

#[test]
fn a_machine_without_uarts_has_none_free() {
    for kind in ["arch='aarch64' machine='virt'", "arch='s390x'", "arch='x86_64' machine='microvm'"]
    {
        let found = find_in(&format!("<os><type {kind}>hvm</type></os>"), "");
        assert_eq!(found.free_uart(), None, "{kind}");
        assert!(!found.is_free(&Target::Serial(1)));
    }
}

#[test]
fn a_machine_without_a_bus_for_virtio_devices_has_room_for_no_channel() {
    let room = |kind: &str, devices: &str| {
        find_in(&format!("<os><type {kind}>hvm</type></os>"), devices).is_free(&Target::channel())
    };
    let pci = "<controller type='pci' index='0' model='pci-root'/>";
    for kind in [
        "arch='x86_64' machine='microvm'",
        "arch='i686' machine='isapc'",
        "arch='armv7l' machine='raspi2b'",
    ] {
        assert!(!room(kind, "") && room(kind, pci), "{kind}");
    }
    for kind in [
        "arch='x86_64' machine='pc-q35-7.2'",
        "arch='s390x' machine='s390-ccw-virtio'",
        "arch='aarch64' machine='virt-7.2'",
        "",
    ] {
        assert!(room(kind, ""), "{kind}");
    }
}

#[test]
fn two_ports_a_wrong_name_and_what_is_no_socket_are_conflicts() {
    let serial = port("serial", RIGHT, "port='1'");
    let twice = find(&(serial.clone() + &port("channel", RIGHT, "type='virtio' name='x'")));
    assert!(matches!(twice.conflict(), Some(Conflict::Several { .. })));
    let old = find(&port("serial", "qemu-old", "port='1'"));
    assert!(matches!(old.conflict(), Some(Conflict::Misnamed { .. })));
    for wrong in [serial.replace("'bind'", "'connect'"), serial.replace("'unix'", "'pipe'")] {
        let wrong = find(&wrong);
        assert!(matches!(wrong.conflict(), Some(Conflict::NoSocket { .. })));
        assert!(!wrong.is_right(&wrong.hostinfo[0]));
    }
}

#[test]
fn a_channel_without_a_name_is_a_conflict_and_a_serial_port_needs_none() {
    let nameless = find(&port("channel", RIGHT, "type='virtio'"));
    assert!(matches!(nameless.conflict(), Some(Conflict::NoName { .. })));
    assert!(!nameless.is_right(&nameless.hostinfo[0]));
    for other in [
        port("serial", RIGHT, "type='usb-serial' port='1'"),
        port("console", RIGHT, "type='virtio'"),
    ] {
        assert_eq!(find(&other).conflict(), None, "{other}");
    }
}

#[test]
fn other_devices_are_told_by_their_kind() {
    let usb = find(&port("serial", RIGHT, "type='usb-serial' port='1'"));
    assert_eq!(usb.hostinfo[0].target, Target::Other("usb-serial".to_owned()));
    assert_eq!(usb.free_uart(), Some(Target::Serial(2)));
}

proptest! {
    #[test]
    fn any_text_has_ports_or_is_an_error(
        xml in r"(<(domain|devices|serial|channel|source|target)( (type|path|port|name|mode)='[a-z0-9/.]{0,12}')?/?>|</(domain|devices|serial)>|.){0,12}",
    ) {
        let _ = Ports::find(&xml, &Directory::of_text(Path::new("/var/lib/hostinfo")));
    }

    #[test]
    fn a_port_that_is_put_in_is_found_and_taken_out_again(
        before in proptest::collection::vec((0u32..5, "qemu-[ab]"), 0..4),
        number in 0u32..4,
    ) {
        let devices: String = before
            .iter()
            .map(|(number, socket)| port("serial", socket, &format!("port='{number}'")))
            .collect();
        let xml = format!("<domain type='kvm'><name>c</name><devices>{devices}</devices></domain>");
        let directory = Path::new("/var/lib/hostinfo");
        let clause = Clause::new(Target::Serial(number), directory, "qemu-c").unwrap();
        let more = edit::with(&xml, &clause.xml()).unwrap();
        let found = Ports::find(&more, &Directory::of_text(directory)).unwrap();
        prop_assert_eq!(found.hostinfo.len(), before.len() + 1);
        let mine = found.hostinfo.iter().find(|port| port.socket == "qemu-c").unwrap();
        prop_assert_eq!(&mine.target, &Target::Serial(number));
        prop_assert!(found.is_right(mine));
        let less = Ports::find(&edit::without(&more, &mine.xml), &Directory::of_text(directory)).unwrap();
        prop_assert_eq!(less, Ports::find(&xml, &Directory::of_text(directory)).unwrap());
    }
}
