//! The hosts that there are: a guest is answered on each.

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, LabGuest, Place, TRIXIE};

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

#[test]
fn debian_13s_libvirt_and_qemu_have_guests_beside_guests_that_were_started_by_hand() -> Result<()> {
    lab::run(TRIXIE, |lab| {
        lab.serve(EVERYTHING)?;
        let guest = lab.domain("a").boot()?;
        let label = guest.label()?;
        ensure!(label.starts_with("libvirt-") && label.contains("(enforce)"), "{label}");
        let service = lab.by_hand("b", Place::Service(String::new())).boot()?;
        let session = lab.by_hand("c", Place::Session).boot()?;
        for guest in [&guest, &service, &session] {
            is_answered(guest)?;
        }
        Ok(())
    })
}
