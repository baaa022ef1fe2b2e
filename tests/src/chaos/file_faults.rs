//! Faults of files: the socket directory and the rules.

use std::fs;
use std::time::{Duration, Instant};

use anyhow::Result;

use super::crowd::Command;
use super::world::World;

/// How often the rules are flipped in a row.
const FLIPS: usize = 10;

pub(super) fn remove_directory(world: &mut World) -> Result<()> {
    Ok(fs::rename(world.host.sockets(), world.host.path().join("old"))?)
}

pub(super) fn make_directory(world: &mut World) -> Result<()> {
    fs::create_dir(world.host.sockets())?;
    world.order(Command::StartAnew)?;
    Ok(fs::remove_dir_all(world.host.path().join("old"))?)
}

pub(super) fn start_guests_anew(world: &mut World) -> Result<()> {
    world.order(Command::StartAnew).map(drop)
}

pub(super) fn hang_up(world: &mut World) -> Result<()> {
    world.order(Command::HangUp(3)).map(drop)
}

pub(super) fn write_rules(world: &mut World) -> Result<()> {
    let rules = world.other_rules();
    world.situation().history.write(rules, Instant::now());
    world.host.write_rules(&rules.text())
}

pub(super) fn flip_rules(world: &mut World) -> Result<()> {
    let new = world.host.etc().join("new");
    for _ in 0..FLIPS {
        let rules = world.other_rules();
        fs::write(&new, rules.text())?;
        world.situation().history.write(rules, Instant::now());
        fs::rename(&new, world.host.rules())?;
        std::thread::sleep(Duration::from_millis(world.rng.u64(0..150)));
    }
    Ok(())
}

pub(super) fn break_rules(world: &mut World) -> Result<()> {
    world.host.write_rules("*:\n  all = 1\n  intervall = 0\n")
}

pub(super) fn remove_rules(world: &mut World) -> Result<()> {
    Ok(fs::remove_file(world.host.rules())?)
}
