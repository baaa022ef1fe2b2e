//! Guests come, reboot, die and come back; daemons do, too.

use std::os::unix::net::UnixListener;
use std::sync::Barrier;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{FakeGuest, FakeQemu, Guest, Host, Port};

fn session(guest: &mut Guest) -> Result<String> {
    guest.ask("session")?.pop().context("no reply")
}

#[test]
fn a_guest_that_was_reset_or_rebooted_asks_on_in_the_same_session() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let first = session(&mut guest)?;
    assert!(first.starts_with("200 session="), "{first}");
    guest.reset()?;
    assert_eq!(guest.sh("hostinfo get vm.name")?, "vm.name=a\n");
    assert_eq!(session(&mut guest)?, first);
    guest.reboot()?;
    assert_eq!(guest.sh("hostinfo get vm.name")?, "vm.name=a\n");
    assert_eq!(session(&mut guest)?, first);
    Ok(())
}

#[test]
fn a_guest_whose_qemu_was_killed_comes_back_at_its_path_in_a_new_session() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let first = session(&mut guest)?;
    guest.kill()?;
    assert!(host.socket("a").exists());
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let second = session(&mut guest)?;
    assert!(second.starts_with("200 session="), "{second}");
    assert_ne!(first, second);
    Ok(())
}

#[test]
fn a_guest_that_was_paused_asks_on() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    let first = session(&mut guest)?;
    // The answer arrives while nobody executes the guest.
    guest.sh("(exec 3<>/dev/ttyS1; stty raw -echo <&3; sleep 1; echo vm.name >&3; \
        head -n 1 <&3 >/run/answer) >/dev/null 2>&1 &")?;
    for _ in 0..4 {
        guest.pause()?;
        std::thread::sleep(Duration::from_millis(300));
        guest.resume()?;
        std::thread::sleep(Duration::from_millis(200));
    }
    let answer = guest.sh("until grep -q . /run/answer; do sleep 0.05; done; cat /run/answer")?;
    assert_eq!(answer, "200 vm.name=a\n");
    assert_eq!(session(&mut guest)?, first);
    Ok(())
}

#[test]
fn sixteen_guests_that_start_at_once_each_get_their_own_answer() -> Result<()> {
    const GUESTS: usize = 16;
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    // Nobody asks before all are there, or leaves before all have asked.
    let (all_there, all_done) = (Barrier::new(GUESTS), Barrier::new(GUESTS));
    std::thread::scope(|scope| {
        let guests: Vec<_> = (0..GUESTS)
            .map(|number| {
                let (host, all_there, all_done) = (&host, &all_there, &all_done);
                scope.spawn(move || -> Result<()> {
                    let name = format!("g{number}");
                    let guest = Guest::restore(&host.socket(&name), Port::Serial);
                    all_there.wait();
                    let answer = guest.and_then(|mut guest| {
                        guest.wait_for_host()?;
                        Ok((guest.ask("vm.name")?, guest))
                    });
                    all_done.wait();
                    assert_eq!(answer?.0, [format!("200 vm.name={name}")]);
                    Ok(())
                })
            })
            .collect();
        guests.into_iter().try_for_each(|guest| guest.join().expect("a guest's thread"))
    })
}

#[test]
fn a_new_guest_is_served_within_half_a_second_beside_1000_dead_sockets() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    for number in 0..1000 {
        // The listener is gone at once; its file stays, as after `kill -9` of QEMU.
        drop(UnixListener::bind(host.socket(&format!("dead{number}")))?);
    }
    let _daemon = host.start_daemon()?;
    for number in 0..10 {
        // At any moment of the daemon's tries at the dead ones.
        std::thread::sleep(Duration::from_millis(137));
        let name = format!("new{number}");
        let start = Instant::now();
        let mut guest = FakeGuest::join(&host.socket(&name))?;
        assert_eq!(guest.ask_one("vm.name")?, format!("200 vm.name={name}"));
        let took = start.elapsed();
        assert!(took < Duration::from_millis(500), "{name} was served after {took:?}");
    }
    Ok(())
}

#[test]
fn a_dead_socket_that_is_listened_on_again_is_served_within_half_a_second() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let path = host.socket("a");
    drop(FakeQemu::listen(&path)?);
    std::thread::sleep(Duration::from_secs(2));
    // As QEMU does it.
    std::fs::remove_file(&path)?;
    let start = Instant::now();
    let mut guest = FakeGuest::join(&path)?;
    assert_eq!(guest.ask_one("vm.name")?, "200 vm.name=a");
    let took = start.elapsed();
    assert!(took < Duration::from_millis(500), "served after {took:?}");
    Ok(())
}

#[test]
fn a_daemon_that_was_killed_and_started_again_serves_the_same_guests() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let mut serial = Guest::restore(&host.socket("serial"), Port::Serial)?;
    let mut channel = Guest::restore(&host.socket("channel"), Port::Channel)?;
    let mut before = Vec::new();
    for guest in [&mut serial, &mut channel] {
        guest.wait_for_host()?;
        before.push((session(guest)?, guest.ask("host.id")?));
    }
    daemon.kill()?;
    let _daemon = host.start_daemon()?;
    for (guest, (old_session, host_id)) in [&mut serial, &mut channel].into_iter().zip(before) {
        guest.wait_for_host()?;
        // Half a request may have gone to the daemon that is no more.
        guest.sh("hostinfo get vm.name")?;
        assert_ne!(session(guest)?, old_session);
        assert_eq!(guest.ask("host.id")?, host_id);
    }
    Ok(())
}

#[test]
fn a_daemon_ends_with_status_0_when_it_is_asked_to() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    guest.ask("ping")?;
    assert!(daemon.stop()?.success());
    assert_eq!(guest.drain()?, 0);
    Ok(())
}

#[test]
fn a_second_daemon_says_who_serves_the_folder_and_ends() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let first = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let mut second = host.launch_daemon()?;
    assert!(!second.wait()?.success());
    assert!(second.log().contains(&first.pid().to_string()), "{}", second.log());
    assert_eq!(guest.ask_one("vm.name")?, "200 vm.name=a");
    Ok(())
}
