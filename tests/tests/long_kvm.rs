//! What KVM itself counts of a guest, held against `virsh domstats --vcpu`.

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::wait_for;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::lab::{self, FOR_ONE_GUEST, PATIENCE};

#[test]
fn kvms_counters_of_a_guest_are_those_that_libvirt_reports_of_its_vcpus() -> Result<()> {
    lab::run(FOR_ONE_GUEST, |lab| {
        lab.serve(EVERYTHING)?;
        let guest = lab.domain("a").boot()?;
        guest.ask_until("vm.exits", "200 ")?;
        for (name, libvirts) in [
            ("vm.exits", "vcpu.0.exits.sum"),
            ("vm.exits.io", "vcpu.0.io_exits.sum"),
            ("vm.exits.mmio", "vcpu.0.mmio_exits.sum"),
            ("vm.exits.halt", "vcpu.0.halt_exits.sum"),
            ("vm.irqs", "vcpu.0.irq_injections.sum"),
        ] {
            let before = guest.domstats(libvirts)?;
            // Nobody waits for libvirt: the figures told are those of the query before.
            let told = wait_for(name, PATIENCE, || {
                let told = guest.figure(name)?;
                Ok((told >= before).then_some(told))
            })?;
            let after = guest.domstats(libvirts)?;
            ensure!(told <= after, "{name}: {told} is not in {before}..{after}");
            ensure!(told > 0.0, "{name}: KVM counted none, and the guest has booted");
        }
        Ok(())
    })
}
