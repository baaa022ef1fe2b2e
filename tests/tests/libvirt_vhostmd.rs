//! vhostmd's clients in guests of a real libvirtd: libvirt's own channel, and metrics disks.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::{Domain, DomainGuest, FakeGuest, Held, Host, Libvirtd, serial};

/// As `virt-install --channel unix,target.type=virtio,target.name=org.github.vhostmd.1` makes it:
/// libvirt chooses where its socket is.
const CHANNEL: &str = "<channel type='unix'>
    <target type='virtio' name='org.github.vhostmd.1'/></channel>";

/// What a client in the guest reads, if the host answers: a channel without a host takes nothing.
fn document(guest: &mut DomainGuest) -> Result<Option<String>> {
    let output = guest.run(
        "cat >/tmp/client <<'END'
exec 3<>/dev/virtio-ports/org.github.vhostmd.1; printf 'GET /metrics/XML\n\n' >&3
while read -r line <&3; do echo \"$line\"; [ \"$line\" = '</metrics>' ] && exit; done
exit 1
END
timeout 2 sh /tmp/client",
    )?;
    Ok((output.status == 0).then_some(output.stdout))
}

fn uuid(libvirtd: &Libvirtd, name: &str) -> Result<String> {
    Ok(libvirtd.virsh(&["domuuid", name])?.trim().to_owned())
}

#[test]
fn a_guest_that_was_set_up_for_vhostmd_is_served_over_libvirts_own_channel_if_it_is_to_be()
-> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    // libvirt cuts the name in the path at 20 characters, where another domain has the same.
    let name = "a \"name\" longer than twenty";
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = Domain::define(&libvirtd, name, CHANNEL)?.boot(&libvirtd)?;
    let xml = libvirtd.virsh(&["dumpxml", name])?;
    ensure!(
        xml.contains("/domain-1-a &quot;name&quot; longer than/org.github.vhostmd.1'"),
        "{xml}"
    );
    ensure!(document(&mut guest)?.is_none(), "nobody has asked for it to be served");
    daemon.kill()?;

    host.write_config("[libvirt]\nvhostmd_channels = true\n")?;
    let next = || Ok(host.start_daemon_beside(&libvirtd).ok());
    let _daemon = wait_for("the daemon of before to be gone", PATIENCE, next)?;
    let served = |guest: &mut DomainGuest| {
        let text = wait_for("the document", PATIENCE, || document(guest))?;
        let attribute = format!("uuid='{}'", uuid(&libvirtd, name)?);
        ensure!(text.contains(&attribute), "{attribute} is not in {text}");
        ensure!(text.contains("<name>ResourceProcessorLimit</name>\n<value>2</value>"), "{text}");
        Ok(())
    };
    served(&mut guest)?;

    // Another run has another directory.
    libvirtd.virsh(&["save", name, path(&libvirtd.folder().join("saved"))?])?;
    libvirtd.virsh(&["restore", path(&libvirtd.folder().join("saved"))?])?;
    guest.go_on()?;
    served(&mut guest)
}

#[test]
fn a_channel_in_a_directory_that_somebody_holds_keeps_only_its_guest_waiting() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    host.write_config("[libvirt]\nvhostmd_channels = true\n")?;
    let mut guest = Domain::define(&libvirtd, "a", CHANNEL)?.boot(&libvirtd)?;
    let xml = libvirtd.virsh(&["dumpxml", "a"])?;
    let (before, _) = xml.split_once("/org.github.vhostmd.1'").context("no channel")?;
    let directory = before.rsplit('\'').next().context("no path")?;
    let [.., inside] = libvirtd.enter();
    let seen = PathBuf::from(format!("/proc/{inside}/root{directory}"));
    // A name that is there is found although the directory is held.
    let (socket, away) = (seen.join("org.github.vhostmd.1"), seen.join("away"));
    fs::rename(&socket, &away)?;
    let held = Held::directory(&seen)?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let mut other = FakeGuest::join(&host.socket("other"))?;
    wait_until("the directory to be named", PATIENCE, || {
        ensure!(other.ask("ping")?.concat().starts_with("200 "));
        let is_it =
            |line: &str| line.contains(directory) && line.contains("cannot be looked at, since");
        Ok(daemon.log().lines().any(is_it))
    })?;
    drop(held);
    fs::rename(&away, &socket)?;
    wait_for("the document", PATIENCE, || {
        // It is looked for again when libvirt reports a change, which may be over before it is seen.
        libvirtd.virsh(&["suspend", "a"])?;
        libvirtd.virsh(&["resume", "a"])?;
        document(&mut guest)
    })?;
    Ok(())
}

