//! Faults of a real libvirtd.

use anyhow::{Result, bail};

use super::world::{Libvirt, World};
use crate::libvirtd::Libvirtd;

pub(super) fn kill(world: &mut World) -> Result<()> {
    of(world)?.crash()
}

pub(super) fn start(world: &mut World) -> Result<()> {
    of(world)?.begin("libvirtd")
}

pub(super) fn stop(world: &mut World) -> Result<()> {
    of(world)?.shell("kill -STOP $(cat /run/libvirtd.pid)").map(drop)
}

pub(super) fn go_on(world: &mut World) -> Result<()> {
    of(world)?.shell("kill -CONT $(cat /run/libvirtd.pid)").map(drop)
}

fn of(world: &World) -> Result<&Libvirtd> {
    match &world.libvirt {
        Libvirt::Real(libvirtd) => Ok(libvirtd),
        Libvirt::Fake(_) => bail!("there is no libvirtd"),
    }
}
