//! Whether the process at the other end is hostinfod: the main process of its unit, and no command that
//! it runs, no helper, and nobody else.
//!
//! systemd puts all processes of a unit into its cgroup, and a process can leave that only as root. The
//! main one is there first.

use std::fs;
use std::os::fd::AsFd;
use std::path::Path;

use hostinfo_open::unix::has_ended;
use nix::sys::socket::{getsockopt, sockopt};

/// Why the caller is not served.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotHostinfod {
    /// The kernel does not say who it is.
    #[error("the caller cannot be seen")]
    Unseen,
    /// It has ended, or another process has its number.
    #[error("the caller, process {0}, has ended")]
    Ended(i32),
    /// It is not in the unit's cgroup.
    #[error("the caller, process {pid}, is not in {unit}")]
    Elsewhere {
        /// The caller.
        pid: i32,
        /// hostinfod's unit.
        unit: String,
    },
    /// Another process was in the unit before it.
    #[error("the caller, process {pid}, is not the main process of {unit}, but process {main} is")]
    NotMain {
        /// The caller.
        pid: i32,
        /// hostinfod's unit.
        unit: String,
        /// The process that was there first.
        main: i32,
    },
}

/// Whether the process at the other end of a connection is the main one of the unit.
///
/// # Errors
/// [`NotHostinfod`].
pub(crate) fn check(socket: impl AsFd, unit: &str, proc: &Path) -> Result<(), NotHostinfod> {
    let credentials = getsockopt(&socket, sockopt::PeerCredentials);
    let pid = credentials.map_or(0, |found| found.pid());
    if pid <= 0 {
        return Err(NotHostinfod::Unseen);
    }
    // Since Linux 6.5. Before, the process could end and another have its number and its cgroup within
    // the time that this takes; it would have to be hostinfod's next main process.
    let handle = getsockopt(&socket, sockopt::PeerPidfd).ok();
    let before = Process::read(pid, proc).ok_or(NotHostinfod::Ended(pid))?;
    let checked = before.is_main(unit, proc);
    let is_there = Process::read(pid, proc).is_some_and(|now| now.start == before.start);
    if !is_there || handle.as_ref().is_some_and(has_ended) {
        return Err(NotHostinfod::Ended(pid));
    }
    checked
}

/// A process as `/proc` shows it.
#[derive(Debug)]
struct Process {
    pid: i32,
    parent: i32,
    /// In clock ticks since the boot.
    start: u64,
    cgroup: String,
}

impl Process {
    fn read(pid: i32, proc: &Path) -> Option<Self> {
        let read = |name| fs::read_to_string(proc.join(format!("{pid}/{name}"))).ok();
        let (parent, start) = parent_and_start(&read("stat")?)?;
        let cgroup = cgroup(&read("cgroup")?)?.to_owned();
        Some(Self { pid, parent, start, cgroup })
    }

    fn is_main(&self, unit: &str, proc: &Path) -> Result<(), NotHostinfod> {
        let (pid, unit) = (self.pid, unit.to_owned());
        if !is_of_unit(&self.cgroup, &unit) {
            return Err(NotHostinfod::Elsewhere { pid, unit });
        }
        let all = fs::read_dir(proc).into_iter().flatten().flatten();
        let numbers = all.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        let others = numbers.filter_map(|number| Self::read(number, proc));
        let is_before = |other: &Self| {
            let is_older = other.start < self.start || other.pid == self.parent;
            other.pid != pid && other.cgroup == self.cgroup && is_older
        };
        match others.filter(is_before).min_by_key(|other| (other.start, other.pid)) {
            Some(Self { pid: main, .. }) => Err(NotHostinfod::NotMain { pid, unit, main }),
            None => Ok(()),
        }
    }
}

/// Fields 4 and 22 of `/proc/PID/stat`, proc(5); the name in field 2 may hold blanks and brackets.
///
/// `4242 (hostinfod) S 1 4242 4242 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 3 0 123456 1000 ...`
fn parent_and_start(stat: &str) -> Option<(i32, u64)> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_ascii_whitespace().skip(1);
    Some((fields.next()?.parse().ok()?, fields.nth(17)?.parse().ok()?))
}

