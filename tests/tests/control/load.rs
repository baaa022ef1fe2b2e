//! How much clients of the control socket get, and that neither guests nor others wait for them.

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use hostinfo_control::limits::{
    CLIENTS_MAX, CLIENTS_PER_USER, CLIENTS_RESERVED, NAMES_MAX, REQUEST_MAX, WATCHERS_MAX,
    WATCHERS_RESERVED,
};
use hostinfo_control::{Error, Refusal, Status};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::user::{NOBODY, become_one, flood};
use hostinfo_tests::{FakeGuest, Host};

use crate::access::{GROUP, become_user, host_with_group};

fn is_busy(result: Result<Status, Error>) -> bool {
    matches!(result, Err(Error::Refused(Refusal::Busy { .. })))
}

#[test]
fn one_user_cannot_keep_root_out_and_all_clients_together_have_a_bound() -> Result<()> {
    let host = host_with_group()?;
    let _daemon = host.start_daemon()?;
    let theirs = become_user(GROUP, || {
        let mut clients = Vec::new();
        for _ in 0..CLIENTS_PER_USER {
            let mut client = host.client()?;
            client.status()?;
            clients.push(client);
        }
        assert!(is_busy(host.client()?.status()));
        Ok(clients)
    })?;
    let mut ours = Vec::new();
    for _ in theirs.len()..CLIENTS_MAX {
        let mut client = host.client()?;
        client.status()?;
        ours.push(client);
    }
    assert!(is_busy(host.client()?.status()));
    drop(theirs);
    wait_until("room", PATIENCE, || Ok(host.client()?.status().is_ok()))
}

#[test]
fn however_many_of_the_group_do_their_worst_root_finds_room_to_ask_and_to_watch() -> Result<()> {
    let host = host_with_group()?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let (mut idle, mut watches, mut refused) = (Vec::new(), Vec::new(), 0);
    for user in NOBODY - 8..NOBODY {
        become_one(user, GROUP, || {
            for _ in 0..CLIENTS_PER_USER {
                let mut client = host.client()?;
                match client.status() {
                    Ok(_) if watches.len() < WATCHERS_MAX => watches.push(client.watch(None)?),
                    Ok(_) => idle.push(client),
                    Err(error) => {
                        assert!(matches!(error, Error::Refused(Refusal::Busy { .. })), "{error}");
                        refused += 1;
                    }
                }
            }
            Ok(())
        })?;
    }
    assert_eq!(idle.len() + watches.len(), CLIENTS_MAX - CLIENTS_RESERVED);
    assert_eq!(refused, 8 * CLIENTS_PER_USER - (CLIENTS_MAX - CLIENTS_RESERVED));
    let mut ours: Vec<_> =
        (0..WATCHERS_RESERVED).map(|_| Ok(host.client()?.watch(None)?)).collect::<Result<_>>()?;
    for _ in WATCHERS_RESERVED..CLIENTS_RESERVED {
        host.client()?.status()?;
    }
    guest.ask("ping")?;
    for watch in &mut ours {
        assert_eq!(watch.next().context("the watch is over")??.asked, "ping");
    }
    let theirs = watches.last_mut().context("no watch")?.next().context("no answer")?;
    assert!(matches!(theirs, Err(Error::Refused(Refusal::Busy { .. }))), "{theirs:?}");
    Ok(())
}

#[test]
fn a_client_that_is_refused_gets_its_reason_also_if_it_asks_a_moment_later() -> Result<()> {
    let host = host_with_group()?;
    let _daemon = host.start_daemon()?;
    become_user(GROUP, || {
        let _clients: Vec<_> =
            (0..CLIENTS_PER_USER).map(|_| host.client()).collect::<Result<_>>()?;
        for milliseconds in [0, 1, 10, 100, 300] {
            let mut client = host.client()?;
            std::thread::sleep(Duration::from_millis(milliseconds));
            let refused = client.status().err().context("let in")?;
            assert!(
                refused.to_string().contains("user 65534 already has 8 connections"),
                "{refused}"
            );
        }
        Ok(())
    })
}

#[test]
fn explain_has_a_bound_and_each_name_counts_once() -> Result<()> {
    let host = Host::new("*:\n  interval = 0\n  vm.cpu.7 = 1\n  custom.a = 1\n")?;
    let _daemon = host.start_daemon()?;
    let mut client = host.client()?;
    let names = |count| {
        Some(
            ["vm", "*", "vm.cpu", "loadavg.1"]
                .map(str::to_owned)
                .into_iter()
                .cycle()
                .take(count)
                .collect(),
        )
    };
    let all = client.explain("qemu-a", None)?.statistics;
    let mut once = client.explain("qemu-a", names(4))?.statistics;
    let many = client.explain("qemu-a", names(NAMES_MAX))?.statistics;
    assert_eq!((once.len(), &once), (all.len(), &many));
    let by_name = |one: &hostinfo_control::Decision| one.name.clone();
    let mut all = all;
    all.sort_by_key(by_name);
    once.sort_by_key(by_name);
    assert_eq!(once, all);
    let refused = client.explain("qemu-a", names(NAMES_MAX + 1)).err().context("explained")?;
    assert!(refused.to_string().contains("101 names are too many"), "{refused}");
    Ok(())
}

