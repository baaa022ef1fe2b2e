//! The machine: what it is, and how many files it lets one process open.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// One line that says on what the figures were taken.
pub(crate) fn describe() -> String {
    let cpus = std::thread::available_parallelism().map_or(0, usize::from);
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpuinfo
        .lines()
        .find_map(|line| line.strip_prefix("model name")?.split_once(": "))
        .map_or("unknown model", |(_, model)| model);
    let kernel = rustix::system::uname();
    format!("{cpus} CPUs, {model}, Linux {}", kernel.release().to_string_lossy())
}

/// Raises the limit of open files, for this process and those that it starts, as far as that
/// goes without privileges: every guest is two of them, one for each server.
pub(crate) fn raise_open_files() -> anyhow::Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?;
    Ok(())
}
