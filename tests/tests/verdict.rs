//! Whether a real guest is told rightly why it is slow. Takes minutes: a verdict speaks of one.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Cgroup, DomainGuest, Guest, Host, Libvirtd, Port};

/// Until nothing of what was before is in the minute that the verdict speaks of, and more, lest
/// something else on this machine decides.
const MINUTES: Duration = Duration::from_secs(180);

#[test]
fn a_spinning_guest_is_ok_alone_self_limited_under_a_quota_and_contended_by_its_host() -> Result<()>
{
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    guest.sh("(while :; do :; done) > /dev/null 2>&1 &")?;
    let pid = guest.pid();
    let first = guest.ask("verdict.cpu")?;
    ensure!(first[0].starts_with("200 verdict.cpu=unknown: ask again in "), "{first:?}");
    let mut ask = || guest.ask("verdict.cpu");
    expect("=ok: ", &mut ask)?;

    let own = format!("hostinfo-test-{pid}");
    let cgroup = Cgroup::around(pid, &own)?;
    cgroup.limit_to_half_a_cpu(&own)?;
    expect("=self-limited: ", &mut ask)?;
    drop(cgroup);

    // As `systemctl set-property machine.slice CPUQuota=50%` does.
    let slice = format!("hostinfo-test-{pid}.slice");
    let cgroup = Cgroup::around(pid, format!("{slice}/guest.scope"))?;
    cgroup.limit_to_half_a_cpu(&slice)?;
    expect(
        "contended: a CPU limit of 0.50 CPUs that your host sets around your guest held",
        &mut ask,
    )?;
    drop(cgroup);

    let others = host.keep_busy()?;
    let told = expect("for a host CPU; the host's CPUs were ", &mut ask)?;
    ensure!(told.contains("contended: your vCPUs waited "), "{told}");
    drop(others);
    Ok(())
}

#[test]
fn a_domain_under_libvirts_own_limits_is_told_so_of_its_cpus_and_of_its_disk() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    // A fifth of a CPU, and half a MiB a second.
    libvirtd.virsh(&["schedinfo", "a", "--live", "--set", "vcpu_quota=20000"])?;
    libvirtd.virsh(&["blkdeviotune", "a", "vda", "--live", "--total-bytes-sec", "524288"])?;
    guest.ask_until("vm.cpu.quota", "200 vm.cpu.quota=0.2")?;
    guest.ask_until("vm.disk.vda.limit.bytes", "200 vm.disk.vda.limit.bytes=524288")?;
    guest.run(
        "(while :; do dd if=/dev/zero of=/dev/vda bs=64k count=64 oflag=direct; done) \
             > /dev/null 2>&1 &
         (while :; do :; done) > /dev/null 2>&1 &",
    )?;
    let disk = expect("=self-limited: ", || guest.ask("verdict.io"))?;
    ensure!(disk.contains("your disk vda was at its own limit of 512.0 KiB a second"), "{disk}");
    let cpu = expect("=self-limited: ", || guest.ask("verdict.cpu"))?;
    ensure!(cpu.contains("your own CPU quota of 0.20 CPUs held your vCPUs back"), "{cpu}");
    Ok(())
}

/// Asks until the verdict has these words, and gives back the whole of it: until then, it speaks of
/// a minute in which something else was too.
fn expect(words: &str, mut ask: impl FnMut() -> Result<Vec<String>>) -> Result<String> {
    let end = Instant::now() + MINUTES;
    loop {
        std::thread::sleep(Duration::from_secs(5));
        let reply = ask()?.concat();
        if reply.contains(words) {
            return Ok(reply);
        }
        ensure!(Instant::now() < end, "not {words}: {reply}");
    }
}
