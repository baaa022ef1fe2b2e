//! Guests of a real libvirtd that is not there, hangs, crashes, or is replaced by another.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_for};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{DomainGuest, FakeGuest, Host, Libvirtd, serial};

/// What a query takes at the most that nothing holds up: on this machine, with others beside it.
const AT_ONCE: Duration = Duration::from_secs(2);

const GONE: &str = "503 vm.uuid: libvirt does not answer on this host";

/// Asks for what libvirt does not tell, which comes at once.
fn is_not_held_up(guest: &mut DomainGuest) -> Result<()> {
    let start = Instant::now();
    let reply = guest.ask("loadavg.1 vm.cpu.seconds vm.vcpus vm.memory.current")?;
    ensure!(start.elapsed() < AT_ONCE, "{:?} for {reply:?}", start.elapsed());
    ensure!(reply.iter().take(2).all(|line| line.starts_with("200")), "{reply:?}");
    Ok(())
}

#[test]
fn while_libvirtd_has_crashed_only_what_it_tells_is_not_told() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.uuid", "200 ")?;
    let session = guest.ask("session")?;

    libvirtd.crash()?;
    guest.ask_until("vm.uuid", GONE)?;
    let rest = guest.ask("vm.memory.current loadavg.1 vm.vcpus vm.cpu.seconds")?;
    let codes: Vec<&str> = rest.iter().filter_map(|line| line.get(..3)).collect();
    ensure!(codes == ["503", "200", "200", "200"], "{rest:?}");

    libvirtd.begin("libvirtd")?;
    guest.ask_until("vm.uuid", "200 ")?;
    guest.ask_until("vm.memory.current", "200 ")?;
    ensure!(guest.ask("session")? == session, "nothing has begun anew");
    let log = daemon.log();
    ensure!(log.matches("what only libvirt knows is unavailable").count() == 1, "{log}");
    ensure!(log.matches("libvirt answers").count() == 2, "{log}");
    Ok(())
}

#[test]
fn a_guest_is_served_without_libvirt_and_known_when_that_comes() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    libvirtd.crash()?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    guest.ask_until("vm.uuid", "503 vm.uuid: this host runs no libvirt")?;
    is_not_held_up(&mut guest)?;
    ensure!(!daemon.log().contains("libvirt answers"), "{}", daemon.log());
    libvirtd.begin("libvirtd")?;
    guest.ask_until("vm.uuid", "200 ")?;
    Ok(())
}

#[test]
fn libvirt_may_hang_before_and_after_it_has_answered() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    libvirtd.shell("kill -STOP $(cat /run/libvirtd.pid)")?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    // Whose the socket is was not said, and is not waited for any longer.
    daemon.wait_for_log("access-granted")?;
    ensure!(!daemon.log().contains("libvirt did not answer"), "{}", daemon.log());
    is_not_held_up(&mut guest)?;
    daemon.wait_for_log("libvirt did not answer within 5 s")?;
    libvirtd.shell("kill -CONT $(cat /run/libvirtd.pid)")?;
    guest.ask_until("vm.uuid", "200 ")?;
    guest.ask_until("vm.memory.current", "200 ")?;
    let session = guest.ask("session")?;

    libvirtd.shell("kill -STOP $(cat /run/libvirtd.pid)")?;
    let start = Instant::now();
    while guest.ask("vm.memory.current vm.uuid")?.iter().any(|line| line.starts_with("200")) {
        is_not_held_up(&mut guest)?;
        ensure!(start.elapsed() < PATIENCE, "values of before are told without end");
    }
    guest.ask_until("vm.uuid", GONE)?;
    libvirtd.shell("kill -CONT $(cat /run/libvirtd.pid)")?;
    guest.ask_until("vm.uuid", "200 ")?;
    ensure!(guest.ask("session")? == session, "nothing has begun anew");
    Ok(())
}

#[test]
fn libvirt_may_be_replaced_by_another_release_under_its_guests() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.uuid", "200 ")?;
    let session = guest.ask("session")?;
    libvirtd.stop()?;
    guest.ask_until("vm.uuid", GONE)?;
    is_not_held_up(&mut guest)?;
    let newer = libvirtd.folder().join("libvirtd");
    libvirtd.shell(&format!("cp $(command -v libvirtd) {}", newer.display()))?;
    libvirtd.begin(&newer.display().to_string())?;
    guest.ask_until("vm.uuid", "200 ")?;
    guest.ask_until("vm.memory.current", "200 ")?;
    ensure!(guest.ask("session")? == session, "nothing has begun anew");
    Ok(())
}

