//! Metrics disks: a file for each guest whose rule says `vhostmd-disk = 1`. QEMU presents it to the
//! guest as a read-only disk. See `docs/vhostmd.md`.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, Permissions, read_dir};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use hostinfo_answer::Name;
use hostinfo_domains::DISK_DIR;
use hostinfo_render::disk::{self, Disk, Step};
use hostinfo_render::vhostmd::EMPTY;
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use crate::system::file_error::FileError;

/// The files that are kept up to date.
pub(crate) struct Disks {
    directory: PathBuf,
    files: HashMap<Box<str>, (File, Disk)>,
}

impl Disks {
    /// The disks beside the sockets.
    pub(crate) fn beside(sockets: &Path) -> Self {
        Self { directory: sockets.join(DISK_DIR), files: HashMap::new() }
    }

    /// At the start: empties the existing files until they are written again, since their guests' rules may have
    /// changed, and a busy flag left by a crash would keep a reader waiting; but not those of guests that go on.
    pub(crate) fn clear_all_but(&mut self, goes_on: impl Fn(&str) -> bool) {
        let before = read_dir(&self.directory).into_iter().flatten().flatten();
        for name in before.filter_map(|entry| entry.file_name().into_string().ok()) {
            if let Some(name) = Name::parse(&name).filter(|name| !goes_on(name.whole())) {
                self.clear(&name);
            }
        }
    }

    /// Creates a guest's disk if there is none, so that it exists when the guest starts.
    pub(crate) fn make(&mut self, name: &Name) {
        if self.directory.join(name.whole()).exists() {
            return;
        }
        if let Err(error) = self.write(name, EMPTY) {
            let guest = name.whole();
            tracing::warn!(guest, "guest {guest} has no metrics disk: {error}");
        }
        self.files.remove(name.whole());
    }

    /// Empties a guest's disk. The file remains, because a domain does not start without it.
    pub(crate) fn clear(&mut self, name: &Name) {
        if self.directory.join(name.whole()).exists()
            && let Err(error) = self.write(name, EMPTY)
        {
            tracing::warn!("{error}; the disk may still show what its guest may not see any more");
        }
        self.files.remove(name.whole());
    }

    /// Writes a document to a guest's disk, and creates the disk if there is none.
    ///
    /// # Errors
    /// The system's error, with the file. The disk is then empty, as far as anything can be
    /// written.
    pub(crate) fn write(&mut self, name: &Name, document: &str) -> Result<(), FileError> {
        let path = self.directory.join(name.whole());
        let (file, mut disk) = match self.files.remove(name.whole()) {
            Some(before) => before,
            None => (open(&self.directory, &path).map_err(FileError::of(&path))?, Disk::new()),
        };
        let put = |step: &Step| file.write_all_at(&step.bytes, step.offset);
        let written = reserve(&file).and_then(|()| update(&mut disk, document, put));
        match written {
            Ok(()) => {
                self.files.insert(name.whole().into(), (file, disk));
                Ok(())
            }
            Err(error) => {
                for step in disk.give_up() {
                    let _ = put(&step);
                }
                Err(FileError::of(&path)(error))
            }
        }
    }
}

fn update(
    disk: &mut Disk,
    document: &str,
    put: impl Fn(&Step) -> io::Result<()>,
) -> io::Result<()> {
    disk.update(document).map_err(io::Error::other)?.iter().try_for_each(put)
}