fn read(disk: &Path) -> String {
    String::from_utf8_lossy(&fs::read(disk).unwrap_or_default()).into_owned()
}

#[test]
fn a_disk_is_there_before_its_domain_starts_also_where_the_rule_has_a_pattern() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    let host = Host::new("qemu-w*:\n  interval = 0\n  all = 1\n  vhostmd-disk = 1\n*:\n")?;
    let disks = host.sockets().join("disk");
    libvirtd.define("w-before", "elsewhere")?;
    libvirtd.define("other", "elsewhere")?;
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    wait_until("the disk", PATIENCE, || Ok(disks.join("qemu-w-before").exists()))?;

    let disk = disks.join("qemu-w");
    let device = format!(
        "<disk type='file' device='disk'><driver name='qemu' type='raw'/><source file='{}'/>
         <target dev='vdz' bus='virtio'/><readonly/></disk>",
        path(&disk)?
    );
    let domain = Domain::define(&libvirtd, "w", &device)?;
    wait_until("the disk", PATIENCE, || Ok(disk.exists()))?;
    ensure!(!read(&disk).contains("<name>"), "a domain that is off is told nothing");
    // It has no port: that it runs, and which guest it is, is known from libvirt and its disk alone.
    let mut guest = domain.boot(&libvirtd)?;
    let uuid = uuid(&libvirtd, "w")?;
    let told = wait_for("the figures", PATIENCE, || {
        let seen =
            guest.run("dd if=/dev/vdb bs=65536 count=4 iflag=direct 2>/dev/null | strings")?;
        Ok(Some(seen.stdout).filter(|text| text.contains(&uuid)))
    })?;
    ensure!(told.contains("<name>FreePhysicalMemory</name>"), "{told}");
    ensure!(!disks.join("qemu-other").exists());

    libvirtd.virsh(&["destroy", "w"])?;
    wait_until("an empty disk", PATIENCE, || Ok(!read(&disk).contains("<name>")))?;
    libvirtd.virsh(&["start", "w"])?;
    wait_until("figures again", PATIENCE, || Ok(read(&disk).contains(&uuid)))
}

#[test]
fn a_clone_that_has_the_vhostmd_channel_of_another_gets_an_empty_document() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    let host = Host::new("*:\n  interval = 0\n  all = 1\n  vhostmd-disk = 1\n")?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let channel = host.sockets().join("vhostmd/qemu-a");
    let device = format!(
        "<channel type='unix'><source mode='bind' path='{}'/>
         <target type='virtio' name='org.github.vhostmd.1'/></channel>",
        path(&channel)?
    );
    let ports = serial(&host.socket("clone"))? + &device;
    let mut clone = Domain::define(&libvirtd, "clone", &ports)?.boot(&libvirtd)?;
    daemon.wait_for_log("the domain \"clone\" uses the hostinfo socket of another guest")?;
    let text = document(&mut clone)?.context("no document")?;
    ensure!(text == "<metrics>\n</metrics>\n", "{text}");
    // Its own port is as good as any.
    clone.ask_until("vm.uuid", &format!("200 vm.uuid={}", uuid(&libvirtd, "clone")?))?;
    Ok(())
}
