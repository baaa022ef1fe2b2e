//! Several clients of one guest, each with a connection of its own.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use hostinfo_control::{GuestState, PortKind};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{FakeGuest, Host};
use hostinfo_wire::limits::{CONNECTION_IDLE, CONNECTIONS_MAX, REPLY_MAX};

use crate::{Vms, serve};

fn eight(path: &Path) -> Result<Vec<FakeGuest>> {
    (0..CONNECTIONS_MAX).map(|_| FakeGuest::connect(path)).collect()
}

#[test]
fn several_clients_of_a_guest_are_served_side_by_side_with_one_allowance() -> Result<()> {
    let host = Host::new("*:\n  interval = 3600\n  all = 1\n")?;
    let (_daemon, _vms, path) = serve(&host)?;
    let mut clients = eight(&path)?;
    let [first, second, third, ..] = &mut clients[..] else { bail!("there are eight") };
    // A line that has come in part, and nonsense, are each connection's own.
    first.send("ping fi")?;
    for _ in 0..5 {
        assert!(second.ask_one("xyzzy")?.starts_with("404 "));
    }
    second.send("xyzzy\n")?;
    assert!(third.ask_one("xyzzy")?.starts_with("404 "));
    first.send("rst\n")?;
    assert_eq!(first.reply()?, ["200 pong first"]);
    assert_eq!(second.ask_one("ping second")?, "200 pong second");
    // The interval is the guest's.
    assert!(third.ask_one("physcpus")?.starts_with("200 physcpus="));
    assert!(first.ask_one("physcpus")?.starts_with("429 retry after "));

    let guests = host.client()?.list()?;
    let [guest] = &guests[..] else { bail!("{guests:?}") };
    assert_eq!((&*guest.guest, guest.state), ("fc-web", GuestState::Connected));
    assert!(guest.ports.iter().all(|port| port.kind == PortKind::Vsock));
    assert_eq!(guest.ports.len(), 1 + CONNECTIONS_MAX);
    Ok(())
}

#[test]
fn the_ninth_client_is_hung_up_on_until_another_leaves_and_the_log_says_so_once() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, _vms, path) = serve(&host)?;
    let mut clients = eight(&path)?;
    for client in &mut clients {
        assert_eq!(client.ask_one("ping a")?, "200 pong a");
    }
    for _ in 0..3 {
        assert_eq!(FakeGuest::connect(&path)?.drain()?, 0);
    }
    let full = "guest fc-web: it has 8 connections";
    assert_eq!(daemon.log().matches(full).count(), 1, "{}", daemon.log());
    clients.pop();
    wait_until("the place of the one that left", PATIENCE, || {
        Ok(FakeGuest::connect(&path)?.ask_one("ping b").is_ok())
    })
}

#[test]
fn connections_count_as_lines_also_where_sockets_elsewhere_are_watched() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let vms = Vms::of(&host);
    let elsewhere = host.path().join("elsewhere");
    fs::create_dir(&elsewhere)?;
    host.write_config(&format!(
        "{}[[sockets]]\npath = '{}/{{name}}.serial1'\ndriver = 'qemu'\nguests = ['*']\n",
        vms.settings(),
        elsewhere.display()
    ))?;
    let _daemon = host.start_daemon()?;
    let path = vms.start("web")?;
    assert_eq!(FakeGuest::connect(&path)?.ask_one("ping a")?, "200 pong a");
    let begun = Instant::now();
    for _ in 0..120 {
        drop(FakeGuest::connect(&path)?);
    }
    // A burst of 40, 20 in a second, and up to 17 that wait in the kernel.
    assert!(begun.elapsed() > Duration::from_secs(2), "{:?}", begun.elapsed());
    Ok(())
}

#[test]
fn a_client_that_says_nothing_for_a_minute_gives_way_to_a_new_one() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (_daemon, _vms, path) = serve(&host)?;
    let (mut clients, start) = (eight(&path)?, Instant::now());
    std::thread::sleep(CONNECTION_IDLE / 2);
    for client in &mut clients[1..] {
        assert_eq!(client.ask_one("ping a")?, "200 pong a");
    }
    while start.elapsed() < CONNECTION_IDLE + Duration::from_secs(1) {
        std::thread::sleep(Duration::from_secs(1));
    }
    let mut new = FakeGuest::connect(&path)?;
    assert_eq!(new.ask_one("ping new")?, "200 pong new");
    assert_eq!(clients[0].drain()?, 0);
    assert_eq!(clients[1].ask_one("ping b")?, "200 pong b");
    Ok(())
}

#[test]
fn a_guest_that_fills_all_its_connections_and_never_reads_holds_a_reply_for_each() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let (daemon, vms, path) = serve(&host)?;
    let mut neighbour = FakeGuest::connect(&vms.start("neighbour")?)?;
    neighbour.ask("*")?;
    let memory = daemon.memory()?;
    let clients = eight(&path)?;
    let requests = "*\n".repeat(2000);
    for client in &clients {
        client.stream().set_nonblocking(true)?;
        // As much as the sockets take.
        while client.send(&requests).is_ok() {}
    }
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(5) {
        assert!(neighbour.ask_one("physcpus")?.starts_with("200 "));
        std::thread::sleep(Duration::from_millis(100));
    }
    let grown = daemon.memory()?.saturating_sub(memory);
    assert!(grown < (CONNECTIONS_MAX * REPLY_MAX) as u64, "the daemon grew by {grown} bytes");
    Ok(())
}