/// Reserves all blocks of the file, so that a full file system is noticed before the file is marked
/// as busy. Most file systems support that; on the others it may be noticed later.
fn reserve(file: &File) -> io::Result<()> {
    match rustix::fs::fallocate(file, FallocateFlags::empty(), 0, disk::SIZE as u64) {
        Ok(()) | Err(Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL | Errno::INTR) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// QEMU runs as another user, and must be able to read the file and to search the directory.
fn open(directory: &Path, path: &Path) -> io::Result<File> {
    hostinfo_file::make_directory(directory, 0o711)?;
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut options = OpenOptions::new();
    options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o644)
        .custom_flags(flags.bits().cast_signed());
    let refused = || io::Error::other("is not a regular file: remove it");
    let file = options.open(path).map_err(|error| match Errno::from_io_error(&error) {
        Some(Errno::LOOP | Errno::NXIO | Errno::ISDIR) => refused(),
        _ => error,
    })?;
    if !file.metadata()?.is_file() {
        return Err(refused());
    }
    // The umask or a default ACL may have removed read permission for others.
    file.set_permissions(Permissions::from_mode(0o644))?;
    file.set_len(disk::SIZE as u64)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::mounts::{mount_tmpfs, with_own_mounts};
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    fn content(path: &Path) -> String {
        let bytes = std::fs::read(path).unwrap();
        assert_eq!((bytes.len(), &bytes[..8]), (disk::SIZE, &b"mvbd\0\0\0\0"[..]), "not busy");
        String::from_utf8(bytes[16..].split(|byte| *byte == 0).next().unwrap().to_vec()).unwrap()
    }

    #[test]
    fn a_disk_shows_what_was_written_last_and_qemu_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let name = Name::parse("qemu-a").unwrap();
        let path = folder.path().join("disk/qemu-a");
        let mut disks = Disks::beside(folder.path());
        for text in ["<metrics>\n<a>\n</metrics>\n\n", EMPTY] {
            disks.write(&name, text).unwrap();
            assert_eq!(content(&path).trim_end(), text.trim_end());
        }
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!([mode(&path), mode(path.parent().unwrap())], [0o644, 0o711]);
    }

    #[test]
    fn a_directory_that_others_may_not_search_stays_so() {
        let folder = tempfile::tempdir().unwrap();
        let directory = folder.path().join("disk");
        hostinfo_file::make_directory(&directory, 0o710).unwrap();
        let mut disks = Disks::beside(folder.path());
        disks.write(&Name::parse("qemu-a").unwrap(), EMPTY).unwrap();
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o710);
    }

    #[test]
    fn a_disk_of_before_shows_nothing_and_is_not_busy() {
        let folder = tempfile::tempdir().unwrap();
        let [path, goes_on] = ["disk/qemu-a", "disk/qemu-b"].map(|path| folder.path().join(path));
        std::fs::create_dir(path.parent().unwrap()).unwrap();
        for path in [&path, &goes_on] {
            std::fs::write(path, b"mvbd\0\0\0\x01secret").unwrap();
        }
        Disks::beside(folder.path()).clear_all_but(|name| name == "qemu-b");
        assert_eq!(content(&path).trim_end(), EMPTY.trim_end());
        assert_eq!(std::fs::read(goes_on).unwrap(), b"mvbd\0\0\0\x01secret");
    }

    #[test]
    fn on_a_full_file_system_a_disk_shows_nothing_and_keeps_no_reader_waiting() {
        with_own_mounts(|| {
            let folder = tempfile::tempdir().unwrap();
            mount_tmpfs(folder.path(), Some("size=400k"));
            let place = |name: &str| folder.path().join("disk").join(name);
            let [good, old, new] =
                ["qemu-good", "qemu-old", "qemu-new"].map(|n| Name::parse(n).unwrap());
            std::fs::create_dir(folder.path().join("disk")).unwrap();
            // Sparse, as older versions of hostinfod left it, and in the middle of a write.
            std::fs::write(place("qemu-old"), b"mvbd\0\0\0\x01secret").unwrap();
            let mut disks = Disks { directory: folder.path().join("disk"), files: HashMap::new() };
            let text = format!("<metrics>\n{}</metrics>\n\n", "<a/>\n".repeat(30_000));
            disks.write(&good, &text).unwrap();
            for name in [&old, &new] {
                let error = disks.write(name, &text).unwrap_err().to_string();
                assert!(error.ends_with("make room on that file system"), "{error}");
            }
            for name in ["qemu-old", "qemu-new"] {
                assert_eq!(content(&place(name)).trim_end(), EMPTY.trim_end());
            }
            std::fs::write(folder.path().join("rest"), vec![0; 400 << 10]).unwrap_err();
            disks.write(&good, EMPTY).unwrap();
            disks.write(&good, &text).unwrap();
            assert_eq!(content(&place("qemu-good")).trim_end(), text.trim_end());
        });
    }

    #[test]
    fn a_pipe_link_or_folder_in_a_disks_place_is_neither_followed_nor_waited_for() {
        let folder = tempfile::tempdir().unwrap();
        let place = |name: &str| folder.path().join("disk").join(name);
        let aim = folder.path().join("aim");
        std::fs::write(&aim, "x").unwrap();
        std::fs::create_dir_all(place("qemu-folder")).unwrap();
        symlink(&aim, place("qemu-link")).unwrap();
        for pipe in ["qemu-pipe", "qemu-read"] {
            mknodat(CWD, place(pipe), FileType::Fifo, Mode::RWXU, 0).unwrap();
        }
        let flags = OFlags::RDONLY | OFlags::NONBLOCK;
        let _reader = rustix::fs::open(place("qemu-read"), flags, Mode::empty()).unwrap();
        let mut disks = Disks::beside(folder.path());
        for name in ["qemu-folder", "qemu-link", "qemu-pipe", "qemu-read"] {
            let error = disks.write(&Name::parse(name).unwrap(), EMPTY).unwrap_err().to_string();
            assert!(error.ends_with("is not a regular file: remove it"), "{name}: {error}");
        }
        assert_eq!(std::fs::read_to_string(&aim).unwrap(), "x");
    }
}
