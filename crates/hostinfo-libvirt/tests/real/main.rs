//! The helper against a real libvirtd with real QEMUs, and the daemon's side of it.

use std::ffi::OsString;
use std::io::Write as _;
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use hostinfo_domains::limits::DEADLINE;
use hostinfo_domains::{Claim, Conflict, Guest, Helper, Snapshot, State};
use hostinfo_tests::deadline::{PATIENCE, wait_for};
use hostinfo_tests::libvirtd::{Libvirtd, path};
use rustix::event::{PollFd, PollFlags, Timespec, poll};

/// A daemon that consists only of its helper.
struct Daemon {
    helper: Helper,
    snapshots: usize,
    outages: usize,
}

impl Daemon {
    fn start(libvirtd: &Libvirtd) -> Result<Self> {
        let [nsenter, rest @ ..] = libvirtd.enter();
        let program = env!("CARGO_BIN_EXE_hostinfo-libvirt");
        let arguments = [program, "--socket-dir", path(libvirtd.folder())?];
        let arguments = rest.into_iter().chain(arguments).map(OsString::from).collect();
        let nsenter = PathBuf::from("/usr/bin").join(nsenter);
        let mut helper = Helper::new(vec![nsenter], arguments)?;
        helper.want(Instant::now());
        Ok(Self { helper, snapshots: 0, outages: 0 })
    }

    /// Does what the daemon's loop does, until `look` finds something in a snapshot.
    fn until<T>(&mut self, what: &str, look: impl Fn(&Snapshot) -> Option<T>) -> Result<T> {
        let end = Instant::now() + PATIENCE;
        loop {
            if let Some(found) = look(self.helper.snapshot()) {
                return Ok(found);
            }
            let now = Instant::now();
            if now > end {
                bail!("waited {PATIENCE:?} for {what}, and there is {:?}", self.helper.snapshot());
            }
            self.turn(end)?;
        }
    }

    /// One turn of that loop, which begins at `end` at the latest.
    fn turn(&mut self, end: Instant) -> Result<()> {
        let next = self.helper.next_deadline().unwrap_or(end).min(end);
        let wait = next.saturating_duration_since(Instant::now()) + Duration::from_millis(1);
        let mut polled = [PollFd::from_borrowed_fd(self.helper.as_fd(), PollFlags::IN)];
        poll(&mut polled, Some(&Timespec::try_from(wait)?))?;
        let now = Instant::now();
        for is_new in [self.helper.on_ready(now), self.helper.on_time(now)] {
            self.snapshots += usize::from(is_new);
            let is_outage = is_new && self.helper.snapshot().outage().is_some();
            self.outages += usize::from(is_outage);
        }
        Ok(())
    }

    fn is_up(&mut self) -> Result<()> {
        self.until("libvirt", |snapshot| snapshot.outage().is_none().then_some(()))
    }

    fn guest(&mut self, name: &str, what: &str, is: impl Fn(&Guest) -> bool) -> Result<Arc<Guest>> {
        self.until(&format!("{name} to be {what}"), |snapshot| {
            snapshot.guests().find(|guest| guest.domain.name == name && is(guest)).cloned()
        })
    }

    fn in_state(&mut self, name: &str, state: State) -> Result<Arc<Guest>> {
        self.guest(name, &format!("{state:?}"), |guest| guest.domain.state == state)
    }

    /// Figures that are newer than this call.
    fn figures(&mut self, name: &str) -> Result<hostinfo_domains::Figures> {
        let since = Instant::now();
        let uuid = self.guest(name, "there", |_| true)?.domain.uuid;
        self.helper.refresh(Some(uuid), since);
        let guest = self.guest(name, "asked", |guest| {
            guest.figures.as_ref().is_some_and(|(_, taken)| *taken > since)
        })?;
        Ok(guest.figures.clone().context("no figures")?.0)
    }
}

