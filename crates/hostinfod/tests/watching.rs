//! Guests that a real daemon watches while they do not ask, on a captured host on which the test's
//! process is their VMM.

// A surprise is to end the test.
#![allow(clippy::indexing_slicing, clippy::panic, clippy::unwrap_used)]

mod watch;

use std::fs;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hostinfo_control::{Client, Watched};
use hostinfo_sample::examples::{self, copy};
use tempfile::TempDir;
use watch::{Guest, PATIENCE, wait_for};

/// A captured VMM with one vCPU.
const CAPTURED: &str = "guests/scope-v2-6.8";
const CAPTURED_PID: &str = "1234";
const VCPU: &str = "1236";

/// A host whose guests are all run by this process.
struct Host {
    folder: TempDir,
    daemon: Child,
}

impl Host {
    fn new(rules: &str, settings: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        copy(&examples::captured(CAPTURED), &folder.path().join("tree"));
        let (captured, own) =
            (path("tree/proc").join(CAPTURED_PID), std::process::id().to_string());
        fs::rename(captured.join("task").join(CAPTURED_PID), captured.join("task").join(&own))
            .unwrap();
        fs::rename(captured, path("tree/proc").join(&own)).unwrap();
        fs::write(path("tree/sys/fs/cgroup/qemu.slice/100.scope/cgroup.procs"), format!("{own}\n"))
            .unwrap();
        fs::create_dir_all(path("tree/proc/sys/kernel/random")).unwrap();
        fs::write(
            path("tree/proc/sys/kernel/random/boot_id"),
            "5d7a9ad1-4b1c-4f0a-8f5e-6a1e2f3c4d5e\n",
        )
        .unwrap();
        fs::create_dir(path("sockets")).unwrap();
        fs::write(path("rules"), rules).unwrap();
        fs::write(path("toml"), format!("[libvirt]\nenabled = false\n{settings}")).unwrap();
        let host = Self { daemon: start(&folder), folder };
        host.is_run_by("kvm");
        host
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn process(&self) -> PathBuf {
        self.path("tree/proc").join(std::process::id().to_string())
    }

    /// Sets the name of the process at the other end of the sockets.
    fn is_run_by(&self, name: &str) {
        let file = self.process().join("stat");
        let stat = fs::read_to_string(&file).unwrap();
        let (pid, rest) = (stat.split_once('(').unwrap().0, stat.rsplit_once(')').unwrap().1);
        put(&file, &format!("{pid}({name}){rest}"));
    }

    fn listen(&self, name: &str) -> UnixListener {
        UnixListener::bind(self.path("sockets").join(name)).unwrap()
    }

    fn watched(&self) -> Watched {
        Client::connect(&self.path("control"), PATIENCE).unwrap().status().unwrap().watched
    }

    /// Kills the daemon with SIGKILL, and starts another.
    fn restart(&mut self) {
        self.daemon.kill().unwrap();
        self.daemon.wait().unwrap();
        self.daemon = start(&self.folder);
    }

    /// The files that store incidents.
    fn files(&self) -> Vec<String> {
        let entries = fs::read_dir(self.path("state/incidents")).into_iter().flatten();
        entries.map(|entry| fs::read_to_string(entry.unwrap().path()).unwrap()).collect()
    }

    /// From now on the vCPU waits 40 % of its time, on a busy host.
    fn neighbours(&self) -> Neighbours {
        let task = self.process().join("task").join(VCPU).join("schedstat");
        let (stat, begun) = (self.path("tree/proc/stat"), Instant::now());
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let work = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let nanos = begun.elapsed().as_nanos();
                let (ran, waited) = (nanos * 6 / 10, nanos * 4 / 10);
                put(&task, &format!("{ran} {waited} 1\n"));
                let ticks = nanos / 10_000_000;
                let cpu = |name: &str, ticks| format!("{name} {ticks} 0 0 0 0 0 0 0 0 0\n");
                let cpus: String =
                    (0..4).map(|cpu_number| cpu(&format!("cpu{cpu_number}"), ticks)).collect();
                let all = cpu("cpu ", ticks * 4);
                put(&stat, &format!("{all}{cpus}btime 1\nprocs_running 4\n"));
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        Neighbours { stop, work: Some(work) }
    }
}

/// Load on the host, until it is dropped.
struct Neighbours {
    stop: Arc<AtomicBool>,
    work: Option<JoinHandle<()>>,
}

impl Drop for Neighbours {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(work) = self.work.take() {
            let _ = work.join();
        }
    }
}

impl Drop for Host {
    fn drop(&mut self) {
        let _ = self.daemon.kill();
        let _ = self.daemon.wait();
    }
}

/// Replaces the file at once, so that nobody sees half of it.
fn put(path: &Path, text: &str) {
    let aside = path.with_extension("new");
    fs::write(&aside, text).unwrap();
    fs::rename(aside, path).unwrap();
}

fn start(folder: &TempDir) -> Child {
    let roots = [("--proc-root", "tree/proc"), ("--sys-root", "tree/sys")];
    watch::start(env!("CARGO_BIN_EXE_hostinfod").as_ref(), folder.path(), &roots)
}

