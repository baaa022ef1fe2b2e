//! Devices in sysfs: what disks and interfaces have in common.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use crate::Roots;
use crate::root::TABLE_BYTES;
use crate::text::only_number;

/// Names in a folder of sysfs: as many devices as `net/dev` or `diskstats` can have within [`TABLE_BYTES`]. The
/// shortest line is that of a disk that never did anything, before Linux 4.18: 39 bytes.
const NAMES_MAX: usize = TABLE_BYTES / 39;

/// A folder of sysfs with the devices of one kind, such as `class/net`.
pub(crate) struct Folder<'a> {
    roots: &'a Roots,
    path: &'static str,
    buffer: Vec<u8>,
}

impl<'a> Folder<'a> {
    pub(crate) fn new(roots: &'a Roots, path: &'static str) -> Self {
        Self { roots, path, buffer: Vec::new() }
    }

    /// The inode of each name; sysfs never gives two devices the same one. Empty if the folder
    /// cannot be read.
    pub(crate) fn inodes(&self) -> HashMap<Vec<u8>, u64> {
        let Ok(entries) = self.roots.sys.join(self.path).read_dir() else { return HashMap::new() };
        let entries = entries.take(NAMES_MAX).filter_map(Result::ok);
        entries.map(|entry| (in_proc(entry.file_name().into_vec()), entry.ino())).collect()
    }

    /// The folder, below `/sys`, of a device that is backed by hardware. Guests' taps, bridges,
    /// bonds, loops, dm, md and partitions are not.
    pub(crate) fn hardware(&self, name: &[u8]) -> Option<PathBuf> {
        let path = self.device(name)?;
        // `device` links to the hardware; it is enough to know that the link exists.
        self.has(path.join("device")).then_some(path)
    }

    /// The folder of a device, below `/sys`.
    pub(crate) fn device(&self, name: &[u8]) -> Option<PathBuf> {
        if name.is_empty() || name == b"." || name == b".." {
            return None;
        }
        let name: Vec<u8> =
            name.iter().map(|byte| if *byte == b'/' { b'!' } else { *byte }).collect();
        Some(Path::new(self.path).join(OsStr::from_bytes(&name)))
    }

    pub(crate) fn has(&self, path: impl AsRef<Path>) -> bool {
        self.roots.sys.join(path).symlink_metadata().is_ok()
    }

    /// The text of a file, without surrounding blanks. `None` if it is empty or cannot be read.
    pub(crate) fn text(&mut self, path: impl AsRef<Path>) -> Option<&[u8]> {
        let text = self.roots.sys(path, &mut self.buffer).ok()?.trim_ascii();
        (!text.is_empty()).then_some(text)
    }

    pub(crate) fn number(&mut self, path: impl AsRef<Path>) -> Option<u64> {
        self.text(path).and_then(only_number)
    }

    /// The last part of a link's target.
    pub(crate) fn target(&self, path: impl AsRef<Path>) -> Option<Vec<u8>> {
        let target = self.roots.sys.join(path).read_link().ok()?;
        Some(target.file_name()?.as_bytes().to_owned())
    }

    /// The path a link resolves to.
    pub(crate) fn place(&self, path: impl AsRef<Path>) -> Option<PathBuf> {
        self.roots.sys.join(path).canonicalize().ok()
    }

    /// The names in another folder of sysfs.
    pub(crate) fn names(&self, path: impl AsRef<Path>) -> Vec<PathBuf> {
        let Ok(entries) = self.roots.sys.join(path).read_dir() else { return Vec::new() };
        let entries = entries.take(NAMES_MAX).filter_map(Result::ok);
        entries.map(|entry| PathBuf::from(entry.file_name())).collect()
    }
}

/// A slash in a device's name (`cciss/c0d0`) is a `!` in sysfs.
fn in_proc(mut name: Vec<u8>) -> Vec<u8> {
    name.iter_mut().filter(|byte| **byte == b'!').for_each(|byte| *byte = b'/');
    name
}