#[test]
fn figures_are_those_of_virsh_domstats() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    libvirtd.define("a", "qemu-a")?;
    libvirtd.virsh(&["start", "a"])?;
    let mut daemon = Daemon::start(&libvirtd)?;
    // The firmware reads the disk, to boot from it.
    let figures = wait_for("the disk to be read", PATIENCE, || {
        let figures = daemon.figures("a")?;
        Ok(figures.disks.iter().any(|disk| disk.read.ops > Some(0)).then_some(figures))
    })?;
    assert_eq!(figures.block_job, Some(false));
    // From here on its figures stay the same.
    libvirtd.virsh(&["suspend", "a"])?;
    libvirtd.virsh(&["blkdeviotune", "a", "vda", "--total-bytes-sec", "7000000"])?;
    let figures = daemon.figures("a")?;
    let [disk] = figures.disks.as_slice() else { bail!("not one disk: {figures:?}") };
    let limits = (disk.limits.bytes.in_all(), disk.limits.ops.in_all());
    assert_eq!((&*disk.dev, limits), ("vda", (Some(7_000_000), None)));
    let stats = libvirtd.virsh(&["domstats", "a"])?;
    for (name, ours) in [
        ("balloon.current", figures.memory_current.map(|bytes| bytes / 1024)),
        ("balloon.maximum", figures.memory_maximum.map(|bytes| bytes / 1024)),
        ("block.0.rd.reqs", disk.read.ops),
        ("block.0.rd.bytes", disk.read.bytes),
        ("block.0.rd.times", disk.read.nanos),
        ("block.0.wr.reqs", disk.write.ops),
        ("block.0.wr.bytes", disk.write.bytes),
        ("block.0.fl.reqs", disk.flush.ops),
        ("block.0.fl.times", disk.flush.nanos),
    ] {
        let line = format!("{name}={}", ours.with_context(|| format!("no {name}"))?);
        assert!(stats.lines().any(|theirs| theirs.trim() == line), "{line} is not in\n{stats}");
    }
    let guest = daemon.guest("a", "there", |_| true)?;
    assert_eq!((guest.domain.vcpus, guest.domain.vcpus_max), (1, 2));
    let hypervisor = daemon.until("the hypervisor", |found| found.hypervisor().cloned())?;
    let version = libvirtd.virsh(&["version"])?;
    let theirs = format!("Running hypervisor: {} {}", hypervisor.name, hypervisor.version);
    assert!(version.contains(&theirs), "{theirs} is not in\n{version}");
    Ok(())
}

#[test]
fn changes_of_a_domain_are_reported_unasked() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    let mut daemon = Daemon::start(&libvirtd)?;
    daemon.is_up()?;
    let name = "b \"<&\u{e9}";
    libvirtd.define(name, "qemu-b")?;
    daemon.in_state(name, State::Off)?;
    libvirtd.virsh(&["start", name])?;
    let guest = daemon.in_state(name, State::Running)?;
    assert!(guest.domain.is_live());
    let snapshot = Arc::clone(daemon.helper.snapshot());
    assert_eq!((snapshot.running(), snapshot.vcpus()), (1, 1));

    libvirtd.virsh(&["suspend", name])?;
    let paused = daemon.in_state(name, State::Paused)?;
    std::thread::sleep(Duration::from_millis(200));
    assert!(paused.paused(Instant::now()) >= Duration::from_millis(200));
    libvirtd.virsh(&["resume", name])?;
    let guest = daemon.in_state(name, State::Running)?;
    let pause = guest.paused(Instant::now());
    assert!(pause >= Duration::from_millis(200) && pause < PATIENCE, "{pause:?}");
    assert_eq!(guest.paused(Instant::now() + PATIENCE), pause);

    libvirtd.virsh(&["setvcpus", name, "2", "--live"])?;
    daemon.figures(name)?;
    daemon.guest(name, "of two vCPUs", |guest| guest.domain.vcpus == 2)?;

    libvirtd.virsh(&["destroy", name])?;
    daemon.in_state(name, State::Off)?;
    libvirtd.virsh(&["undefine", name])?;
    daemon.until("it to be gone", |snapshot| snapshot.guests().next().is_none().then_some(()))?;

    let heard = daemon.snapshots;
    let idle = daemon.helper.next_deadline();
    assert_eq!(idle, None, "nothing is waited for");
    std::thread::sleep(Duration::from_secs(1));
    assert!(!daemon.helper.on_ready(Instant::now()) && heard == daemon.snapshots);
    Ok(())
}

