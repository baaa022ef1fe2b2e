//! Faults of the host: a full disk.

use std::fs::File;
use std::io::Write as _;

use anyhow::Result;
use hostinfo_control::NoticeKind;

use super::world::World;

/// What takes all the room.
const FILLER: &str = "filler";

/// Fills the disk, and has the administrator tell guests something that cannot be kept.
pub(super) fn fill_disk(world: &mut World) -> Result<()> {
    let mut file = File::create(world.state()?.join(FILLER))?;
    while file.write_all(&[0; 4096]).is_ok() {}
    while file.write_all(&[0]).is_ok() {}
    // The daemon may be away, as another fault has it.
    if let Ok(mut client) = world.host.client()
        && let Ok(set) =
            client.set_notice("nobody-*", NoticeKind::Info, &"x".repeat(200), None, None)
    {
        world.situation().breach(format!("a notice is kept on a full disk: {set:?}"));
    }
    Ok(())
}

pub(super) fn empty_disk(world: &mut World) -> Result<()> {
    std::fs::remove_file(world.state()?.join(FILLER))?;
    Ok(())
}