/// The cgroup in which systemd has a process, of `/proc/PID/cgroup`, cgroups(7): of version 2, or of its own hierarchy
/// of version 1 where all are in the root of the former. Only root can move a process in either.
///
/// `0::/system.slice/hostinfo.service`, or `1:name=systemd:/system.slice/hostinfo.service`
fn cgroup(text: &str) -> Option<&str> {
    let of = |hierarchy: &str| {
        text.lines().find_map(|line| line.split_once(':')?.1.strip_prefix(hierarchy))
    };
    of(":").filter(|path| *path != "/").or_else(|| of("name=systemd:"))
}

/// Whether it is that of a unit of the system's manager, and not of some user's.
fn is_of_unit(cgroup: &str, unit: &str) -> bool {
    let mut segments = cgroup.split('/').filter(|segment| !segment.is_empty());
    segments.next_back() == Some(unit) && segments.all(|segment| segment.ends_with(".slice"))
}

#[cfg(test)]
mod tests {
    use super::*;

    use std::os::unix::net::UnixStream;

    const UNIT: &str = "hostinfo.service";
    const OURS: &str = "/system.slice/hostinfo.service";

    /// A process file system with processes of these numbers, parents, starts and cgroups.
    fn proc(processes: &[(i32, i32, u64, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (pid, parent, start, cgroup) in processes {
            let process = folder.path().join(pid.to_string());
            fs::create_dir(&process).unwrap();
            let stat = format!(
                "{pid} (a) b) S {parent} 1 1 0 -1 4194560 1 0 0 0 5 6 0 0 20 0 3 0 {start} 1000 9\n"
            );
            fs::write(process.join("stat"), stat).unwrap();
            fs::write(process.join("cgroup"), format!("0::{cgroup}\n")).unwrap();
        }
        folder
    }

    #[test]
    fn the_main_process_of_the_unit_is_served_and_no_other_of_it() {
        let elsewhere = "/system.slice/other.service";
        let proc = proc(&[
            (1, 0, 0, "/init.scope"),
            (7, 1, 50, OURS),
            (8, 7, 51, OURS),
            (9, 7, 50, OURS),
            (10, 1, 60, OURS),
            (11, 1, 20, elsewhere),
        ]);
        let is_main = |pid| Process::read(pid, proc.path()).unwrap().is_main(UNIT, proc.path());
        is_main(7).unwrap();
        for pid in [8, 9, 10] {
            let why = is_main(pid).unwrap_err().to_string();
            assert!(why.ends_with("is not the main process of hostinfo.service, but process 7 is"));
        }
        let why = is_main(11).unwrap_err().to_string();
        assert_eq!(why, "the caller, process 11, is not in hostinfo.service");
    }

    #[test]
    fn a_unit_of_the_same_name_of_a_user_is_another() {
        assert!(is_of_unit(OURS, UNIT) && is_of_unit("/hostinfo.service", UNIT));
        for other in [
            "/user.slice/user-7.slice/user@7.service/hostinfo.service",
            "/user.slice/user-7.slice/user@7.service/app.slice/hostinfo.service",
            "/system.slice/hostinfo.service/x",
            "/system.slice/xhostinfo.service",
            "/",
        ] {
            assert!(!is_of_unit(other, UNIT), "{other}");
        }
    }

    #[test]
    fn the_cgroup_is_that_of_systemd_and_not_of_another_hierarchy() {
        let v1 = "9:memory:/hostinfo.service\n1:name=systemd:/a.slice/b.service\n0::/\n";
        assert_eq!(cgroup(v1), Some("/a.slice/b.service"));
        assert_eq!(cgroup("0::/x.scope\n"), Some("/x.scope"));
        assert_eq!(cgroup("9:name=systemd:/\n0::/x.scope\n"), Some("/x.scope"));
        assert_eq!(cgroup("3:memory:/x\n"), None);
        assert_eq!(parent_and_start("1 (x"), None);
        assert_eq!(parent_and_start("1 (x) S 2 3"), None);
    }

    #[test]
    fn a_caller_outside_the_unit_is_not_the_daemon_and_neither_is_one_that_cannot_be_seen() {
        let (_one, two) = UnixStream::pair().unwrap();
        let why = check(&two, UNIT, Path::new("/proc")).unwrap_err();
        assert!(matches!(why, NotHostinfod::Elsewhere { .. }), "{why}");
        let empty = tempfile::tempdir().unwrap();
        assert!(matches!(check(&two, UNIT, empty.path()), Err(NotHostinfod::Ended(_))));
        assert!(matches!(
            check(fs::File::open("/").unwrap(), UNIT, empty.path()),
            Err(NotHostinfod::Unseen)
        ));
    }
}
