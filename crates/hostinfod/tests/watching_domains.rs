//! libvirt's guests that a real daemon watches. Its helper is a script that answers like
//! hostinfo-libvirt: what the helper is asked, when, and what follows.

// A surprise is to end the test.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod watch;

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use hostinfo_domains::examples::domain;
use hostinfo_domains::{Disk, Figures, Io, Limit, Limits, Message, Uuid, VERSION, to_line};
use tempfile::TempDir;
use watch::{Guest, wait_for};

/// Placeholders for a disk's counters in the figures that the script answers with.
const BYTES: u64 = 111_111_111;
const OPS: u64 = 222_222_222;
const NANOS: u64 = 333_333_333;

/// Enough that some samples coincide: that of the 14th guest is due 0.34 s after the first's.
const GUESTS: u128 = 14;

/// Of the domains' only process: each says that it is libvirt's first run.
const CGROUP: &str = "0::/machine.slice/machine-qemu\\x2d1\\x2d1.scope/libvirt/emulator\n";

/// Answers each request with the figures of the named domains. Each second their disks read
/// 1,000,000 bytes in 1,000 operations, which keep them busy for half of the time.
const HELPER: &str = r#"#!/bin/sh
cd "$(dirname "$0")"
cat domains
begun=$(date +%s%N)
while read -r line; do
    echo "$(date +%s%N) $line" >> asks
    number=${line#*\"number\":}
    micros=$((($(date +%s%N) - begun) / 1000))
    case $line in *figures*)
        for uuid in $(echo "$line" | grep -o '[0-9a-f]\{8\}-[0-9a-f-]*'); do
            sed "s/111111111/$micros/; s/222222222/$((micros / 1000))/; s/333333333/$((micros * 500))/" \
                "figures.$uuid"
        done
    esac
    echo "{\"done\":${number%%[,\}]*}}"
done
"#;

/// A host with this many domains, all run by this process.
struct Host {
    folder: TempDir,
    daemon: Child,
}

impl Host {
    fn new(rules: &str, domains: u128) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for directory in ["bin", "sockets", "proc"] {
            fs::create_dir(path(directory)).unwrap();
        }
        // The daemon looks for the helper in its own directory.
        fs::copy(env!("CARGO_BIN_EXE_hostinfod"), path("bin/hostinfod")).unwrap();
        fs::write(path("bin/hostinfo-libvirt"), HELPER).unwrap();
        fs::set_permissions(path("bin/hostinfo-libvirt"), Permissions::from_mode(0o755)).unwrap();
        let mut told = vec![Message::Hello { version: VERSION }];
        for number in 1..=domains {
            let uuid = Uuid::from_u128(number);
            told.push(Message::Domain(domain(number, &number.to_string())));
            let line = to_line(&Message::Figures(uuid, figures())).unwrap();
            fs::write(path(&format!("bin/figures.{uuid}")), line).unwrap();
        }
        told.push(Message::Done(0));
        let lines: Vec<u8> = told.iter().flat_map(|line| to_line(line).unwrap()).collect();
        fs::write(path("bin/domains"), lines).unwrap();
        fs::write(path("rules"), rules).unwrap();
        // A confined daemon executes no shell, and nothing that it starts forks.
        let unconfined = "[security]\nlandlock = false\nseccomp = false\n";
        fs::write(path("toml"), format!("{unconfined}[libvirt]\nuri = 'test:///x'\n")).unwrap();
        process(&path("proc").join(std::process::id().to_string()));
        let roots = [("--proc-root", "proc")];
        let daemon = watch::start(&path("bin/hostinfod"), folder.path(), &roots);
        symlink(daemon.id().to_string(), path("proc/self")).unwrap();
        Self { folder, daemon }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// What the helper was asked, with times.
    fn asks(&self) -> Vec<(Duration, String)> {
        let asks = fs::read_to_string(self.path("bin/asks")).unwrap_or_default();
        let figures = asks.lines().filter(|line| line.contains("figures"));
        let parts = figures.map(|line| line.split_once(' ').unwrap());
        parts
            .map(|(at, line)| (Duration::from_nanos(at.parse().unwrap()), line.to_owned()))
            .collect()
    }

