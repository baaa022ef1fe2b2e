//! The cost of watching a guest: `cargo test --release -p hostinfo-answer a_minute -- --nocapture`.

use super::*;
use std::io::Read as _;
use std::path::Path;

use hostinfo_domains::examples::domain;
use hostinfo_domains::{Disk, Figures, Io, Net, Run, Traffic};
use hostinfo_sample::OpenFiles;
use hostinfo_sample::examples::{captured, copy};
use hostinfo_verdict::Watch;

use crate::examples::{self, FakeLibvirt};
use crate::observed::Process;
use crate::peer::Peer;

/// Number of guests watched at once.
const GUESTS: u32 = 50;

/// vCPUs of each guest. (`CPUS` are those of the host.)
const VCPUS: u32 = 4;
const CPUS: u32 = 64;

/// Most CPU time that a minute of a guest may cost, without reading its files. More in a build
/// without optimisation: 12 ms alone on a slow machine, 15 beside other programs.
const BOUND: Duration = Duration::from_millis(if cfg!(debug_assertions) { 25 } else { 1 });

/// Enough minutes for the clock's ticks of 10 ms not to matter: of a build without optimisation, fewer.
const MINUTES: u32 = if cfg!(debug_assertions) { 4 } else { 20 };

/// The process of the captured guest.
const PID: u32 = 513;

/// Its cgroup.
const CGROUP: &str = "sys/fs/cgroup/machine.slice/machine-qemu\\x2d1\\x2dweb.scope/libvirt";

/// CPU time that this thread spent in user mode. It excludes the kernel's time for opening and
/// reading files, but includes the cost of calling the kernel.
fn user_time() -> Duration {
    let stat = fs::read_to_string("/proc/thread-self/stat").unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let ticks: u64 = fields.split_ascii_whitespace().nth(11).unwrap().parse().unwrap();
    Duration::from_secs(ticks) / u32::try_from(rustix::param::clock_ticks_per_second()).unwrap()
}

/// Number of read(2) calls of this thread: `syscr` in proc_pid_io(5).
fn reads() -> u64 {
    let io = fs::read_to_string("/proc/thread-self/io").unwrap();
    io.lines().find_map(|line| line.strip_prefix("syscr: ")).unwrap().parse().unwrap()
}

/// What it costs a program that does nothing else to open, read and close a file this many times, with one
/// call to read it, and one to find out that it is none of the kernel's, which would stay open.
fn reading(calls: u64, file: &Path) -> Duration {
    let begun = user_time();
    let mut buffer = [0; 4096];
    for _ in 0..calls {
        let mut file = fs::File::open(file).unwrap();
        let _ = (file.read(&mut buffer).unwrap(), rustix::fs::fstatfs(&file).unwrap());
    }
    user_time() - begun
}

/// libvirt's captured guest with more vCPUs, on a host with more CPUs.
fn large_host(scene: &Scene) -> Roots {
    let host = scene.host.path();
    copy(&captured("hosts/two-sockets-6.1"), host);
    copy(&captured("guests/kvm-libvirt-v2-6.1"), host);
    let cpus = (0..CPUS).map(|cpu| format!("cpu{cpu} 2146 0 2972 12828 22 0 299 0 0 0\n"));
    let interrupts = " 0".repeat(2_000);
    scene.write(
        "proc/stat",
        &format!(
            "cpu  17228 0 10105 39685 92 0 876 0 10615 0\n{}intr 5{interrupts}\nbtime 1\n",
            cpus.collect::<String>()
        ),
    );
    let all = format!("0-{}\n", CPUS - 1);
    scene.write("sys/devices/system/cpu/online", &all);
    for vcpu in 1..VCPUS {
        let tid = 600 + vcpu;
        let task = format!("proc/{PID}/task/{tid}");
        copy(&host.join(format!("proc/{PID}/task/521")), &host.join(&task));
        scene.write(&format!("{task}/comm"), &format!("CPU {vcpu}/KVM\n"));
        copy(&host.join(CGROUP).join("vcpu0"), &host.join(CGROUP).join(format!("vcpu{vcpu}")));
    }
    for (file, text) in [
        ("memory.events.local", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"),
        ("memory.events", "low 0\nhigh 0\nmax 0\noom 0\noom_kill 0\n"),
        ("memory.swap.current", "0\n"),
    ] {
        for cgroup in [CGROUP, "sys/fs/cgroup/machine.slice"] {
            scene.write(&format!("{cgroup}/{file}"), text);
        }
    }
    Roots { proc: host.join("proc"), sys: host.join("sys") }
}

/// libvirt's values for a guest with two disks and an interface.
fn figures() -> Figures {
    let io = Io { bytes: Some(512), ops: Some(1), nanos: Some(2_500_000) };
    let disk =
        |dev: &str| Disk { dev: dev.to_owned(), read: io, write: io, flush: io, ..Disk::default() };
    let traffic = Traffic { bytes: Some(90), ..Traffic::default() };
    Figures {
        memory_current: Some(64 << 20),
        disks: vec![disk("vda"), disk("vdb")],
        nets: vec![Net { rx: traffic, tx: traffic, ..Net::default() }],
        ..Figures::default()
    }
}

fn watched(scene: &Scene, roots: &Roots) -> (Requester, Observed) {
    let mut who = guest("qemu-a", FREE);
    let peer = Peer { pid: i32::try_from(PID).unwrap(), start: None };
    who.connected(Some(peer), || Ok::<_, ()>(Session::new([1; 8]))).unwrap();
    let run = Run { id: Some(1), reverts: 0 };
    let _ = who.set_standing(Standing::Domain(examples::UUID, run));
    let mut observed =
        Observed::new(Ok(Process::new(roots.clone().into(), OpenFiles::default(), peer)));
    observed.watch = Some(Watch::begin(scene.now, Duration::ZERO).into());
    (who, observed)
}

/// A guest that asks has 12 samples a minute; one that is watched but does not ask has half of
/// them.
#[test]
fn a_minute_of_a_watched_guest_costs_1_ms_of_cpu_at_most_beside_reading_when_optimized() {
    let mut scene = Scene::new(FREE);
    let roots = large_host(&scene);
    scene.engine.backend.host = Host::new(roots.clone(), OpenFiles::default());
    scene.engine.backend.libvirt = FakeLibvirt::with_figures(domain(7, "a"), figures());
    let mut guests: Vec<_> = (0..GUESTS).map(|_| watched(&scene, &roots)).collect();
    let begun = (user_time(), reads(), scene.now);
    let mut samples = 0u32;
    while scene.now - begun.2 < Duration::from_secs(60) * MINUTES {
        for (who, observed) in &mut guests {
            let watch = observed.watch.as_mut().unwrap();
            scene.now = scene.now.max(watch.next_sample().unwrap());
            watch.asked(scene.now, Duration::ZERO);
            scene.engine.watch(who, observed, scene.now).unwrap();
            samples += 1;
        }
    }
    let (all, reads) = (user_time() - begun.0, reads() - begun.1);
    let reading = reading(reads, &scene.host.path().join(CGROUP).join("cpu.stat"));
    let minutes = GUESTS * MINUTES;
    let minute = all.saturating_sub(reading) / minutes;
    println!(
        "a minute of a guest that asks, in {} samples: {:?}, of which {:?} are for reading files with {} calls",
        samples / minutes,
        all / minutes,
        reading / minutes,
        reads / u64::from(minutes),
    );
    assert!(minute <= BOUND, "{minute:?}");
}