#[test]
fn a_client_that_sends_nonsense_or_too_much_is_dropped_and_no_other() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let daemon = host.start_daemon()?;
    for nonsense in [b"hello\0".to_vec(), b"\0".to_vec(), vec![b' '; REQUEST_MAX + 4096]] {
        let mut stream = UnixStream::connect(host.control())?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let _ = stream.write_all(&nonsense);
        let heard = stream.read(&mut [0; 64]);
        assert!(heard.as_ref().map_or(true, |count| *count == 0), "{heard:?}");
    }
    let refused = b"{\"method\":\"org.hostinfo.Control.None\"}\0{\"method\":\"org.example.X\"}\0";
    let mut stream = UnixStream::connect(host.control())?;
    stream.write_all(refused)?;
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut heard = String::new();
    stream.read_to_string(&mut heard)?;
    let errors: Vec<&str> = heard.split_terminator('\0').collect();
    assert!(
        errors.len() == 2 && errors[0].contains("org.varlink.service.MethodNotFound"),
        "{heard}"
    );
    assert!(errors[1].contains("org.varlink.service.InterfaceNotFound"), "{heard}");
    host.client()?.status()?;
    assert!(!daemon.log().contains("ERROR"), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_watcher_that_does_not_read_misses_events_and_holds_nobody_up() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    host.write_config("[flow]\nlines_per_second = 0\n")?;
    let daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    let mut watches = Vec::new();
    for _ in 0..WATCHERS_MAX {
        watches.push(host.client()?.watch(None)?);
    }
    let mut client = host.client()?;
    guest.ask("*")?;
    let memory = daemon.memory()?;
    let left_out = |text: String| {
        let line = text.lines().find_map(|line| {
            line.strip_prefix("hostinfod_watch_events_left_out_total ")?.parse::<u64>().ok()
        });
        line.unwrap_or_default()
    };
    // How many events fit differs from one watcher to the next, by how they came together on their way.
    wait_until("every watcher to miss every event", PATIENCE, || {
        let before = left_out(client.metrics()?);
        let mut took = Vec::new();
        for _ in 0..100 {
            let asked = Instant::now();
            guest.ask("vm.memory")?;
            took.push(asked.elapsed());
        }
        // One may have waited for a CPU on a machine that does other things, too.
        took.sort_unstable();
        assert!(took[took.len() / 2] < Duration::from_secs(1), "{took:?}");
        Ok(left_out(client.metrics()?) - before >= 100 * WATCHERS_MAX as u64)
    })?;
    let grown = daemon.memory()?.saturating_sub(memory);
    assert!(grown < 4 << 20, "the daemon grew by {grown} bytes");
    let one_too_many = host.client()?.watch(None)?.next().context("no answer")?;
    assert!(matches!(one_too_many, Err(Error::Refused(Refusal::Busy { .. }))));
    let mut watch = watches.pop().context("no watch")?;
    drop(watches);
    let mut missed = 0;
    wait_until("the number of what was left out", PATIENCE, || {
        guest.ask("ping")?;
        missed = watch.next().context("the watch is over")??.left_out;
        Ok(missed > 0)
    })
}

#[test]
fn guests_and_clients_that_flood_do_not_hold_each_other_up() -> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut neighbour = FakeGuest::join(&host.socket("neighbour"))?;
    let flood = FakeGuest::join(&host.socket("flood"))?;
    flood.stream().set_write_timeout(Some(Duration::from_millis(50)))?;
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let is_over = &is_over;
        scope.spawn(move || {
            while !is_over.load(Ordering::Relaxed) {
                let _ = flood.stream().write(&b"get *\nx\n".repeat(512));
            }
        });
        let client = host.client();
        scope.spawn(move || -> Result<()> {
            let mut client = client?;
            while !is_over.load(Ordering::Relaxed) {
                client.explain("neighbour", None)?;
            }
            Ok(())
        });
        let asked = (|| -> Result<[Vec<Duration>; 2]> {
            let (mut client, mut waits) = (host.client()?, [Vec::new(), Vec::new()]);
            for _ in 0..30 {
                let begun = Instant::now();
                client.status()?;
                waits[0].push(begun.elapsed());
                let begun = Instant::now();
                neighbour.ask("physcpus")?;
                waits[1].push(begun.elapsed());
                std::thread::sleep(Duration::from_millis(100));
            }
            Ok(waits)
        })();
        is_over.store(true, Ordering::Relaxed);
        for mut waits in asked? {
            waits.sort();
            assert!(waits[waits.len() / 2] < Duration::from_millis(50), "{waits:?}");
            assert!(waits[waits.len() - 1] < Duration::from_secs(2), "{waits:?}");
        }
        Ok(())
    })
}

#[test]
fn at_most_a_thousand_clients_a_second_are_let_in_and_root_and_guests_are_answered_meanwhile()
-> Result<()> {
    let host = host_with_group()?;
    let _daemon = host.start_daemon()?;
    let mut guest = FakeGuest::join(&host.socket("a"))?;
    flood(&[&host.control()], (NOBODY, GROUP), Duration::from_secs(3), || {
        host.client()?.status()?;
        anyhow::ensure!(guest.ask_one("ping")? == "200 pong");
        Ok(())
    })
}
