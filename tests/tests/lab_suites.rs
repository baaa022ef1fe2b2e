//! The hosts that there are: a guest is answered on each.

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::install::Install;
use hostinfo_tests::lab::{
    self, FILES, Lab, LabGuest, METRICS_DISK, Place, SELINUX, TRIXIE, TRIXIE_AS_IT_COMES,
};
use hostinfo_tests::selinux::Linked;

/// The guest is KVM's and is told what is so.
fn is_answered(guest: &LabGuest) -> Result<()> {
    guest.sh("dmesg | grep -q 'Hypervisor detected: KVM'")?;
    let told = guest.ask_until("physcpus vm.name", "200")?;
    let wanted = ["200-physcpus=4".to_owned(), format!("200 vm.name={}", guest.name())];
    ensure!(told == wanted, "{told:?}");
    let spent = guest.ask("vm.cpu.seconds")?;
    ensure!(spent.concat().starts_with("200 "), "{spent:?}");
    Ok(())
}

/// What confines the guest's VMM.
fn label(lab: &Lab, guest: &LabGuest) -> Result<String> {
    lab.sh(&format!("cat /proc/{}/attr/current", guest.pid()?))
}

#[test]
fn debian_13_as_it_comes_answers_a_guest_of_its_own_kernel() -> Result<()> {
    lab::run(TRIXIE_AS_IT_COMES, |lab| {
        ensure!(lab.sh("uname -r")?.starts_with("6.12."));
        lab.serve(EVERYTHING)?;
        let guest = lab.domain("a").boot()?;
        is_answered(&guest)?;
        let label = label(lab, &guest)?;
        ensure!(label.starts_with("libvirt-") && label.contains("(enforce)"), "{label}");
        let uuid = lab.virsh("domuuid a")?;
        guest.ask_until("vm.uuid", &format!("200 vm.uuid={}", uuid.trim()))?;
        for part in ["landlock", "seccomp"] {
            lab.wait_for_journal(&format!("confined by {part}"))?;
        }
        ensure!(!lab.journal()?.contains("not confined"), "{}", lab.journal()?);
        Ok(())
    })
}

#[test]
fn debian_13s_libvirt_and_qemu_have_guests_beside_guests_that_were_started_by_hand() -> Result<()> {
    lab::run(TRIXIE, |lab| {
        lab.serve(EVERYTHING)?;
        let guest = lab.domain("a").boot()?;
        let label = label(lab, &guest)?;
        ensure!(label.starts_with("libvirt-") && label.contains("(enforce)"), "{label}");
        let service = lab.by_hand("b", Place::Service(String::new())).boot()?;
        let session = lab.by_hand("c", Place::Session).boot()?;
        for guest in [&guest, &service, &session] {
            is_answered(guest)?;
        }
        Ok(())
    })
}

/// semodule(8) for the host: linking takes two minutes in the emulation, so what comes of it was made before.
const SEMODULE: &str = "#!/bin/sh\ntar -xf /var/tmp/files/policy.tar -C / && load_policy\n";

#[test]
fn under_selinux_each_program_has_its_domain_and_nothing_is_denied() -> Result<()> {
    let folder = tempfile::tempdir()?;
    Install::prepare_small()?.package("1.0.0", folder.path())?;
    let package = folder.path().join("hostinfo-selinux_1.0.0-1_all.deb");
    let files = [Linked::make()?.pack(folder.path())?, package];
    lab::run_with(SELINUX, &files, |lab| {
        ensure!(lab.sh("getenforce")? == "Enforcing\n");
        lab.serve_everything()?;
        let mut guest = lab.domain("a").devices(METRICS_DISK);
        guest.define()?;
        // By Debian's policy the directory is of var_lib_t, as all in /var/lib that it does not know, and
        // libvirt may make no socket in it.
        let refused = lab.run("virsh start a")?;
        ensure!(refused.status != 0, "{refused:?}");
        let socket = "Unable to bind to UNIX socket path '/var/lib/hostinfo/qemu-a'";
        ensure!(refused.stderr.contains(socket), "{refused:?}");

        lab.write("/usr/local/sbin/semodule", SEMODULE)?;
        lab.sh("chmod 755 /usr/local/sbin/semodule && : >/var/log/audit/audit.log")?;
        lab.sh(&format!("dpkg -i {FILES}/hostinfo-selinux_1.0.0-1_all.deb 2>&1"))?;
        lab.sh("chcon -t hostinfo_socket_t /run/qemu-server")?;
        let guest = guest.start()?;
        is_answered(&guest)?;
        let label = label(lab, &guest)?;
        ensure!(label.contains(":svirt_t:"), "{label}");
        lab.use_everything(&guest)?;
        // They end when they have nothing to do.
        lab.sh("systemctl start hostinfo-open hostinfo-run")?;
        let domains = lab.sh("ps -eo label,comm | grep hostinfo")?;
        for (domain, program) in [
            ("hostinfod_t", "hostinfod"),
            ("hostinfo_libvirt_t", "hostinfo-libvir"),
            ("hostinfo_open_t", "hostinfo-open"),
            ("hostinfo_run_t", "hostinfo-run"),
        ] {
            let is_there = domains.lines().any(|line| {
                line.contains(&format!(":{domain}:")) && line.ends_with(&format!(" {program}"))
            });
            ensure!(is_there, "no {program} in {domain}: {domains}");
        }
        guest.end()?;
        let denied = lab.sh(
            "ausearch --input-logs -m avc,user_avc,selinux_err 2>&1 | grep -E '^type=(AVC|USER_AVC|SELINUX_ERR).*hostinfo' || :",
        )?;
        ensure!(denied.is_empty(), "{denied}");
        Ok(())
    })
}
