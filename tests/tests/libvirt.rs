//! Guests of a real libvirtd: what is told of them, beside what virsh shows, and until when it holds.

use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail, ensure};
use hostinfo_tests::deadline::{PATIENCE, wait_until};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::libvirtd::path;
use hostinfo_tests::{Domain, DomainGuest, Host, Libvirtd, serial};

/// What `virsh domstats` shows, for what it has a line of.
fn domstats(libvirtd: &Libvirtd, domain: &str, name: &str) -> Result<u64> {
    let stats = libvirtd.virsh(&["domstats", domain])?;
    let value = stats.lines().find_map(|line| line.trim().strip_prefix(name)?.strip_prefix('='));
    Ok(value.with_context(|| format!("no {name} in\n{stats}"))?.parse()?)
}

/// How long the guest is paused.
const PAUSE: Duration = Duration::from_millis(300);

#[test]
fn a_domain_is_served_as_itself_and_sees_what_virsh_shows() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let daemon = host.start_daemon_beside(&libvirtd)?;
    daemon.wait_for_log("libvirt answers")?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;

    let uuid = libvirtd.virsh(&["domuuid", "a"])?;
    guest.ask_until("vm.uuid", &format!("200 vm.uuid={}", uuid.trim()))?;
    let vcpus = guest.ask("vm.vcpus vm.vcpus.max")?;
    ensure!(vcpus == ["200-vm.vcpus=1", "200 vm.vcpus.max=2"], "{vcpus:?}");
    guest.ask_until("vm.memory.current", "200 ")?;
    // The figures of the next query are those that this one has had asked for.
    std::thread::sleep(Duration::from_millis(1100));
    guest.ask("vm.memory.current")?;
    std::thread::sleep(Duration::from_millis(500));
    for (ours, theirs, unit) in [
        ("vm.memory.current", "balloon.current", 1024),
        ("vm.memory.maximum", "balloon.maximum", 1024),
        ("vm.disk.vda.read.bytes", "block.0.rd.bytes", 1),
        ("vm.disk.vda.read.ops", "block.0.rd.reqs", 1),
        ("vm.disk.vda.write.ops", "block.0.wr.reqs", 1),
        ("vm.net.0.tx.packets", "net.0.tx.pkts", 1),
        ("vm.net.0.tx.bytes", "net.0.tx.bytes", 1),
    ] {
        let answer = guest.ask(ours)?;
        let theirs = domstats(&libvirtd, "a", theirs)? * unit;
        ensure!(answer == [format!("200 {ours}={theirs}")], "{answer:?}, and virsh: {theirs}");
    }
    let rest = guest.ask("vm.disk.vda.limit vm.migrating vm.blockjob guests.running")?;
    ensure!(
        rest == [
            "200-vm.disk.vda.limit.bytes=7000000",
            "200-vm.disk.vda.limit.ops=900",
            "200-vm.migrating=0",
            "200-vm.blockjob=0",
            "200 guests.running=1"
        ],
        "{rest:?}"
    );
    let version = guest.ask("hypervisor.version vcpu.overcommit vm.paused.seconds")?;
    ensure!(version.iter().all(|line| line.starts_with("200")), "{version:?}");
    let cpu = guest.ask("vm.cpu.seconds")?;
    ensure!(cpu[0].starts_with("200 "), "QEMU is found, not libvirtd: {cpu:?}");
    let session = guest.ask("session")?;
    ensure!(guest.ask("session")? == session, "{session:?} lasts");

    let begun = Instant::now();
    libvirtd.virsh(&["suspend", "a"])?;
    std::thread::sleep(PAUSE);
    libvirtd.virsh(&["resume", "a"])?;
    let longest = begun.elapsed().as_secs_f64();
    let paused = guest.ask("vm.paused.seconds")?;
    let seconds = paused[0].strip_prefix("200 vm.paused.seconds=").map(str::parse::<f64>);
    // libvirt's events come a little later than what they report.
    let expected = PAUSE.as_secs_f64() - 0.1..longest + 0.1;
    ensure!(matches!(seconds, Some(Ok(told)) if expected.contains(&told)), "{paused:?}");
    Ok(())
}

