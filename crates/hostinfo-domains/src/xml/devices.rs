//! Where a domain's devices may listen, whatever kind they are.

use super::element::Element;

/// Attributes that hold the path of a device's socket, pipe or file, wherever they are in it:
///
/// ```xml
/// <console type='unix'><source mode='bind' path='/run/x'/><target type='virtio'/></console>
/// <rng model='virtio'><backend model='egd' type='unix'><source path='/run/x'/></backend></rng>
/// <interface type='vhostuser'><source type='unix' path='/run/x' mode='server'/></interface>
/// <graphics type='vnc'><listen type='socket' socket='/run/x'/></graphics>
/// ```
const NAMES: [&str; 2] = ["path", "socket"];

/// All such paths except those of serial ports and channels, which [`Element::paths`] has;
/// including those in arguments passed to QEMU verbatim.
pub(crate) fn other_paths<'a>(domain: &'a Element<'_>) -> Vec<&'a str> {
    let mut found = Vec::new();
    for device in domain.devices().filter(|device| !repeats_a_port(device)) {
        found.extend(device.attributes(&NAMES));
        for child in &device.children {
            if !(device.is_port() && child.name == "source") {
                found.extend(child.attributes(&NAMES));
            }
            found.extend(child.children.iter().flat_map(|below| below.attributes(&NAMES)));
        }
    }
    let lines = domain.children("qemu:commandline");
    let arguments = lines.flat_map(|line| line.children("qemu:arg"));
    let values = arguments.filter_map(|argument| argument.attribute("value"));
    found.extend(values.flat_map(in_argument));
    found
}

/// libvirt also shows the first serial port as a console, with the same path.
fn repeats_a_port(device: &Element<'_>) -> bool {
    let target = device.child("target").filter(|_| device.name == "console");
    target.is_some_and(|target| target.attribute("type") == Some("serial"))
}

/// `socket,id=x,path=/run/x,server=on`, or `unix:/run/x,server`, or the same in JSON.
fn in_argument(argument: &str) -> impl Iterator<Item = &str> {
    argument.split([',', '"']).filter_map(|part| part.get(part.find('/')?..))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::xml::reader::parse;

    #[test]
    fn every_device_that_may_listen_is_found_and_a_port_shown_twice_is_not() {
        let devices = "
            <serial type='unix'><source mode='bind' path='/port'/><target port='0'/></serial>
            <console type='unix'><source mode='bind' path='/port'/><target type='serial'/></console>
            <console type='unix'><source mode='bind' path='/1'/><target type='virtio'/></console>
            <parallel type='unix'><source mode='bind' path='/2'/></parallel>
            <redirdev bus='usb' type='unix'><source mode='bind' path='/3'/></redirdev>
            <smartcard mode='passthrough' type='unix'><source path='/4'/></smartcard>
            <rng model='virtio'><backend model='egd' type='unix'><source path='/5'/></backend></rng>
            <interface type='vhostuser'><source type='unix' path='/6' mode='server'/></interface>
            <disk type='vhostuser'><source type='unix' path='/7'/></disk>
            <shmem name='x'><server path='/8'/></shmem>
            <graphics type='vnc' socket='/9'><listen type='socket' socket='/10'/></graphics>";
        let arguments = ["-chardev", "socket,id=x,path=/11,server=on", "unix:/12,server"];
        let json = r#"{"qom-type":"x","path":"/13"}"#.replace('"', "&quot;");
        let arguments = arguments.iter().copied().chain([&*json]);
        let arguments: String =
            arguments.map(|value| format!("<qemu:arg value='{value}'/>")).collect();
        let xml = format!(
            "<domain><devices>{devices}</devices>
             <qemu:commandline>{arguments}</qemu:commandline></domain>"
        );
        let expected: Vec<String> = (1..=13).map(|number| format!("/{number}")).collect();
        assert_eq!(other_paths(&parse(&xml).unwrap()), expected);
    }
}
