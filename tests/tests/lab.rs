//! A real KVM host, in short: the one scenario that `make test` runs. `make test-lab` has the others.

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, BOOKWORM, Place};

#[test]
fn a_guest_of_libvirts_and_one_started_by_hand_are_told_of_the_host_by_a_plain_shell() -> Result<()>
{
    lab::run(BOOKWORM, |lab| {
        lab.serve(EVERYTHING)?;
        let mut domain = lab.domain("a").without_port();
        domain.define()?;
        lab.sh("hostinfoctl enable a")?;
        let domain = domain.start()?;
        let service = Place::Service(String::new());
        let by_hand = lab.by_hand("b", service).boot()?;

        for guest in [&domain, &by_hand] {
            guest.sh("dmesg | grep -q 'Hypervisor detected: KVM'")?;
            // The host's four CPUs, of which this guest has one.
            let told = guest.ask_until("physcpus cpu.nodes vm.name vm.vcpus", "200")?;
            let name = format!("200-vm.name={}", guest.name());
            let wanted = ["200-physcpus=4", "200-cpu.nodes=2", &name, "200 vm.vcpus=1"];
            ensure!(told == wanted, "{told:?}");
            let spent = guest.ask("vm.cpu.seconds")?;
            ensure!(spent.concat().starts_with("200 "), "{spent:?}");
        }
        let uuid = lab.virsh("domuuid a")?;
        domain.ask_until("vm.uuid", &format!("200 vm.uuid={}", uuid.trim()))?;
        let uuid = by_hand.ask("vm.uuid")?;
        ensure!(uuid.concat().starts_with("503 "), "{uuid:?}");
        Ok(())
    })
}
