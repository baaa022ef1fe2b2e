//! Where a host's files are, and how they are read within limits.

use std::fs::File;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::DirEntryExt as _;
use std::path::{Path, PathBuf};

use rustix::buffer::spare_capacity;
use rustix::io::Errno;

use crate::Absent;
use crate::text::number;

/// The most read from a file of `/proc` with one figure or one line.
pub(crate) const LINE_BYTES: usize = 4096;

/// The most read from an attribute in sysfs. The kernel's own limit is a page, which has up to 64
/// KiB; a list of CPUs may be longer than a page, and 8,192 CPUs have at most 8,192 x 7 / 2 bytes.
pub(crate) const ATTRIBUTE_BYTES: usize = 64 * 1024;

/// The most read from a file whose lines do not become more with the machine or its guests: `vmstat` has 200 of 40
/// bytes.
pub(crate) const FIXED_BYTES: usize = 64 * 1024;

/// The most read from `status` of a process or a thread: 60 lines of 40 bytes, the list of 8,192 CPUs in at most
/// 8,192 x 7 / 2 bytes, and 65,536 groups (NGROUPS_MAX) of 11 bytes.
pub(crate) const STATUS_BYTES: usize = 1024 * 1024;

/// The most read from a file with a line for each CPU, disk or interface. 8,192 CPUs have 8,192 x
/// 110 bytes in `stat`, and an `intr` line of some 500,000 zeros; 10,000 guests have 10,000 x 130
/// bytes of taps in `net/dev`.
pub(crate) const TABLE_BYTES: usize = 4 * 1024 * 1024;

/// Where to find a host's kernel files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roots {
    /// procfs.
    pub proc: PathBuf,
    /// sysfs.
    pub sys: PathBuf,
}

impl Default for Roots {
    fn default() -> Self {
        Self { proc: "/proc".into(), sys: "/sys".into() }
    }
}

/// A file that could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{}: {error}", path.display())]
pub(crate) struct Unread {
    pub(crate) path: PathBuf,
    pub(crate) error: io::Error,
}

impl Unread {
    /// Whether there is no such file, or nothing behind it.
    pub(crate) fn is_not_there(&self) -> bool {
        // Files of a feature that was turned off at boot sometimes exist and report that when read.
        // So do files of a process that ended, if they were opened before.
        const NOT_THERE: [Errno; 6] =
            [Errno::NOENT, Errno::NOTDIR, Errno::OPNOTSUPP, Errno::NODEV, Errno::NXIO, Errno::SRCH];
        Errno::from_io_error(&self.error).is_some_and(|errno| NOT_THERE.contains(&errno))
    }

    /// Whether this user may not read it.
    pub(crate) fn is_denied(&self) -> bool {
        self.error.kind() == io::ErrorKind::PermissionDenied
    }

    /// `lack` if this kernel has no such file; otherwise, that it could not be read.
    pub(crate) fn or(&self, lack: Absent) -> Absent {
        let lack = if self.is_not_there() { lack } else { Absent::UNREAD };
        lack.because(self)
    }
}

impl Roots {
    /// All of a file below `/proc`, in `buffer`. A file over `bound` bytes is an error: its last
    /// figure would be cut off and wrong.
    pub(crate) fn proc<'b>(
        &self,
        file: &str,
        bound: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        read_whole(self.proc.join(file), bound, buffer)
    }

    /// The first `bound` bytes of a file below `/proc`, in `buffer`.
    pub(crate) fn proc_head<'b>(
        &self,
        file: &str,
        bound: usize,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        let path = self.proc.join(file);
        match read_file(&path, bound, buffer) {
            Ok(_) => Ok(buffer),
            Err(error) => Err(Unread { path, error }),
        }
    }

    /// An attribute below `/sys`, in `buffer`.
    pub(crate) fn sys<'b>(
        &self,
        file: impl AsRef<Path>,
        buffer: &'b mut Vec<u8>,
    ) -> Result<&'b [u8], Unread> {
        read_whole(self.sys.join(file), ATTRIBUTE_BYTES, buffer)
    }

    /// Whether the host's sysfs is visible.
    pub(crate) fn has_sys(&self) -> bool {
        self.sys.join("devices/system/cpu").is_dir()
    }

    /// Where cgroups are mounted.
    pub(crate) fn cgroups(&self) -> PathBuf {
        self.sys.join("fs/cgroup")
    }
}

/// An entry of a folder, such as `task/4242` or `vcpu0`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Numbered {
    pub(crate) number: u32,
    pub(crate) inode: u64,
}

/// For each entry that [`numbered`] may find, how many others it passes by: libvirt makes cgroups of two names, and each has
/// up to a hundred files.
const OTHERS: usize = 4;

/// The entries whose names are `prefix` and a number. More than `bound` entries are an error, and so are too many others.
pub(crate) fn numbered(path: PathBuf, prefix: &str, bound: usize) -> Result<Vec<Numbered>, Unread> {
    match read_numbered(&path, prefix, bound) {
        Ok(entries) => Ok(entries),
        Err(error) => Err(Unread { path, error }),
    }
}

