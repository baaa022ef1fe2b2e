//! Finds other programs that have a device open: proc(5), /proc/PID/fd.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, PermissionsExt as _};
use std::path::Path;

use crate::others::{Holder, Others};
use crate::system::linux::processes::{Found, find, name, with_command};

/// The command of a broker: see [`Others::broker`].
const BROKERS_COMMAND: &str = "serve";

/// Most files of one process that are looked at: 0.1 s, at 20 us for each. A server with more does not use a serial port.
const FILES_MAX: usize = 4096;

/// A device, as stat(2) tells it from others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node {
    /// Its number (`st_rdev`).
    number: u64,
    /// The file system of a pseudo-terminal (`st_dev`): in each container, their numbers begin at 0
    /// again.
    devpts: Option<u64>,
}

impl Node {
    /// From `st_rdev` and `st_dev`.
    pub(super) fn new(number: u64, file_system: u64) -> Self {
        let pts = pts(number);
        Self { number, devpts: pts.map(|_| file_system) }
    }
}

/// The number of a pseudo-terminal among its kind.
fn pts(number: u64) -> Option<u32> {
    /// The number of the first of them, and how many minor numbers each has (devices.txt).
    const PTS_MAJOR: u32 = 136;
    const PTS_MINORS: u32 = 1 << 20;
    let (major, minor) = (rustix::fs::major(number), rustix::fs::minor(number));
    (major == PTS_MAJOR && minor < PTS_MINORS).then_some(minor)
}

/// Finds the programs that have one of `devices` open, other than the process `own` and its
/// ancestors: a shell that has opened the port, as in the README, waits while the program it
/// started runs. A process that holds the other end of a pseudo-terminal is the host itself
/// (`hostinfod --pty`), so it does not count either.
///
/// `proc` is the mount point of proc(5).
pub(super) fn look(proc: &Path, own: u32, devices: &[Node]) -> Others {
    let called = name(&proc.join(own.to_string()));
    let name = |process: &Path| match name(process) {
        name if name == called => with_command(&name, process, &[BROKERS_COMMAND]).unwrap_or(name),
        name => name,
    };
    find(proc, own, |pid, process| match Access::to(process, devices) {
        Some(Access::None) => Found::Nothing,
        Some(_) if is_at_other_end(process, devices) => Found::Nothing,
        Some(access) => {
            Found::Holder(Holder { pid, name: name(process), reads: access == Access::Reads })
        }
        None => Found::Unseen,
    })
}

/// How a process can use a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Access {
    None,
    Writes,
    Reads,
}

impl Access {
    /// `None` if this program may not inspect the process, or has not seen all of its files.
    fn to(process: &Path, devices: &[Node]) -> Option<Self> {
        let mut files = match fs::read_dir(process.join("fd")) {
            Ok(files) => files.flatten(),
            // It has ended in the meantime.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Some(Self::None),
            Err(_) => return None,
        };
        let looked_at = files.by_ref().take(FILES_MAX);
        match looked_at.map(|file| Self::by(&file.path(), devices)).max() {
            None | Some(Self::None) if files.next().is_some() => None,
            access => Some(access.unwrap_or(Self::None)),
        }
    }

    /// From one of its open files. The link has the same read and write permissions as the open
    /// file: none if that is only a place to which the process may not have access (`O_PATH`, open(2)).
    fn by(link: &Path, devices: &[Node]) -> Self {
        const READABLE: u32 = 0o400;
        const WRITABLE: u32 = 0o200;
        // Only devices are inspected: another file may be on a server that does not answer.
        let is_candidate = fs::read_link(link).is_ok_and(|to| to.starts_with("/dev"));
        let is_meant = is_candidate
            && fs::metadata(link).is_ok_and(|file| {
                file.file_type().is_char_device()
                    && devices.contains(&Node::new(file.rdev(), file.dev()))
            });
        match fs::symlink_metadata(link).map(|own| own.permissions().mode()) {
            Ok(mode) if is_meant && mode & READABLE != 0 => Self::Reads,
            Ok(mode) if is_meant && mode & WRITABLE != 0 => Self::Writes,
            _ => Self::None,
        }
    }
}

/// Whether the process holds the controlling end of one of the devices, which must then be a
/// pseudo-terminal.
fn is_at_other_end(process: &Path, devices: &[Node]) -> bool {
    let wanted: Vec<u32> = devices.iter().filter_map(|device| pts(device.number)).collect();
    let Ok(files) = fs::read_dir(process.join("fdinfo")) else { return false };
    !wanted.is_empty()
        && files.flatten().any(|file| {
            let info = fs::read_to_string(file.path()).unwrap_or_default();
            controlled(&info).is_some_and(|index| wanted.contains(&index))
        })
}

