//! Only one daemon may use a socket directory. QEMU serves one client; the `connect` of a second
//! one succeeds, and then it waits for ever.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::{AsRawFd as _, OwnedFd};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, OFlags, flock};

use crate::system::file_error::FileError;

/// The lock, held until it is dropped. The kernel releases it when the process ends, however it
/// ends.
#[derive(Debug)]
pub(crate) struct DirLock {
    directory: File,
}

/// Why the directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// It does not exist.
    #[error("{path}: no such directory: make it with `{}`", remedy(.0), path = .0.display())]
    Missing(PathBuf),
    /// Something else has its path.
    #[error("{path}: is not a directory: remove it, and make the directory with `{}`", remedy(.0), path = .0.display())]
    NotADirectory(PathBuf),
    /// It belongs to another user.
    #[error("{path}: permission denied: hostinfod's user has to own it: `{}`", remedy(.0), path = .0.display())]
    Denied(PathBuf),
    /// It could not be opened.
    #[error(transparent)]
    Unreachable(FileError),
    /// Another process has locked it: `hostinfod (PID 123)`.
    #[error("{path} is already served by {holder}: end that first, or serve another directory", path = .path.display())]
    Held {
        /// The directory.
        path: PathBuf,
        /// Its name and number.
        holder: String,
    },
    /// It is locked, and whoever did that has ended or cannot be seen. The lock is that of the open file, flock(2), and lasts
    /// until all have closed it that have it from the process that took it.
    #[error(
        "{path} is locked, but the process that locked it has ended or is hidden: run `fuser -v {path}` as root, end the \
         process that has it open (f), or serve another directory",
        path = .0.display()
    )]
    Passed(PathBuf),
}

impl Error {
    /// Whether only an administrator can mend it. A daemon that has the directory may be about to
    /// end.
    pub(crate) fn is_final(&self) -> bool {
        match self {
            Self::Missing(_) | Self::NotADirectory(_) | Self::Denied(_) => true,
            Self::Unreachable(_) | Self::Held { .. } | Self::Passed(_) => false,
        }
    }

    /// As [`FileError::is_passing`].
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Unreachable(error) if error.is_passing())
    }
}

/// How to give the daemon its directory. For the service's directory, with its ACL.
fn remedy(path: &Path) -> String {
    if path == Path::new(hostinfo_domains::SOCKET_DIR) {
        return "systemd-tmpfiles --create hostinfo.conf".to_owned();
    }
    format!("install -d -m 0711 -o USER {}", path.display())
}