/// Waits until `text` is in the file.
fn wait_for_line(file: &Path, text: &str) {
    wait_for(text, || fs::read_to_string(file).unwrap().contains(text).then_some(()));
}

#[test]
fn an_incident_of_a_guest_that_does_not_ask_survives_a_daemon_that_is_killed() {
    let mut host = Host::new("*:\n interval = 0\n watch = 1\n", "");
    let neighbours = host.neighbours();
    let listener = host.listen("qemu-a");
    let _silent = Guest::accept(&listener);
    let file = wait_for("no incident is kept", || host.files().pop());
    assert!(file.contains("\"guest\":\"qemu-a\"") && file.contains("contended"), "{file}");

    host.restart();
    let mut guest = Guest::accept(&listener);
    let told = guest.ask("verdict.incident.1");
    let from = told.split(" to ").next().unwrap().to_owned();
    assert!(from.starts_with("200 verdict.incident.1=cpu contended from 20"), "{told}");
    assert!(
        told.contains("Z to 20") && told.ends_with("% waited"),
        "nobody knows whether it lasts: {told}"
    );

    // The incident goes on, and is the same one.
    let told = wait_for("it does not last", || {
        Some(guest.ask("verdict.incident.1")).filter(|told| told.contains(" to now: "))
    });
    assert!(told.starts_with(&from), "{told}");
    assert!(guest.ask("verdict.incident.2").starts_with("503 "));
    drop(neighbours);

    fs::write(host.path("rules"), "*:\n interval = 0\n").unwrap();
    wait_for("it is told still", || {
        guest.ask("verdict.incident.1").starts_with("503 ").then_some(())
    });
    assert!(host.files().is_empty(), "what a rule does not keep any more is deleted");
}

#[test]
fn an_incident_outlives_an_upgrade_told_and_written_later_where_it_could_not_be_written() {
    let host = Host::new("*:\n interval = 0\n watch = 1\n", "");
    // There is no folder for it.
    let folder = host.path("state/incidents");
    fs::write(&folder, "").unwrap();
    let neighbours = host.neighbours();
    let listener = host.listen("qemu-a");
    let mut guest = Guest::accept(&listener);
    wait_for_line(&host.path("log"), "cannot save incidents");
    drop(neighbours);
    let over = |told: &String| told.starts_with("200 ") && !told.contains(" to now: ");
    let before = wait_for("it lasts", || Some(guest.ask("verdict.incident.1")).filter(over));
    // Where it is refused, as on a busy machine, nothing has changed.
    let upgrade = || Client::connect(&host.path("control"), PATIENCE).unwrap().upgrade();
    wait_for("no upgrade", || upgrade().ok());
    assert_eq!(guest.ask("verdict.incident.1"), before);
    assert!(host.files().is_empty());

    fs::remove_file(folder).unwrap();
    wait_for("no upgrade", || upgrade().ok());
    let file = wait_for("it is not written", || host.files().pop());
    assert!(file.contains("\"guest\":\"qemu-a\"") && file.contains("contended"), "{file}");
    assert_eq!(guest.ask("verdict.incident.1"), before);
}

#[test]
fn a_guest_whose_socket_was_libvirts_at_first_is_watched_without_a_word_from_it() {
    let host = Host::new("*:\n interval = 0\n watch = 1\n", "");
    host.is_run_by("libvirtd");
    let listener = host.listen("qemu-a");
    let mut guest = Guest::accept(&listener);
    wait_for("it does not listen", || (host.watched().guests == 0).then_some(()));
    // At the first look, libvirt still has the socket.
    let (_, early) = (listener.accept().unwrap(), Instant::now());
    assert_eq!(host.watched().guests, 0);
    host.is_run_by("kvm");
    let _second = listener.accept().unwrap();
    assert!(early.elapsed() > Duration::from_secs(1), "some seconds lie between two looks");
    wait_for("it is not watched", || (host.watched().guests == 1).then_some(()));
    assert!(guest.ask("vm.vcpus").starts_with("200 vm.vcpus=1"));
}

#[test]
fn guests_beyond_the_bound_are_not_watched_until_one_goes_and_the_log_and_the_status_say_so() {
    let host = Host::new("*:\n interval = 0\n watch = 1\n", "[watch]\nguests = 2\n");
    let listeners = ["qemu-a", "qemu-b", "qemu-c"].map(|name| host.listen(name));
    let mut guests = listeners.each_ref().map(|listener| Some(Guest::accept(listener)));
    let bounded = Watched { guests: 2, left_out: 1, limit: 2 };
    wait_for("there is no bound", || (host.watched() == bounded).then_some(()));
    wait_for_line(&host.path("log"), "is not watched, although its rule says watch = 1: 2 others");

    drop(guests[0].take());
    fs::remove_file(host.path("sockets/qemu-a")).unwrap();
    let all = Watched { guests: 2, left_out: 0, limit: 2 };
    wait_for("nobody takes the place", || (host.watched() == all).then_some(()));

    fs::write(host.path("rules"), "*:\n interval = 0\n").unwrap();
    let none = Watched { guests: 0, left_out: 0, limit: 2 };
    wait_for("somebody is watched still", || (host.watched() == none).then_some(()));
}
