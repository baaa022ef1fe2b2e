//! Faults of the daemon's process.

use std::time::Duration;

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::crowd::Command;
use super::world::World;
use crate::process::permit_files;

/// How often it is killed while it starts.
const STARTS: usize = 3;

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
    permit_files(world.pid()?, false)?;
    world.order(Command::HangUp(10))?;
    super::file_faults::write_rules(world)
}

pub(super) fn give_descriptors(world: &mut World) -> Result<()> {
    permit_files(world.pid()?, true)
}
