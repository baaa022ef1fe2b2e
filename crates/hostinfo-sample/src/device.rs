//! Whether a disk or an interface is a piece of hardware.

use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use crate::Roots;

/// The folder of a device in a folder of sysfs (`block`, `class/net`), where it is backed by
/// hardware: not for loops, dm, md, partitions, bridges, bonds and guests' taps.
pub(crate) fn hardware(roots: &Roots, folder: &str, name: &[u8]) -> Option<PathBuf> {
    // A slash in a device's name (`cciss/c0d0`) is a `!` in its path.
    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'/' { b'!' } else { *byte }).collect();
    if name.is_empty() || name == b"." || name == b".." {
        return None;
    }
    let path = Path::new(folder).join(OsStr::from_bytes(&name));
    // `device` is a link to the hardware, which is all that has to be known of it.
    roots.sys.join(&path).join("device").symlink_metadata().is_ok().then_some(path)
}
