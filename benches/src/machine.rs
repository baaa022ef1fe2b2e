//! The machine: what it is, how many files it lets one process open, and who sits on which CPU.

use anyhow::Context as _;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

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

/// How many files this process may have open.
pub(crate) fn open_files() -> u64 {
    getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX)
}

/// A CPU for the guests and another for the server, if there is another.
///
/// Left to the scheduler, both are on one CPU in one round and on two in the next, where a round
/// trip is four times as long: that would be measured, and not the server. And a server that
/// shares its CPU with its guests looks better than it is, since their time counts as well.
pub(crate) struct Cpus {
    guests: usize,
    server: usize,
}

impl Cpus {
    /// The first and the last CPU that this process may use.
    pub(crate) fn find() -> anyhow::Result<Self> {
        let allowed = sched_getaffinity(None)?;
        let mut cpus = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu));
        let guests = cpus.next().context("no CPU to run on")?;
        Ok(Self { guests, server: cpus.next_back().unwrap_or(guests) })
    }

    /// Keeps the thread that calls, which plays the guests, on their CPU.
    pub(crate) fn pin_guests(&self) -> anyhow::Result<()> {
        pin(None, self.guests)
    }

    /// Keeps a server that has just been started on its CPU.
    pub(crate) fn pin_server(&self, server: Pid) -> anyhow::Result<()> {
        pin(Some(server), self.server)
    }
}

fn pin(process: Option<Pid>, cpu: usize) -> anyhow::Result<()> {
    let mut cpus = CpuSet::new();
    cpus.set(cpu);
    Ok(sched_setaffinity(process, &cpus)?)
}
