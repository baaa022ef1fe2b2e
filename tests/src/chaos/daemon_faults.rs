//! Faults of the daemon's process.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};

use super::crowd::Command;
use super::world::World;

/// How often it is killed while it starts.
const STARTS: usize = 3;

/// Descriptors that every process has.
const STANDARD: u64 = 3;

pub(super) fn kill(world: &mut World) -> Result<()> {
    world.situation().daemon = None;
    world.daemon.take().context("no daemon runs")?.kill()
}

pub(super) fn start(world: &mut World) -> Result<()> {
    world.start_daemon()
}

pub(super) fn kill_while_it_starts(world: &mut World) -> Result<()> {
    kill(world)?;
    for _ in 0..STARTS {
        let daemon = world.launch_daemon()?;
        std::thread::sleep(Duration::from_millis(world.rng.u64(0..60)));
        daemon.kill()?;
    }
    Ok(())
}

pub(super) fn stop(world: &mut World) -> Result<()> {
    world.signal(Signal::STOP)
}

pub(super) fn go_on(world: &mut World) -> Result<()> {
    world.signal(Signal::CONT)
}

/// Leaves it no descriptor to open, and has guests come back and rules change meanwhile.
pub(super) fn take_descriptors(world: &mut World) -> Result<()> {
    // The limit is one of numbers, getrlimit(2), and those that were closed would be free again.
    limit_descriptors(world, Some(STANDARD))?;
    world.order(Command::HangUp(10))?;
    super::file_faults::write_rules(world)
}

pub(super) fn give_descriptors(world: &mut World) -> Result<()> {
    limit_descriptors(world, None)
}

fn limit_descriptors(world: &World, current: Option<u64>) -> Result<()> {
    let pid = Pid::from_raw(world.pid()?.cast_signed()).context("no process")?;
    let own = rustix::process::getrlimit(Resource::Nofile);
    let maximum = own.maximum;
    let current = current.or(maximum);
    prlimit(Some(pid), Resource::Nofile, Rlimit { current, maximum })?;
    Ok(())
}
