//! `snippet`: the clause for those who put it in themselves.

use hostinfo_domains::{Access, Clause, Place, VHOSTMD_DIR};
use serde_json::json;

use crate::args::{Options, Snippet, Transport};
use crate::exit::{DONE, Failure, Status, complain};
use crate::facts::Facts;
use crate::guests::select;
use crate::libvirt::Libvirt;
use crate::output::{write, write_json};
use crate::standing::Way;

/// Prints the clause of a guest that is there or is to be.
///
/// # Errors
/// [`Failure`].
pub(crate) fn run(options: &Options, wanted: &Snippet) -> Result<Status, Failure> {
    let facts = facts(options, &wanted.guest);
    if let Err(failure) = &facts {
        complain(format!("note: {failure}; this is for a new guest of driver qemu"));
    }
    let facts = facts.ok();
    let ports = facts.as_ref().and_then(Facts::ports);
    let socket = ports
        .map_or_else(|| format!("qemu-{}", wanted.guest), hostinfo_domains::Ports::socket_name);
    let free = || ports.map_or(Some(Place::Serial(1)), hostinfo_domains::Ports::free_uart);
    let place = match (wanted.vhostmd, wanted.transport, wanted.port) {
        (true, ..) => Place::vhostmd(),
        (_, _, Some(number)) => Place::Serial(number),
        (_, Some(Transport::Channel), _) => Place::channel(),
        (_, Some(Transport::Serial), _) => free().unwrap_or(Place::Serial(1)),
        (_, None, None) => free().unwrap_or(Place::channel()),
    };
    let directory = match wanted.vhostmd {
        true => options.directory.join(VHOSTMD_DIR),
        false => options.directory.clone(),
    };
    let clause = Clause::new(place, &directory, &socket)?;
    print(options, &wanted.guest, &clause)?;
    Ok(DONE)
}

/// What libvirt knows of the guest.
fn facts(options: &Options, name: &str) -> Result<Facts, Failure> {
    let mut libvirt = Libvirt::connect(options, Access::Read)?;
    let entries = libvirt.list()?;
    let (guests, mut unknown) = select(&entries, libvirt.driver(), &[name.to_owned()]);
    match guests.first() {
        // Not a pattern: there is one guest or none.
        Some(entry) if entry.name == name => Facts::read(&mut libvirt, entry),
        _ => Err(unknown
            .pop()
            .unwrap_or_else(|| Failure::NoGuest { name: name.to_owned(), nearest: None })),
    }
}

fn print(options: &Options, name: &str, clause: &Clause) -> Result<(), Failure> {
    let (option, value) = clause.option();
    let quoted = |word: &str| shlex::try_quote(word).map(String::from).unwrap_or_default();
    let (install, name) = (format!("{option} {}", quoted(&value)), quoted(name));
    let add = format!("virt-xml {name} --add-device {install}");
    let way = Way::of(clause.place());
    if options.json {
        return write_json(&json!({
            "xml": clause.xml(),
            "virt-install": [option, value],
            "virt-xml": add,
            "device": way.device,
            "device_windows": way.device_windows,
        }));
    }
    write(&format!(
        "In the domain's XML (virsh edit {name}), within <devices>:\n\n{}\n\n\
         With virt-install, when the guest is made:\n\n  {install}\n\n\
         With virt-xml, for a guest that is there:\n\n  {add}\n\n\
         The guest finds it at {}, under Windows at {}.\n",
        indented(&clause.xml()),
        way.device,
        way.device_windows
    ))
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}