#[test]
fn a_disk_that_is_copied_has_a_block_job() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    libvirtd.define("c", "qemu-c")?;
    libvirtd.virsh(&["start", "c"])?;
    let mut daemon = Daemon::start(&libvirtd)?;
    let copy = libvirtd.folder().join("copy.raw");
    let order = ["blockcopy", "c", "vda", "--dest", path(&copy)?, "--transient-job"];
    libvirtd.virsh(&[&order[..], &["--format", "raw"]].concat())?;
    assert_eq!(daemon.figures("c")?.block_job, Some(true));
    libvirtd.virsh(&["blockjob", "c", "vda", "--abort"])?;
    assert_eq!(daemon.figures("c")?.block_job, Some(false));
    Ok(())
}

#[test]
fn a_socket_is_the_domains_that_names_it_rightly_and_of_copies_nobodys() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    let mut daemon = Daemon::start(&libvirtd)?;
    libvirtd.define("d", "qemu-d")?;
    libvirtd.virsh(&["start", "d"])?;
    let owner = daemon.in_state("d", State::Running)?.domain.uuid;
    assert_eq!(daemon.helper.snapshot().whose().of("qemu-d"), Claim::Named(owner));

    // A channel that was hot-plugged counts as well as one present at the start.
    let channel = libvirtd.folder().join("channel.xml");
    let socket = libvirtd.folder().join("qemu-second");
    let target = "<target type='virtio' name='org.hostinfo.0'/>";
    let source = format!("<source mode='bind' path='{}'/>", socket.display());
    std::fs::write(&channel, format!("<channel type='unix'>{source}{target}</channel>"))?;
    libvirtd.virsh(&["attach-device", "d", path(&channel)?, "--live"])?;
    let conflict = daemon.until("the second port", |snapshot| refused(snapshot, "qemu-d"))?;
    assert!(matches!(conflict, Conflict::Several { .. }), "{conflict}");
    libvirtd.virsh(&["detach-device", "d", path(&channel)?, "--live"])?;
    daemon.until("the second port to go", |snapshot| {
        (snapshot.whose().of("qemu-d") == Claim::Named(owner)).then_some(())
    })?;

    libvirtd.define("clone", "qemu-d")?;
    libvirtd.virsh(&["start", "clone", "--paused"])?;
    let conflict = daemon.until("the conflict", |snapshot| refused(snapshot, "qemu-d"))?;
    assert!(matches!(conflict, Conflict::Shared(_)), "{conflict}");
    libvirtd.virsh(&["destroy", "d"])?;
    let misnamed = |snapshot: &Snapshot| {
        refused(snapshot, "qemu-d").filter(|conflict| matches!(conflict, Conflict::Misnamed { .. }))
    };
    daemon.until("the clone to be alone", misnamed)?;
    Ok(())
}

fn refused(snapshot: &Snapshot, socket: &str) -> Option<Conflict> {
    match snapshot.whose().of(socket) {
        Claim::Refused(conflict) => Some(conflict.clone()),
        Claim::Named(_) | Claim::Portless(_) | Claim::Unnamed => None,
    }
}

#[test]
fn a_qemu_that_hangs_again_and_again_keeps_nothing_else_from_being_reported() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    for name in ["f", "g"] {
        libvirtd.define(name, &format!("qemu-{name}"))?;
        libvirtd.virsh(&["start", name])?;
    }
    let mut daemon = Daemon::start(&libvirtd)?;
    daemon.is_up()?;
    for signal in ["STOP", "CONT", "STOP"] {
        libvirtd.shell(&format!("kill -{signal} $(cat /run/libvirt/qemu/f.pid)"))?;
        let hangs = signal == "STOP";
        let start = Instant::now();
        daemon.helper.refresh(None, start);
        let figures = daemon.figures("g")?;
        assert!(figures.disks.iter().all(|disk| disk.read.ops.is_some()), "{figures:?}");
        let figures = daemon.figures("f")?;
        assert!(figures.disks.iter().all(|disk| disk.read.ops.is_none() == hangs), "{figures:?}");
        assert_eq!(figures.block_job, (!hangs).then_some(false));
        assert!(start.elapsed() < DEADLINE);
        assert_eq!(daemon.helper.snapshot().outage(), None);
    }
    assert_eq!(daemon.outages, 0);
    Ok(())
}

