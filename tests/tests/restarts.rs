//! Many sockets that come at once, and come again: each is connected to once, and stays so.

use std::fs;
use std::os::unix::net::{UnixListener, UnixStream};
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::process::raise_open_files;
use hostinfo_tests::{FakeGuest, FakeQemu, Host};
use rustix::process::{Pid, Signal, kill_process};

/// A host full of small guests, or one whose QEMUs are all restarted after an upgrade.
const GUESTS: usize = 1000;

/// Long enough for all events of the directory to be taken on a busy machine.
const A_WHILE: Duration = Duration::from_secs(2);

/// Each guest with its QEMU's socket.
type Guests = Vec<(FakeQemu, FakeGuest)>;

fn listen(host: &Host) -> Result<Vec<FakeQemu>> {
    (0..GUESTS).map(|number| FakeQemu::listen(&host.socket(&number.to_string()))).collect()
}

fn accept(listeners: Vec<FakeQemu>) -> Result<Guests> {
    let with_guest = |qemu: FakeQemu| {
        let guest = qemu.accept()?;
        Ok((qemu, guest))
    };
    listeners.into_iter().map(with_guest).collect()
}

/// How many connections are not the first one of their socket any more.
fn dropped(guests: &mut Guests) -> Result<usize> {
    std::thread::sleep(A_WHILE);
    let mut dropped = 0;
    for (qemu, guest) in guests {
        let answers = guest.ask("ping").is_ok();
        dropped += usize::from(!answers || !qemu.stays_alone(Duration::ZERO)?);
    }
    Ok(dropped)
}

#[test]
fn a_thousand_sockets_that_are_unlinked_and_bound_again_lose_no_connection() -> Result<()> {
    raise_open_files()?;
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guests = accept(listen(&host)?)?;
    for _ in 0..2 {
        drop(guests);
        let mut listeners = Vec::new();
        for number in 0..GUESTS {
            let path = host.socket(&number.to_string());
            fs::remove_file(&path)?;
            listeners.push(FakeQemu::listen(&path)?);
        }
        guests = accept(listeners)?;
        let dropped = dropped(&mut guests)?;
        ensure!(dropped == 0, "{dropped} of {GUESTS} connections were dropped");
    }
    Ok(())
}

#[test]
fn sockets_that_come_while_the_daemon_starts_are_connected_to_once() -> Result<()> {
    raise_open_files()?;
    let host = Host::new(EVERYTHING)?;
    let (listeners, daemon) = std::thread::scope(|scope| {
        let sockets = scope.spawn(|| listen(&host));
        let daemon = host.start_daemon();
        (sockets.join(), daemon)
    });
    let _daemon = daemon?;
    let listeners = listeners.ok().context("the sockets' thread")??;
    let mut guests = accept(listeners)?;
    let dropped = dropped(&mut guests)?;
    ensure!(dropped == 0, "{dropped} of {GUESTS} connections were dropped");
    Ok(())
}

#[test]
fn a_socket_that_another_one_replaces_is_left_for_it_while_both_listen() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut old = FakeGuest::join(&host.socket("a"))?;
    assert!(old.ask_one("ping")?.starts_with("200 "));
    for number in 0..3 {
        // Its inode may have been another socket's before.
        fs::remove_file(host.socket("a"))?;
        let mut new = FakeGuest::join(&host.socket("a"))?;
        assert!(new.ask_one("ping")?.starts_with("200 "), "{number}");
        assert!(old.ask_one("ping").is_err(), "{number}");
        old = new;
    }
    Ok(())
}

#[test]
fn a_socket_whose_queue_is_full_for_long_is_connected_to_when_there_is_room() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let aside = host.path().join("aside");
    let listener = UnixListener::bind(&aside)?;
    rustix::net::listen(&listener, 0)?;
    let waits = UnixStream::connect(&aside)?;
    fs::rename(&aside, host.socket("a"))?;
    daemon.wait_for_log("other programs already wait to connect to it")?;
    // Longer than a dead socket is tried.
    std::thread::sleep(Duration::from_secs(6));
    drop(waits);
    listener.accept()?;
    listener.set_nonblocking(true)?;
    wait_until("the daemon to connect", PATIENCE, || Ok(listener.accept().is_ok()))
}

#[test]
fn a_socket_that_is_moved_away_and_back_keeps_its_connection() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    let qemu = FakeQemu::listen(&host.socket("a"))?;
    let mut guest = qemu.accept()?;
    let aside = host.path().join("aside");
    // Both are over before the daemon hears of either.
    let pid = Pid::from_raw(daemon.pid().cast_signed()).context("no such process")?;
    kill_process(pid, Signal::STOP)?;
    fs::rename(host.socket("a"), &aside)?;
    fs::rename(&aside, host.socket("a"))?;
    kill_process(pid, Signal::CONT)?;
    assert!(guest.ask_one("ping")?.starts_with("200 "));
    assert!(qemu.stays_alone(A_WHILE)?);
    Ok(())
}
