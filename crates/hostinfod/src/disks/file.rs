//! The file of a metrics disk.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use hostinfo_render::disk::{self, Disk, Step};
use rustix::fs::{FallocateFlags, OFlags};
use rustix::io::Errno;

use crate::system::file_error::FileError;

/// A file that is open, and what was written to it last.
pub(super) type Open = (File, Disk);

/// Writes a document to a disk. Opens its file if it is not open, and creates it if there is none.
///
/// # Errors
/// The system's error, with the file. The disk is then empty, as far as anything can be
/// written.
pub(super) fn write(before: Option<Open>, path: &Path, document: &str) -> Result<Open, FileError> {
    let (file, mut disk) = match before {
        Some(before) => before,
        None => (open(path).map_err(FileError::of_writing(path))?, Disk::new()),
    };
    let put = |step: &Step| file.write_all_at(&step.bytes, step.offset);
    let written = reserve(&file).and_then(|()| update(&mut disk, document, put));
    match written {
        Ok(()) => Ok((file, disk)),
        Err(error) => {
            for step in disk.give_up() {
                let _ = put(&step);
            }
            Err(FileError::of(path)(error))
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
fn open(path: &Path) -> io::Result<File> {
    if let Some(directory) = path.parent() {
        hostinfo_file::make_directory(directory, 0o711)?;
    }
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
    use crate::disks::tests::content;
    use crate::system::mounts::{mount_tmpfs, with_own_mounts};
    use hostinfo_render::vhostmd::EMPTY;
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use std::os::unix::fs::symlink;

    #[test]
    fn a_disk_shows_what_was_written_last_and_qemu_may_read_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("disk/qemu-a");
        let mut open = None;
        for text in ["<metrics>\n<a>\n</metrics>\n\n", EMPTY] {
            open = Some(write(open, &path, text).unwrap());
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
        write(None, &directory.join("qemu-a"), EMPTY).unwrap();
        assert_eq!(std::fs::metadata(&directory).unwrap().permissions().mode() & 0o777, 0o710);
    }

    #[test]
    fn on_a_full_file_system_a_disk_shows_nothing_and_keeps_no_reader_waiting() {
        with_own_mounts(|| {
            let folder = tempfile::tempdir().unwrap();
            mount_tmpfs(folder.path(), Some("size=400k"));
            let place = |name: &str| folder.path().join("disk").join(name);
            std::fs::create_dir(folder.path().join("disk")).unwrap();
            // Sparse, as older versions of hostinfod left it, and in the middle of a write.
            std::fs::write(place("qemu-old"), b"mvbd\0\0\0\x01secret").unwrap();
            let text = format!("<metrics>\n{}</metrics>\n\n", "<a/>\n".repeat(30_000));
            let good = write(None, &place("qemu-good"), &text).unwrap();
            for name in ["qemu-old", "qemu-new"] {
                let error = write(None, &place(name), &text).unwrap_err().to_string();
                assert!(error.ends_with("make room on that file system"), "{error}");
                assert_eq!(content(&place(name)).trim_end(), EMPTY.trim_end());
            }
            std::fs::write(folder.path().join("rest"), vec![0; 400 << 10]).unwrap_err();
            let good = write(Some(good), &place("qemu-good"), EMPTY).unwrap();
            write(Some(good), &place("qemu-good"), &text).unwrap();
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
        for name in ["qemu-folder", "qemu-link", "qemu-pipe", "qemu-read"] {
            let error = write(None, &place(name), EMPTY).unwrap_err().to_string();
            assert!(error.ends_with("is not a regular file: remove it"), "{name}: {error}");
        }
        assert_eq!(std::fs::read_to_string(&aim).unwrap(), "x");
    }
}
