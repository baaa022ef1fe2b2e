//! Guests that move between two hosts, each with a libvirtd and a daemon of its own.

mod asking;
mod site;
mod upgrades;

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use hostinfo_domains::limits::DEADLINE;
use hostinfo_tests::deadline::{PATIENCE, wait_for, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Domain, DomainGuest, Port, serial};

use site::{SLOW, SOCKETS, Site, arrive};

/// What is no longer the same on another host.
const PLACE: &str = "session host.id host.name";

/// What is.
const NAME: &str = "vm.uuid vm.name";

/// Counters of which a guest that has booted, written to its disk and paused has more than one
/// that has just come.
const COUNTERS: &str =
    "vm.cpu.seconds vm.disk.vda.write.bytes vm.disk.vda.write.ops vm.paused.seconds";

/// The values in a reply, as soon as one comes that has all of them. None comes as long as no daemon
/// is connected.
fn values<const N: usize>(
    guest: &mut DomainGuest,
    port: Port,
    request: &str,
) -> Result<[String; N]> {
    wait_for(request, PATIENCE, || {
        let reply = guest.ask_by(port, request).unwrap_or_default();
        let value = |line: &String| Some(line.strip_prefix("200")?.split_once('=')?.1.to_owned());
        Ok(reply.iter().map(value).collect::<Option<Vec<_>>>().and_then(|all| all.try_into().ok()))
    })
}

/// The counters, as soon as none of them is 0: libvirt tells what a guest wrote some time later.
fn counted(guest: &mut DomainGuest, port: Port) -> Result<[String; 4]> {
    wait_for("counters above 0", PATIENCE, || {
        let counters = values(guest, port, COUNTERS)?;
        let have_begun = counters.iter().all(|value| value.parse().is_ok_and(|n: f64| n > 0.0));
        Ok(have_begun.then_some(counters))
    })
}

/// The sessions in these replies, one after the other.
fn sessions(replies: &str) -> Vec<String> {
    let session = |line: &str| Some(line.strip_prefix("200-session=")?.to_owned());
    // What is on its way while the guest is moved is cut off.
    let whole = |session: &String| session.len() == 16;
    let mut sessions: Vec<String> = replies.lines().filter_map(session).filter(whole).collect();
    sessions.dedup();
    sessions
}

#[test]
fn a_guest_that_is_moved_is_told_so_and_asks_on_in_a_new_session_on_another_host() -> Result<()> {
    moves(Port::Serial)
}

#[test]
fn a_guest_with_a_channel_that_is_moved_is_told_so_and_asks_on_in_a_new_session() -> Result<()> {
    moves(Port::Channel)
}