#[test]
fn a_qemu_that_pauses_and_resumes_without_end_is_reported_ten_times_a_second() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    let monitor = libvirtd.folder().join("monitor");
    libvirtd.define_xml(&format!(
        "<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
         <name>h</name><memory unit='MiB'>32</memory>
         <os><type arch='x86_64' machine='q35'>hvm</type></os>
         <qemu:commandline><qemu:arg value='-qmp'/>
         <qemu:arg value='unix:{},server=on,wait=off'/></qemu:commandline></domain>",
        path(&monitor)?
    ))?;
    libvirtd.virsh(&["start", "h"])?;
    let mut daemon = Daemon::start(&libvirtd)?;
    daemon.in_state("h", State::Running)?;
    let mut qemu = UnixStream::connect(&monitor)?;
    let mut said = qemu.try_clone()?;
    thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    qemu.write_all(b"{\"execute\":\"qmp_capabilities\"}")?;
    let flood = thread::spawn(move || {
        (0..1000).try_for_each(|number| {
            thread::sleep(Duration::from_millis(2));
            let order = ["stop", "cont"][number % 2];
            write!(qemu, "{{\"execute\":\"{order}\"}}")
        })
    });
    let (before, start) = (daemon.snapshots, Instant::now());
    while !flood.is_finished() {
        daemon.turn(Instant::now() + Duration::from_millis(10))?;
    }
    let (reports, lasted) = (daemon.snapshots - before, start.elapsed());
    let most = usize::try_from(lasted.as_millis() / 100)? + 2;
    assert!((2..=most).contains(&reports), "{reports} in {lasted:?}");
    daemon.in_state("h", State::Running)?;
    Ok(())
}

#[test]
fn libvirtd_may_be_absent_hang_and_start_again() -> Result<()> {
    let libvirtd = Libvirtd::start()?;
    libvirtd.define("e", "qemu-e")?;
    libvirtd.virsh(&["start", "e"])?;
    let mut daemon = Daemon::start(&libvirtd)?;
    daemon.is_up()?;
    let outage = |snapshot: &Snapshot| snapshot.outage().map(str::to_owned);

    libvirtd.shell("kill -STOP $(cat /run/libvirtd.pid)")?;
    daemon.helper.refresh(None, Instant::now());
    let why = daemon.until("the deadline", outage)?;
    assert_eq!(why, "libvirt did not answer within 5 s");
    libvirtd.shell("kill -CONT $(cat /run/libvirtd.pid)")?;
    daemon.is_up()?;
    assert!(daemon.figures("e")?.memory_current.is_some());

    libvirtd.shell("kill $(cat /run/libvirtd.pid)")?;
    daemon.until("the end of libvirtd", outage)?;
    daemon.until("it to be missed", |snapshot| {
        outage(snapshot).filter(|why| why.contains("Failed to connect socket"))
    })?;
    let snapshot = Arc::clone(daemon.helper.snapshot());
    assert!(matches!(snapshot.whose().of("qemu-e"), Claim::Named(_)), "as it was told last");
    libvirtd.shell("libvirtd -d")?;
    libvirtd.wait_until_it_answers()?;
    daemon.is_up()?;
    let guest = daemon.in_state("e", State::Running)?;
    assert_eq!(snapshot.whose().of("qemu-e"), Claim::Named(guest.domain.uuid));
    assert_eq!(daemon.helper.snapshot().whose(), snapshot.whose());
    Ok(())
}