impl DirLock {
    /// Locks `directory` itself, flock(2): no file has to be written for that.
    ///
    /// # Errors
    /// It cannot be opened, or is locked.
    pub(crate) fn take(directory: &Path) -> Result<Self, Error> {
        // Opens only directories: opening a pipe could block, and opening a device could disturb
        // it.
        let flags = (hostinfo_file::FLAGS | OFlags::DIRECTORY).bits().cast_signed();
        let opened = match OpenOptions::new().read(true).custom_flags(flags).open(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return Err(Error::Missing(directory.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::NotADirectory => {
                return Err(Error::NotADirectory(directory.into()));
            }
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {
                return Err(Error::Denied(directory.into()));
            }
            other => other.map_err(FileError::of(directory)).map_err(Error::Unreachable)?,
        };
        match flock(&opened, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { directory: opened }),
            Err(rustix::io::Errno::WOULDBLOCK) => {
                let path = directory.into();
                Err(match holder(&opened) {
                    Some(holder) => Error::Held { path, holder },
                    None => Error::Passed(path),
                })
            }
            Err(error) => Err(Error::Unreachable(FileError::of(directory)(error))),
        }
    }

    /// Goes on with a lock that another program took; `None` if that is of another directory by now.
    pub(crate) fn taken_over(fd: OwnedFd, path: &Path) -> Option<Self> {
        let lock = Self { directory: fd.into() };
        lock.is_of(path).then_some(lock)
    }

    /// Whether the path still leads to the locked directory.
    pub(crate) fn is_of(&self, path: &Path) -> bool {
        let identity = |metadata: fs::Metadata| (metadata.dev(), metadata.ino());
        let ours = self.directory.metadata().map(identity).ok();
        ours.is_some() && ours == fs::metadata(path).map(identity).ok()
    }
}

impl AsRef<File> for DirLock {
    fn as_ref(&self) -> &File {
        &self.directory
    }
}

/// The process that took the lock, if it still runs. `/proc/locks` names it also after its end, while another has the lock
/// from it.
fn holder(directory: &File) -> Option<String> {
    let file = format!("{}:{}", device(directory)?, directory.metadata().ok()?.ino());
    let pid = holder_in(&fs::read_to_string("/proc/locks").ok()?, &file)?;
    let comm = fs::read_to_string(format!("/proc/{pid}/comm")).ok()?;
    Some(format!("{} (PID {pid})", comm.trim_end()))
}

/// The device of an open file, as `/proc/locks` shows it: that of the mount, proc_pid_mountinfo(5). For btrfs, stat(2) shows
/// another one.
fn device(file: &File) -> Option<String> {
    let about = fs::read_to_string(format!("/proc/self/fdinfo/{}", file.as_raw_fd())).ok()?;
    let mount = about.lines().find_map(|line| line.strip_prefix("mnt_id:"))?.trim();
    let mounts = fs::read_to_string("/proc/self/mountinfo").ok()?;
    let device = mounts.lines().find_map(|line| {
        let mut words = line.split(' ');
        (words.next()? == mount).then(|| words.nth(1))?
    });
    let (major, minor) = device?.split_once(':')?;
    let (major, minor): (u32, u32) = (major.parse().ok()?, minor.parse().ok()?);
    Some(format!("{major:02x}:{minor:02x}"))
}

/// The PID in the line of `/proc/locks` for a file, proc(5):
///
/// `1: FLOCK  ADVISORY  WRITE 4242 fe:00:131073 0 EOF`
fn holder_in(locks: &str, file: &str) -> Option<u32> {
    locks.lines().find_map(|line| {
        let mut words = line.split_ascii_whitespace().skip(1);
        let (kind, pid, found) = (words.next()?, words.nth(2)?, words.next()?);
        (kind == "FLOCK" && found == file).then_some(pid)?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_lock_says_who_has_the_first_one_until_that_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let first = DirLock::take(folder.path()).unwrap();
        let refused = DirLock::take(folder.path()).unwrap_err().to_string();
        assert!(refused.contains(&format!("(PID {})", std::process::id())), "{refused}");
        drop(first);
        DirLock::take(folder.path()).unwrap();
    }

    #[test]
    fn a_process_that_has_ended_is_not_named_as_the_one_that_serves_while_another_has_its_lock() {
        let folder = tempfile::tempdir().unwrap();
        // A child takes the lock and ends, and this process still has the open file.
        let shared = File::open(folder.path()).unwrap();
        let mut child = std::process::Command::new("flock");
        child.args(["--exclusive", "--nonblock", "0"]).stdin(shared.try_clone().unwrap());
        assert!(child.status().unwrap().success());
        drop(child);
        let refused = DirLock::take(folder.path()).unwrap_err();
        let said = refused.to_string();
        assert!(!refused.is_final() && !said.contains("PID"), "{said}");
        assert!(said.contains(&format!("`fuser -v {}`", folder.path().display())), "{said}");
        drop(shared);
        DirLock::take(folder.path()).unwrap();
    }

    #[test]
    fn an_error_that_an_administrator_has_to_mend_is_final_and_has_its_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let missing = DirLock::take(&folder.path().join("none")).unwrap_err();
        assert!(missing.is_final() && missing.to_string().contains("with `install -d -m 0711 -o "));
        let device = DirLock::take(Path::new("/dev/null")).unwrap_err();
        assert!(
            device.is_final() && device.to_string().contains(": is not a directory: remove it")
        );
        let denied = Error::Denied(hostinfo_domains::SOCKET_DIR.into());
        let said = denied.to_string();
        assert!(denied.is_final() && said.ends_with("`systemd-tmpfiles --create hostinfo.conf`"));
        let _first = DirLock::take(folder.path()).unwrap();
        assert!(!DirLock::take(folder.path()).unwrap_err().is_final());
    }

    #[test]
    fn the_holder_is_found_among_locks_of_other_kinds_and_of_other_file_systems() {
        let locks = "1: POSIX  ADVISORY  WRITE 1 fe:00:7 0 EOF\n1: -> FLOCK\nx\n\
                     2: FLOCK  ADVISORY  WRITE 41 00:1b:7 0 EOF\n\
                     3: FLOCK  ADVISORY  WRITE 42 fe:00:7 0 EOF\n";
        assert_eq!(holder_in(locks, "fe:00:7"), Some(42));
        assert_eq!(holder_in(locks, "fe:00:8"), None);
    }
}
