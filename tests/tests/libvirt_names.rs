//! Guests of a real libvirtd: which guest a socket belongs to, and which guests are refused.

use std::fs;
use std::os::unix::fs::symlink;

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::{Domain, DomainGuest, FakeGuest, Host, Libvirtd, serial};

const BLOCKED: &str = "403 this guest may not ask";

#[test]
fn a_renamed_domain_keeps_its_path_and_is_refused_until_that_is_corrected() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let domain = Domain::define(&libvirtd, "old", &serial(&host.socket("old"))?)?;
    libvirtd.virsh(&["domrename", "old", "new"])?;
    let mut guest = domain.renamed("new").boot(&libvirtd)?;
    for request in ["loadavg", "json *", "GET /metrics/XML"] {
        guest.ask_until(request, BLOCKED)?;
    }
    daemon.wait_for_log("its own would be \"qemu-new\"")?;
    ensure!(
        daemon.log().matches("uses the hostinfo socket of another guest").count() == 1,
        "told once"
    );
    ensure!(!daemon.log().contains("access-granted"), "not for a moment: {}", daemon.log());

    libvirtd.virsh(&["destroy", "new"])?;
    let xml = libvirtd.virsh(&["dumpxml", "--inactive", "new"])?;
    libvirtd.define_xml(&xml.replace(path(&host.socket("old"))?, path(&host.socket("new"))?))?;
    let mut guest = guest.off().boot(&libvirtd)?;
    guest.ask_until("vm.uuid", "200 ")?;
    ensure!(guest.ask("vm.name")? == ["200 vm.name=new"]);
    Ok(())
}

#[test]
fn a_domain_and_its_clone_that_run_at_once_are_both_refused() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    libvirtd.define("a", path(&host.socket("a"))?)?;
    let disk = libvirtd.folder().join("clone.disk");
    libvirtd.shell(&format!("virt-clone -q -o a -n clone -f '{}'", disk.display()))?;
    let xml = libvirtd.virsh(&["dumpxml", "clone"])?;
    ensure!(xml.contains(path(&host.socket("a"))?), "virt-clone keeps the path: {xml}");
    libvirtd.virsh(&["start", "a"])?;
    daemon.wait_for_log("access-granted")?;
    libvirtd.virsh(&["start", "clone"])?;
    daemon.wait_for_log("the running domains \"a\", \"clone\" use the same hostinfo socket")?;
    ensure!(daemon.log().matches("access-granted").count() == 1, "{}", daemon.log());

    // A domain whose XML was copied by hand.
    let mut copy = DomainGuest::boot(&libvirtd, "copy", &host.socket("a"))?;
    copy.ask_until("loadavg", BLOCKED)?;
    daemon.wait_for_log("\"a\", \"clone\", \"copy\"")?;
    Ok(())
}

#[test]
fn a_domain_with_a_console_at_another_guests_socket_is_found_and_named() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    libvirtd.define("a", path(&host.socket("a"))?)?;
    libvirtd.virsh(&["start", "a"])?;
    daemon.wait_for_log("access-granted")?;
    let source = format!("<source mode='bind' path='{}'/>", path(&host.socket("a"))?);
    let console = format!("<console type='unix'>{source}<target type='virtio'/></console>");
    libvirtd.define_bare("b", &console)?;
    libvirtd.virsh(&["start", "b"])?;
    daemon
        .wait_for_log("the domain \"b\" has a device at the socket of another guest, \"qemu-a\"")?;
    ensure!(daemon.log().matches("access-granted").count() == 1, "{}", daemon.log());
    Ok(())
}

#[test]
fn a_domain_with_two_ports_is_served_at_neither() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let second = serial(&host.socket("b"))?.replace("port='1'", "port='2'");
    let ports = serial(&host.socket("a"))? + &second;
    let mut guest = Domain::define(&libvirtd, "a", &ports)?.boot(&libvirtd)?;
    guest.ask_until("loadavg", BLOCKED)?;
    let other = guest
        .run("exec 3<>/dev/ttyS2; stty raw -echo <&3; echo loadavg >&3; timeout 5 head -n 1 <&3")?;
    ensure!(other.stdout.trim() == BLOCKED, "{other:?}");
    daemon.wait_for_log("the domain \"a\" has more than one hostinfo port (\"qemu-a\", \"qemu-b\")")
}