fn moves(port: Port) -> Result<()> {
    let (here, there) = (Site::new(EVERYTHING)?, Site::new(EVERYTHING)?);
    let (_here, _there) = (here.serve()?, there.serve()?);
    let mut guest = here.boot(port)?;
    guest.run("dd if=/dev/zero of=/dev/vda bs=64k count=64 oflag=direct")?;
    here.libvirtd.virsh(&["suspend", "a"])?;
    here.libvirtd.virsh(&["resume", "a"])?;
    let before = counted(&mut guest, port)?;
    let first: [String; 3] = values(&mut guest, port, PLACE)?;
    let name: [String; 2] = values(&mut guest, port, NAME)?;

    // All the while a program of the guest asks, by the one device that it has opened.
    guest.run(&format!(
        "(exec 3<>{}; stty raw -echo <&3
         until [ -e /tmp/enough ]; do
             echo session vm.migrating >&3
             while read -r -t 2 line <&3 && echo $line; do
                 case $line in 200' '*) break;; esac
             done
             sleep 0.1
         done >/tmp/replies; touch /tmp/silent) >/dev/null 2>&1 &",
        port.device()
    ))?;
    let virsh = here.migrate(&there, &SLOW)?;
    wait_until("vm.migrating=1", PATIENCE, || {
        Ok(guest.run("cat /tmp/replies")?.stdout.contains("200 vm.migrating=1\n"))
    })?;
    here.libvirtd.virsh(&["migrate-setspeed", "a", "1000"])?;
    arrive(virsh, &mut guest)?;
    let sessions = wait_for("the new session", PATIENCE, || {
        let sessions = sessions(&guest.run("cat /tmp/replies")?.stdout);
        Ok((sessions.len() > 1).then_some(sessions))
    })?;
    guest.run("touch /tmp/enough; until [ -e /tmp/silent ]; do sleep 0.1; done")?;

    let after: [String; 4] = values(&mut guest, port, COUNTERS)?;
    for (before, after) in before.iter().zip(&after) {
        ensure!(after.parse::<f64>()? < before.parse()?, "taken over: {after} after {before}");
    }
    let second: [String; 3] = values(&mut guest, port, PLACE)?;
    ensure!(sessions == [&*first[0], &*second[0]], "{sessions:?}: {first:?}, {second:?}");
    ensure!(first.iter().zip(&second).all(|(first, second)| first != second), "{second:?}");
    ensure!(values(&mut guest, port, NAME)? == name, "it is the same guest");
    ensure!(values(&mut guest, port, "vm.migrating")? == ["0"]);

    arrive(there.migrate(&here, &[])?, &mut guest)?;
    let third: [String; 3] = values(&mut guest, port, PLACE)?;
    ensure!(third[1..] == first[1..], "it has come back: {third:?}");
    ensure!(third[0] != first[0] && third[0] != second[0], "as if it had never left: {third:?}");
    Ok(())
}

#[test]
fn a_guest_that_cannot_be_moved_or_need_not_stays_in_its_session() -> Result<()> {
    let (here, there) = (Site::new(EVERYTHING)?, Site::new(EVERYTHING)?);
    let _here = here.serve()?;
    let mut guest = here.boot(Port::Serial)?;
    guest.ask_until("vm.uuid", "200 ")?;
    let place = guest.ask(PLACE)?;

    let mut virsh = here.migrate(&there, &[])?;
    ensure!(!virsh.wait(PATIENCE)?.success(), "it is moved to where there is no directory");
    let error = format!("Unable to bind to UNIX socket path '{SOCKETS}/qemu-a': No such file");
    ensure!(virsh.log().contains(&error), "{}", virsh.log());
    ensure!(guest.ask(PLACE)? == place, "it stays");

    let _there = there.serve()?;
    let mut virsh = here.migrate(&there, &SLOW)?;
    guest.ask_until("vm.migrating", "200 vm.migrating=1")?;
    here.libvirtd.virsh(&["domjobabort", "a"])?;
    ensure!(!virsh.wait(PATIENCE)?.success(), "it is moved all the same");
    guest.ask_until("vm.migrating", "200 vm.migrating=0")?;
    ensure!(guest.ask(PLACE)? == place, "it stays");
    Ok(())
}

#[test]
fn a_qemu_that_hangs_while_it_migrates_keeps_no_figures_from_other_guests() -> Result<()> {
    let watched = format!("qemu-a:\n  interval = 0\n  all = 1\n  watch = 1\n{EVERYTHING}");
    let (here, there) = (Site::new(&watched)?, Site::new(EVERYTHING)?);
    let (daemon, _there) = (here.serve()?, there.serve()?);
    let mut guest = here.boot(Port::Serial)?;
    let other = Domain::define(&here.libvirtd, "b", &serial(&here.host.socket("b"))?)?;
    let mut other = other.boot(&here.libvirtd)?;
    let _virsh = here.migrate(&there, &SLOW)?;
    guest.ask_until("vm.migrating", "200 vm.migrating=1")?;
    here.libvirtd.shell("kill -STOP $(cat /run/libvirt/qemu/a.pid)")?;
    // It is sampled every 10 s, and the helper may be silent for 5 s.
    let end = Instant::now() + 4 * DEADLINE;
    while Instant::now() < end {
        other.ask_until("vm.disk.vda.read.ops", "200 ")?;
        sleep(Duration::from_millis(500));
    }
    ensure!(!daemon.log().contains("unavailable"), "{}", daemon.log());
    Ok(())
}
