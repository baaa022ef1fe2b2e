//! Whose process listens at a socket of a real libvirtd's guests: what no XML shows.

use std::fs;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::{Domain, Host, Libvirtd, serial};

const BLOCKED: &str = "403 this guest may not ask";

#[test]
fn a_domain_whose_qemu_takes_anothers_socket_unseen_in_its_xml_is_found_and_named() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    libvirtd.define("a", path(&host.socket("a"))?)?;
    libvirtd.virsh(&["start", "a"])?;
    daemon.wait_for_log("access-granted")?;
    let options = libvirtd.folder().join("options");
    for socket in ["a", "nobody"] {
        fs::write(
            &options,
            format!(
                "[chardev \"thief\"]\n backend = \"socket\"\n path = \"{}\"\n server = \"on\"\n \
                 wait = \"off\"\n",
                host.socket(socket).display()
            ),
        )?;
        libvirtd.define_xml(&format!(
            "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
             <name>b-{socket}</name><memory unit='MiB'>32</memory>
             <os><type arch='x86_64' machine='q35'>hvm</type></os>
             <qemu:commandline><qemu:arg value='-readconfig'/><qemu:arg value='{}'/>
             </qemu:commandline></domain>",
            options.display()
        ))?;
        libvirtd.virsh(&["start", &format!("b-{socket}")])?;
        daemon.wait_for_log(&format!(
            "the domain \"b-{socket}\" has a device at the socket of another guest, \
             \"qemu-{socket}\""
        ))?;
    }
    ensure!(daemon.log().matches("access-granted").count() == 1, "{}", daemon.log());
    Ok(())
}

#[test]
fn whatever_device_of_a_domain_is_at_anothers_socket_it_is_found_and_named() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let source = "<source mode='bind' path='PATH'/>";
    let devices = [
        format!("<console type='unix'>{source}<target type='virtio'/></console>"),
        format!("<parallel type='unix'>{source}</parallel>"),
        format!("<redirdev bus='usb' type='unix'>{source}</redirdev>"),
        format!("<smartcard mode='passthrough' type='unix'>{source}</smartcard>"),
        format!("<rng model='virtio'><backend model='egd' type='unix'>{source}</backend></rng>"),
        "<graphics type='vnc' socket='PATH'/>".to_owned(),
        "</devices><qemu:commandline xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
             <qemu:arg value='-chardev'/>
             <qemu:arg value='socket,id=x,path=PATH,server=on,wait=off'/>
             </qemu:commandline><devices>"
            .to_owned(),
    ];
    for (number, device) in devices.iter().enumerate() {
        // Each has a victim of its own: of one, only so many events are logged.
        let (name, socket) = (format!("b{number}"), host.socket(&format!("a{number}")));
        libvirtd.define_bare(&name, &device.replace("PATH", path(&socket)?))?;
        libvirtd.virsh(&["start", &name])?;
        daemon
            .wait_for_log(&format!(
                "the domain \"{name}\" has a device at the socket of another guest, \
                 \"qemu-a{number}\""
            ))
            .with_context(|| device.clone())?;
        ensure!(!daemon.log().contains("access-granted"), "{}", daemon.log());
    }
    Ok(())
}

#[test]
fn a_program_that_takes_the_place_of_a_domains_qemu_is_refused_and_named() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let domain = Domain::define(&libvirtd, "a", &serial(&host.socket("a"))?)?;
    let mut guest = domain.boot(&libvirtd)?;
    guest.ask_until("vm.name", "200 vm.name=a")?;
    let (socket, got) = (host.socket("a"), libvirtd.folder().join("got"));
    libvirtd.shell(&format!(
        "rm {0}
         python3 -c 'import socket, time
s = socket.socket(socket.AF_UNIX)
s.bind(\"{0}\")
s.listen(1)
c, _ = s.accept()
c.sendall(b\"vm.name\\n\")
open(\"{1}\", \"wb\").write(c.recv(100))
time.sleep(1000)' >/dev/null 2>&1 &",
        socket.display(),
        got.display()
    ))?;
    daemon.wait_for_log("listens at the socket of the domain \"a\" is not its QEMU: \"python3")?;
    wait_until("an answer", PATIENCE, || {
        Ok(fs::read_to_string(&got).is_ok_and(|got| got.trim() == BLOCKED))
    })?;
    Ok(())
}
