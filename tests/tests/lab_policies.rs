//! SELinux and AppArmor, enforcing: each of hostinfo's programs is confined and does what it is there for, and nothing of
//! hostinfo's is denied.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use hostinfo_tests::install::Install;
use hostinfo_tests::lab::{self, FILES, FOR_ONE_GUEST, Lab, METRICS_DISK, SELINUX, SOURCE};
use hostinfo_tests::selinux::Linked;
use tempfile::TempDir;

const VSOCK: &str = "<vsock model='virtio'><cid auto='yes'/></vsock>";

/// The package for SELinux, in that folder.
fn package(folder: &TempDir) -> Result<PathBuf> {
    Install::prepare_small()?.package("1.0.0", folder.path())?;
    Ok(folder.path().join(PACKAGE))
}

const PACKAGE: &str = "hostinfo-selinux_1.0.0-1_all.deb";

/// Installs the package into a host where hostinfo runs, and has everything used under it.
fn use_everything_under_selinux(lab: &Lab) -> Result<()> {
    ensure!(lab.sh("getenforce")? == "Enforcing\n");
    lab.serve_everything()?;
    let mut guest = lab.domain("a").devices(METRICS_DISK).devices(VSOCK);
    guest.define()?;
    // By Debian's policy the directory is of var_lib_t, as all in /var/lib that it does not know, and libvirt may make no
    // socket in it.
    let refused = lab.run("virsh start a")?;
    ensure!(refused.status != 0, "{refused:?}");
    let socket = "Unable to bind to UNIX socket path '/var/lib/hostinfo/qemu-a'";
    ensure!(refused.stderr.contains(socket), "{refused:?}");

    // What was denied without the module is not the module's.
    lab.sh("journalctl --quiet --rotate --vacuum-time=1s; : >/var/log/audit/audit.log")?;
    lab.sh(&format!(
        "dpkg -i {FILES}/{PACKAGE} 2>&1 && chcon -t hostinfo_socket_t /run/qemu-server"
    ))?;
    lab.listen_elsewhere()?;
    let guest = guest.start()?;
    let label = guest.label()?;
    ensure!(label.contains(":svirt_t:"), "{label}");
    let mut other = lab.guest_behind_opener()?;
    lab.use_everything(&guest, &mut other)?;
    lab.wait_for_labels(&[
        ("hostinfod", ":hostinfod_t:"),
        ("hostinfo-libvir", ":hostinfo_libvirt_t:"),
        ("hostinfo-open", ":hostinfo_open_t:"),
        ("hostinfo-run", ":hostinfo_run_t:"),
    ])?;
    lab.take_disks_label(&guest)?;
    guest.end()?;
    lab.expect_nothing_denied()
}

/// semodule(8) for the host: linking takes two minutes in the emulation, so what comes of it was made before.
const SEMODULE: &str = "#!/bin/sh\ntar -xf /var/tmp/files/policy.tar -C / && load_policy\n";

#[test]
fn under_selinux_each_program_has_its_domain_and_nothing_is_denied() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = [package(&folder)?, Linked::make()?.pack(folder.path())?];
    lab::run_with(SELINUX, &files, |lab| {
        lab.write("/usr/local/sbin/semodule", SEMODULE)?;
        lab.sh("chmod 755 /usr/local/sbin/semodule")?;
        use_everything_under_selinux(lab)
    })
}

#[test]
fn linked_by_the_host_itself_the_module_serves_as_well_and_goes_with_its_package() -> Result<()> {
    let folder = tempfile::tempdir()?;
    lab::run_with(SELINUX, &[package(&folder)?], |lab| {
        use_everything_under_selinux(lab)?;
        lab.sh("semodule -l | grep -x hostinfo")?;
        lab.sh("dpkg --purge hostinfo-selinux 2>&1")?;
        lab.sh("! semodule -l | grep -x hostinfo")?;
        // Without a domain of its own it runs as any service does.
        lab.sh("hostinfoctl status").map(drop)
    })
}

#[test]
fn under_apparmor_daemon_helper_and_opener_have_their_profiles_and_nothing_is_denied() -> Result<()>
{
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.sh(&format!(". {SOURCE}/dist/load-profiles"))?;
        lab.serve_everything()?;
        lab.listen_elsewhere()?;
        let mut guest = lab.domain("a").devices(METRICS_DISK).devices(VSOCK);
        guest.define()?;
        lab.wait_until("[ -e /var/lib/hostinfo/disk/qemu-a ]")?;
        let guest = guest.start()?;
        let label = guest.label()?;
        ensure!(label.starts_with("libvirt-") && label.contains("(enforce)"), "{label}");
        let mut other = lab.guest_behind_opener()?;
        lab.use_everything(&guest, &mut other)?;
        lab.wait_for_labels(&[
            ("hostinfod", "libvirt-hostinfod (enforce)"),
            ("hostinfo-libvir", "libvirt-hostinfod (enforce)"),
            ("hostinfo-open", "hostinfo-open (enforce)"),
        ])?;
        guest.end()?;
        lab.expect_nothing_denied()
    })
}