#[test]
fn a_guest_is_told_what_its_host_takes_back_and_what_there_is_not() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.net.0.rx.limit", "503 vm.net.0.rx.limit: this interface has no limit")?;
    guest.ask_until("vm.memory.balloon.taken", "200 vm.memory.balloon.taken=0")?;
    guest.ask_until("vm.exits", "503 vm.exits: this guest does not run on KVM")?;
    guest.ask_until("vm.haltpoll", "503 vm.haltpoll: this guest does not run on KVM")?;

    libvirtd.virsh(&["setmem", "a", "96M", "--live"])?;
    let taken = 32 << 20;
    guest.ask_until("vm.memory.balloon.taken", &format!("200 vm.memory.balloon.taken={taken}"))?;
    Ok(())
}

#[test]
fn an_error_on_a_disk_that_pauses_a_guest_is_counted() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    // What the guest writes beyond the first page finds no room.
    let small = libvirtd.folder().join("small");
    let small = path(&small)?;
    libvirtd.shell(&format!(
        "mkdir {small} && mount -t tmpfs -o size=4k none {small} && truncate -s 1M {small}/disk"
    ))?;
    let disk = format!(
        "<disk type='file'><driver name='qemu' type='raw' error_policy='stop'/>
         <source file='{small}/disk'/><target dev='vdb' bus='virtio'/></disk>"
    );
    let port = serial(&host.socket("a"))?;
    let mut guest = Domain::define(&libvirtd, "a", &(disk + &port))?.boot(&libvirtd)?;
    guest.ask_until("vm.disk.vdb.errors", "200 vm.disk.vdb.errors=0")?;
    guest.run("dd if=/dev/zero of=/dev/vdb bs=64k count=4 conv=fsync >/dev/null 2>&1 &")?;
    wait_until("the guest to be paused", PATIENCE, || {
        Ok(libvirtd.virsh(&["domstate", "a", "--reason"])?.contains("I/O error"))
    })?;
    sleep(Duration::from_secs(1));
    libvirtd.shell(&format!("mount -o remount,size=2m {small}"))?;
    libvirtd.virsh(&["resume", "a"])?;
    guest.ask_until("vm.disk.vdb.errors", "200 vm.disk.vdb.errors=1")?;
    guest.ask_until("vm.disk.vda.errors", "200 vm.disk.vda.errors=0")?;
    Ok(())
}

#[test]
fn a_guest_is_told_as_long_as_its_disk_is_copied_or_filled() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.run("dd if=/dev/urandom of=/dev/vda bs=64k count=64 oflag=direct")?;
    guest.ask_until("vm.blockjob", "200 vm.blockjob=0")?;

    // 4 MiB at 1 MiB a second.
    let copy = libvirtd.folder().join("copy");
    let job = ["blockcopy", "a", "vda", "--dest", path(&copy)?, "--transient-job"];
    libvirtd.virsh(&[&job[..], &["--bandwidth", "1"]].concat())?;
    guest.ask_until("vm.blockjob", "200 vm.blockjob=1")?;
    libvirtd.virsh(&["blockjob", "a", "vda", "--abort"])?;
    guest.ask_until("vm.blockjob", "200 vm.blockjob=0")?;

    // What lies in the disk's file moves into the one above it, and the job ends by itself.
    libvirtd.virsh(&["snapshot-create-as", "a", "s", "--disk-only", "--no-metadata"])?;
    libvirtd.virsh(&["blockpull", "a", "vda", "--bandwidth", "1"])?;
    guest.ask_until("vm.blockjob", "200 vm.blockjob=1")?;
    guest.ask_until("vm.blockjob", "200 vm.blockjob=0")?;
    Ok(())
}

/// Seconds in a reply of one line.
fn seconds(reply: &[String]) -> Result<f64> {
    let value = reply.first().and_then(|line| line.strip_prefix("200 ")?.split_once('='));
    Ok(value.with_context(|| format!("{reply:?}"))?.1.parse()?)
}

