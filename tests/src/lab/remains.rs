//! The remains of a failed run, for finding out why.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Error, Result};

use super::{Lab, qemu};

/// The time limit for each question, so that a stuck host does not block the test.
const GLANCE: Duration = Duration::from_secs(60);

/// The questions to the host: the name of the file, and the shell command.
const QUESTIONS: [(&str, &str); 7] = [
    ("hostinfo.log", "journalctl --no-pager --output=short-precise --unit=hostinfo"),
    ("journal.log", "journalctl --no-pager --output=short-precise --boot"),
    ("status.txt", "hostinfoctl status; hostinfoctl list; systemctl status --no-pager hostinfo"),
    ("domains.txt", "virsh list --all; tail -n +1 /var/log/libvirt/qemu/*.log"),
    ("processes.txt", "ps -eLo pid,tid,psr,stat,wchan:20,time,comm; systemd-cgls --no-pager"),
    ("load.txt", "cat /proc/loadavg; tail -n +1 /proc/pressure/*; free; cat /proc/swaps"),
    ("denials.txt", "dmesg | grep -i denied; ausearch -i -m avc 2>/dev/null"),
];

impl Lab {
    /// Writes all that into a folder named after the test and the attempt, and returns its path.
    pub(super) fn keep(&self, attempt: u32, error: &Error) -> Result<PathBuf> {
        let test = std::thread::current().name().unwrap_or("main").replace("::", "-");
        let folder = self.folder.failed().join(format!("{test}-{attempt}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        fs::write(folder.join("error.txt"), format!("{:?}\n{error:?}\n", self.spec))?;
        for guest in self.guests.borrow().iter() {
            let said = guest.console.borrow().said();
            fs::write(folder.join(format!("guest-{}.log", guest.name)), said)?;
        }
        {
            let host = self.host.borrow();
            fs::write(folder.join(qemu::SERIAL), host.serial())?;
            fs::write(folder.join("qemu.log"), host.qemu.log())?;
        }
        for (file, line) in QUESTIONS {
            // If one is not answered, no other will be.
            let output = self.run_within(line, GLANCE)?;
            fs::write(folder.join(file), output.stdout + &output.stderr)?;
        }
        Ok(folder)
    }
}
