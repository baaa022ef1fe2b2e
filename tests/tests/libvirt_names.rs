//! Who is who among the guests of a real libvirtd: whose a socket is, and who is refused.

use anyhow::{Result, ensure};
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
    daemon.wait_for_log("it must end in \"qemu-new\"")?;
    ensure!(daemon.log().matches("has the hostinfo path of another").count() == 1, "told once");
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
fn of_a_domain_and_its_clone_that_run_at_once_neither_is_served() -> Result<()> {
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
    daemon.wait_for_log("the running domains \"a\", \"clone\" have the same hostinfo path")?;
    ensure!(daemon.log().matches("access-granted").count() == 1, "{}", daemon.log());

    // As who copies XML by hand.
    let mut copy = DomainGuest::boot(&libvirtd, "copy", &host.socket("a"))?;
    copy.ask_until("loadavg", BLOCKED)?;
    daemon.wait_for_log("\"a\", \"clone\", \"copy\"")?;
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
fn where_a_domain_is_required_a_socket_that_none_names_is_refused() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    host.write_config("[libvirt]\nrequired = true\n")?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let mut stranger = FakeGuest::join(&host.socket("stranger"))?;
    ensure!(stranger.ask_one("loadavg")? == BLOCKED);
    daemon.wait_for_log("no running domain of libvirt names this socket")?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.uuid", "200 ")?;
    Ok(())
}
