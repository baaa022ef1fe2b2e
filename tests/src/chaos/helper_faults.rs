//! Faults of the helper's process.

use std::fs;

use anyhow::{Context as _, Result};
use rustix::io::Errno;
use rustix::process::{Pid, Signal, kill_process};

use super::world::World;

pub(super) fn kill(world: &mut World) -> Result<()> {
    signal(world, Signal::KILL)
}

pub(super) fn stop(world: &mut World) -> Result<()> {
    signal(world, Signal::STOP)
}

pub(super) fn go_on(world: &mut World) -> Result<()> {
    signal(world, Signal::CONT)
}

/// To the helper that has started last, if it is still there.
fn signal(world: &World, signal: Signal) -> Result<()> {
    let pid: i32 = fs::read_to_string(world.helper()?.join("pid"))?.parse()?;
    match kill_process(Pid::from_raw(pid).context("no process")?, signal) {
        Err(Errno::SRCH) => Ok(()),
        other => Ok(other?),
    }
}
