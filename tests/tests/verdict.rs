//! Whether a real guest is told rightly why it is slow. Takes minutes: a verdict speaks of one.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::{Guest, Host, Port};

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
    let first = guest.ask("verdict.cpu")?;
    ensure!(first[0].starts_with("200 verdict.cpu=unknown: ask again in "), "{first:?}");
    expect(&mut guest, "ok")?;

    let quota = Quota::half_a_cpu(guest.pid())?;
    expect(&mut guest, "self-limited")?;
    drop(quota);

    let others = host.keep_busy()?;
    expect(&mut guest, "contended")?;
    drop(others);
    Ok(())
}

/// Asks until the verdict is that state.
fn expect(guest: &mut Guest, state: &str) -> Result<()> {
    let end = Instant::now() + MINUTES;
    loop {
        std::thread::sleep(Duration::from_secs(5));
        let verdict = guest.ask("verdict.cpu")?.concat();
        if verdict.starts_with(&format!("200 verdict.cpu={state}: ")) {
            return Ok(());
        }
        ensure!(Instant::now() < end, "not {state}: {verdict}");
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
