//! The name of a guest's file: its UUID, or the process that runs it.

use std::fs;
use std::path::{Path, PathBuf};

use hostinfo_answer::GuestKey;
use hostinfo_domains::Uuid;

use crate::guest::peer;

/// Prefix of a process's name. PIDs and start times repeat after the host has rebooted, so the name
/// includes the boot: `process-4242-123456-BOOT`.
const PROCESS: &str = "process-";

/// Makes names on this host, in this boot.
pub(super) struct Names {
    proc: PathBuf,
    /// `/proc/sys/kernel/random/boot_id`, proc(5); `None` if the kernel does not provide it.
    boot: Option<Uuid>,
}

impl Names {
    pub(super) fn new(proc: &Path) -> Self {
        let boot = fs::read_to_string(proc.join("sys/kernel/random/boot_id")).ok();
        Self { proc: proc.to_owned(), boot: boot.and_then(|boot| boot.trim().parse().ok()) }
    }

    /// The file name for a guest. `None` if the guest could not be recognized after a restart.
    pub(super) fn of(&self, key: GuestKey) -> Option<Box<str>> {
        let name = match key {
            GuestKey::Domain(uuid) => uuid.to_string(),
            GuestKey::Process { pid, start } => format!("{PROCESS}{pid}-{start}-{}", self.boot?),
        };
        Some(name.into())
    }

    /// Whether the file has a name of this form.
    pub(super) fn is_ours(file: &str) -> bool {
        let is_domain = |file: &str| file.parse().is_ok_and(|uuid: Uuid| uuid.to_string() == file);
        is_domain(file) || parse(file).is_some()
    }

    /// Whether the file belongs to a process that has ended.
    pub(super) fn is_over(&self, file: &str) -> bool {
        parse(file).is_some_and(|(pid, start, boot)| {
            self.boot != Some(boot) || peer::now(pid, &self.proc).start != Some(start)
        })
    }
}

fn parse(file: &str) -> Option<(i32, u64, Uuid)> {
    let mut words = file.strip_prefix(PROCESS)?.splitn(3, '-');
    Some((words.next()?.parse().ok()?, words.next()?.parse().ok()?, words.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_the_same_one_by_its_number_its_start_and_the_boot() {
        let proc = tempfile::tempdir().unwrap();
        let boot = |boot: u128| {
            let folder = proc.path().join("sys/kernel/random");
            fs::create_dir_all(&folder).unwrap();
            fs::write(folder.join("boot_id"), format!("{}\n", Uuid::from_u128(boot))).unwrap();
            Names::new(proc.path())
        };
        let key = GuestKey::Process { pid: 7, start: 100 };
        assert_eq!(Names::new(proc.path()).of(key), None, "the kernel does not tell which boot");
        let names = boot(1);
        let file = names.of(key).unwrap();
        assert!(Names::is_ours(&file) && names.is_over(&file), "{file}");
        fs::create_dir(proc.path().join("7")).unwrap();
        let stat =
            |start| format!("7 (qemu) S 1 7 7 0 -1 4 9 0 5 0 6 7 0 0 20 0 3 0 {start} 1 2\n");
        fs::write(proc.path().join("7/stat"), stat(100)).unwrap();
        assert!(!names.is_over(&file));
        assert!(boot(2).is_over(&file));
        fs::write(proc.path().join("7/stat"), stat(101)).unwrap();
        assert!(names.is_over(&file));
    }

    #[test]
    fn only_names_of_domains_and_of_processes_are_ours() {
        let uuid = Uuid::from_u128(7).to_string();
        assert!(Names::is_ours(&uuid));
        for other in ["", "x", "process-", "process-1-2", "process-1-2-x", &uuid.replace('-', "")] {
            assert!(!Names::is_ours(other), "{other}");
        }
    }
}
