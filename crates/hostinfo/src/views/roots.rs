//! Where the guest's own kernel shows its figures and devices.

use std::fs::{self, DirEntry, File};
use std::io::{self, Read as _};
use std::path::PathBuf;

use crate::views::parse::{self, Stat};

/// The most that is read of one file: /proc/stat is 700 KiB long for 4,096 CPUs.
const FILE_MAX: u64 = 1024 * 1024;

/// The paths of the kernel's file systems.
#[derive(Debug, Clone)]
pub(crate) struct Roots {
    /// proc(5).
    pub(crate) proc: PathBuf,
    /// sysfs(5).
    pub(crate) sys: PathBuf,
}

impl Roots {
    /// Tasks that are running or ready to run, and the CPUs available to them.
    pub(crate) fn stat(&self) -> Option<Stat> {
        parse::stat(&self.read("stat")?)
    }

    /// The resources of which this guest has no device: no disk, no interface but the loopback.
    pub(crate) fn lacking(&self) -> Vec<&'static str> {
        let has = |class: &str, counts: &dyn Fn(&str) -> bool| {
            let Ok(entries) = fs::read_dir(self.sys.join(class)) else { return true };
            // What cannot be read may be a device.
            let name = |entry: io::Result<DirEntry>| entry.ok()?.file_name().into_string().ok();
            entries.into_iter().any(|entry| name(entry).is_none_or(|name| counts(&name)))
        };
        // In a container, its only interface has no hardware. The bonding driver's file is none.
        let is_interface = |name: &str| !["lo", "bonding_masters"].contains(&name);
        let has_disk = has("block", &|name| self.is_hardware("block", name));
        let lacking = [("io", has_disk), ("net", has("class/net", &is_interface))];
        lacking.into_iter().filter(|(_, has)| !has).map(|(resource, _)| resource).collect()
    }

    pub(super) fn read(&self, name: &str) -> Option<String> {
        let mut text = String::new();
        File::open(self.proc.join(name)).ok()?.take(FILE_MAX).read_to_string(&mut text).ok()?;
        Some(text)
    }

    /// Whether a disk or an interface is backed by hardware, unlike partitions, loops, bridges and
    /// tunnels.
    pub(super) fn is_hardware(&self, class: &str, name: &str) -> bool {
        self.sys.join(class).join(name).join("device").exists()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_without_a_disk_or_an_interface_is_told_from_one_that_cannot_be_seen() {
        let folder = tempfile::tempdir().unwrap();
        let sys = folder.path().join("sys");
        let roots = Roots { proc: folder.path().into(), sys: sys.clone() };
        assert!(roots.lacking().is_empty(), "there is no sysfs");
        for device in ["block/loop0", "block/ram0", "class/net/lo", "class/net/bonding_masters"] {
            fs::create_dir_all(sys.join(device)).unwrap();
        }
        assert_eq!(roots.lacking(), ["io", "net"]);
        fs::create_dir_all(sys.join("class/net/eth0")).unwrap();
        assert_eq!(roots.lacking(), ["io"], "a container's interface has no hardware");
        fs::create_dir_all(sys.join("block/vda/device")).unwrap();
        assert!(roots.lacking().is_empty());
    }
}