#[test]
fn a_name_of_any_letters_is_served_and_what_only_looks_like_a_port_does_not_count() -> Result<()> {
    let name = "W\u{fc}rze \"1\" & <b> it's #2 = *";
    let (libvirtd, host) = (Libvirtd::start()?, Host::new("*:\n  interval = 0\n")?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    // A channel as SPICE's has no path, and a disk's <serial> is a number.
    let looks_alike =
        "<channel type='null'><target type='virtio' name='com.redhat.spice.0'/></channel>
         <disk type='file' device='cdrom'><target dev='sda' bus='sata'/><readonly/>
         <serial>qemu-other</serial></disk>";
    let devices = serial(&host.socket(name))? + looks_alike;
    let mut guest = Domain::define(&libvirtd, name, &devices)?.boot(&libvirtd)?;
    let uuid = libvirtd.virsh(&["domuuid", name])?;
    guest.ask_until("vm.uuid", &format!("200 vm.uuid={}", uuid.trim()))?;
    ensure!(guest.ask("vm.name")? == [format!("200 vm.name={name}")]);

    // Under a rule of its own, written as docs/rules.md has it.
    host.write_rules(
        "\"qemu-W\u{fc}rze \\\"1\\\" & <b> it's #2 = \\*\":\n  interval = 0\n  host.name = 1\n*:\n",
    )?;
    guest.ask_until("host.name", "200 ")?;
    Ok(())
}

#[test]
fn if_a_domain_is_required_a_socket_that_none_names_is_refused() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    host.write_config("[libvirt]\nrequired = true\n")?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let mut unnamed = FakeGuest::join(&host.socket("unnamed"))?;
    ensure!(unnamed.ask_one("loadavg")? == BLOCKED);
    daemon.wait_for_log("no running domain of libvirt names this socket")?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.uuid", "200 ")?;
    Ok(())
}

/// A domain that does nothing, with that in its metadata.
fn with_metadata(libvirtd: &Libvirtd, name: &str, metadata: &str, devices: &str) -> Result<()> {
    libvirtd.define_xml(&format!(
        "<domain type='qemu'><name>{name}</name><memory unit='MiB'>32</memory>
         <metadata><x:notes xmlns:x='urn:notes'>{metadata}</x:notes></metadata>
         <os><type arch='x86_64' machine='q35'>hvm</type></os>
         <devices><serial type='null'/>{devices}</devices></domain>"
    ))
}

#[test]
fn a_domain_with_heavy_metadata_is_not_served_as_the_guest_whose_socket_it_uses() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let notes = "<x:a/>".repeat(100_001);
    with_metadata(&libvirtd, "b", &notes, &serial(&host.socket("victim"))?)?;
    libvirtd.virsh(&["start", "b"])?;
    daemon.wait_for_log("its own would be \"qemu-b\"")?;
    ensure!(!daemon.log().contains("access-granted"), "{}", daemon.log());
    Ok(())
}

#[test]
fn while_a_running_domain_cannot_be_read_nobody_is_served_whom_no_other_domain_names() -> Result<()>
{
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let mut by_hand = FakeGuest::join(&host.socket("by-hand"))?;
    ensure!(by_hand.ask_one("host.name")?.starts_with("200 "));
    // libvirt takes it, and adds so much to it that it cannot send it any more.
    let notes = format!("<x:a>{}</x:a>", "x".repeat((4 << 20) - 700));
    with_metadata(&libvirtd, "b", &notes, &serial(&host.socket("victim"))?)?;
    libvirtd.virsh(&["start", "b"])?;
    daemon.wait_for_log("the XML of the running domain \"b\" cannot be read")?;
    daemon.wait_for_log("qemu-victim")?;
    ensure!(by_hand.ask_one("host.name")? == BLOCKED);
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.uuid", "200 ")?;
    let figures = "vm.memory.current vm.disk guests.running";
    for _ in 0..3 {
        guest.ask(figures)?;
    }
    let log = daemon.log();
    ensure!(log.matches("of the running domain \"b\"").count() == 1, "told once: {log}");
    ensure!(log.matches("access-granted").count() == 2, "by hand and a: {log}");

    libvirtd.virsh(&["destroy", "b"])?;
    wait_until("who is by hand to be served again", PATIENCE, || {
        Ok(by_hand.ask_one("host.name")?.starts_with("200 "))
    })
}

#[test]
fn a_path_by_another_link_or_to_a_metrics_disk_is_anothers_all_the_same() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let alias = libvirtd.folder().join("alias");
    symlink(host.sockets(), &alias)?;
    libvirtd.define_bare("b", &serial(&alias.join("qemu-victim"))?)?;
    libvirtd.virsh(&["start", "b"])?;
    daemon.wait_for_log("its own would be \"qemu-b\"")?;
    ensure!(!daemon.log().contains("access-granted"), "{}", daemon.log());

    let disk = host.sockets().join("disk/qemu-other");
    fs::create_dir(host.sockets().join("disk"))?;
    fs::write(&disk, [0; 512])?;
    let other = FakeGuest::join(&host.socket("other"))?;
    libvirtd.define_bare(
        "c",
        &format!(
            "<disk type='file' device='disk'><source file='{}'/><target dev='vdz' bus='virtio'/>\
             <readonly/></disk>",
            path(&disk)?
        ),
    )?;
    libvirtd.virsh(&["start", "c"])?;
    daemon
        .wait_for_log("uses the metrics disk of another guest: its own is the file \"qemu-c\"")?;
    drop(other);
    Ok(())
}