#[test]
fn a_daemon_that_starts_beside_libvirt_serves_nobody_before_that_has_said_who_is_who() -> Result<()>
{
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let mut renamed = DomainGuest::boot(&libvirtd, "new", &host.socket("old"))?;
    // It asks all the time, from before the daemon's first moment on.
    renamed.run(
        "(exec 3<>/dev/ttyS1; stty raw -echo <&3
         (while :; do echo loadavg.1; sleep 0.02; done) >&3 &
         head -n 20 <&3 >/tmp/replies) >/dev/null 2>&1 &",
    )?;
    let daemon = host.start_daemon_beside(&libvirtd)?;
    let replies = wait_for("twenty replies", PATIENCE, || {
        let seen = renamed.run("cat /tmp/replies")?.stdout;
        Ok((seen.lines().count() == 20).then_some(seen))
    })?;
    let refused = replies.lines().filter(|line| *line == "403 this guest may not ask").count();
    ensure!(refused > 15 && !replies.contains("200"), "{replies}");
    ensure!(!daemon.log().contains("access-granted"), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_socket_in_conflict_is_served_to_nobody_while_libvirt_is_away_either() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    libvirtd.define_bare("new", &serial(&host.socket("old"))?)?;
    libvirtd.virsh(&["start", "new"])?;
    daemon.wait_for_log("its own would be \"qemu-new\"")?;
    libvirtd.crash()?;
    daemon.wait_for_log("what only libvirt knows is unavailable")?;

    // Another process has the socket, and nobody can say whose it is.
    fs::remove_file(host.socket("old"))?;
    let mut guest = FakeGuest::join(&host.socket("old"))?;
    let answer = guest.ask_one("loadavg.1")?;
    ensure!(answer == "403 this guest may not ask", "{answer}");
    let mut other = FakeGuest::join(&host.socket("other"))?;
    ensure!(other.ask_one("loadavg.1")?.starts_with("200 "), "it was in no conflict");
    let log = daemon.log();
    let granted =
        |name| log.lines().any(|line| line.contains("access-granted") && line.contains(name));
    ensure!(granted("qemu-other") && !granted("qemu-old"), "{log}");
    Ok(())
}

/// A program that has the hostinfo port of a QEMU, as far as hostinfod can see. Its guest asks once.
const VMM: &str = "
import os, socket, sys
if os.path.exists(sys.argv[1]):
    os.remove(sys.argv[1])
s = socket.socket(socket.AF_UNIX)
s.bind(sys.argv[1])
s.listen(1)
while True:
    c, _ = s.accept()
    c.sendall(b'loadavg.1\\n')
    print(c.recv(100).decode(), end='', flush=True)
    c.recv(100)
";

#[test]
fn while_libvirt_is_away_a_new_process_at_a_running_domains_socket_waits_whatever_name_it_shows()
-> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    libvirtd.define_bare("a", &serial(&host.socket("a"))?)?;
    libvirtd.virsh(&["start", "a"])?;
    daemon.wait_for_log("access-granted")?;
    libvirtd.crash()?;
    daemon.wait_for_log("what only libvirt knows is unavailable")?;

    let program = libvirtd.folder().join("vmm.py");
    fs::write(&program, VMM)?;
    let replies = libvirtd.folder().join("replies");
    libvirtd.shell(&format!(
        "python3 {} {} -name guest=a,debug-threads=on >{} 2>&1 &",
        program.display(),
        host.socket("a").display(),
        replies.display()
    ))?;
    let replies = wait_for("a reply", PATIENCE, || {
        let seen = fs::read_to_string(&replies)?;
        Ok((!seen.is_empty()).then_some(seen))
    })?;
    ensure!(replies.starts_with("403 this guest may not ask"), "{replies}");
    let waits = "libvirt does not answer, and has to confirm whose process this is";
    ensure!(daemon.log().contains(waits), "{}", daemon.log());
    Ok(())
}
