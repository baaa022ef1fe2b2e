//! What the host knows of a real guest's own process.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Cgroup, DomainGuest, Guest, Host, Libvirtd, Port};

/// The number in the only line of an answer.
fn figure(guest: &mut Guest, name: &str) -> Result<f64> {
    let answer = guest.ask(name)?;
    let value = answer.first().and_then(|line| line.split_once('=')).context("no value");
    Ok(value.with_context(|| format!("{answer:?}"))?.1.parse()?)
}

#[test]
fn a_guest_sees_the_memory_and_the_growing_cpu_time_of_its_own_vmm() -> Result<()> {
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

#[test]
fn a_guests_lack_is_reported_with_its_name_until_it_is_mended_or_the_guest_is_gone() -> Result<()> {
    const NO_OWN: &str =
        "this guest has no cgroup of its own: start the guest in a unit of its own";
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    // Into the root, which is nobody's own, from wherever the tests were started.
    drop(Cgroup::around(guest.pid(), format!("hostinfo-test-{}.slice", guest.pid()))?);
    let lacks = || -> Result<Vec<String>> {
        let missing = host.client()?.status()?.missing.into_iter();
        Ok(missing.filter(|lack| lack.why.starts_with(NO_OWN)).map(|lack| lack.source).collect())
    };
    for _ in 0..2 {
        let weight = guest.ask("vm.cpu.weight")?;
        ensure!(weight == ["503 vm.cpu.weight: this guest has no cgroup of its own"], "{weight:?}");
    }
    ensure!(lacks()? == ["cgroup cpu.weight; v1 cpu.shares of qemu-a"], "{:?}", lacks()?);
    let log = daemon.log();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(NO_OWN)).collect();
    ensure!(lines.len() == 1 && lines.iter().all(|line| line.contains("qemu-a")), "{lines:?}");

    let cgroup = Cgroup::around(guest.pid(), format!("hostinfo-test-{}", guest.pid()))?;
    let mut becomes = |reply: &str| {
        wait_until(reply, PATIENCE, || Ok(guest.ask("vm.cpu.weight")?.concat() == reply))
    };
    becomes("200 vm.cpu.weight=100")?;
    ensure!(lacks()?.is_empty(), "{:?}", lacks()?);
    drop(cgroup);
    becomes("503 vm.cpu.weight: this guest has no cgroup of its own")?;
    ensure!(lacks()?.len() == 1);
    guest.kill()?;
    wait_until("the guest to be gone", PATIENCE, || Ok(lacks()?.is_empty()))?;
    Ok(())
}

#[test]
fn a_guest_that_has_a_metrics_disk_and_has_said_nothing_yet_is_no_lack_of_its_host() -> Result<()> {
    let (libvirtd, host) =
        (Libvirtd::start()?, Host::new(&format!("{EVERYTHING}  vhostmd-disk = 1\n"))?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    let file = host.sockets().join("disk/qemu-a");
    let shows = || Ok(std::fs::read(&file).is_ok_and(|disk| disk.windows(4).any(|w| w == b"Time")));
    wait_until("the disk", PATIENCE, shows)?;
    let is_unseen = |text: &str| text.contains("cannot see this guest's VMM");
    let missing = host.client()?.status()?.missing;
    ensure!(!missing.iter().any(|lack| is_unseen(&lack.why)), "{missing:?}");
    ensure!(!is_unseen(&daemon.log()), "{}", daemon.log());
    guest.ask_until("vm.cpu.seconds", "200 ")?;
    Ok(())
}
