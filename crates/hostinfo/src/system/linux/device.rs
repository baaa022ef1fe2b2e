//! A serial port or a virtio channel.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::{FileType, FlockOperation, Mode, OFlags};
use rustix::io::Errno;
use rustix::termios;

use crate::blame::is_console;
use crate::others::Others;
use crate::port::{OpenError, Port};
use crate::system::linux::look::{Node, look};
use crate::system::linux::{copies, fd, kind, raw, signal};

/// An open port. A tty is in raw mode as long as this value lives.
pub(super) struct Device {
    device: OwnedFd,
    /// A channel has one reader and one writer, and no settings to restore.
    tty: Option<Tty>,
}

/// What a tty has in addition to a channel.
struct Tty {
    /// The devices that lead to it.
    devices: Vec<Node>,
}

/// The time between two checks of a busy port: an answer takes milliseconds.
const BUSY_PAUSE: Duration = Duration::from_millis(50);

/// The time between two looks for others: a program that only opened the port to check whether it
/// is free has closed it by then.
const SECOND_LOOK: Duration = Duration::from_millis(20);

/// Which other programs have one of the devices open.
fn others(devices: &[Node]) -> Others {
    look(Path::new("/proc"), std::process::id(), devices)
}

/// A port that others have. Where `/proc` hides who, a broker that runs may be the one.
fn busy(seen: Others) -> OpenError {
    let is_hidden = seen.is_partial && seen.holders.is_empty();
    match is_hidden.then(|| copies(&["serve"]).broker().cloned()).flatten() {
        Some(broker) => OpenError::PerhapsBrokers(broker),
        None => OpenError::Busy(seen),
    }
}

impl Device {
    /// Opens a port that no other program has open. If one has, tries again for `timeout`.
    ///
    /// # Errors
    /// [`OpenError`].
    pub(super) fn open(path: &Path, timeout: Duration) -> Result<Self, OpenError> {
        let deadline = Instant::now() + timeout;
        let (mut seen, mut has_looked) = (Others::default(), false);
        loop {
            // Opening it would make it look busy to others.
            let tried = match is_locked(path) {
                true => Err(OpenError::Busy(Others::default())),
                false => Self::try_open(path),
            };
            match tried {
                Err(OpenError::Busy(others)) => {
                    seen.add(others);
                    let is_over = Instant::now() >= deadline;
                    if is_over || !has_looked {
                        seen.add(others_on(path));
                        has_looked = true;
                    }
                    // A broker does not leave the port: waiting for that would be in vain.
                    if is_over || seen.broker().is_some() {
                        return Err(busy(seen));
                    }
                    std::thread::sleep(BUSY_PAUSE);
                }
                done => return done,
            }
        }
    }

    fn try_open(path: &Path) -> Result<Self, OpenError> {
        if let Ok(status) = rustix::fs::stat(path) {
            let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
            kind::check(&status, Path::new("/sys"), &stat, &kind::stdio())?;
        }
        // NONBLOCK: otherwise opening a serial port waits for a carrier.
        let flags = OFlags::RDWR | OFlags::NOCTTY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let device = rustix::fs::open(path, flags, Mode::empty()).map_err(|error| match error {
            Errno::NOENT | Errno::NOTDIR | Errno::NXIO | Errno::NODEV => OpenError::Missing,
            // /dev/ttyS1 without a UART, opened as a user; root gets the error from tcgetattr.
            Errno::IO => OpenError::NoHardware,
            // A virtio channel that is already open, or a tty under TIOCEXCL.
            Errno::BUSY => OpenError::Busy(Others::default()),
            Errno::ISDIR => OpenError::NotAPort,
            Errno::ACCESS | Errno::PERM => OpenError::Denied(remedy(path)),
            other => other.into(),
        })?;
        let status = rustix::fs::fstat(&device)?;
        if FileType::from_raw_mode(status.st_mode) != FileType::CharacterDevice {
            return Err(OpenError::NotAPort);
        }
        let node = Node::new(status.st_rdev, status.st_dev);
        // TIOCEXCL would keep out everybody else until the last close, whereas the kernel releases
        // this lock if a program dies.
        rustix::fs::flock(&device, FlockOperation::NonBlockingLockExclusive).map_err(|error| {
            if error == Errno::WOULDBLOCK {
                OpenError::Busy(Others::default())
            } else {
                error.into()
            }
        })?;
        let found = match termios::tcgetattr(&device) {
            Ok(found) => found,
            Err(Errno::IO) => return Err(OpenError::NoHardware),
            Err(_) => return Ok(Self { device, tty: None }),
        };
        // A program that does not know about the lock would get part of the answer, or be answered
        // in between.
        let others = rivals(&[node]);
        if !others.holders.is_empty() {
            return Err(OpenError::Busy(others));
        }
        // Without handlers, a signal leaves the port raw, which does no harm to hostinfo.
        let _ = signal::restore_port_on_end();
        raw::make_raw(&device, found)?;
        Ok(Self { device, tty: Some(Tty { devices: devices(path, node) }) })
    }
}

impl Port for Device {
    fn read(&mut self, buffer: &mut [u8], until: Instant) -> io::Result<usize> {
        fd::read(&self.device, buffer, until)
    }

    fn write(&mut self, bytes: &[u8], until: Instant) -> io::Result<()> {
        fd::write(&self.device, bytes, until)
    }