/// The number of the pseudo-terminal that a file controls, from /proc/PID/fdinfo/N: `tty-index:`
/// and, after a tab, `5`.
fn controlled(info: &str) -> Option<u32> {
    info.lines().find_map(|line| line.strip_prefix("tty-index:"))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::system::linux::processes::tests::proc;
    use std::fs::File;

    fn node(path: &str) -> Node {
        let meta = fs::metadata(path).unwrap();
        Node::new(meta.rdev(), meta.dev())
    }

    /// Everybody may open a device so.
    #[test]
    fn a_process_that_can_neither_read_nor_write_the_device_does_not_have_it() {
        use rustix::fs::{Mode, OFlags, open};
        let device = "/dev/full";
        for (flags, access) in [
            (OFlags::PATH, Access::None),
            (OFlags::WRONLY, Access::Writes),
            (OFlags::RDWR, Access::Reads),
        ] {
            let opened = open(device, flags | OFlags::CLOEXEC, Mode::empty()).unwrap();
            let mut other = std::process::Command::new("sleep");
            let mut other = other.arg("600").stdin(opened).spawn().unwrap();
            let process = Path::new("/proc").join(other.id().to_string());
            let found = Access::to(&process, &[node(device)]);
            other.kill().unwrap();
            other.wait().unwrap();
            assert_eq!(found, Some(access), "{flags:?}");
        }
    }

    #[test]
    fn a_process_that_has_the_device_open_is_seen_and_no_other() {
        let proc = proc(&[
            (1, 0, "/dev/zero"),
            (10, 1, "/dev/null"),
            (11, 1, "/dev/zero"),
            (12, 1, "/etc/passwd"),
            (13, 1, "socket:[1]"),
        ]);
        let seen = look(proc.path(), 99, &[node("/dev/null")]);
        let holder = Holder { pid: 10, name: "program10".to_owned(), reads: true };
        assert_eq!(seen, Others { holders: vec![holder], is_partial: false });
    }

    #[test]
    fn a_broker_that_holds_the_device_is_known_as_one() {
        let null = "/dev/null";
        let proc = proc(&[(1, 0, "/"), (10, 1, null), (11, 1, "/")]);
        for (pid, line) in [(10, "hostinfo\0serve\0"), (11, "hostinfo\0get\0serve\0")] {
            let process = proc.path().join(pid.to_string());
            fs::write(process.join("comm"), "hostinfo\n").unwrap();
            fs::write(process.join("cmdline"), line).unwrap();
        }
        let seen = look(proc.path(), 11, &[node(null)]);
        assert_eq!(seen.broker().map(|broker| broker.pid), Some(10));
        assert_eq!(look(proc.path(), 1, &[node(null)]).broker(), None, "not a copy of this one");
    }

    #[test]
    fn a_program_and_the_shells_that_it_came_from_are_no_others() {
        let null = "/dev/null";
        let proc = proc(&[(1, 0, null), (20, 1, null), (21, 20, null), (22, 21, null)]);
        let seen = look(proc.path(), 21, &[node(null)]);
        assert_eq!(seen.holders.iter().map(|holder| holder.pid).collect::<Vec<_>>(), [22]);
    }

    #[test]
    fn of_a_process_with_very_many_files_not_all_are_looked_at_and_that_is_known() {
        let proc = proc(&[(10, 1, "/etc/passwd")]);
        let files = proc.path().join("10/fd");
        for number in 100..100 + FILES_MAX {
            fs::write(files.join(number.to_string()), "").unwrap();
        }
        let seen = look(proc.path(), 99, &[node("/dev/null")]);
        assert!(seen.is_partial && seen.holders.is_empty());
        fs::remove_file(files.join("100")).unwrap();
        assert!(!look(proc.path(), 99, &[node("/dev/null")]).is_partial);
    }

    #[test]
    fn a_process_that_only_writes_is_told_from_one_that_reads() {
        let own = std::process::id();
        // An ancestor that does not exist, so that this process itself is seen.
        let writes = File::options().write(true).open("/dev/full").unwrap();
        let look = || look(Path::new("/proc"), u32::MAX, &[node("/dev/full")]);
        let own_access = |others: Others| {
            others.holders.iter().find(|holder| holder.pid == own).map(|holder| holder.reads)
        };
        // On a busy machine with many processes, a look may end before it comes to this one.
        let is_seen = |reads| (0..1000).any(|_| own_access(look()) == Some(reads));
        assert!(is_seen(false));
        let reads = File::open("/dev/full").unwrap();
        assert!(is_seen(true));
        drop((writes, reads));
        assert_eq!(own_access(look()), None);
    }

    #[test]
    fn the_holder_of_the_other_end_of_a_pseudo_terminal_is_the_host() {
        assert_eq!(controlled("pos:\t0\nflags:\t02\ntty-index:\t5\n"), Some(5));
        assert_eq!(controlled("pos:\t0\n"), None);
        let proc = proc(&[(10, 1, "/dev/null")]);
        let info = proc.path().join("10/fdinfo");
        fs::create_dir(&info).unwrap();
        fs::write(info.join("4"), "tty-index:\t5\n").unwrap();
        let process = proc.path().join("10");
        let pts = |minor| Node::new(rustix::fs::makedev(136, minor), 1);
        assert!(is_at_other_end(&process, &[pts(5)]));
        assert!(!is_at_other_end(&process, &[pts(6)]));
        assert!(
            !is_at_other_end(&process, &[Node::new(rustix::fs::makedev(4, 5), 1)]),
            "ttyS is no pts"
        );
    }

    #[test]
    fn a_pseudo_terminal_of_that_number_in_a_container_is_another_one() {
        let pts = rustix::fs::makedev(136, 5);
        assert_eq!(Node::new(pts, 1), Node::new(pts, 1));
        assert_ne!(Node::new(pts, 1), Node::new(pts, 2));
        let serial = rustix::fs::makedev(4, 65);
        assert_eq!(Node::new(serial, 1), Node::new(serial, 2), "made anew in the container's /dev");
    }

    #[test]
    fn a_proc_that_cannot_be_read_is_no_proof_of_anything() {
        let folder = tempfile::tempdir().unwrap();
        let seen = look(&folder.path().join("none"), 1, &[node("/dev/null")]);
        assert!(seen.is_partial && seen.holders.is_empty());
    }
}
