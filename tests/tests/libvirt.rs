//! Guests of a real libvirtd: who they are, what it tells of them, and when it does not answer.

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::{DomainGuest, FakeGuest, Host, Libvirtd};

const BLOCKED: &str = "403 this guest may not ask";

/// What `virsh domstats` shows, for what it has a line of.
fn domstats(libvirtd: &Libvirtd, domain: &str, name: &str) -> Result<u64> {
    let stats = libvirtd.virsh(&["domstats", domain])?;
    let value = stats.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
    Ok(value.with_context(|| format!("no {name} in\n{stats}"))?.parse()?)
}

#[test]
fn a_domain_is_served_as_itself_and_sees_what_virsh_shows() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;

    let uuid = libvirtd.virsh(&["domuuid", "a"])?;
    guest.ask_until("vm.uuid", &format!("200 vm.uuid={}", uuid.trim()))?;
    let vcpus = guest.ask("vm.vcpus vm.vcpus.max")?;
    ensure!(vcpus == ["200-vm.vcpus=1", "200 vm.vcpus.max=2"], "{vcpus:?}");
    guest.ask_until("vm.memory.current", "200 ")?;
    // The figures of the next query are those that this one has had asked for.
    std::thread::sleep(std::time::Duration::from_millis(1100));
    guest.ask("vm.memory.current")?;
    std::thread::sleep(std::time::Duration::from_millis(500));
    for (ours, theirs, unit) in [
        ("vm.memory.current", "balloon.current", 1024),
        ("vm.memory.maximum", "balloon.maximum", 1024),
        ("vm.disk.vda.read.bytes", "block.0.rd.bytes", 1),
        ("vm.disk.vda.read.ops", "block.0.rd.reqs", 1),
        ("vm.disk.vda.write.ops", "block.0.wr.reqs", 1),
        ("vm.net.0.tx.packets", "net.0.tx.pkts", 1),
        ("vm.net.0.tx.bytes", "net.0.tx.bytes", 1),
    ] {
        let answer = guest.ask(ours)?;
        let theirs = domstats(&libvirtd, "a", theirs)? * unit;
        ensure!(answer == [format!("200 {ours}={theirs}")], "{answer:?}, and virsh: {theirs}");
    }
    let rest = guest.ask("vm.disk.vda.limit vm.migrating vm.blockjob guests.running")?;
    ensure!(
        rest == [
            "200-vm.disk.vda.limit.bytes=7000000",
            "200-vm.disk.vda.limit.ops=900",
            "200-vm.migrating=0",
            "200-vm.blockjob=0",
            "200 guests.running=1"
        ],
        "{rest:?}"
    );
    let version = guest.ask("hypervisor.version vcpu.overcommit vm.paused.seconds")?;
    ensure!(version.iter().all(|line| line.starts_with("200")), "{version:?}");
    let cpu = guest.ask("vm.cpu.seconds")?;
    ensure!(cpu[0].starts_with("200 "), "QEMU is found, not libvirtd: {cpu:?}");
    let session = guest.ask("session")?;
    ensure!(guest.ask("session")? == session, "{session:?} lasts");

    libvirtd.virsh(&["suspend", "a"])?;
    std::thread::sleep(std::time::Duration::from_millis(300));
    libvirtd.virsh(&["resume", "a"])?;
    let paused = guest.ask("vm.paused.seconds")?;
    ensure!(paused[0].starts_with("200 vm.paused.seconds=0.3"), "{paused:?}");
    Ok(())
}

#[test]
fn a_renamed_domain_and_two_with_one_path_are_not_served_and_the_log_says_why() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    // As after virsh domrename: the path is that of the old name.
    let mut renamed = DomainGuest::boot(&libvirtd, "new", &host.socket("old"))?;
    for request in ["loadavg", "json *", "GET /metrics/XML"] {
        renamed.ask_until(request, BLOCKED)?;
    }
    daemon.wait_for_log("it must end in \"qemu-new\"")?;

    libvirtd.define("a", path(&host.socket("a"))?)?;
    libvirtd.virsh(&["start", "a"])?;
    let mut clone = DomainGuest::boot(&libvirtd, "clone", &host.socket("a"))?;
    clone.ask_until("loadavg", BLOCKED)?;
    daemon.wait_for_log("have the same hostinfo path")?;
    Ok(())
}

#[test]
fn while_libvirtd_is_gone_only_what_it_tells_is_not_told() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.uuid", "200 ")?;
    let session = guest.ask("session")?;

    libvirtd.shell("kill -9 $(cat /run/libvirtd.pid)")?;
    let gone = "503 vm.uuid: libvirt does not answer on this host";
    guest.ask_until("vm.uuid", gone)?;
    let rest = guest.ask("vm.memory.current loadavg.1 vm.vcpus vm.cpu.seconds")?;
    let codes: Vec<&str> = rest.iter().filter_map(|line| line.get(..3)).collect();
    ensure!(codes == ["503", "200", "200", "200"], "{rest:?}");

    libvirtd.shell("rm -f /run/libvirtd.pid; libvirtd -d")?;
    guest.ask_until("vm.uuid", "200 ")?;
    guest.ask_until("vm.memory.current", "200 ")?;
    ensure!(guest.ask("session")? == session, "nothing has begun anew");
    let log = daemon.log();
    ensure!(log.matches("what only libvirt knows is not told").count() == 1, "{log}");
    ensure!(log.matches("libvirt answers").count() == 2, "{log}");
    Ok(())
}

#[test]
fn where_a_domain_is_required_a_socket_that_none_names_is_refused() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    host.write_config("[libvirt]\nrequired = true\n")?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let mut stranger = FakeGuest::join(&host.socket("stranger"))?;
    ensure!(stranger.ask_one("loadavg")? == BLOCKED);
    daemon.wait_for_log("no running domain of libvirt names this socket")?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.uuid", "200 ")?;
    Ok(())
}
