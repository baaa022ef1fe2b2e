//! The hosts that there are: a guest is answered on each.

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, Lab, LabGuest, Place, SELINUX, TRIXIE, TRIXIE_AS_IT_COMES};

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

#[test]
fn under_selinux_a_guest_is_answered_once_the_directory_of_sockets_has_a_label_of_libvirts()
-> Result<()> {
    lab::run(SELINUX, |lab| {
        ensure!(lab.sh("getenforce")? == "Enforcing\n");
        lab.serve(EVERYTHING)?;
        let mut guest = lab.domain("a");
        guest.define()?;
        // By Debian's policy the directory is of var_lib_t, as all in /var/lib that it does not know, and
        // libvirt may make no socket in it.
        let refused = lab.run("virsh start a")?;
        ensure!(refused.status != 0, "{refused:?}");
        let socket = "Unable to bind to UNIX socket path '/var/lib/hostinfo/qemu-a'";
        ensure!(refused.stderr.contains(socket), "{refused:?}");
        // Where libvirt has images, it may make sockets, and may give them the guest's label; of those
        // types where it may only make them, such as svirt_runtime_t, it may not.
        lab.sh("chcon -R -t virt_image_t /var/lib/hostinfo")?;
        let guest = guest.start()?;
        is_answered(&guest)?;
        let label = label(lab, &guest)?;
        ensure!(label.contains(":svirt_t:"), "{label}");
        Ok(())
    })
}
