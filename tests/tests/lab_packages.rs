//! Debian's packages on a running host: from their files to a first answer, upgraded, and taken away again.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::install::Install;
use hostinfo_tests::lab::{self, FILES, FOR_ONE_GUEST, Lab, LabGuest, TRIXIE_AS_IT_COMES};
use tempfile::TempDir;

const RULES: &str = "/etc/hostinfo/hostinfo.conf";

fn deb(folder: &TempDir, version: &str) -> Result<PathBuf> {
    Install::prepare_stripped()?.package(version, folder.path())?;
    Ok(folder.path().join(format!("hostinfo-host_{version}-1_amd64.deb")))
}

fn install(lab: &Lab, version: &str) -> Result<String> {
    lab.sh(&format!(
        "DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --allow-downgrades \
            -o Dpkg::Use-Pty=0 {FILES}/hostinfo-host_{version}-1_amd64.deb 2>&1"
    ))
}

/// A guest that is answered on a host that had no hostinfo: by two commands, and the guest's own start.
fn start_from_file(lab: &Lab) -> Result<LabGuest<'_>> {
    lab.remove_hostinfo()?;
    let mut plan = lab.domain("a").without_port();
    plan.define()?;
    install(lab, "1.0.0")?;
    lab.sh("hostinfoctl enable a")?;
    let guest = plan.start()?;
    guest.ask_until("loadavg.1", "200 ")?;
    Ok(guest)
}

#[test]
fn a_host_gets_answers_from_a_package_keeps_them_over_an_upgrade_and_loses_no_socket() -> Result<()>
{
    let [old, new] = [tempfile::tempdir()?, tempfile::tempdir()?];
    let files = [deb(&old, "1.0.0")?, deb(&new, "1.1.0")?];
    lab::run_with(FOR_ONE_GUEST, &files, |lab| {
        let guest = start_from_file(lab)?;
        lab.write(RULES, EVERYTHING)?;
        guest.ask_until("vm.cpu.seconds", "200 ")?;
        let session = guest.ask("session")?;
        let told = install(lab, "1.1.0")?;
        ensure!(!told.contains("error"), "{told}");
        guest.ask_until("vm.cpu.seconds", "200 ")?;
        ensure!(guest.ask("session")? == session, "hostinfod was restarted: {told}");
        ensure!(lab.sh(&format!("cat {RULES}"))? == EVERYTHING);
        let version = lab.sh("dpkg-query -W -f '${Version}' hostinfo-host")?;
        ensure!(version == "1.1.0-1", "{version}");

        let told = install(lab, "1.0.0")?;
        guest.ask_until("vm.cpu.seconds", "200 ")?;
        ensure!(guest.ask("session")? == session, "hostinfod was restarted: {told}");
        lab.expect_nothing_denied()?;

        lab.sh("dpkg --remove hostinfo-host 2>&1")?;
        ensure!(lab.run("systemctl is-active hostinfo")?.status != 0, "it still runs");
        ensure!(lab.run("command -v hostinfod hostinfoctl")?.status != 0);
        lab.sh(&format!("test -S /var/lib/hostinfo/qemu-a && test -e {RULES}"))?;
        // Installed again, it goes on.
        install(lab, "1.1.0")?;
        guest.ask_until("vm.cpu.seconds", "200 ")?;
        lab.sh("dpkg --purge hostinfo-host 2>&1")?;
        lab.sh(&format!("test -S /var/lib/hostinfo/qemu-a && test ! -e {RULES}"))?;
        lab.sh("! grep hostinfo /sys/kernel/security/apparmor/profiles")?;
        ensure!(lab.run("systemctl cat hostinfo")?.status != 0, "its unit is still there");
        Ok(())
    })
}

#[test]
fn debian_13_as_it_comes_answers_a_guest_of_its_own_kernel_after_two_commands() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let files = [deb(&folder, "1.0.0")?];
    lab::run_with(TRIXIE_AS_IT_COMES, &files, |lab| {
        ensure!(lab.sh("uname -r")?.starts_with("6.12."));
        let guest = start_from_file(lab)?;
        guest.sh("dmesg | grep -q 'Hypervisor detected: KVM'")?;
        lab.write(RULES, EVERYTHING)?;
        guest.ask_until("vm.cpu.seconds", "200 ")?;
        let told = guest.ask("physcpus vm.name")?;
        ensure!(told == ["200-physcpus=2", "200 vm.name=a"], "{told:?}");
        let uuid = lab.virsh("domuuid a")?;
        guest.ask_until("vm.uuid", &format!("200 vm.uuid={}", uuid.trim()))?;
        for part in ["landlock", "seccomp"] {
            lab.wait_for_journal(&format!("confined by {part}"))?;
        }
        ensure!(!lab.journal()?.contains("not confined"), "{}", lab.journal()?);
        let label = guest.label()?;
        ensure!(label.starts_with("libvirt-") && label.contains("(enforce)"), "{label}");
        lab.wait_for_labels(&[("hostinfod", "libvirt-hostinfod (enforce)")])?;
        lab.expect_nothing_denied()
    })
}
