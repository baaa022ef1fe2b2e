//! Whether a real guest is told rightly why it is slow. Takes minutes: a verdict speaks of one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{DomainGuest, Guest, Host, Libvirtd, Port};

/// Until nothing of what was before is in the minute that the verdict speaks of, and more, lest
/// something else on this machine decides.
const MINUTES: Duration = Duration::from_secs(180);

#[test]
fn a_spinning_guest_is_ok_alone_self_limited_under_a_quota_and_contended_beside_others()
-> Result<()> {
    let host = Host::new(EVERYTHING)?;
    let _daemon = host.start_daemon()?;
    let mut guest = Guest::restore(&host.socket("a"), Port::Serial)?;
    guest.wait_for_host()?;
    guest.sh("(while :; do :; done) > /dev/null 2>&1 &")?;
    let pid = guest.pid();
    let first = guest.ask("verdict.cpu")?;
    ensure!(first[0].starts_with("200 verdict.cpu=unknown: ask again in "), "{first:?}");
    let mut ask = || guest.ask("verdict.cpu");
    expect("ok", &mut ask)?;

    let quota = Quota::half_a_cpu(pid)?;
    expect("self-limited", &mut ask)?;
    drop(quota);

    let others = host.keep_busy()?;
    expect("contended", &mut ask)?;
    drop(others);
    Ok(())
}

#[test]
fn a_domain_under_libvirts_own_limits_is_told_so_of_its_cpus_and_of_its_disk() -> Result<()> {
    let (libvirtd, host) = (Libvirtd::start()?, Host::new(EVERYTHING)?);
    let _daemon = host.start_daemon_beside(&libvirtd)?;
    let mut guest = DomainGuest::boot(&libvirtd, "a", &host.socket("a"))?;
    // A fifth of a CPU, and half a MiB a second.
    libvirtd.virsh(&["schedinfo", "a", "--live", "--set", "vcpu_quota=20000"])?;
    libvirtd.virsh(&["blkdeviotune", "a", "vda", "--live", "--total-bytes-sec", "524288"])?;
    guest.ask_until("vm.cpu.quota", "200 vm.cpu.quota=0.2")?;
    guest.ask_until("vm.disk.vda.limit.bytes", "200 vm.disk.vda.limit.bytes=524288")?;
    guest.run(
        "(while :; do dd if=/dev/zero of=/dev/vda bs=64k count=64 oflag=direct; done) \
             > /dev/null 2>&1 &
         (while :; do :; done) > /dev/null 2>&1 &",
    )?;
    let disk = expect("self-limited", || guest.ask("verdict.io"))?;
    ensure!(disk.contains("your disk vda was at its own limit of 512.0 KiB a second"), "{disk}");
    let cpu = expect("self-limited", || guest.ask("verdict.cpu"))?;
    ensure!(cpu.contains("your own CPU quota of 0.20 CPUs held your vCPUs back"), "{cpu}");
    Ok(())
}

/// Asks until the verdict is that state, and gives back the whole of it.
fn expect(state: &str, mut ask: impl FnMut() -> Result<Vec<String>>) -> Result<String> {
    let end = Instant::now() + MINUTES;
    loop {
        std::thread::sleep(Duration::from_secs(5));
        let reply = ask()?.concat();
        let verdict = reply.split_once('=').map_or("", |(_, verdict)| verdict);
        if verdict.starts_with(&format!("{state}: ")) {
            return Ok(reply);
        }
        ensure!(Instant::now() < end, "not {state}: {reply}");
    }
}

/// A cgroup of the guest's own with a CPU quota, v2 or v1; gone when it is dropped.
struct Quota {
    folder: PathBuf,
    parent: PathBuf,
    pid: u32,
}

impl Quota {
    fn half_a_cpu(pid: u32) -> Result<Self> {
        let root = Path::new("/sys/fs/cgroup");
        let (parent, limits) = if root.join("cgroup.controllers").exists() {
            std::fs::write(root.join("cgroup.subtree_control"), "+cpu").context("as root")?;
            (root.to_owned(), vec![("cpu.max", "50000 100000")])
        } else {
            let limits = vec![("cpu.cfs_period_us", "100000"), ("cpu.cfs_quota_us", "50000")];
            (root.join("cpu"), limits)
        };
        let folder = parent.join(format!("hostinfo-test-{pid}"));
        std::fs::create_dir(&folder).context("as root")?;
        for (file, text) in limits {
            std::fs::write(folder.join(file), text)?;
        }
        std::fs::write(folder.join("cgroup.procs"), pid.to_string())?;
        Ok(Self { folder, parent, pid })
    }
}

impl Drop for Quota {
    fn drop(&mut self) {
        let _ = std::fs::write(self.parent.join("cgroup.procs"), self.pid.to_string());
        let _ = std::fs::remove_dir(&self.folder);
    }
}