fn read_numbered(path: &Path, prefix: &str, bound: usize) -> io::Result<Vec<Numbered>> {
    let (mut entries, mut others) = (Vec::new(), OTHERS.saturating_mul(bound));
    let too_many = || io::Error::other(format!("more than {bound} entries"));
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        let name = entry.file_name();
        let digits = name.as_bytes().strip_prefix(prefix.as_bytes());
        let Some(number) = digits.and_then(number).and_then(|n| u32::try_from(n).ok()) else {
            others = others.checked_sub(1).ok_or_else(too_many)?;
            continue;
        };
        if entries.len() == bound {
            return Err(too_many());
        }
        entries.push(Numbered { number, inode: entry.ino() });
    }
    Ok(entries)
}

fn read_whole(path: PathBuf, bound: usize, buffer: &mut Vec<u8>) -> Result<&[u8], Unread> {
    match read_file(&path, bound.saturating_add(1), buffer) {
        Ok(_) => within(bound, path, buffer),
        Err(error) => Err(Unread { path, error }),
    }
}

/// What was read of a file up to a byte over its bound, if that is the whole file.
pub(crate) fn within(bound: usize, path: PathBuf, buffer: &[u8]) -> Result<&[u8], Unread> {
    if buffer.len() <= bound {
        return Ok(buffer);
    }
    let error = io::Error::other(format!("longer than {bound} bytes"));
    Err(Unread { path, error })
}

/// The first `most` bytes of a file, in `buffer`, and the file.
pub(crate) fn read_file(path: &Path, most: usize, buffer: &mut Vec<u8>) -> io::Result<File> {
    let file = File::open(path)?;
    read_from_start(&file, most, buffer)?;
    Ok(file)
}

/// The first `most` bytes of a file that is open, in `buffer`. Most files take one system call: another one, to
/// be told that this was the end, would take as long again.
pub(crate) fn read_from_start(file: &File, most: usize, buffer: &mut Vec<u8>) -> io::Result<()> {
    buffer.clear();
    while buffer.len() < most {
        buffer.reserve(LINE_BYTES);
        let offset = u64::try_from(buffer.len()).unwrap_or(u64::MAX);
        let read = match rustix::io::pread(file, spare_capacity(buffer), offset) {
            Err(Errno::INTR) => continue,
            read => read?,
        };
        if read < SURELY_MORE {
            break;
        }
    }
    buffer.truncate(most);
    Ok(())
}

/// If a file has more to read, the kernel returns at least this much at a time. A plain file fills all that was
/// asked for. A file of the kernel's own fills a page of 4,096 bytes or what is left, and leaves out only what does
/// not fit whole (`fs/seq_file.c`), such as a process's number or a CPU's part of `cpuinfo`: of several that fit
/// into a page together at least half of it, of larger ones at least one.
const SURELY_MORE: usize = 2048;

#[cfg(test)]
mod tests {
    use super::*;

    const LACK: Absent = Absent::new("this host has none", "get one");

    #[test]
    fn a_file_that_this_kernel_does_not_have_is_a_lack() {
        for errno in [Errno::NOENT, Errno::OPNOTSUPP] {
            let unread = Unread { path: "/proc/pressure/cpu".into(), error: errno.into() };
            let absent = unread.or(LACK);
            assert_eq!(absent.reason, LACK.reason);
            let advice = absent.advice().unwrap();
            assert!(
                advice.starts_with("this host has none: get one (/proc/pressure/cpu: "),
                "{advice}"
            );
        }
    }

    #[test]
    fn a_file_that_cannot_be_read_tells_the_guest_neither_path_nor_error() {
        let unread = Unread { path: "/proc/stat".into(), error: Errno::ACCESS.into() };
        let absent = unread.or(LACK);
        assert_eq!(absent.reason, "could not be read on this host");
        let advice = absent.advice().unwrap();
        assert!(advice.contains("/proc/stat: Permission denied"), "{advice}");
    }

    #[test]
    fn entries_with_numbers_are_listed_up_to_a_bound() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["vcpu0", "vcpu12", "vcpu", "vcpux", "emulator", "vcpu99999999999"] {
            std::fs::create_dir(folder.path().join(name)).unwrap();
        }
        let list = |bound| numbered(folder.path().into(), "vcpu", bound);
        let mut numbers: Vec<u32> = list(2).unwrap().iter().map(|entry| entry.number).collect();
        numbers.sort_unstable();
        assert_eq!(numbers, [0, 12]);
        assert!(list(1).is_err());
        assert!(numbered(folder.path().join("none"), "", 1).unwrap_err().is_not_there());
    }

    #[test]
    fn a_file_of_many_pages_is_read_whole() {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots { proc: folder.path().into(), sys: folder.path().into() };
        for length in [0, 1, SURELY_MORE, LINE_BYTES, 3 * LINE_BYTES + 5] {
            let text = vec![b'x'; length];
            std::fs::write(folder.path().join("f"), &text).unwrap();
            assert_eq!(roots.proc("f", FIXED_BYTES, &mut Vec::new()).unwrap(), text);
        }
    }

    #[test]
    fn a_file_over_its_bound_is_not_read_in_part() {
        let folder = tempfile::tempdir().unwrap();
        let roots = Roots { proc: folder.path().into(), sys: folder.path().into() };
        std::fs::write(folder.path().join("f"), "123456").unwrap();
        let mut buffer = Vec::new();
        assert_eq!(roots.proc("f", 6, &mut buffer).unwrap(), b"123456");
        assert!(roots.proc("f", 5, &mut buffer).is_err());
        assert_eq!(roots.proc_head("f", 5, &mut buffer).unwrap(), b"12345");
        assert!(roots.proc("", 5, &mut buffer).is_err(), "a folder is no file");
    }
}