    fn others(&mut self) -> Others {
        let Some(tty) = &self.tty else { return Others::default() };
        rivals(&tty.devices)
    }

    fn descriptor(&self) -> Option<OwnedFd> {
        self.device.try_clone().ok()
    }

    fn hold(&mut self) {
        if self.tty.is_some() {
            // Root can open it anyway: tty_ioctl(2).
            let _ = termios::ioctl_tiocexcl(&self.device);
        }
    }
}

impl Drop for Device {
    fn drop(&mut self) {
        if self.tty.is_some() {
            raw::restore();
        }
    }
}

/// Which other programs have one of the devices open for longer than it takes to check whether it
/// is free.
fn rivals(devices: &[Node]) -> Others {
    let first = others(devices);
    if first.holders.is_empty() {
        return first;
    }
    std::thread::sleep(SECOND_LOOK);
    first.still_seen_in(&others(devices))
}

/// Whether a program has locked the device at `path`, as far as that is visible.
fn is_locked(path: &Path) -> bool {
    let locks = std::fs::read_to_string("/proc/locks").unwrap_or_default();
    rustix::fs::stat(path).is_ok_and(|status| has_lock(&locks, status.st_dev, status.st_ino))
}

/// Whether one program holds an exclusive lock on a file, from /proc/locks (proc_locks(5)):
///
/// ```text
/// 1: FLOCK  ADVISORY  WRITE 1207 00:06:104 0 EOF
/// ```
fn has_lock(locks: &str, device: u64, inode: u64) -> bool {
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    let file = format!("{major:02x}:{minor:02x}:{inode}");
    locks.lines().any(|line| {
        let words: Vec<&str> = line.split_whitespace().collect();
        matches!(words.as_slice(), [_, "FLOCK", _, "WRITE", _, of, ..] if *of == file)
    })
}

/// Which other programs have the device at `path` open.
pub(crate) fn others_on(path: &Path) -> Others {
    match rustix::fs::stat(path) {
        Ok(status) => others(&devices(path, Node::new(status.st_rdev, status.st_dev))),
        Err(_) => Others::default(),
    }
}

/// The devices that lead to that one: itself, and /dev/console if that tty is it.
fn devices(path: &Path, own: Node) -> Vec<Node> {
    if is_console(path) { vec![own, Node::new(rustix::fs::makedev(5, 1), 0)] } else { vec![own] }
}

/// How a user gets access to a device.
fn remedy(path: &Path) -> String {
    let Ok(status) = rustix::fs::stat(path) else { return "use sudo".to_owned() };
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    match group_that_may(status.st_mode, status.st_gid, &groups) {
        Some(group) => format!("use sudo, or join the group {group} (usermod -aG {group} USER)"),
        None => "use sudo".to_owned(),
    }
}

/// The name of a group other than root's whose members may read and write the device.
///
/// `groups` are lines of /etc/group: `dialout:x:20:someone,another`
fn group_that_may(mode: u32, gid: u32, groups: &str) -> Option<&str> {
    const READ_AND_WRITE: u32 = 0o060;
    if mode & READ_AND_WRITE != READ_AND_WRITE || gid == 0 {
        return None;
    }
    groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let name = fields.next()?;
        (fields.nth(1)?.parse() == Ok(gid)).then_some(name)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUPS: &str = "root:x:0:\nbroken\ndialout:x:20:someone,another\n";

    #[test]
    fn a_user_is_told_to_join_a_group_only_if_that_would_help() {
        assert_eq!(group_that_may(0o020_660, 20, GROUPS), Some("dialout"));
        assert_eq!(group_that_may(0o020_640, 20, GROUPS), None);
        assert_eq!(group_that_may(0o020_600, 0, GROUPS), None);
        assert_eq!(group_that_may(0o020_660, 0, GROUPS), None);
        assert_eq!(group_that_may(0o020_660, 21, GROUPS), None);
    }

    #[test]
    fn a_lock_on_the_port_is_seen_without_opening_it() {
        let locks = "1: FLOCK  ADVISORY  WRITE 1207 00:06:104 0 EOF\n\
                     2: POSIX  ADVISORY  WRITE 1 00:06:105 0 EOF\n\
                     3: FLOCK  ADVISORY  READ  1 00:06:106 0 EOF\n2: -> FLOCK\n";
        let device = rustix::fs::makedev(0, 6);
        assert!(has_lock(locks, device, 104));
        for inode in [105, 106, 10] {
            assert!(!has_lock(locks, device, inode), "{inode}");
        }
        assert!(!has_lock(locks, rustix::fs::makedev(1, 6), 104));

        let file = tempfile::NamedTempFile::new().unwrap();
        assert!(!is_locked(file.path()));
        rustix::fs::flock(file.as_file(), FlockOperation::LockExclusive).unwrap();
        assert!(is_locked(file.path()), "the kernel writes it so");
    }

    #[test]
    fn a_file_or_a_folder_is_not_written_to() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "kept").unwrap();
        for path in [folder.path(), &file] {
            let opened = Device::open(path, Duration::ZERO);
            assert!(matches!(opened, Err(OpenError::NotAPort)), "{}", path.display());
        }
        let below = Device::open(&file.join("port"), Duration::ZERO);
        assert!(matches!(below, Err(OpenError::Missing)));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "kept");
    }
}
