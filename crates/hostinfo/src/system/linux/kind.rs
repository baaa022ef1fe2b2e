//! Which device files may be ports. One that may not is not even opened: that has effects, such as with /dev/watchdog.

use std::io::{stderr, stdin, stdout};
use std::path::Path;

use rustix::fs::{FileType, Stat, major, minor};

use crate::port::OpenError;

/// /dev/tty, which is the terminal of whoever opens it, and /dev/ptmx, which makes a new one (devices.txt).
const OWN_TTY: (u32, u32) = (5, 0);
const NEW_TTY: (u32, u32) = (5, 2);

/// Whether a file may be a port, by its `status` and what sysfs(5) at `sys` knows of it. Without sysfs, and of
/// pseudo-terminals, which it does not have, nothing is known. `stat` is /proc/self/stat, and `stdio` are the numbers of
/// the devices that this program reads from and writes to.
///
/// # Errors
/// [`OpenError`]: it is not.
pub(super) fn check(status: &Stat, sys: &Path, stat: &str, stdio: &[u64]) -> Result<(), OpenError> {
    let number = (major(status.st_rdev), minor(status.st_rdev));
    if FileType::from_raw_mode(status.st_mode) != FileType::CharacterDevice || number == NEW_TTY {
        return Err(OpenError::NotAPort);
    }
    if number == OWN_TTY {
        return Err(OpenError::OwnTerminal);
    }
    if Some(status.st_rdev) == terminal(stat) {
        // A shell that leads a session without a terminal gets the first that it opens (tty_ioctl(4)).
        let is_talked_over = stdio.contains(&status.st_rdev);
        return Err(if is_talked_over {
            OpenError::OwnTerminal
        } else {
            OpenError::ShellsTerminal
        });
    }
    let subsystem = sys.join(format!("dev/char/{}:{}/subsystem", number.0, number.1));
    match std::fs::read_link(subsystem) {
        Ok(kind) if !kind.ends_with("tty") && !kind.ends_with("virtio-ports") => {
            Err(OpenError::NotAPort)
        }
        _ => Ok(()),
    }
}

/// The numbers of the devices behind standard input, output and error.
pub(super) fn stdio() -> Vec<u64> {
    let files =
        [rustix::fs::fstat(stdin()), rustix::fs::fstat(stdout()), rustix::fs::fstat(stderr())];
    files.into_iter().flatten().map(|status| status.st_rdev).collect()
}

/// The number of this process's controlling terminal: `tty_nr` of proc_pid_stat(5), which is 0 without one. The
/// program's name before it may contain blanks and parentheses.
fn terminal(stat: &str) -> Option<u64> {
    let number: i32 = stat.rsplit_once(')')?.1.split_whitespace().nth(4)?.parse().ok()?;
    Some(u64::from(number.cast_unsigned())).filter(|number| *number != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(path: &str, stat: &str) -> Result<(), OpenError> {
        let status = rustix::fs::stat(path).unwrap();
        super::check(&status, Path::new("/sys"), stat, &[status.st_rdev])
    }

    #[test]
    fn a_device_that_is_no_port_is_told_by_what_it_is() {
        for path in
            ["/dev/null", "/dev/zero", "/dev/urandom", "/dev/ptmx", "/dev", "/proc/self/stat"]
        {
            assert!(matches!(check(path, ""), Err(OpenError::NotAPort)), "{path}");
        }
        let status = rustix::fs::stat("/dev/null").unwrap();
        assert!(super::check(&status, Path::new("/none"), "", &[]).is_ok(), "without sysfs");
        for (class, is_port) in [("tty", true), ("virtio-ports", true), ("misc", false)] {
            let sys = tempfile::tempdir().unwrap();
            let device = sys.path().join("dev/char/1:3");
            std::fs::create_dir_all(&device).unwrap();
            let class = format!("../../../class/{class}");
            std::os::unix::fs::symlink(&class, device.join("subsystem")).unwrap();
            assert_eq!(super::check(&status, sys.path(), "", &[]).is_ok(), is_port, "{class}");
        }
    }

    #[test]
    fn the_terminal_of_the_user_is_not_written_to() {
        assert!(matches!(check("/dev/tty", ""), Err(OpenError::OwnTerminal)));
        let number = i32::try_from(rustix::fs::stat("/dev/null").unwrap().st_rdev).unwrap();
        let own = format!("7 (a) b) S 1 7 7 {number} 7 0");
        assert!(matches!(check("/dev/null", &own), Err(OpenError::OwnTerminal)));
        let null = rustix::fs::stat("/dev/null").unwrap();
        let shells = super::check(&null, Path::new("/sys"), &own, &[]);
        assert!(matches!(shells, Err(OpenError::ShellsTerminal)), "nobody sees it there");
        let none = check("/dev/null", "7 (sh) S 1 7 7 0 -1 0");
        assert!(matches!(none, Err(OpenError::NotAPort)), "it has no terminal");
    }
}
