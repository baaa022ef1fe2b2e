//! What the host knows of a real guest's own process.

use std::time::Duration;

use anyhow::{Context as _, Result};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Guest, Host, Port};

/// The number in the only line of an answer.
fn figure(guest: &mut Guest, name: &str) -> Result<f64> {
    let answer = guest.ask(name)?;
    let value = answer.first().and_then(|line| line.split_once('=')).context("no value");
    Ok(value.with_context(|| format!("{answer:?}"))?.1.parse()?)
}

#[test]
fn a_guest_sees_its_own_cpu_time_and_memory_as_the_host_does() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    assert_eq!(guest.ask("vm.vcpus")?, ["200 vm.vcpus=1"]);
    assert!(figure(&mut guest, "vm.memory.resident")? > 32.0 * 1024.0 * 1024.0);

    let before = figure(&mut guest, "vm.cpu.seconds")?;
    guest.sh("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done")?;
    let after = figure(&mut guest, "vm.cpu.0.seconds")?;
    assert!(after > before + 0.01, "{before} {after}");

    let listed = guest.ask("list vm.cpu")?;
    assert!(
        listed.iter().any(|line| line.contains("vm.cpu.0.delay counter seconds")),
        "{listed:?}"
    );
    assert_eq!(guest.ask("vm.cpu.7.delay")?, ["404 vm.cpu.7.delay: no such statistic"]);
    Ok(())
}

#[test]
fn a_guest_that_spins_beside_others_sees_that_it_waits_for_the_host() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let others = host.keep_busy()?;
    guest.sh("(while :; do :; done) & echo $! > /tmp/spin")?;
    guest.ask("vm.cpu.contention")?;
    std::thread::sleep(Duration::from_millis(2500));
    let contention = figure(&mut guest, "vm.cpu.contention")?;
    let window = guest.ask("vm.cpu.contention window cpu.busy")?;
    guest.sh("kill $(cat /tmp/spin)")?;
    drop(others);
    // One vCPU beside four loops for each CPU gets a fifth of its wishes.
    assert!(contention > 0.3, "{contention}");
    assert!(window.iter().all(|line| line.starts_with("200")), "{window:?}");
    Ok(())
}
