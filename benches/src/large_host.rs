//! A host with 256 CPUs: its own files are made of captured ones, and its guests' files are the kernel's of this machine.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;

use anyhow::Context as _;

const CPUS: usize = 256;

/// The captured host.
const CAPTURED: &str = concat!(
    env!("CARGO_MANIFEST_DIR"),
    "/../crates/hostinfo-sample/fixtures/hosts/two-sockets-6.1"
);

/// A file with a number in this machine's own sysfs, in the place of those of each CPU that are read for every
/// sample: the daemon keeps open what is a kernel's, as it would on such a host. What a driver does to find out a
/// CPU's clock is not measured.
const NUMBER: &str = "/sys/devices/system/cpu/cpu0/topology/physical_package_id";

/// Makes the host in `folder`, with these processes.
pub(crate) fn make(folder: &Path, pids: impl Iterator<Item = u32>) -> anyhow::Result<()> {
    copy(Path::new(CAPTURED), folder)?;
    for pid in pids {
        symlink(format!("/proc/{pid}"), folder.join(format!("proc/{pid}")))?;
    }
    fs::create_dir_all(folder.join("sys/fs"))?;
    symlink("/sys/fs/cgroup", folder.join("sys/fs/cgroup"))?;
    make_cpus(folder)
}

/// Says which of the processes the daemon is: else it would take the host for a captured one, where no system call
/// knows the processes.
pub(crate) fn name_daemon(folder: &Path, pid: u32) -> anyhow::Result<()> {
    Ok(symlink(pid.to_string(), folder.join("proc/self"))?)
}

/// Two sockets and two nodes; CPU `n` and `n + 128` are threads of one core.
fn make_cpus(folder: &Path) -> anyhow::Result<()> {
    let mut stat = String::from("cpu  99999999 0 9999999 999999999 999999 0 99999 0 9999999 0\n");
    for cpu in 0..CPUS {
        writeln!(stat, "cpu{cpu} 999999 0 99999 9999999 9999 0 999 0 99999 0")?;
        let core = cpu % (CPUS / 2);
        let own = folder.join(format!("sys/devices/system/cpu/cpu{cpu}"));
        for (file, text) in [
            ("topology/core_cpus_list", format!("{core},{}", core + CPUS / 2)),
            ("topology/physical_package_id", (core / (CPUS / 4)).to_string()),
        ] {
            write(&own.join(file), format!("{text}\n"))?;
        }
        for file in [
            "cpufreq/scaling_cur_freq",
            "cpufreq/cpuinfo_max_freq",
            "thermal_throttle/core_throttle_count",
        ] {
            let file = own.join(file);
            fs::create_dir_all(file.parent().context("no folder")?)?;
            // Over that of a captured CPU.
            let _ = fs::remove_file(&file);
            symlink(NUMBER, &file).with_context(|| file.display().to_string())?;
        }
    }
    writeln!(stat, "intr 5{}\nctxt 9\nbtime 7\nprocs_running 60", " 0".repeat(20_000))?;
    write(&folder.join("proc/stat"), &stat)?;
    write(&folder.join("sys/devices/system/cpu/online"), format!("0-{}\n", CPUS - 1))?;
    for (node, cpus) in [(0, "0-63,128-191\n"), (1, "64-127,192-255\n")] {
        write(&folder.join(format!("sys/devices/system/node/node{node}/cpulist")), cpus)?;
    }
    write(&folder.join("sys/devices/system/node/online"), "0-1\n")
}

/// Copies all files below `from`.
fn copy(from: &Path, to: &Path) -> anyhow::Result<()> {
    let mut folders = vec![from.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).with_context(|| folder.display().to_string())? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                write(&to.join(path.strip_prefix(from)?), &fs::read(&path)?)?;
            }
        }
    }
    Ok(())
}

fn write(path: &Path, bytes: impl AsRef<[u8]>) -> anyhow::Result<()> {
    fs::create_dir_all(path.parent().context("no folder")?)?;
    fs::write(path, bytes).with_context(|| path.display().to_string())
}