#[test]
fn a_vcpu_that_waits_for_a_busy_host_is_told_the_delay_that_virsh_shows() -> Result<()> {
    /// How old a sample is at the most, and so what a delay can have risen by since.
    const GRID: f64 = 0.1;
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    guest.ask_until("vm.cpu.0.delay", "200 ")?;
    let idle = seconds(&guest.ask("vm.cpu.0.delay")?)?;
    guest.run("(while :; do :; done) > /dev/null 2>&1 &")?;
    let others = host.keep_busy()?;
    let mut last = idle;
    for _ in 0..5 {
        std::thread::sleep(Duration::from_secs(1));
        let nanos = || domstats(&libvirtd, "a", "vcpu.0.delay");
        let before = nanos()? as f64 / 1e9;
        let told = seconds(&guest.ask("vm.cpu.0.delay")?)?;
        let after = nanos()? as f64 / 1e9;
        ensure!(told >= before - GRID && told <= after, "{told} is not in {before}..{after}");
        ensure!(told >= last, "{told} after {last}");
        last = told;
    }
    drop(others);
    // One vCPU beside four loops for each CPU gets a fifth of its wishes.
    ensure!(last > idle + 1.0, "it waited {} s of five", last - idle);
    Ok(())
}

#[test]
fn a_session_ends_where_a_guest_is_restored_or_goes_back_and_no_counter_falls_in_one() -> Result<()>
{
    const ASKED: &str = "session vm.cpu.seconds vm.cpu.delay vm.disk.vda.read.bytes \
        vm.disk.vda.read.ops vm.net.0.tx.bytes vm.paused.seconds";
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    let saved = libvirtd.folder().join("saved");
    let mut sessions: Vec<(String, Vec<f64>)> = Vec::new();
    let mut look = |guest: &mut DomainGuest| -> Result<usize> {
        guest.ask_until("vm.uuid", "200 ")?;
        guest.ask_until("vm.disk.vda.read.bytes", "200 ")?;
        let reply = guest.ask(ASKED)?;
        let values: Vec<&str> =
            reply.iter().filter_map(|line| line.split_once('=')).map(|(_, value)| value).collect();
        let [session, counters @ ..] = &values[..] else { bail!("{reply:?}") };
        let counters: Vec<f64> =
            counters.iter().map(|value| value.parse()).collect::<Result<_, _>>()?;
        ensure!(counters.len() == 6, "{reply:?}");
        if let Some((last, before)) = sessions.last()
            && last == session
        {
            let falls = counters.iter().zip(before).any(|(now, before)| now < before);
            ensure!(!falls, "{before:?} and then {counters:?}");
        } else {
            ensure!(sessions.iter().all(|(before, _)| before != session), "it comes back");
        }
        sessions.push(((*session).to_owned(), counters));
        sessions.dedup_by(|after, before| after.0 == before.0);
        Ok(sessions.len())
    };
    ensure!(look(&mut guest)? == 1);
    libvirtd.virsh(&["suspend", "a"])?;
    libvirtd.virsh(&["resume", "a"])?;
    libvirtd.virsh(&["snapshot-create-as", "a", "s"])?;
    ensure!(look(&mut guest)? == 1, "a pause and a snapshot end nothing");

    libvirtd.virsh(&["save", "a", path(&saved)?])?;
    libvirtd.virsh(&["restore", path(&saved)?])?;
    guest.go_on()?;
    ensure!(look(&mut guest)? == 2, "it was restored");
    ensure!(look(&mut guest)? == 2, "once");

    libvirtd.virsh(&["snapshot-revert", "a", "s"])?;
    guest.go_on()?;
    ensure!(look(&mut guest)? == 3, "it went back");
    ensure!(look(&mut guest)? == 3, "once");

    libvirtd.virsh(&["managedsave", "a"])?;
    libvirtd.virsh(&["start", "a"])?;
    guest.go_on()?;
    ensure!(look(&mut guest)? == 4, "it was started from what was saved");
    Ok(())
}