    /// A guest and its socket.
    fn join(&self, number: u128) -> (Guest, UnixListener) {
        let listener = UnixListener::bind(self.path("sockets").join(name(number))).unwrap();
        (Guest::accept(&listener), listener)
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

fn name(number: u128) -> String {
    format!("qemu-{number}")
}

fn figures() -> Figures {
    let read = Io { bytes: Some(BYTES), ops: Some(OPS), nanos: Some(NANOS) };
    let bytes = Limit { total: Some(1_000_000), ..Limit::default() };
    let limits = Limits { bytes, ..Limits::default() };
    let disk = Disk { dev: "vda".to_owned(), read, limits, ..Disk::default() };
    Figures { disks: vec![disk], ..Figures::default() }
}

/// As much of a VMM as a verdict on disks needs.
fn process(folder: &Path) {
    fs::create_dir_all(folder.join("task/1")).unwrap();
    let stat = "1 (qemu-system-x86) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 100 1 2\n";
    for (file, text) in [
        ("stat", stat),
        ("status", "VmRSS: 4 kB\n"),
        ("comm", "qemu-system-x86\n"),
        ("cgroup", CGROUP),
        ("task/1/comm", "qemu-system-x86\n"),
        ("task/1/schedstat", "1000 1000 1\n"),
    ] {
        fs::write(folder.join(file), text).unwrap();
    }
}

#[test]
fn a_verdict_on_disks_comes_after_5_s_too_although_libvirts_figures_come_a_moment_later() {
    let host = Host::new("*:\n interval = 0\n", 1);
    let (mut guest, _socket) = host.join(1);
    assert_eq!(guest.ask("verdict.io"), "200 verdict.io=unknown: ask again in 5 s");
    std::thread::sleep(Duration::from_secs(5));
    let told = guest.ask("verdict.io");
    assert!(
        told.starts_with("200 verdict.io=self-limited: your disk vda was at its own limit"),
        "{told}"
    );
    assert!(told.contains("the last 5 s"), "{told}");
}

#[test]
fn figures_of_watched_guests_are_asked_for_together_and_ahead_of_their_samples_alone() {
    let host = Host::new("*:\n interval = 0\n watch = 1\n", GUESTS);
    let mut guests: Vec<(Guest, UnixListener)> =
        (1..=GUESTS).map(|number| host.join(number)).collect();
    let uuid = |number| Uuid::from_u128(number).to_string();
    let names = |line: &str, number| line.contains(&uuid(number));
    // The first sample of all, and two more.
    wait_for("they are not asked for", || {
        let asks = host.asks();
        let times = |number| asks.iter().filter(|(_, line)| names(line, number)).count();
        (1..=GUESTS).all(|number| times(number) >= 3).then_some(())
    });
    let asks = host.asks();
    for number in 1..=GUESTS {
        let mut times = asks.iter().filter(|(_, line)| names(line, number)).map(|(at, _)| *at);
        let [first, second, third] = [(); 3].map(|()| times.next().unwrap());
        assert!(second - first > Duration::from_secs(7), "{number}: {:?}", second - first);
        assert!(third - second > Duration::from_secs(9), "{number}: {:?}", third - second);
    }
    let is_for_two = |line: &str| (1..=GUESTS).filter(|number| names(line, *number)).count() > 1;
    assert!(asks.iter().any(|(_, line)| is_for_two(line)), "{asks:#?}");

    // Only its rule has it watched, and it has a verdict and an incident at once.
    assert!(guests[1].0.ask("verdict.io.state").starts_with("200 verdict.io.state=self-limited"));
    let kept = host.path("state/incidents").join(uuid(1));
    let text = wait_for("no incident", || fs::read_to_string(&kept).ok());
    assert!(text.contains("\"what\":\"io\"") && text.contains("\"disk\":\"vda\""), "{text}");
    let told = guests[0].0.ask("verdict.incident.1");
    assert!(told.contains("=io self-limited from "), "{told}");
    assert!(told.contains(" to now: an operation of vda took 0."), "{told}");
}
