//! What a host does not tell: as its administrator sees it in status, log and metrics.

use std::fs;
use std::path::Path;

use anyhow::{Context as _, Result, ensure};
use hostinfo_control::WhyWithout;
use hostinfo_tests::host::EVERYTHING;
use hostinfo_tests::paths::workspace;
use hostinfo_tests::{Daemon, Host};

/// A daemon that sees the host in that folder.
fn daemon_of(folder: &Path) -> Result<(Host, Daemon)> {
    let host = Host::new(EVERYTHING)?;
    let (proc, sys) = (folder.join("proc"), folder.join("sys"));
    let paths =
        format!("[paths]\nproc_root = '{}'\nsys_root = '{}'\n", proc.display(), sys.display());
    host.write_config(&paths)?;
    let daemon = host.start_daemon()?;
    Ok((host, daemon))
}

/// What the metric of that name has.
fn metric(host: &Host, name: &str) -> Result<String> {
    let metrics = host.client()?.metrics()?;
    let mut lines = metrics.lines().filter_map(|line| line.strip_prefix(name));
    Ok(lines.next().context("no such metric")?.trim().to_owned())
}

#[test]
fn a_virtual_machine_is_without_much_and_nothing_is_wrong() -> Result<()> {
    let folder = workspace().join("crates/hostinfo-sample/fixtures/hosts/virtual-6.18");
    let (host, daemon) = daemon_of(&folder)?;
    host.client()?.preview("qemu-a", "*")?;
    let reply = host.client()?.preview("qemu-a", "swap.total")?;
    ensure!(reply == "503 swap.total: this host has no swap\n", "{reply}");
    let status = host.client()?.status()?;
    ensure!(status.missing.is_empty(), "{:?}", status.missing);
    let why = |source: &str| {
        let mut without = status.without.iter().filter(|one| one.source.contains(source));
        without.next().map(|one| one.why)
    };
    ensure!(why("meminfo") == Some(WhyWithout::Chosen), "{:?}", status.without);
    ensure!(why("cpufreq") == Some(WhyWithout::Unsupported), "{:?}", status.without);
    ensure!(metric(&host, "hostinfod_sources_missing")? == "0", "the alert would fire");
    ensure!(!daemon.log().contains("WARN"), "{}", daemon.log());
    Ok(())
}

#[test]
fn a_lack_of_64_cpus_is_one_line_of_the_log_and_one_of_the_status() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let cpus = folder.path().join("sys/devices/system/cpu");
    for cpu in 0..64 {
        let topology = cpus.join(format!("cpu{cpu}/topology"));
        fs::create_dir_all(&topology)?;
        fs::write(topology.join("physical_package_id"), "0\n")?;
        fs::write(topology.join("thread_siblings_list"), format!("{cpu}\n"))?;
        // A folder is no file that could be read.
        fs::create_dir_all(cpus.join(format!("cpu{cpu}/cpufreq/scaling_cur_freq")))?;
    }
    fs::write(cpus.join("online"), "0-63\n")?;
    let (host, daemon) = daemon_of(folder.path())?;
    for _ in 0..20 {
        for (name, told) in
            [("cpu.frequency", "could not be read"), ("cpu.throttles", "this host has no ")]
        {
            let reply = host.client()?.preview("qemu-a", name)?;
            ensure!(reply.starts_with(&format!("503 {name}: {told}")), "{reply}");
        }
        std::thread::sleep(std::time::Duration::from_millis(110));
    }
    let status = host.client()?.status()?;
    ensure!(status.missing.len() == 1 && status.without.len() == 1, "{status:?}");
    ensure!(status.missing.iter().all(|one| one.count == 64), "{:?}", status.missing);
    ensure!(status.without.iter().all(|one| one.count == 64), "{:?}", status.without);
    ensure!(metric(&host, "hostinfod_sources_missing")? == "1", "of the two");
    let log = daemon.log();
    ensure!(log.matches("scaling_cur_freq").count() == 2, "its name and its path once: {log}");
    ensure!(log.matches("thermal_throttle").count() == 1, "{log}");
    Ok(())
}
