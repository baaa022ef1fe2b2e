//! `snippet`: the XML of a port, for people who add it to the domain themselves.

use hostinfo_domains::{Access, Clause, Ports, Target, VHOSTMD_DIR, operand};
use serde_json::json;

use crate::args::{Options, Snippet, Transport};
use crate::exit::{DONE, Failure, Status, complain};
use crate::facts::Facts;
use crate::libvirt::Libvirt;
use crate::output::{write, write_json};
use crate::port_summary::PortLocation;

/// Prints the XML for a guest, which need not exist yet. For a guest that already has its port it prints that one,
/// and says not to add it again, because a guest must not have two.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: &Snippet) -> Result<Status, Failure> {
    let facts = Libvirt::connect(options, Access::Read)
        .and_then(|mut libvirt| Facts::named(&mut libvirt, &wanted.guest));
    if let Err(failure) = &facts {
        complain(format!("note: {failure}; this is for a new guest of driver qemu"));
    }
    let facts = facts.ok();
    let ports = facts.as_ref().and_then(Facts::ports);
    let target = match ports.and_then(|ports| has_already(ports, wanted)) {
        Some(target) => {
            complain(format!("note: it already has this on its {target}: do not add it again"));
            target
        }
        None => choose(ports, wanted)?,
    };
    let directory = match wanted.vhostmd {
        true => options.directory.join(VHOSTMD_DIR),
        false => options.directory.clone(),
    };
    let socket = ports.map_or_else(|| format!("qemu-{}", wanted.guest), Ports::socket_name);
    let clause = Clause::new(target, &directory, &socket)?;
    // For virsh, a name may be another domain's number.
    let uuid = facts.map(|facts| facts.entry.uuid.to_string());
    let domain = uuid.unwrap_or_else(|| operand(&wanted.guest));
    print(options, &socket, &wanted.guest, &domain, &clause)?;
    Ok(DONE)
}

fn has_already(ports: &Ports, wanted: &Snippet) -> Option<Target> {
    let found = if wanted.vhostmd { &ports.vhostmd } else { &ports.hostinfo };
    found.iter().find(|port| ports.is_right(port)).map(|port| port.target.clone())
}

/// Where to put the port. For a guest that does not exist yet, every target is free.
fn choose(ports: Option<&Ports>, wanted: &Snippet) -> Result<Target, Failure> {
    let target = match (wanted.vhostmd, wanted.transport, wanted.port) {
        (true, ..) => Target::vhostmd(),
        (_, _, Some(number)) => Target::Serial(number),
        (_, Some(Transport::Channel), _) => Target::channel(),
        (_, Some(Transport::Serial), _) => Target::Serial(1),
        (_, None, None) => ports.map_or(Target::Serial(1), Ports::default_target),
    };
    match ports.is_none_or(|ports| ports.is_free(&target)) {
        true => Ok(target),
        false => Err(Failure::Refused(format!(
            "its {target} is taken by something else: choose another"
        ))),
    }
}

fn print(
    options: &Options,
    guest: &str,
    name: &str,
    domain: &str,
    clause: &Clause,
) -> Result<(), Failure> {
    let (option, value) = clause.option();
    let quoted = |word: &str| shlex::try_quote(word).map(String::from).unwrap_or_default();
    let install = format!("{option} {}", quoted(&value));
    let add = format!("virt-xml --add-device {install} {}", operand(name));
    let location = PortLocation::of(clause.target());
    // Of a guest that is given any serial port, virt-install adds none for its console.
    let console = match clause.target() {
        Target::Serial(_) => ", behind --serial pty for its console",
        Target::Channel(_) | Target::Other(_) => "",
    };
    if options.json {
        return write_json(&json!({
            "guest": guest,
            "xml": clause.xml(),
            "virt_install": [option, value],
            "virt_xml": add,
            "device": location.device,
            "device_windows": location.device_windows,
        }));
    }
    write(&format!(
        "In the domain's XML (virsh edit {domain}), within <devices>:\n\n{}\n\n\
         With virt-install, when the guest is made{console}:\n\n  {install}\n\n\
         With virt-xml, for a guest that is there:\n\n  {add}\n\n\
         The guest finds it at {}, under Windows at {}.\n",
        indented(&clause.xml()),
        location.device,
        location.device_windows
    ))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
